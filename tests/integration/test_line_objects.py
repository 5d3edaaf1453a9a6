"""Lines as objects and as text: with times, between places, streamed, plain, of any length; also after a kill and a restart."""

import contextlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.harness import TOKEN, Server, ask, chunk

from .logs import CHUNKED, Answer, begin, finish, path_of, request, send, status_of
from .servers import elapse, running, wait_until

PAUSES = (0.0, 0.05, 0.2, 0.02, 0.3, 0.0)
"""Seconds in front of each line of a log."""

BIG = b"".join(b"line %d\n" % number for number in range(1, 40_001))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        send(server, "big", BIG)
        paced(server, "paced")
        yield server


def paced(server: Server, name: str, *, end: bool = True) -> Any:
    """A log whose lines come with pauses."""
    producer = begin(server, name)
    for number, pause in enumerate(PAUSES, 1):
        elapse(pause)
        producer.send(chunk(b"line %d\n" % number))
        wait_until(lambda number=number: status_of(server, name)["size"] == 7 * number, "the line")  # type: ignore[misc]
    if end:
        producer.send(chunk(b""))
        finish(producer)
    return producer


def lines(server: Server, name: str, query: str, *headers: str, method: str = "GET") -> Answer:
    return request(server.get, method, path_of(name, TOKEN, "lines") + query, *headers)


