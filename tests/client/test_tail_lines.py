"""`livelog tail` by line: patterns, times, and several logs in the order of their lines' times.

Categories: one log · several logs · logs that join · wrong usage.
"""

import json
import re
import signal
import time
from collections.abc import Iterator

import pytest

from livelog import Writer
from tests.harness import TIMEOUT

from .place import COMMAND, Place, place, wait_until
from .terminals import terminal


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        yield made


def interleaved(here: Place, *names: str) -> None:
    """Logs whose lines came in turns."""
    logs = [Writer(name, labels={"of": names[0].partition("/")[0]}, settings=here.settings()) for name in names]
    for number in range(1, 4):
        for name, log in zip(names, logs, strict=True):
            log.write(f"{number} of {name}\n".encode())
            here.wait_for(name, number * len(f"1 of {name}\n"))
            apart = time.monotonic() + 0.03  # times are exact to 10 ms
            wait_until(lambda apart=apart: time.monotonic() > apart, "the next line has another time")  # type: ignore[misc]
    for log in logs:
        log.close()


def test_lines_that_match_are_shown_as_they_come(here: Place) -> None:
    with Writer("one", settings=here.settings()) as log:
        log.write(b"old error\nfine\nnew error\nfine\n")
        here.wait_for("one", 30)
        with here.started("tail", "--grep", "ERROR", "-i", "-n", "1", "one") as tail:
            assert tail.stdout is not None
            assert tail.stdout.readline() == b"new error\n"
            log.write(b"no\nthe next error\n")
            assert tail.stdout.readline() == b"the next error\n"
            log.close()
            assert (tail.wait(TIMEOUT), tail.stdout.read()) == (0, b"")
    for words, lines in (
        (("--grep", "error", "-v", "-n", "2"), b"fine\nno\n"),
        (("--grep", "next", "-B", "1"), b"no\nthe next error\n"),
        (("--grep", "old", "-C", "1"), b"old error\nfine\n"),
        (("--since", "1h", "-n", "1"), b"old error\nfine\nnew error\nfine\nno\nthe next error\n"),
        (("--until", "1h"), b""),
        (("--grep", "fine", "-n", "+4"), b"fine\n"),
    ):
        done = here.run("tail", *words, "one")
        assert (done.returncode, done.stdout) == (0, lines), (words, done.stderr)


def test_times_are_those_of_the_lines(here: Place) -> None:
    interleaved(here, "times")
    began = here.status("times")["began"]
    for form, pattern in (
        ("iso", rb"....-..-..T..:..:..\....Z "),
        ("short", rb"..:..:..\.... "),
        ("delta", rb" +\+0\.0.. |.*"),
        ("relative", rb" +\+.*"),
    ):
        done = here.run("tail", f"--timestamps={form}", "times")
        assert re.fullmatch(rb"(?:" + pattern + rb". of times\n){3}", done.stdout), done
    line = json.loads(here.run("tail", "--json", "--since", "1h", "times").stdout.splitlines()[0])
    assert (line["line"], line["byte"], line["text"]) == (1, 0, "1 of times")
    assert line["time"][:16] >= began[:16]


def test_several_logs_are_merged_by_the_times_of_their_lines(here: Place) -> None:
    interleaved(here, "m/a", "m/b")
    merged = [f"{name} | {number} of {name}".encode() for number in range(1, 4) for name in ("m/a", "m/b")]
    for words in (
        ("m/a", "m/b"),
        ("--no-follow", "m/"),
        ("--no-follow", "--label", "of=m"),
        ("--no-follow", "m/*", "m/a"),
    ):
        done = here.run("tail", *words)
        assert (done.returncode, done.stdout.splitlines()) == (0, merged), (words, done.stderr)
    done = here.run("tail", "--no-follow", "-n", "1", "--json", "m/")
    assert [(each["log"], each["text"]) for each in map(json.loads, done.stdout.splitlines())] == [
        ("m/a", "3 of m/a"),
        ("m/b", "3 of m/b"),
    ]
    done = here.run("tail", "--max-logs", "1", "m/a", "m/b")
    assert (done.stdout.splitlines(), b"more than 1 logs" in done.stderr) == (merged[::2], True)
    done = here.run("tail", "m/a", "missing")
    assert (done.returncode, done.stdout.splitlines(), b"missing: " in done.stderr) == (4, merged[::2], True)


def test_logs_that_begin_later_join(here: Place) -> None:
    with here.started("tail", "join/*") as tail:
        assert tail.stdout is not None
        for name in ("join/a", "other", "join/b"):
            with Writer(name, settings=here.settings()) as log:
                log.write(b"first\nsecond\n")
            if name != "other":
                assert [tail.stdout.readline() for _ in range(2)] == [
                    f"{name} | {text}\n".encode() for text in ("first", "second")
                ]
        tail.send_signal(signal.SIGINT)
        assert tail.wait(TIMEOUT) == 130


def test_names_are_coloured_on_a_terminal_and_lines_made_harmless(here: Place) -> None:
    for name in ("t/a", "t/b"):
        with Writer(name, settings=here.settings()) as log:
            log.write(b"\x1b[31mred\x1b]0;title\x07\x1b[2J\n")
    with terminal((*COMMAND, "tail", "t/a", "t/b"), here.environment()) as screen:
        assert screen.wait_end() == 0
    assert b"\x1b[36mt/a | \x1b[0m\x1b[31mred" in screen.screen
    assert b"\x1b[33mt/b | \x1b[0m" in screen.screen
    assert b"title" not in screen.screen
    assert b"[2J" not in screen.screen
    with terminal((*COMMAND, "tail", "t/a", "t/b"), here.environment() | {"NO_COLOR": "1"}) as screen:
        assert screen.wait_end() == 0
    assert b"\nt/b | \x1b[31mred" in screen.screen  # the log's own colours stay: they are not ours


def test_lines_are_left_out_and_what_matters_is_marked(here: Place) -> None:
    with Writer("look", settings=here.settings()) as log:
        log.write(b"GET /healthz\n\x1b[32man error\x1b[0m here\nGET /favicon\n")
    done = here.run("tail", "--exclude", "healthz", "--exclude", "fav.*n$", "--highlight", "error", "look")
    assert (done.returncode, done.stdout) == (0, b"\x1b[32man error\x1b[0m here\n")
    done = here.run("tail", "--timestamps=iso", "--timezone", "UTC", "-n", "1", "look")
    assert re.fullmatch(rb".{23}\+00:00 GET /favicon\n", done.stdout), done
    done = here.run("tail", "--timestamps", "--timezone", "Asia/Tokyo", "-n", "1", "look")
    assert re.fullmatch(rb".{23}\+09:00 GET /favicon\n", done.stdout), done
    with terminal((*COMMAND, "tail", "--highlight", "err", "look"), here.environment()) as screen:
        assert screen.wait_end() == 0
    assert b"an \x1b[1;31merr\x1b[0mor here" in screen.screen


def test_wrong_usage_is_told(here: Place) -> None:
    for words in (
        (),
        ("--grep", "(", "one"),
        ("-v", "one"),
        ("-o", "file", "a", "b"),
        ("--timestamps=soon", "one"),
        ("--since", "soon", "one"),
        ("--exclude", "(", "one"),
        ("--timezone", "Nowhere/City", "one"),
        ("--timezone", "UTC", "one"),  # of which times?
    ):
        done = here.run("tail", *words)
        assert (done.returncode, done.stderr.startswith(b"livelog: ")) == (2, True), done.stderr
