"""`livelog wait`: for the end of a log, or for a line; exit codes; through restarts of the server.

Categories: the end · a line · in time · broken connections · wrong usage · the list, filtered.
"""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from livelog import Writer
from tests.harness import TIMEOUT

from .place import Place, place


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        yield made


def write(here: Place, name: str, text: bytes, code: int | None = None, **labels: str) -> None:
    with Writer(name, labels=labels, settings=here.settings()) as log:
        log.write(text)
        log.exit_code = code


def test_wait_is_over_when_the_log_ends(here: Place) -> None:
    """Also if it has not begun; how it ended is told on stderr, and stdout stays empty."""
    with here.started("wait", "--exit-status", "ends") as waiting:
        with Writer("ends", settings=here.settings()) as log:
            log.write(b"line\n" * 10)
            here.wait_for("ends", 50)
            assert waiting.poll() is None
            log.exit_code = 7
        assert waiting.communicate(timeout=TIMEOUT) == (b"", b"livelog: ends is complete, exit code 7\n")
        assert waiting.returncode == 7
    done = here.run("wait", "ends")
    assert (done.returncode, done.stdout) == (0, b"")


def test_wait_for_a_log_that_is_aborted_tells_so(here: Place) -> None:
    with pytest.raises(ZeroDivisionError), Writer("broken", settings=here.settings()):
        raise ZeroDivisionError
    for words in (("broken",), ("broken", "--exit-status"), ("broken", "--for", "x")):
        done = here.run("wait", *words)
        assert (done.returncode, b"abort" in done.stderr) == (3, True), done.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--for", "port [0-9]+$"), b"listening on port 8080\n"),
        (("--for", "PORT", "-i"), b"listening on port 8080\n"),
        (("--for", "a.c (", "-F"), b"a.c (\n"),
        (("--for", "^port"), b""),
        (("--for", "PORT"), b""),
        (("--for", "late", "-q"), b""),
    ],
)
def test_line_is_found_whether_it_is_there_or_comes(here: Place, words: tuple[str, ...], line: bytes) -> None:
    """In a log that has ended, and in one that grows; one that is unfinished is not cut in two."""
    name = f"lines/{abs(hash(words))}"
    code = 0 if line or "-q" in words else 1
    with here.started("wait", name, *words) as waiting:
        with Writer(name, settings=here.settings()) as log:
            log.write(b"starting\nlistening on po")
            here.wait_for(name, 24)
            log.write(b"rt 8080\na.c (\nlate\n")
        output, _ = waiting.communicate(timeout=TIMEOUT)
        assert (waiting.returncode, output) == (code, line)
    done = here.run("wait", name, *words)
    assert (done.returncode, done.stdout) == (code, line)


def test_wait_ends_in_time(here: Place) -> None:
    with Writer("silent", settings=here.settings()) as log:
        log.write(b"nothing\n")
        here.wait_for("silent", 8)
        for words in (("silent",), ("silent", "--for", "something"), ("not/begun",)):
            done = here.run("wait", *words, "--timeout", "0.3")
            assert (done.returncode, b"within 0.3 s" in done.stderr) == (124, True), done.stderr


def test_wait_goes_on_when_the_server_is_back(tmp_path: Path) -> None:
    with place(tmp_path / "home") as here, Writer("through", settings=here.settings()) as log:
        log.write(b"one\n")
        here.wait_for("through", 4)
        with here.started("wait", "through", "--for", "^two$") as line, here.started("wait", "through") as end:
            here.kill(signal.SIGKILL)
            here.start()
            log.write(b"two\n")
            assert line.communicate(timeout=TIMEOUT)[0] == b"two\n"
            closing = threading.Thread(target=log.close)
            closing.start()
            end.communicate(timeout=TIMEOUT)
            closing.join(TIMEOUT)
            assert (line.returncode, end.returncode) == (0, 0)


def test_wrong_usage_is_told(here: Place) -> None:
    for words in (("-i",), ("--for", "("), ("--for", "x", "--exit-status"), ("--timeout", "soon")):
        done = here.run("wait", "some", *words)
        assert (done.returncode, done.stderr.startswith(b"livelog: ")) == (2, True)
    assert here.run("wait", "some", ACCESS_TOKEN="wrong").returncode == 5


def test_list_is_filtered_by_prefix_and_label(here: Place) -> None:
    for number in range(3):
        write(here, f"builds/{number}", b"x", branch="main" if number else "next", odd="")
    write(here, "build", b"x", branch="main")
    for words, names in (
        (("--prefix", "builds/"), [b"builds/2", b"builds/1", b"builds/0"]),
        (("--label", "branch=main"), [b"build", b"builds/2", b"builds/1"]),
        (("--prefix", "builds/", "--label", "branch", "--label", "branch=next"), [b"builds/0"]),
        (("--label", "branch=other"), []),
    ):
        done = here.run("ls", "--names", *words)
        assert (done.returncode, done.stdout.split()) == (0, names), done.stderr
