"""`--attempt` and `--generation` of the commands that read a log, and `livelog ls --watch`.

Categories: attempts · the live list, in lines and on a terminal.
"""

import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import livelog
from livelog import Writer
from tests.harness import TIMEOUT, TOKEN

from .place import COMMAND, Place, place
from .terminals import terminal


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home"), variables={"LIVELOG_KEEP_ATTEMPTS": "3"}) as made:
        for number in (1, 2, 3):
            with Writer("nightly", title=f"run {number}", settings=made.settings()) as log:
                log.write(b"the error of run %d\nfine\n" % number)
                log.exit_code = number
        yield made


# Attempts.


def test_each_command_reads_the_attempt_that_is_meant(here: Place) -> None:
    generation = json.loads(here.run("status", "--json", "--attempt", "-1", "nightly").stdout)["generation"]
    before = ("nightly", "--attempt", "-1")
    link = f"{here.readers}/view/{TOKEN}/nightly?generation={generation}"
    for words, code, content in (
        (("tail", *before), 0, b"the error of run 2\nfine\n"),
        (("tail", "nightly", "--generation", generation), 0, b"the error of run 2\nfine\n"),
        (("tail", link), 0, b"the error of run 2\nfine\n"),
        (("tail", "nightly", "--attempt", "0"), 0, b"the error of run 3\nfine\n"),
        (("tail", link, "--attempt", "-2"), 0, b"the error of run 1\nfine\n"),
        (("tail", "--exit-status", "-n", "1", *before), 2, b"fine\n"),
        (("tail", "--grep", "error", *before), 0, b"the error of run 2\n"),
        (("grep", "-n", "error", *before), 0, b"1:the error of run 2\n"),
        (("grep", "-n", "error", link), 0, b"1:the error of run 2\n"),
        (("wait", "--for", "error", *before), 0, b"the error of run 2\n"),
        (("wait", "--exit-status", *before), 2, b""),
    ):
        done = here.run(*words)
        assert (done.returncode, done.stdout) == (code, content), (words, done.stderr)
    for which in (before, (link,)):
        shown = here.run("show", *which).stdout
        assert b"run 2\n\nthe end of the log:\n1: the error of run 2\n" in shown, shown


def test_attempt_that_is_not_kept_is_told_in_words_that_help(here: Place) -> None:
    for words, code in ((("tail", "--wait", "9m"), 4), (("show",), 4), (("wait",), 4), (("grep", "x"), 2)):  # fmt: skip
        done = here.run(*words, "nightly", "--attempt", "-3")
        assert (done.returncode, done.stdout) == (code, b""), words
        assert b"there is no attempt -3" in done.stderr
        assert b"0, the newest, to -2 are kept; livelog status lists those that are kept" in done.stderr
    done = here.run("tail", "nightly", "--generation", "20200101T000000Z-00000000")
    assert (done.returncode, b"no log of that generation is kept" in done.stderr) == (4, True), done.stderr
    assert here.run("tail", "nightly", "--attempt", "1").returncode == 2
    assert here.run("tail", "nightly", "--attempt", "-1", "--generation", "x").returncode == 2
    assert here.run("tail", "nightly*", "--attempt", "-1").returncode == 2


@pytest.mark.needs("curl")
def test_open_sends_the_browser_to_the_attempt_that_is_meant(here: Place) -> None:
    generation = json.loads(here.run("status", "--json", "--attempt", "-1", "nightly").stdout)["generation"]
    opened, browser = here.home / "opened", here.home / "browser"
    browser.write_text(f"#!/bin/sh\ncurl -sS --noproxy '*' -o /dev/null -w '%{{redirect_url}}' \"$1\" > {opened}\n")
    browser.chmod(0o755)
    for which in (("--attempt", "-1"), ("--generation", generation)):
        assert here.run("open", "nightly", *which, variables={"BROWSER": str(browser)}).returncode == 0
        address = opened.read_text()
        assert (address.partition("/view/")[0], address.partition("?")[2]) == (here.readers, f"generation={generation}")
    assert here.run("open", "nightly", "--attempt", "-3").returncode == 4
    assert here.run("open", "nightly/", "--attempt", "-1").returncode == 2


