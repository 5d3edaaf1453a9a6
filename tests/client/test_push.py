"""`livelog push`: pipes, files, growing files, and what was left on disk.

Categories: what is sent · failures and exit codes · growing files · notes.
"""

import os
import random
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import TIMEOUT

from .place import COMMAND, Place, Proxy, lines, links, place, wait_until


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        yield made


def test_pipe_and_file_are_sent_whole_and_told_of(here: Place) -> None:
    data = random.Random(1).randbytes(3_000_000)
    file = here.home / "build.log"
    file.write_bytes(data)
    about = ("--title", "a title", "--label", "branch=main", "--exit-code", "2", "--content-type", "application/json")
    for name, source, given in (("piped", "-", data), ("file", str(file), None)):
        done = here.run("push", "--name", name, *about, source, data=given)
        assert (done.returncode, done.stdout) == (0, b""), done.stderr
        assert here.log(name) == data
        known = here.status(name)
        assert (known["state"], known["title"], known["labels"]) == ("complete", "a title", {"branch": "main"})
        assert (known["exit_code"], known["content_type"]) == (2, "application/json")


def test_name_is_made_of_the_files_unless_it_is_given(here: Place) -> None:
    file = here.home / "nightly build.log"
    file.write_bytes(b"x")
    (link,) = links(here.run("push", str(file)).stderr)
    assert re.search(r"/nightly-build\.log/\d{8}T\d{6}-[0-9a-f]{8}$", link)
    assert here.run("tail", link).stdout == b"x"


def test_pipe_is_sent_while_it_flows(here: Place) -> None:
    with here.started("push", "-q", "--name", "flowing", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for number in range(1, 4):
            process.stdin.write(b"line\n")
            process.stdin.flush()
            here.wait_for("flowing", 5 * number, "live")
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_interrupt_is_for_whatever_writes_into_the_pipe(here: Place, number: signal.Signals) -> None:
    with here.started("push", "-q", "--name", number.name, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"before\n")
        process.stdin.flush()
        here.wait_for(number.name, 7)
        process.send_signal(number)
        process.stdin.write(b"last words\n")
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0
    assert here.log(number.name) == b"before\nlast words\n"


def test_pipe_that_has_a_name_is_sent_while_it_flows(here: Place) -> None:
    pipe = here.home / "pipe"
    os.mkfifo(pipe)
    with here.started("push", "-q", "--name", "named", str(pipe)) as process, pipe.open("wb", buffering=0) as opened:
        opened.write(b"some\n")
        here.wait_for("named", 5, "live")
        opened.write(b"more\n")
        opened.close()
        assert process.wait(TIMEOUT) == 0
    assert here.log("named") == b"some\nmore\n"


@pytest.mark.parametrize("source", ["-", "file"])
def test_wrong_write_token_has_an_exit_code_of_its_own(tmp_path: Path, source: str) -> None:
    with place(tmp_path / "home", variables={"LIVELOG_WRITE_TOKEN": "right"}) as here:
        file = here.home / "file"
        file.write_bytes(b"x")
        words = ("push", "-q", "--name", "x", str(file) if source == "file" else source)
        done = here.run(*words, data=b"x", LIVELOG_WRITE_TOKEN="wrong")
    assert done.returncode == 5
    assert b"401" in done.stderr


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("source", ["-", "file"])
def test_network_that_is_cut_at_random_bytes_loses_nothing(here: Place, source: str, seed: int) -> None:
    chance = random.Random(seed)
    cuts = [chance.randrange(1, 900) if chance.random() < 0.3 else chance.randrange(900, 400_000) for _ in range(8)]
    data, name = lines(200_000), f"cut/{source.strip('-')}{seed}"
    file = here.home / "cut.log"
    file.write_bytes(data)
    with Proxy(here.server, cuts) as proxy:
        done = here.run(
            "push", "-q", "--name", name, source.replace("file", str(file)),
            data=data if source == "-" else None, LIVELOG_SERVER=proxy.url,
        )  # fmt: skip
        assert proxy.cut > 3, cuts
    assert (done.returncode, done.stderr) == (0, b""), cuts
    assert here.log(name) == data, cuts
    assert here.status(name)["state"] == "complete"


def test_growing_file_is_followed_until_ctrl_c(here: Place) -> None:
    file = here.home / "growing.log"
    file.write_bytes(b"there already\n")
    with here.started("push", "-q", "--follow", "--name", "growing", str(file)) as process:
        here.wait_for("growing", 14)
        with file.open("ab") as opened:
            opened.write(b"appended\n")
        here.wait_for("growing", 23, "live")
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 0
    assert here.log("growing") == b"there already\nappended\n"
    assert here.status("growing")["state"] == "complete"


def test_file_that_is_cut_short_aborts_the_log(here: Place) -> None:
    file = here.home / "short.log"
    file.write_bytes(b"x" * 1000)
    with here.started("push", "-q", "--follow", "--name", "short", str(file)) as process:
        here.wait_for("short", 1000)
        file.write_bytes(b"y" * 10)
        assert process.wait(TIMEOUT) == 3
        assert process.stderr is not None
        assert b"shorter" in process.stderr.read()
    assert here.status("short")["state"] == "aborted"


def test_log_that_the_server_never_got_is_not_said_to_be_aborted(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        file = here.home / "short.log"
        file.write_bytes(b"x" * 1000)
        with here.started("push", "-q", "--follow", "--drain", "1", str(file)) as process:
            opened = f"/proc/{process.pid}/fd"
            wait_until(
                lambda: any(os.path.realpath(f"{opened}/{fd}") == str(file) for fd in os.listdir(opened)), "it reads"
            )
            file.write_bytes(b"y" * 10)
            _, errors = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 6
        assert b"send it again later" in errors
        assert b"aborted" not in errors


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no-such-file"], 1, "no-such-file: No such file or directory"),
        (["."], 1, "holds no log that could be sent"),
        (["--name", "a//b"], 2, "'a//b' is not the name of a log"),
        (["--label", "x"], 2, "'x' is not NAME=VALUE"),
        (["--label", "x y=1"], 1, "Livelog-Label is not name=value"),
        (["--label", "x=1,2"], 1, "the label x has a comma in it"),
        (["--content-type", "é"], 1, "'é' is not a content type"),
        (["--exit-code", "x"], 2, "invalid int value"),
    ],
)
def test_mistakes_are_told_in_a_line(here: Place, words: list[str], code: int, said: str) -> None:
    done = here.run("push", *words, data=b"")
    assert (done.returncode, done.stdout) == (code, b"")
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_pipe_that_a_server_does_not_take_is_kept(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        done = here.run("push", "--name", "kept", "--drain", "0.1", data=lines(10))
        assert done.returncode == 6
        (spool,) = here.spools
        assert f"livelog push {spool}" in done.stderr.decode()
        again = here.run("push", "--drain", "0.1", str(spool))
        assert (again.returncode, here.spools) == (6, [spool])
        here.start()
        assert here.run("push", "-q", str(spool)).returncode == 0
        assert here.log("kept") == lines(10)


def test_pipeline_of_a_shell(here: Place) -> None:
    script = f"seq 5 | {' '.join(COMMAND)} push -q --name pipeline && {' '.join(COMMAND)} tail pipeline"
    done = subprocess.run(["sh", "-c", script], env=here.environment(), capture_output=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"1\n2\n3\n4\n5\n", b"")