def objects(server: Server, name: str, query: str = "") -> list[dict[str, Any]]:
    answer = lines(server, name, "?as=ndjson" + query)
    assert (answer.status, answer["Content-Type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.body.splitlines()]


def moment(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()


def test_each_line_has_the_time_at_which_it_came(server: Server) -> None:
    found = objects(server, "paced")
    assert [(line["line"], line["offset"], line["text"]) for line in found] == [
        (number, 7 * number - 7, f"line {number}") for number in range(1, 7)
    ]
    for pause, before, line in zip(PAUSES[1:], found, found[1:], strict=False):
        assert moment(line) - moment(before) > pause - 0.011
    assert [line["time"] for line in found] == [
        lines(server, "paced", f"?from={number}&count=1")["Livelog-Time"] for number in range(1, 7)
    ]


def test_places_are_lines_bytes_and_times(server: Server) -> None:
    """Both ends of an interval; whatever is asked for is what is in it by each line's own number, offset and time."""
    every = objects(server, "paced")
    times = sorted({line["time"] for line in every})
    for early in (*times, "1999-01-01T00:00:00Z"):
        for late in (*times, "2099-01-01T00:00:00Z"):
            wanted = [line for line in every if early <= line["time"] < late]
            assert objects(server, "paced", f"&from={early}&until={late}") == wanted
            raw = lines(server, "paced", f"?from={early}&until={late}")
            assert raw.body == b"".join(b"line %d\n" % line["line"] for line in wanted)
    assert objects(server, "paced", f"&from=2&until={times[-1]}&count=1") == every[1:2]
    assert objects(server, "paced", f"&from=time:{moment(every[-1])}") == [
        line for line in every if line["time"] == times[-1]
    ]
    assert objects(server, "paced", "&from=byte:7&until=byte:21") == every[1:3]
    assert objects(server, "paced", "&until=3") == every[:2]
    assert objects(server, "paced", "&from=5&until=2") == objects(server, "paced", "&from=99") == []
    assert objects(server, "paced", "&tail=2") == every[-2:]
    assert objects(server, "paced", "&tail=2&until=4") == objects(server, "paced", "&from=4&count=-2") == every[1:3]
    assert objects(server, "paced", "&at=8&count=2") == every[1:3]
    assert lines(server, "paced", "?until=3").body == b"line 1\nline 2\n"
    assert lines(server, "paced", "?tail=1&until=byte:15").body == b"line 2\n"


def test_there_is_no_limit_to_lines(server: Server) -> None:
    answer = lines(server, "big", "", "Accept: text/html, application/x-ndjson;q=0.9")
    found = [json.loads(line) for line in answer.body.splitlines()]
    assert [line["line"] for line in found] == list(range(1, 40_001))
    assert [found[-1][key] for key in ("offset", "text")] == [len(BIG) - 11, "line 40000"]
    assert answer["Livelog-Size"] == str(len(BIG))
    assert lines(server, "big", "?as=text").body == BIG
    assert len(lines(server, "big", "?as=text&tail=12345").body.splitlines()) == 12345
    head = lines(server, "big", "?as=ndjson", method="HEAD")
    assert (head.status, head.body) == (200, b"")


def test_plain_text_is_what_a_terminal_shows(server: Server) -> None:
    send(server, "bars", b"\x1b[1mbuild\x1b[0m\r\n  0 %\r 50 %\r100 %\ncaf\xc3\xa9 \xff\nunfinished")
    answer = lines(server, "bars", "?plain=1")
    assert (answer["Content-Type"], answer.body.decode()) == (
        "text/plain; charset=utf-8", "build\n100 %\ncaf\u00e9 \ufffd\nunfinished\n"
    )  # fmt: skip
    assert [line["text"] for line in objects(server, "bars", "&plain=1&tail=3")] == [
        "100 %",
        "caf\u00e9 \ufffd",
        "unfinished",
    ]
    assert objects(server, "bars", "&from=2&count=1")[0]["text"] == "  0 %\r 50 %\r100 %"
    assert b"\x1b[1m" in lines(server, "bars", "?as=text", "Accept: application/x-ndjson").body


@pytest.mark.parametrize(
    "query", ["as=xml", "as=ndjson&from=0", "from=byte:x", "from=1&until=0", "until=never", "as=text&from=1&at=2"]
)
def test_question_that_is_none_is_refused(server: Server, query: str) -> None:
    assert lines(server, "paced", f"?{query}").status == 400


def events(server: Server, name: str, *, stop: int) -> list[dict[str, Any]]:
    """The texts of a log, up to byte `stop` of it."""
    with contextlib.closing(server.connect()) as reader:
        ask(reader, "GET", path_of(name, TOKEN, "events"))
        reader.wait(
            lambda answer: b"id: %d\n" % stop in answer.body and bytes(answer.body).endswith(b"\n\n"), "the events"
        )
        data = re.findall(rb"^data: (.*)$", bytes(reader.answer().body), re.MULTILINE)
    return [event for event in map(json.loads, data) if "text" in event]


def test_events_tell_the_time_of_each_line(server: Server) -> None:
    """Those of who comes late, and of who was there."""
    producer = begin(server, "told")
    with contextlib.closing(server.connect()) as reader:
        ask(reader, "GET", path_of("told", TOKEN, "events"))
        for number, pause in enumerate(PAUSES, 1):
            elapse(pause)
            producer.send(chunk(b"line %d\n" % number))
            reader.wait(lambda answer, number=number: b"id: %d\n" % (7 * number) in answer.body, "the line")  # type: ignore[misc]
        live = [json.loads(data) for data in re.findall(rb"^data: (.*)$", bytes(reader.answer().body), re.MULTILINE)]
    wanted = {line["offset"]: line["time"] for line in objects(server, "told")}
    for found in ([event for event in live if "text" in event], events(server, "told", stop=42)):
        told: dict[int, float] = {}
        for event in found:
            told[event["offset"]] = moment(event)
            told |= {offset: moment(event) + later / 1000 for offset, later in event.get("times", [])}
        for offset, time in wanted.items():
            assert abs(told[max(known for known in told if known <= offset)] - moment({"time": time})) < 0.0005
    finish_chunked(producer)


def finish_chunked(producer: Any) -> None:
    producer.send(chunk(b""))
    finish(producer)


def test_status_tells_durations_and_the_longest_gaps(server: Server) -> None:
    answer = request(server.get, "GET", path_of("paced", TOKEN, "status") + "?gaps=2")
    status = json.loads(answer.body)
    began, ended = (datetime.fromisoformat(status[key]).timestamp() for key in ("began", "ended"))
    assert (status["elapsed"], status["idle"]) == (pytest.approx(ended - began, abs=0.0006), None)  # to the millisecond
    every = objects(server, "paced")
    assert [gap["offset"] for gap in status["gaps"]] == [28, 14]
    for gap, number in zip(status["gaps"], (4, 2), strict=True):
        assert (gap["began"], gap["ended"]) == (every[number - 1]["time"], every[number]["time"])
        assert gap["seconds"] == pytest.approx(moment(every[number]) - moment(every[number - 1]), abs=0.0005)
    producer = begin(server, "silent")
    producer.send(chunk(b"one\n"))
    wait_until(lambda: status_of(server, "silent")["size"] == 4, "the line")
    elapse(0.05)
    live = status_of(server, "silent")
    assert live["elapsed"] >= live["idle"] >= 0.05
    assert "gaps" not in live
    assert json.loads(request(server.get, "GET", path_of("silent", TOKEN, "status") + "?gaps=0").body)["gaps"] == []
    assert request(server.get, "GET", path_of("silent", TOKEN, "status") + "?gaps=x").status == 400
    finish_chunked(producer)


def test_client_that_leaves_ends_its_stream_and_one_that_does_not_read_keeps_nobody_waiting(server: Server) -> None:
    send(server, "long", BIG * 20)
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            idle = stack.enter_context(contextlib.closing(server.connect()))
            idle.send(f"GET {path_of('long', TOKEN, 'lines')}?as=ndjson HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert len(objects(server, "paced")) == 6
    assert len(objects(server, "big", "&count=10")) == 10


def test_times_outlive_a_kill_and_go_on(tmp_path: Path) -> None:
    """Those of an upload that is killed twice, and resumed."""
    environment = {"LIVELOG_DATA_DIR": str(tmp_path)}
    known: list[dict[str, Any]] = []
    location = ""
    for round_number in range(3):
        with running(environment) as server:
            assert objects(server, "a")[: len(known)] == known if known else True
            if not round_number:
                producer = begin(server, "a", "Upload-Complete: ?1", "Upload-Draft-Interop-Version: 8")
                location = next(head.get("Location") or "" for head in producer.answer().interims if head.status == 104)
            else:
                producer = server.connect(producer=True)
                headers = (
                    "Content-Type: application/partial-upload",
                    f"Upload-Offset: {21 * round_number}",
                    "Upload-Complete: ?1",
                )
                ask(producer, "PATCH", location, CHUNKED, "Upload-Draft-Interop-Version: 8", *headers)
            for number in range(3):
                elapse(0.03)
                producer.send(chunk(b"line %d\n" % number))
                size = 21 * round_number + 7 * number + 7
                wait_until(lambda size=size: status_of(server, "a")["size"] == size, "the line")  # type: ignore[misc]
            before = known
            known = objects(server, "a")
            assert known[: len(before)] == before
            server.process.kill()
            server.process.wait()
            producer.close()
    moments = [moment(line) for line in known]
    assert len(moments) == 9
    assert all(later - earlier > 0.018 for earlier, later in pairwise(moments))
