"""A server that is asked to stop lets producers end that are about to, and says of all others that it has stopped.

Categories: producers that end in time, of any kind · those that do not · what is told of their logs, everywhere.
"""

import contextlib
import signal
from pathlib import Path

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import Ending
from tests.harness import TIMEOUT, Server, ask, chunk, serving

from .kept import last_words
from .logs import CHUNKED, begin, finish, follow, path_of, read, request, status_of
from .servers import assert_no_fault, elapse, running, wait_until

LONG = {"LIVELOG_SHUTDOWN_TIMEOUT": "600", "LIVELOG_LOG_FORMAT": "text"}

LULL = 3.0
"""Seconds: longer than the silence after which a producer of unknown length is broken off."""

UPLOAD = "Upload-Complete: ?1"


def begin_counted(server: Server, name: str, length: int) -> Connection:
    """A producer whose log has begun, and has a known length."""
    connection = server.connect(producer=True)
    ask(connection, "PUT", path_of(name), f"Content-Length: {length}", "Expect: 100-continue")
    connection.wait(lambda answer: bool(answer.interims), "100 Continue")
    return connection


def stop(server: Server, number: int = signal.SIGTERM) -> None:
    """Ask the server to stop, and see that it has noticed."""
    server.process.send_signal(number)
    wait_until(lambda: "stopping" in server.log(), "the signal is noticed")


def gone(server: Server) -> None:
    """The server ends with 0, and without a fault."""
    assert server.process.wait(TIMEOUT) == 0, server.log()
    assert_no_fault(server)


def line_of(server: Server, start: str, log: str) -> str:
    """The line of the server's log about a log, or about the connection of its producer."""
    [line] = [line for line in server.log().splitlines() if f": {start} " in line and f"log={log}" in line.split(" ")]
    return line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("headers", [(), (UPLOAD,)], ids=["plain", "upload"])
def test_producers_that_end_in_time_are_answered_and_their_readers_see_the_end(
    headers: tuple[str, ...], number: int
) -> None:
    """Chunked or counted; the answer, the readers' ends and the server's log say that all is well."""
    with serving(LONG) as server, contextlib.ExitStack() as stack:
        chunked = stack.enter_context(contextlib.closing(begin(server, "chunked", *headers)))
        counted = stack.enter_context(contextlib.closing(begin_counted(server, "counted", 8)))
        readers = [stack.enter_context(contextlib.closing(follow(server, name))) for name in ("chunked", "counted")]
        chunked.send(chunk(b"half"))
        counted.send(b"half")
        for reader in readers:
            reader.wait(lambda answer: answer.body == b"half", "the first half")
        stop(server, number)
        chunked.send(chunk(b"rest") + chunk(b""))
        counted.send(b"rest")
        for producer in (chunked, counted):
            assert producer.wait_head().status == 201
        for reader in readers:
            answer = finish(reader)
            assert (answer.body, answer.ending) == (b"halfrest", Ending.CLEAN)
        gone(server)
        for name in ("chunked", "counted"):
            assert "state=complete" in line_of(server, "log ended", name)


def test_a_producer_that_has_said_how_much_will_come_may_be_silent() -> None:
    """And so may one whose bytes keep coming, however slowly, but not one of which nobody knows whether it ends."""
    with serving(LONG) as server, contextlib.ExitStack() as stack:
        silent = stack.enter_context(contextlib.closing(begin(server, "silent")))
        counted = stack.enter_context(contextlib.closing(begin_counted(server, "counted", 8)))
        busy = stack.enter_context(contextlib.closing(begin(server, "busy")))
        stop(server)
        for _ in range(8):
            elapse(LULL / 8)
            busy.send(chunk(b"x"))
        assert last_words(silent).head is None
        counted.send(b"all of it"[:8])
        assert counted.wait_head().status == 201
        busy.send(chunk(b""))
        assert busy.wait_head().status == 201
        gone(server)
        assert 'reason="the server stopped"' in line_of(server, "log ended", "silent")


