"""Lines of a log by number, byte and time: which bytes come, and what is told of them.

Categories: which lines · what is told · limits · growth · colours and times · requests that are refused · restarts, and indexes
that are damaged. What must come is counted from the bytes that were sent.
"""

import contextlib
import itertools
import os
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.harness import PATIENCE, TOKEN, Server, ask, chunk
from tests.sample import sample

from .logs import Answer, begin, finish, path_of, request, send, status_of
from .servers import elapse, running, wait_until

BLOCK = 64 * 1024

MAX_BYTES = 4 * 1024 * 1024

SAMPLE = b"".join(b"line %d of many\n" % number for number in range(1, 20_001)) + b"no newline"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with a log of six blocks, `sample`, whose index is made: not each question waits for it as long as it takes."""
    with running() as server:
        send(server, "sample", SAMPLE)
        numbered(server, "sample", "?from=1")
        yield server


def lines(server: Server, name: str, query: str, *headers: str, method: str = "GET") -> Answer:
    """The answer to a question for lines."""
    return request(server.get, method, path_of(name, TOKEN, "lines") + query, *headers)


def numbered(server: Server, name: str, query: str) -> Answer:
    """The answer once it has line numbers."""
    wait_until(
        lambda: bool(lines(server, name, query, method="HEAD")["Livelog-First-Line"]), "the index is made", PATIENCE
    )
    return lines(server, name, query)


def check(answer: Answer, content: bytes, first: int, count: int) -> None:
    """The answer is these lines of the content, and says so."""
    pieces = content.split(b"\n")
    whole = [piece + b"\n" for piece in pieces[:-1]] + [piece for piece in pieces[-1:] if piece]
    assert answer.status == 200
    assert answer.body == b"".join(whole[first - 1 : first - 1 + count])
    told = {name: int(answer[f"Livelog-{name}"]) for name in ("First-Line", "Offset", "Lines", "Size")}
    offset = len(b"".join(whole[: first - 1]))
    assert told == {"First-Line": first, "Offset": offset, "Lines": len(whole), "Size": len(content)}


# Which lines.


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        ("from=1&count=1", 1, 1),
        ("from=1", 1, 1000),
        ("from=12345&count=3", 12345, 3),
        ("from=20001", 20001, 1),
        ("from=20002", 20002, 0),
        ("from=99999999999999999999", 20002, 0),
        ("from=1&count=-5", 1, 0),
        ("from=4&count=-5", 1, 3),
        ("from=100&count=-5", 95, 5),
        ("from=20002&count=-2", 20000, 2),
        ("from=7&count=0", 7, 0),
        ("tail=0", 20002, 0),
        ("tail=1", 20001, 1),
        ("tail=2", 20000, 2),
        ("tail=99999", 10002, 10_000),
        ("at=0&count=1", 1, 1),
        ("at=14&count=1", 1, 1),
        ("at=15&count=1", 2, 1),
        ("at=15&count=-1", 1, 1),
        (f"at={len(SAMPLE) - 1}", 20001, 1),
        (f"at={len(SAMPLE) - 1}&count=-1", 20000, 1),
        (f"at={len(SAMPLE)}", 20002, 0),
        (f"at={len(SAMPLE)}&count=-1", 20001, 1),
        ("at=99999999999999999999&count=-2", 20000, 2),
        ("time=0&count=2", 1, 2),
    ],
)
def test_lines_are_those_that_were_asked_for(server: Server, query: str, first: int, count: int) -> None:
    """By number, by byte, from the end, forwards and backwards, and none where there are none."""
    check(lines(server, "sample", f"?{query}"), SAMPLE, first, count)


@pytest.mark.parametrize("seed", range(4))
def test_any_lines_of_any_bytes_are_found_by_number_and_by_byte(server: Server, seed: int) -> None:
    """Binary, empty lines, and lines of several blocks."""
    chance = random.Random(seed)
    sizes = [chance.choice([0, 0, 1, 30, 200, BLOCK - 1, BLOCK, 3 * BLOCK]) for _ in range(chance.randint(1, 60))]
    content = b"\n".join(chance.randbytes(size).replace(b"\n", b"\r") for size in sizes)
    send(server, f"random/{seed}", content)
    ends = [*itertools.accumulate(size + 1 for size in sizes)]
    for _ in range(15):
        number = chance.randint(1, len(sizes) - (not sizes[-1]) or 1)
        if not content:
            continue
        check(lines(server, f"random/{seed}", f"?from={number}&count=1"), content, number, 1)
        start = ends[number - 1] - sizes[number - 1] - 1
        byte = chance.randrange(start, min(start + sizes[number - 1] + 1, len(content)))
        check(lines(server, f"random/{seed}", f"?at={byte}&count=1"), content, number, 1)


def test_empty_log_has_no_lines(server: Server) -> None:
    """And the next one is the first."""
    send(server, "empty", b"")
    for query in ("from=1", "tail=5", "at=0", "time=0"):
        check(lines(server, "empty", f"?{query}"), b"", 1, 0)
    assert status_of(server, "empty")["lines"] == 0


def test_carriage_return_ends_no_line_and_is_kept(server: Server) -> None:
    """Bytes come as they are."""
    content = b"10%\r20%\r\nnext\r"
    send(server, "returns", content)
    check(lines(server, "returns", "?from=1"), content, 1, 2)


# What is told.


def test_head_has_the_fields_of_get_and_no_body(server: Server) -> None:
    """For any page, for no cache, nothing for a browser to run."""
    whole, head = numbered(server, "sample", "?tail=3"), lines(server, "sample", "?tail=3", method="HEAD")
    assert head.body == b""
    fields = [dict(answer.head.fields) for answer in (whole, head)]
    for field in fields:
        field.pop("Date")
    assert fields[0] == fields[1]
    expected = {
        "Content-Type": "application/octet-stream", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'",
        "Livelog-State": "complete", "ETag": f'"{status_of(server, "sample")["generation"]}"',
    }  # fmt: skip
    assert {name: whole[name] for name in expected} == expected
    assert whole["Access-Control-Expose-Headers"] == "*"
    assert set(fields[0]) >= {f"Livelog-{name}" for name in ("First-Line", "Offset", "Lines", "Size", "Time", "Style")}


def test_status_tells_lines_only_once_somebody_has_asked_for_some(server: Server) -> None:
    """Asking for the status makes no index."""
    producer = begin(server, "counted")
    producer.send(chunk(b"1\n2\n3"))
    wait_until(lambda: status_of(server, "counted")["size"] == 5, "what was sent")
    assert [status_of(server, "counted")["lines"] for _ in range(2)] == [None, None]
    lines(server, "counted", "?tail=1")
    assert status_of(server, "counted")["lines"] == 3
    producer.send(chunk(b"\n4" + b"\n" * 100_000) + chunk(b""))
    finish(producer)
    # On a busy machine the index of what is new is not waited for.
    wait_until(lambda: status_of(server, "counted")["lines"] is not None, "the index of what came", PATIENCE)
    assert status_of(server, "counted")["lines"] == 100_003


def test_request_can_wait_for_a_log_to_begin(server: Server) -> None:
    """As for the log itself."""
    assert lines(server, "later", "?tail=1").status == 404
    with contextlib.closing(server.connect()) as connection:
        ask(connection, "GET", path_of("later", TOKEN, "lines") + "?tail=1&wait=60")
        begin(server, "later").close()
        assert connection.wait_head().status == 200


# Limits.


def test_answer_has_ten_thousand_lines_at_most(server: Server) -> None:
    """Forwards and backwards."""
    check(lines(server, "sample", "?from=3&count=99999"), SAMPLE, 3, 10_000)
    check(lines(server, "sample", "?from=15003&count=-99999"), SAMPLE, 5003, 10_000)


def test_answer_has_whole_lines_of_four_mebibytes_at_most(server: Server) -> None:
    """As many as fit."""
    content = b"".join(b"%04d" % number + b"x" * 99_995 + b"\n" for number in range(1, 61))
    send(server, "wide", content)
    fitting = MAX_BYTES // 100_000
    check(lines(server, "wide", "?from=2"), content, 2, fitting)
    check(lines(server, "wide", "?from=61&count=-60"), content, 61 - fitting, fitting)
    check(lines(server, "wide", "?tail=60"), content, 61 - fitting, fitting)


def test_of_a_longer_line_comes_the_first_or_last_part(server: Server) -> None:
    """From its beginning forwards, to its end backwards; shorter lines before and behind it come alone."""
    giant = random.Random(1).randbytes(10_000_000).replace(b"\n", b" ") + b"\n"
    content = b"a\nb\n" + giant + b"c\nd"
    send(server, "giant", content)
    check(lines(server, "giant", "?from=1"), content, 1, 2)
    check(lines(server, "giant", "?tail=9"), content, 4, 2)
    check(lines(server, "giant", "?at=9000000&count=-5"), content, 1, 2)
    forwards, backwards = (lines(server, "giant", query) for query in ("?at=9000000", "?from=4&count=-3"))
    assert (forwards.body, forwards["Livelog-Offset"]) == (giant[:MAX_BYTES], "4")
    assert (backwards.body, backwards["Livelog-Offset"]) == (giant[-MAX_BYTES:], str(4 + len(giant) - MAX_BYTES))
    assert [answer["Livelog-First-Line"] for answer in (forwards, backwards)] == ["3", "3"]


# Growth.


def test_lines_of_a_log_that_grows_are_those_of_what_there_is(server: Server) -> None:
    """In random steps, over the edges of blocks, in the middle of lines."""
    chance, content = random.Random(7), bytearray()
    producer = begin(server, "growing")
    for _ in range(12):
        piece = b"".join(
            b"%d" % chance.randrange(10**9) + b"\n" * chance.randint(0, 2) for _ in range(chance.choice([1, 9000]))
        )
        content += piece
        producer.send(chunk(piece))
        whole = bytes(content)
        wait_until(lambda whole=whole: status_of(server, "growing")["size"] == len(whole), "what was sent")  # type: ignore[misc]
        total = whole.count(b"\n") + (not whole.endswith(b"\n"))
        number = chance.randint(1, total)
        check(lines(server, "growing", f"?from={number}&count=1"), whole, number, 1)
        check(numbered(server, "growing", "?tail=1"), whole, total, 1)
        assert lines(server, "growing", "?tail=1")["Livelog-State"] == "live"
        assert status_of(server, "growing")["lines"] == total
    producer.send(chunk(b""))
    finish(producer)


# Colours and times.


def test_style_is_that_of_all_before(server: Server) -> None:
    """However far back it was set, also by a sequence on the edge of a block."""
    red = b"\x1b[1;31mred\n"
    content = red + b"x" * (BLOCK - 3 - len(red)) + b"\x1b[38;5;200m" + b"\n" * 2 * BLOCK + b"\x1b[0mplain\nplain\n"
    send(server, "colours", content)
    total = content.count(b"\n")
    styles = [
        lines(server, "colours", f"?from={number}&count=1")["Livelog-Style"]
        for number in (1, 2, 3, total - BLOCK, total - 1, total)
    ]
    assert styles == ["", "1;31", "1;38;5;200", "1;38;5;200", "1;38;5;200", ""]


def test_time_is_when_the_block_came(server: Server) -> None:
    """And the lines of that time are found by it."""
    producer = begin(server, "times")
    moments = [datetime.now(UTC)]
    for number in range(1, 4):
        producer.send(chunk(b"%d" % number * (BLOCK - 1) + b"\n"))
        wait_until(lambda number=number: status_of(server, "times")["size"] == number * BLOCK, "a block")  # type: ignore[misc]
        moments.append(datetime.now(UTC))
    producer.send(chunk(b""))
    finish(producer)
    told = [lines(server, "times", f"?from={number}&count=1")["Livelog-Time"] for number in (1, 2, 3)]
    for text, before, after in zip(told, moments, moments[1:], strict=False):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
        # Told in hundredths of a second, rounded down; a server that is held up between two looks at a clock tells less.
        assert before.timestamp() - 0.5 <= datetime.fromisoformat(text).timestamp() <= after.timestamp()
    for number in (1, 2, 3):
        moments_told = [told[number - 1]]
        if told[number - 1] != told[2]:  # the last byte may have come before the end of its hundredth
            moments_told.append(repr(datetime.fromisoformat(told[number - 1]).timestamp() + 0.005))
        for moment in moments_told:
            found = int(lines(server, "times", f"?time={moment}&count=1")["Livelog-First-Line"])
            assert told[found - 1] == told[number - 1], "two blocks may have come in the same hundredth"
    later = lines(server, "times", "?time=2100-01-01T00:00:00Z&count=1")
    assert (later.body, later["Livelog-First-Line"], later["Livelog-Offset"]) == (b"", "4", str(3 * BLOCK))


def test_time_is_known_to_the_first_who_asks_after_the_end_and_after_a_restart(tmp_path: Path) -> None:
    """By then it has to be read from the data directory."""
    environment = {"LIVELOG_DATA_DIR": str(tmp_path)}
    with running(environment) as server:
        producer = begin(server, "kept")
        for number in range(1, 4):
            producer.send(chunk(b"%d" % number * (BLOCK - 1) + b"\n"))
            wait_until(lambda number=number: status_of(server, "kept")["size"] == number * BLOCK, "a block")  # type: ignore[misc]
            elapse(0.02)
        wanted = [lines(server, "kept", f"?from={number}&count=1")["Livelog-Time"] for number in (1, 2, 3)]
        producer.send(chunk(b""))
        finish(producer)
        first = lines(server, "kept", f"?time={wanted[2]}&count=1")
        assert (first["Livelog-Offset"], first["Livelog-Time"]) == (str(2 * BLOCK), wanted[2])
    for number in (1, 2):
        with running(environment) as server:
            first = lines(server, "kept", f"?time={wanted[number]}&count=1")
            assert (first["Livelog-Offset"], first["Livelog-Time"]) == (str(number * BLOCK), wanted[number])


def test_time_of_the_last_block_is_found_also_where_the_file_system_has_a_coarser_clock(tmp_path: Path) -> None:
    """The time of a file may be some milliseconds before that at which its last bytes were noted to have come."""
    environment = {"LIVELOG_DATA_DIR": str(tmp_path)}
    with running(environment) as server:
        producer = begin(server, "coarse")
        for number in (1, 2):
            producer.send(chunk(b"%d" % number * (BLOCK - 1) + b"\n"))
            wait_until(lambda number=number: status_of(server, "coarse")["size"] == number * BLOCK, "a block")  # type: ignore[misc]
            elapse(0.02)
        wanted = lines(server, "coarse", "?from=2&count=1")["Livelog-Time"]
        producer.send(chunk(b""))
        finish(producer)
    [file] = tmp_path.glob("logs/*/*.log")
    changed = file.stat().st_mtime_ns
    os.utime(file, ns=(changed, changed - 20_000_000))
    with running(environment) as server:
        found = lines(server, "coarse", f"?time={wanted}&count=1")
        assert (found["Livelog-Offset"], found["Livelog-Time"]) == (str(BLOCK), wanted)


# Requests that are refused.


@pytest.mark.parametrize(
    "query",
    [
        "", "?count=3", "?from=1&tail=1", "?from=0", "?from=-1", "?from=x", "?tail=-1", "?tail=1.5", "?at=", "?at=-1",
        "?from=1&count=x", "?from=1&count=--1", "?time=yesterday", "?time=2026-11-25T05:26:53", "?time=-1", "?time=nan",
    ],
)  # fmt: skip
def test_question_that_is_none_is_refused(server: Server, query: str) -> None:
    """With 400 and a line that says what would be right."""
    answer = lines(server, "sample", query)
    assert (answer.status, answer["Livelog-Error"] != "") == (400, True)
    assert answer.body.count(b"\n") == 1


def test_token_and_name_are_as_for_the_log(server: Server) -> None:
    """401 before 404; the token may be in a header; another method is 405."""
    for name in ("sample", "nothing"):
        assert request(server.get, "GET", path_of(name, "wrong", "lines") + "?tail=1").status == 401
    bearer = f"Authorization: Bearer {TOKEN}"
    assert request(server.get, "GET", "/lines/sample?tail=1", bearer).body == b"no newline"
    assert lines(server, "nothing", "?tail=1").status == 404
    assert lines(server, "sample", "?tail=1", method="POST")["Allow"] == "GET, HEAD, OPTIONS"


# Restarts, and indexes that are damaged.


def kept(folder: Path, suffix: str) -> list[Path]:
    """The files of that kind in a data directory."""
    return sorted(folder.glob(f"logs/*/*.{suffix}"))


def send_later(server: Server, name: str, content: bytes) -> None:
    """Send a log that has begun some time before its first byte comes, so that there is something to note."""
    producer = begin(server, name)
    elapse(0.02)
    producer.send(chunk(content))
    producer.send(chunk(b""))
    finish(producer)


def test_index_and_times_outlive_the_server(tmp_path: Path) -> None:
    """A restart finds the same lines at the same times; the files go with the log."""
    with running({"LIVELOG_DATA_DIR": str(tmp_path)}) as server:
        send_later(server, "a", SAMPLE)
        before = numbered(server, "a", "?tail=3")
    assert [len(kept(tmp_path, suffix)) for suffix in ("index", "times")] == [1, 1]
    with running({"LIVELOG_DATA_DIR": str(tmp_path)}) as server:
        after = numbered(server, "a", "?tail=3")
        check(after, SAMPLE, 19_999, 3)
        assert after["Livelog-Time"] == before["Livelog-Time"]
        assert request(server.put, "DELETE", path_of("a")).status == 204
        wait_until(lambda: not list(tmp_path.glob("logs/*")), "the log's files are gone")


def damage(path: Path, how: str) -> None:
    """Do harm to a file."""
    content = path.read_bytes()
    harm = {"empty": b"", "cut": content[:13], "other": content.replace(b"\0", b"\1"), "junk": bytes(1000)}
    path.write_bytes(harm[how])


@pytest.mark.parametrize("how", sample(["empty", "cut", "other", "junk"], "cut", "junk"))
def test_damaged_index_is_made_anew(tmp_path: Path, how: str) -> None:
    """It stops no start, and no wrong number is told; lost times are those of the beginning."""
    with running({"LIVELOG_DATA_DIR": str(tmp_path)}) as server:
        send_later(server, "a", SAMPLE)
        numbered(server, "a", "?tail=3")
    for suffix in ("index", "times"):
        [path] = kept(tmp_path, suffix)
        damage(path, how)
    with running({"LIVELOG_DATA_DIR": str(tmp_path)}) as server:
        answer = numbered(server, "a", "?from=19999&count=3")
        check(answer, SAMPLE, 19_999, 3)
        assert answer["Livelog-Time"][:-1] == status_of(server, "a")["began"][:-4]


def test_index_of_a_larger_log_is_not_used(tmp_path: Path) -> None:
    """A log that lost its end, as after a power failure, is counted again."""
    with running({"LIVELOG_DATA_DIR": str(tmp_path)}) as server:
        send(server, "a", SAMPLE)
        numbered(server, "a", "?tail=3")
    [path] = kept(tmp_path, "log")
    shorter = SAMPLE[: BLOCK + 100]
    path.write_bytes(shorter)
    with running({"LIVELOG_DATA_DIR": str(tmp_path)}) as server:
        check(numbered(server, "a", "?tail=1"), shorter, shorter.count(b"\n") + 1, 1)


def test_upload_that_goes_on_after_a_restart_keeps_its_times(tmp_path: Path) -> None:
    """Blocks of before the restart have the times that they had, and those of after it later ones."""
    block = b"x" * (BLOCK - 1) + b"\n"
    with running({"LIVELOG_DATA_DIR": str(tmp_path)}) as server:
        first = begin(server, "a", "Upload-Complete: ?1", "Upload-Draft-Interop-Version: 8")
        location = next(head.get("Location") for head in first.answer().interims if head.status == 104)
        for number in (1, 2):
            elapse(0.02)
            first.send(chunk(block))
            wait_until(lambda number=number: status_of(server, "a")["size"] == number * BLOCK, "a block")  # type: ignore[misc]
        before = [lines(server, "a", f"?from={number}&count=1")["Livelog-Time"] for number in (1, 2)]
        first.reset()
        wait_until(
            lambda: status_of(server, "a")["state"] == "interrupted" and bool(kept(tmp_path, "times")), "the break"
        )
    with running({"LIVELOG_DATA_DIR": str(tmp_path)}) as server:
        headers = ("Content-Type: application/partial-upload", f"Upload-Offset: {2 * BLOCK}", "Upload-Complete: ?1")
        assert request(server.put, "PATCH", location or "", *headers, body=block).status == 201
        after = [lines(server, "a", f"?from={number}&count=1")["Livelog-Time"] for number in (1, 2, 3)]
        assert after[:2] == before
        assert after[2] > before[1]
