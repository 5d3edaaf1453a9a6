"""`livelog grep`: what it prints is what grep prints of the same files.

Categories: one log, with grep as the oracle · several, patterns and labels · colours · times · broken connections · wrong usage.
"""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from livelog import Writer
from tests.sample import one_of

from .place import COMMAND, Place, Proxy, place
from .terminals import terminal

TEXT = (
    b"".join(
        b"%d %b\n" % (number, (b"an error", b"Error: x", b"\xff fine", b"fine errors", b"")[number * number % 5])
        for number in range(400)
    )
    + b"the last error"
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        for name, text, branch in (
            ("text", TEXT, "main"),
            ("b/1", b"one error\ntwo\n", "main"),
            ("b/2", b"two\n", "next"),
        ):
            with Writer(name, labels={"branch": branch}, settings=made.settings()) as log:
                log.write(text)
            file = made.home / name
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(text)
        yield made


FLAGS = (
        ("error",), ("-n", "error"), ("-i", "-n", "ERROR"), ("-v", "-n", "error"), ("-c", "error"), ("-c", "nothing"), ("-q", "error"),
        ("-q", "nothing"), ("-n", "-C", "2", "the last"), ("-n", "-B", "1", "-A", "1", "-m", "4", "Error"), ("-F", "-n", "x"), ("-x", "-n", "2 .*fine"),
        ("-w", "-n", "error"), ("-o", "-n", "err.."), ("-l", "error"), ("-n", "-e", "the last", "-e", "^7 "), ("-H", "-n", "last"),
        ("-m", "2", "-v", "fine"), ("-n", "-C", "1", "^3[0-9] "), ("nothing",), ("-c", ""), ("-m", "0", "error"),
)  # fmt: skip


@pytest.mark.parametrize("words", one_of(3, [pytest.param(words) for words in FLAGS]))
def test_lines_are_those_that_grep_prints(here: Place, words: tuple[str, ...]) -> None:
    oracle = subprocess.run(
        ["grep", "-a", *([] if "-F" in words else ["-E"]), *words, "text"],
        cwd=here.home,
        capture_output=True,
        env={"LC_ALL": "C.UTF-8"},
    )
    done = here.run("grep", *words, "text")
    assert (done.returncode, done.stdout) == (oracle.returncode, oracle.stdout), done.stderr


def test_several_logs_are_named_and_chosen_by_pattern_and_label(here: Place) -> None:
    for words, code, output in (
        (("two", "b/*"), 0, b"b/1:two\nb/2:two\n"),
        (("two", "b/"), 0, b"b/1:two\nb/2:two\n"),
        (("two", "b/2", "b/1"), 0, b"b/2:two\nb/1:two\n"),
        (("two", "--no-filename", "b/"), 0, b"two\ntwo\n"),
        (("-c", "error", "b/*"), 0, b"b/1:1\nb/2:0\n"),
        (("-l", "error", "--label", "branch=main", "*"), 0, b"b/1\ntext\n"),
        (("-n", "two", "--label", "branch=next"), 0, b"b/2:1:two\n"),
        (
            ("-C", "1", "one|last", "b/1", "text"),
            0,
            b"b/1:one error\nb/1-two\n--\ntext-399 Error: x\ntext:the last error\n",
        ),
        (("two", "b/1", "missing"), 2, b"b/1:two\n"),
        (("two", "missing/*"), 2, b""),
        (("-q", "two", "b/1", "missing"), 0, b""),
    ):
        done = here.run("grep", *words)
        assert (done.returncode, done.stdout) == (code, output), (words, done.stderr)
        assert (b"missing" in done.stderr) == (code == 2)


def test_colours_are_shown_on_a_terminal_only(here: Place) -> None:
    with terminal((*COMMAND, "grep", "-n", "the last", "text"), here.environment()) as screen:
        assert screen.wait_end() == 0
    assert b"\x1b[1;31mthe last\x1b[0m error" in screen.screen
    assert b"\x1b" not in here.run("grep", "-n", "the last", "text").stdout
    assert b"\x1b[1;31m" in here.run("grep", "--color=always", "the last", "text").stdout


def test_lines_are_chosen_by_when_they_came(here: Place) -> None:
    for words, code in (
        (("--since", "1h"), 0),
        (("--until", "1h"), 1),
        (("--since", "1h", "--until", "now"), 0),
        (("--since", "2100-01-01"), 1),
    ):
        done = here.run("grep", "-c", "error", *words, "b/1")
        assert (done.returncode, done.stdout) == (code, b"0\n" if code else b"1\n"), (words, done.stderr)


def test_search_goes_on_where_the_connection_broke(here: Place) -> None:
    """Each line once, with those around it."""
    words = ("grep", "-n", "-C", "1", "[13]", "text")
    whole = here.run(*words)
    with Proxy(here.readers, [2000, 1500, 10**9, 3000]) as proxy:
        cut = here.run(*words, LIVELOG_PUBLIC_URL=proxy.url)
    assert proxy.cut >= 1
    assert (cut.returncode, cut.stdout) == (0, whole.stdout)


def test_wrong_usage_is_told(here: Place) -> None:
    for words in (
        (),
        ("x",),
        ("(", "text"),
        ("x" * 1001, "text"),
        ("-c", "-l", "x", "text"),
        ("--since", "soon", "x", "text"),
    ):
        done = here.run("grep", *words)
        assert (done.returncode, done.stderr.startswith(b"livelog: ")) == (2, True), done.stderr
    assert here.run("grep", "x", "text", ACCESS_TOKEN="wrong").returncode == 2


def test_end_of_a_pipe_ends_it(here: Place) -> None:
    command = " ".join([*COMMAND, "grep", "-n", ".", "text"])
    done = subprocess.run(
        ["sh", "-c", f"{command} | head -n 1"], env=here.environment(), capture_output=True, timeout=60
    )
    assert (done.stdout, done.stderr) == (b"1:0 an error\n", b""), sys.version
