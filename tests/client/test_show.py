"""`livelog show`: how a log stands, its problems, its end, in so many bytes at most."""

from collections.abc import Iterator

import pytest

from livelog import Writer

from .place import COMMAND, Place, place
from .terminals import terminal

TRACE = (
    "Traceback (most recent call last):\n"
    + '  File "x.py", line 7, in f\n    g()\n' * 60
    + "ValueError: the deep one\n"
)

FAILED = [f"src/a.c:{number}:5: error: wrong" if number % 100 == 0 else f"fine {number}" for number in range(1, 2001)]

LOGS = {
    "calm": "".join(f"line {number} \x1b[32mgreen\x1b[0m\n" for number in range(1, 3001)),
    "failed": "".join(f"{line}\n" for line in FAILED),
    "deep": "before\n" * 5 + TRACE + "after\n" * 5,
    "long": "x" * 3_000_000 + "\nüüü " + "ü" * 2000,
    "bar": "".join(f"\rdone {number} %" for number in range(101)) + "\nthe end\n",
    "empty": "",
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        for name, text in LOGS.items():
            with Writer(f"of/{name}", title=f"The {name} one", settings=made.settings()) as log:
                log.write(text.encode())
                log.exit_code = 3 if name in ("failed", "deep") else 0
        yield made


def shown(here: Place, *words: str) -> list[str]:
    done = here.run("show", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines()


def test_end_of_a_log_follows_how_it_stands(here: Place) -> None:
    first, blank, title, *lines = shown(here, "of/calm", "--max-bytes", "2000")
    assert first.startswith("of/calm: complete, exit code 0, ")
    assert first.endswith("The calm one")
    assert (blank, title) == ("", "the end of the log:")
    assert lines[-4:-3] == ["3000: line 3000 green"]
    assert lines[-3] == ""
    begin = int(lines[0].partition(":")[0])
    assert lines[:-3] == [f"{number}: line {number} green" for number in range(begin, 3001)]
    assert lines[-2] == f"left out of of/calm: lines 1 to {begin - 1}"
    assert "--max-bytes 8000" in lines[-1]


def test_last_problems_are_shown_with_the_lines_around_them_and_counted(here: Place) -> None:
    lines = shown(here, "of/failed", "--problems", "--max-bytes", "3000")
    titles = [line for line in lines if line.startswith("problems: 20 errors, the last ")]
    assert len(titles) == 1
    title, count = lines.index(titles[0]), int(titles[0].rpartition(" ")[2])
    end = lines.index("the end of the log:")
    block = [f"{number}: {FAILED[number - 1]}" for number in range(1797, 1804)]
    assert 4 <= count < 20
    place = lines.index(block[0])
    assert title < place < end
    assert lines[place - 1 : place + 8] == ["…", *block, "…"]
    assert lines[-2].startswith(f"left out of of/failed: {20 - count} earlier problems; lines 1 to ")


def test_problems_at_the_end_leave_room_for_those_in_front_of_it(here: Place) -> None:
    """What is wrong is often said long before the last lines, which only say that something was."""
    text = (
        "src/a.c:1:5: error: the cause\n" + "fine\n" * 500 + "".join(f"error: step {n} has failed\n" for n in range(20))
    )
    with Writer("of/cause", settings=here.settings()) as log:
        log.write(text.encode())
    lines = shown(here, "of/cause", "--problems", "--max-bytes", "1500")
    assert "problems: 21 errors" in lines
    assert [line for line in lines if "the cause" in line] == ["1: src/a.c:1:5: error: the cause"]
    assert sum("step 19 has failed" in line for line in lines) <= 2
    assert not any("earlier problems" in line for line in lines)


@pytest.mark.parametrize("name", sorted(LOGS))
@pytest.mark.parametrize("most", [1000, 5000])
def test_no_more_bytes_are_printed_than_asked_for(here: Place, name: str, most: int) -> None:
    done = here.run("show", f"of/{name}", "--problems", "--max-bytes", str(most))
    assert (done.returncode, done.stderr) == (0, b"")
    assert 0 < len(done.stdout) <= most


def test_problem_of_many_lines_has_its_first_and_its_last(here: Place) -> None:
    lines = shown(here, "of/deep", "--problems")
    assert "problems: 1 error" in lines
    block = lines[lines.index("problems: 1 error") + 1 : lines.index("the end of the log:")]
    assert block[:4] == ["3: before", "4: before", "5: before", "6: Traceback (most recent call last):"]
    assert "127: ValueError: the deep one" in block
    assert len(block) < 30


def test_progress_bar_is_shown_as_it_ended_and_long_lines_are_cut(here: Place) -> None:
    assert shown(here, "of/bar")[-2:] == ["1: done 100 %", "2: the end"]
    first, second = shown(here, "of/long", "--max-bytes", "2000")[3:5]
    assert first == "1: " + "x" * 494 + "…" or first.startswith("2: üüü")
    assert max(len(first.encode()), len(second.encode())) <= 500


def test_whole_of_a_small_log_is_shown_without_a_word_of_what_is_left_out(here: Place) -> None:
    assert shown(here, "of/empty", "--problems")[1:] == ["", "problems: none"]
    assert not any("left out" in line for line in shown(here, "of/bar", "--problems"))


def test_colours_are_for_terminals_unless_plain_is_asked_for(here: Place) -> None:
    for words, coloured in (((), True), (("--plain",), False)):
        with terminal([*COMMAND, "show", "of/calm", "--max-bytes", "1000", *words], here.environment()) as screen:
            assert screen.wait_end() == 0
            assert (b"\x1b[32mgreen" in screen.screen) is coloured


def test_wrong_usage_and_absent_logs_are_told(here: Place) -> None:
    small, absent = here.run("show", "of/calm", "--max-bytes", "999"), here.run("show", "of/nothing")
    assert (small.returncode, b"at least 1000" in small.stderr) == (2, True)
    assert absent.returncode == 4