@pytest.mark.parametrize("counted", [False, True])
def test_a_log_that_was_broken_off_says_that_the_server_stopped(tmp_path: Path, *, counted: bool) -> None:
    """In its status, also after the restart, and in the server's log, for the log and for the connection."""
    settings = {"LIVELOG_DATA_DIR": str(tmp_path), "LIVELOG_SHUTDOWN_TIMEOUT": "0.3"}
    with serving(settings) as server, contextlib.ExitStack() as stack:
        producer = begin_counted(server, "a", 100) if counted else begin(server, "a")
        stack.enter_context(contextlib.closing(producer))
        producer.send(b"x" if counted else chunk(b"x"))
        reader = stack.enter_context(contextlib.closing(follow(server, "a")))
        events = stack.enter_context(contextlib.closing(server.connect()))
        ask(events, "GET", path_of("a", "secret-puppy_42", "events"))
        events.wait_head()
        reader.wait(lambda answer: answer.body == b"x", "the byte")
        assert server.stop() == 0
        assert finish(reader).ending is Ending.CUT
        assert b'{"state": "aborted", "size": 1}' in events.wait_end().body
        assert 'reason="the server stopped"' in line_of(server, "log ended", "a")
        ends = [line for line in server.log().splitlines() if ": connection ended " in line]
        assert any("port=producers" in line and 'end="the server stopped"' in line for line in ends), ends
        assert "broke off" not in server.log()
        assert_no_fault(server)
    with running(settings) as server:
        known = status_of(server, "a")
        assert (known["state"], known["reason"], known["size"]) == ("aborted", "the server stopped", 1)


def test_an_upload_that_was_broken_off_is_interrupted_and_goes_on_after_the_restart(tmp_path: Path) -> None:
    """It is not waited for as long as others: it loses nothing."""
    settings = {**LONG, "LIVELOG_DATA_DIR": str(tmp_path)}
    with serving(settings) as server:
        with contextlib.closing(begin(server, "a", UPLOAD, "Upload-Draft-Interop-Version: 8")) as producer:
            location = producer.poll().interims[0].get("Location")
            assert location is not None
            stop(server)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: _still_sending(producer, server), "the server ends", TIMEOUT)
            gone(server)
        assert 'reason="the server stopped"' in line_of(server, "log interrupted", "a")
    with running(settings) as server:
        offset = request(server.put, "HEAD", location)["Upload-Offset"]
        fields = ("Content-Type: application/partial-upload", f"Upload-Offset: {offset}", UPLOAD)
        assert request(server.put, "PATCH", location, *fields, body=b".").status == 201
        assert read(server, "a").body == b"x" * int(offset) + b"."


def _still_sending(producer: Connection, server: Server) -> bool:
    """Send one more byte, as a job does that knows nothing of the stop. Returns whether the server has ended."""
    producer.send(chunk(b"x"))
    elapse(0.05)
    return server.process.poll() is not None


def test_one_that_takes_the_place_of_a_producer_is_named_as_the_reason() -> None:
    """Not the network: the server itself broke that connection off."""
    with running({"LIVELOG_RESUME_GRACE": "60"}) as server:
        with contextlib.closing(begin(server, "a", UPLOAD, "Upload-Draft-Interop-Version: 8")) as producer:
            location = producer.poll().interims[0].get("Location")
            assert location is not None
            assert request(server.put, "HEAD", location).status == 204
            assert last_words(producer).head is None
        assert "took the producer's place" in line_of(server, "log interrupted", "a")


@pytest.mark.parametrize("framing", [CHUNKED, "Content-Length: 5"])
def test_a_producer_whose_log_is_being_checked_when_the_server_stops_is_answered(framing: str) -> None:
    """All of its body is there: it is done but for the answer."""
    with serving(LONG) as server, contextlib.closing(server.connect(producer=True)) as producer:
        body = chunk(b"bytes") + chunk(b"") if framing == CHUNKED else b"bytes"
        ask(producer, "PUT", "/log/a", framing)
        producer.send(body)
        server.process.send_signal(signal.SIGTERM)
        head = last_words(producer).head
        assert head is None or head.status == 201
        gone(server)
        if "log begun" in server.log():
            assert head is not None
            assert "state=complete" in line_of(server, "log ended", "a")