# The live list.


def test_who_waits_for_ever_is_told_at_once_what_will_never_be_there(here: Place) -> None:
    """The server does not wait for an attempt, so it is not asked again and again."""
    reader = livelog.Reader(f"{here.readers}/log/{TOKEN}/nightly?attempt=-3", wait=math.inf)
    with reader, pytest.raises(livelog.Refused):
        list(reader)


def test_list_tells_how_many_attempts_there_are(here: Place) -> None:
    listed = here.run("ls", "--prefix", "nightly").stdout.splitlines()
    assert listed[1].endswith(b"   3  nightly  (3 attempts)  run 3"), listed


def test_changes_are_a_line_each_through_a_restart(tmp_path: Path) -> None:
    with place(tmp_path / "home") as here:
        with Writer("w/old", labels={"of": "w"}, settings=here.settings()) as log:
            log.write(b"x")
        with (
            here.started("ls", "--watch", "--prefix", "w/", "--label", "of=w") as text,
            here.started("ls", "--watch", "--json", "--label", "of") as objects,
            here.started("ls", "-w", "--names", "--state", "complete") as names,
        ):
            assert text.stdout is not None
            assert objects.stdout is not None
            assert names.stdout is not None
            assert text.stdout.readline().startswith(b"log      complete         1 B  ")
            assert json.loads(objects.stdout.readline())["event"] == "log"
            assert names.stdout.readline() == b"w/old\n"
            here.kill()
            here.start()
            with Writer("w/new", labels={"of": "w"}, settings=here.settings()) as log:
                log.write(b"xyz")
            for stream in (text.stdout, objects.stdout):
                told = [stream.readline()]
                while b"ended" not in told[-1]:
                    told.append(stream.readline())
                assert b"begun" in told[0]
                assert all(b"w/new" in line for line in told)
            for process in (text, objects, names):
                process.send_signal(signal.SIGINT)
                assert process.wait(TIMEOUT) == 130


def test_list_is_drawn_over_itself_on_a_terminal(here: Place) -> None:
    with terminal((*COMMAND, "ls", "--watch", "--prefix", "t/"), here.environment()) as screen:
        screen.wait_for(b"STATE")
        with Writer("t/one", settings=here.settings()) as log:
            assert log.link
            screen.wait_for(b"t/one")
        screen.wait_for(b"complete")
        assert b"\x1b[1A\r\x1b[J" in screen.screen
        assert b"\x1b[2A\r\x1b[J" in screen.screen
        screen.type(b"\x03")
        assert screen.wait_end() == 130


def test_wrong_token_is_told_in_place_of_a_list(here: Place) -> None:
    done = here.run("ls", "--watch", ACCESS_TOKEN="wrong")
    assert (done.returncode, done.stdout) == (5, b"")


def test_lines_that_are_new_since_the_last_good_run_are_shown(here: Place) -> None:
    for text, code in (("start 1\nfine\n", 0), ("start 2\nfine\nretry 1\nretry 2\nodd\n" + "x\n" * 400, 1)):
        with Writer("compared", settings=here.settings()) as log:
            log.write(text.encode())
            log.exit_code = code
    done = here.run("show", "compared", "--new", "--max-bytes", "2000")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines()[1:6] == [
        "", "new since the last good run: 3", "3: retry 1 (2 times)", "5: odd", "6: x (400 times)",
    ]  # fmt: skip
    assert len(done.stdout) <= 2000
    first = here.run("show", "compared", "--new", "--attempt", "-1")
    assert first.returncode == 0, first.stderr
    assert b"LIVELOG_KEEP_ATTEMPTS" in first.stdout
