"""The server's own log: a line for each connection and for each log, as text or as JSON, and no secret in any of it.

Categories: connections · logs and their ends · errors and their ids · the form of lines · secrets, wherever the server
writes. What a line means is in docs/monitoring.md.
"""

import contextlib
import itertools
import json
import re
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.wire import Ending
from tests.harness import TIMEOUT, TOKEN, Server, ask, chunk

from .logs import CHUNKED, INTERIM, begin, finish, follow, path_of, read, request, send, status_of
from .servers import running, wait_until

WRITE_TOKEN = "0nly.for~the-producers"

AS_PRODUCER = f"Authorization: Bearer {WRITE_TOKEN}"

APPEND = "Content-Type: application/partial-upload"

Line = dict[str, Any]
"""A line's `level`, `logger`, `message` and fields."""

TEXT = re.compile(
    r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?P<level>DEBUG|INFO|WARNING|ERROR) (?P<logger>[a-z_.]+): (?P<message>.*)"
)
FIELDS = re.compile(r'((?: [a-z_]+=(?:"(?:[^"\\]|\\.)*"|[^ "=]+))*)')
FIELD = re.compile(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "=]+)')

both_forms = pytest.mark.parametrize("form", ["text", "json"])


def lines(server: Server) -> list[Line]:
    """The lines of a server's log, each of which must be one as the documents say, in either form."""
    text = server.log()
    assert text == "" or text.endswith("\n")
    return [from_json(line) if line.startswith("{") else from_text(line) for line in text.splitlines()]


def from_json(line: str) -> Line:
    """A line of JSON, without its time, which must be in UTC."""
    document: Line = json.loads(line)
    assert list(document)[:4] == ["time", "level", "logger", "message"]
    moment = datetime.fromisoformat(document.pop("time")).utcoffset()
    assert moment is not None
    assert not moment
    return document


def from_text(line: str) -> Line:
    """A line of text, with its fields, of which numbers are numbers."""
    match = TEXT.fullmatch(line)
    assert match is not None, line
    message, fields = match["message"], {}
    if message.startswith(("log ", "connection ended")):
        start = min((found.start() for found in re.finditer(r" [a-z_]+=", message)), default=len(message))
        whole = FIELDS.fullmatch(message[start:])
        assert whole is not None, line
        fields = {name: _value(value) for name, value in FIELD.findall(message[start:])}
        message = message[:start]
    return {"level": match["level"], "logger": match["logger"], "message": message, **fields}


def _value(text: str) -> object:
    if text.startswith('"'):
        return json.loads(text)
    return (
        float(text)
        if re.fullmatch(r"-?[0-9]+\.[0-9]+", text)
        else int(text)
        if re.fullmatch("-?[0-9]+", text)
        else text
    )


def told(server: Server, message: str, **fields: object) -> list[Line]:
    """The lines with that message and those fields."""
    return [line for line in lines(server) if line["message"] == message and fields.items() <= line.items()]


def connection(server: Server, **fields: object) -> Line:
    """The line of the connection of which these facts are told; there must be one, when it is over."""
    wait_until(lambda: bool(told(server, "connection ended", **fields)), f"the line of a connection: {fields}")
    [line] = told(server, "connection ended", **fields)
    return line


@pytest.fixture(params=["text", "json"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that writes its log in one form, then in the other."""
    with running({"LIVELOG_LOG_FORMAT": request.param}) as server:
        yield server


# Connections.


def test_connection_has_one_line_that_tells_what_went_over_it(server: Server) -> None:
    """Producers' and readers', with bytes of logs in, bytes of answers out, and the log that was asked for last."""
    send(server, "builds/42", b"x" * 1000)
    read(server, "builds/42", "Range: bytes=0-99")
    producer = connection(server, port="producers", log="builds/42")
    reader = connection(server, port="readers", log="builds/42")
    common = {"level": "INFO", "logger": "livelog.wire.access_log", "peer": "127.0.0.1", "requests": 1, "end": "closed"}
    assert common.items() <= producer.items()
    assert common.items() <= reader.items()
    assert (producer["received"], producer["sent"], str(producer["statuses"])) == (1000, 0, "201")
    assert (reader["received"], reader["sent"], str(reader["statuses"])) == (0, 100, "206")
    for line in (producer, reader):
        assert 0 <= line["seconds"] < TIMEOUT
    assert set(producer) == {"level", "logger", "message", "port", "peer", "requests", "statuses", "log", "received", "sent",
                             "seconds", "end"}  # fmt: skip


def test_connection_that_is_used_again_has_one_line_in_all(server: Server) -> None:
    """Streams, small answers and errors in turn, each status once with how often it was given."""
    send(server, "a", b"12345")
    client = server.connect()
    for path in (
        "/log/{}/a",
        "/log/wrong",
        "/status/{}/a",
        "/log/{}/a",
        "/log/{}/a",
        "/log/{}/never",
        "/logs/{}",
        "/nothing",
    ):
        ask(client, "GET", path.format(TOKEN))
        client.wait_end()
        client.settle()
    assert not told(server, "connection ended", port="readers")
    client.close()
    line = connection(server, port="readers")
    assert (line["requests"], line["statuses"], line["sent"]) == (8, "200*5,401,404*2", 15)
    assert line["log"] == "a", "what is no log is not told"


def test_connection_without_a_request_has_no_line(server: Server) -> None:
    """A port that is tried, a connection that is kept in case."""
    for producer in (True, False):
        server.connect(producer=producer).close()
        server.connect(producer=producer).reset()
    send(server, "last")
    connection(server, port="producers", log="last")
    assert len(told(server, "connection ended")) == 1


NO_REQUESTS = [
    b"\x16\x03\x01\0\0", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n", b"X: y\r\n" * 12_000,
    b"GET /log/x HTTP/1.1\r\n" + b"X: y\r\n" * 12_000, b"GET /log/x HTTP/1.2\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("producer", [True, False])
def test_connection_that_speaks_no_http_has_a_line_too(server: Server, *, producer: bool) -> None:
    """With what it was answered."""
    for number, sent in enumerate(NO_REQUESTS, 1):
        client = server.connect(producer=producer)
        client.ask("GET", "1.1", sent)
        status = client.wait_head().status
        client.close()
        wait_until(lambda number=number: len(told(server, "connection ended")) == number, "its line")  # type: ignore[misc]
        line = told(server, "connection ended")[-1]
        assert line["port"] == ("producers" if producer else "readers")
        assert (str(line["statuses"]), line["requests"]) == (str(status), 1)
        assert status in (400, 431, 505)


def test_end_of_a_connection_is_told_in_words(server: Server) -> None:
    """A reader that left, a producer that was reset, a log that was aborted."""
    producer = begin(server, "a")
    leaver, stayer = follow(server, "a"), follow(server, "a")
    leaver.reset()
    assert connection(server, port="readers")["end"] not in ("", "closed")
    producer.send(chunk(b"x"))
    stayer.wait(lambda answer: answer.body == b"x", "what was sent")
    producer.reset()
    assert finish(stayer).ending is Ending.CUT
    assert connection(server, port="readers", end="the log is aborted")["log"] == "a"
    line = connection(server, port="producers", log="a")
    assert line["received"] == 1
    assert line["end"] not in ("", "closed")


# Logs.


@both_forms
def test_each_log_has_one_line_for_its_begin_and_one_for_its_end(tmp_path: Path, form: str) -> None:
    """However it ends: as its status tells it, with the exit code if there is one."""
    environment = {
        "LIVELOG_LOG_FORMAT": form, "LIVELOG_DATA_DIR": str(tmp_path), "LIVELOG_MAX_LOG_SIZE": "1000",
        "LIVELOG_RESUME_GRACE": "0.3",
    }  # fmt: skip
    with running(environment) as server:
        expected = {}

        def note(name: str) -> None:
            """Keep what the status tells of a log that is about to end, or has ended."""
            status = status_of(server, name, "?wait=15&size=0&state=live")
            while status["ended"] is None:
                status = status_of(server, name, f"?wait=15&size={status['size']}&state={status['state']}")
            expected[status["generation"]] = {
                "log": name, "state": status["state"], "bytes": status["size"], "reason": status["reason"]
            }  # fmt: skip

        send(server, "complete", b"12345", "Livelog-Exit-Code: 3")
        note("complete")
        send(server, "complete", b"replaced")
        note("complete")
        begin(server, "reset").reset()
        note("reset")
        broken = begin(server, "framing")
        broken.send(b"no size\r\n")
        finish(broken)
        note("framing")
        large = begin(server, "large")
        large.send(chunk(bytes(1001)))
        finish(large)
        note("large")
        send(server, "given/up", b"x", "Upload-Complete: ?0")
        note("given/up")
        address = send(server, "cancelled", b"x", "Upload-Complete: ?0")["Location"]
        request(server.put, "DELETE", address)
        note("cancelled")
        ended = {line["generation"]: line for line in told(server, "log ended")}
        assert len(told(server, "log ended")) == len(ended) == len(expected) == 7
        for generation, facts in expected.items():
            assert facts.items() <= ended[generation].items()
            assert ended[generation]["logger"] == "livelog.log.catalogue"
        assert Counter(line["generation"] for line in told(server, "log begun")) == Counter(list(expected))
        assert [line["exit_code"] for line in ended.values() if line.get("exit_code") is not None] == [3]
        assert [line["log"] for line in told(server, "log interrupted")] == ["given/up", "cancelled"]


def test_log_that_is_removed_has_a_line_for_it(server: Server) -> None:
    """And one for its end, if it had not ended."""
    send(server, "a", b"123")
    send(server, "b", b"12", "Upload-Complete: ?0")
    for name in ("a", "b"):
        request(server.put, "DELETE", path_of(name))
    assert [(line["log"], line["bytes"]) for line in told(server, "log removed")] == [("a", 3), ("b", 2)]
    [line] = told(server, "log ended", log="b")
    assert (line["state"], line["reason"]) == ("aborted", "the log was removed")


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [("LIVELOG_MAX_LOGS", "1", "log removed to make room"), ("LIVELOG_MAX_AGE", "0.1", "log removed for its age")],
)
@both_forms
def test_log_that_goes_for_a_limit_has_a_line_for_it(form: str, setting: str, value: str, message: str) -> None:
    """Which says for which."""
    with running({"LIVELOG_LOG_FORMAT": form, setting: value}) as server:
        send(server, "a", b"123")
        if setting == "LIVELOG_MAX_LOGS":
            send(server, "b")
        wait_until(lambda: bool(told(server, message, log="a", bytes=3)), "the log was removed")


@both_forms
def test_server_that_stops_tells_what_became_of_its_logs_and_connections(tmp_path: Path, form: str) -> None:
    """A plain log is aborted; one that can be resumed is not over; whoever was connected has a line."""
    with running({"LIVELOG_LOG_FORMAT": form, "LIVELOG_DATA_DIR": str(tmp_path)}) as server:
        plain, resumable = begin(server, "plain"), begin(server, "resumable", "Upload-Complete: ?1")
        readers = [follow(server, name) for name in ("plain", "resumable")]
        assert server.stop(signal.SIGTERM) == 0
        for client in (plain, resumable, *readers):
            client.close()
        [line] = told(server, "log ended")
        assert (line["log"], line["state"]) == ("plain", "aborted")
        [line] = told(server, "log interrupted")
        assert line["log"] == "resumable"
        ended = Counter((line["port"], line["log"]) for line in told(server, "connection ended"))
        assert ended == {(port, name): 1 for port in ("producers", "readers") for name in ("plain", "resumable")}


# Errors.


REFUSED = [
    ("PUT", "/log/no//name", 400, "this is not a name for a log"),
    ("DELETE", "/log/never", 404, "there is no log of that name"),
    ("GET", "/log/wrong", 401, "Access denied"),
    ("GET", f"/log/{TOKEN}/never", 404, "this log has not begun"),
    ("PUT", f"/log/{TOKEN}/never", 405, "a log is read with GET or HEAD"),
]


@pytest.mark.parametrize("accept", ["*/*", "application/problem+json"])
def test_error_has_a_line_with_the_id_that_the_client_got(server: Server, accept: str) -> None:
    """And the same status and text."""
    for number, (method, path, status, text) in enumerate(REFUSED):
        answer = request(server.put if number < 2 else server.get, method, path, f"Accept: {accept}")
        assert answer.status == status
        identity = answer["Livelog-Error"]
        assert re.fullmatch("[0-9a-f]{8}", identity)
        [line] = [line for line in lines(server) if identity in line["message"]]
        assert line["level"] == "INFO"
        assert line["message"].startswith(f"error {identity}: {status} {text}")
        told_to_client = answer.json["detail"] if "json" in accept else answer.body.decode().removesuffix("\n")
        assert line["message"].endswith(told_to_client)


def test_errors_that_are_the_servers_to_mend_are_errors() -> None:
    """507; and a full server's 429 is not."""
    with running({"LIVELOG_DISK_RESERVE": "1000T", "LIVELOG_LOG_FORMAT": "json"}) as server:
        assert send(server, "a").status == 507
        [line] = [line for line in lines(server) if line["message"].startswith("error ")]
        assert line["level"] == "ERROR"


# Secrets.


def exchange(server: Server, data: bytes, *, producer: bool) -> bytes:
    """Everything that comes back for bytes after which nothing more is sent."""
    address = server.put if producer else server.get
    received = b""
    with (
        socket.create_connection((address.host, address.port), TIMEOUT) as client,
        contextlib.suppress(ConnectionError),
    ):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        while piece := client.recv(65536):
            received += piece
    return received


HOSTILE = [
    "GET /log/{} HTTP/1.1\r\nHost: a\r\n\r\n", "GET /log/{}/secret HTTP/1.0\r\n\r\n",
    "GET /log/{}/secret?follow=0 HTTP/1.1\r\nHost: a\r\nRange: bytes=9-{}\r\n\r\n",
    "HEAD /status/{}/secret?wait={} HTTP/1.1\r\nHost: a\r\n\r\n", "GET /logs/{}?before={}&state={} HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /log/secret?token={}&tail={} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n",
    "GET /log/secret HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nCookie: {}\r\nReferer: http://a/log/{}\r\n\r\n",
    "GET /log/secret HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}x\r\nIf-Match: {}\r\nUser-Agent: {}\r\n\r\n",
    "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET http://{}/log/{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "{} /log/secret HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /log/{} HTTP/{}\r\n\r\n", "GET /log/{}\r\n\r\n", "{}\r\n\r\n",
    "GET /log/{} HTTP/1.1\r\n{}\r\n\r\n", "GET /log/{} HTTP/1.1\r\nHost: a\r\n{}: \0\r\n\r\n", "GET /log/{}\0 HTTP/1.1\r\n\r\n",
    "GET /log/{} HTTP/7.7\r\nHost: a\r\n\r\n", "GET /log/{} HTTP/1.1\r\nX: " + "{} " * 2000 + "\r\n\r\n", "\x16\x03\x01{}\r\n\r\n",
    "PUT /log/{} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", "PUT /log/%00{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "PUT /log/a?{} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
    "PUT /log/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nTransfer-Encoding: {}\r\n\r\n",
    "PUT /log/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\nLivelog-Exit-Code: {}\r\nContent-Length: 0\r\n\r\n",
    "PATCH /upload/{}/secret HTTP/1.1\r\nHost: localhost\r\nUpload-Offset: {}\r\n\r\n", "DELETE /upload/{}/{} HTTP/1.1\r\nHost: a\r\n\r\n",
    "PATCH /log/secret HTTP/1.1\r\nHost: localhost\r\nLivelog-Label: {}\r\nLivelog-Exit-Code: {}\r\n\r\n",
    "OPTIONS /{} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://{}\r\nAccess-Control-Request-Method: {}\r\n\r\n",
    "GET /metrics?{} HTTP/1.1\r\nHost: localhost\r\nAccept: {}\r\n\r\n", "GET /readyz/{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
]  # fmt: skip


def go_through_everything(server: Server) -> set[str]:
    """Use a server with a write token in all ways that there are, rightly and wrongly. Returns all secrets."""
    producer = server.connect(producer=True)
    ask(producer, "PUT", "/log/secret", CHUNKED, AS_PRODUCER, INTERIM, "Upload-Complete: ?1")
    interim = producer.wait(lambda answer: bool(answer.interims), "104").interims[0]
    address, link = interim.get("Location") or "", interim.get("Livelog-Link") or ""
    expiring = request(server.put, "HEAD", "/log/secret?expires=1h", AS_PRODUCER)["Livelog-Link"]
    plain = send(server, "other", b"bytes", AS_PRODUCER, "Livelog-Title: a title")["Livelog-Link"]
    own, *others = (told.split("/")[4] for told in (link, expiring, plain))
    key = address.split("upload/")[1].split("/")[0]
    reader = follow(server, "secret", own)
    assert request(server.get, "GET", path_of("other"), f"Authorization: Bearer {others[1]}").body == b"bytes"
    producer.send(chunk(b"some "))
    reader.wait(lambda answer: answer.body == b"some ", "what was sent")
    producer.reset()
    secrets = {TOKEN, WRITE_TOKEN, own, *others, key}
    for secret, template in itertools.product(secrets, HOSTILE):
        wrong = template.replace("{}", secret)
        for side in (True, False):
            exchange(server, wrong.encode("latin-1"), producer=side)
        if not template.startswith("PUT /log/{}"):  # it could make a log of that name
            allowed = wrong.replace("\r\n\r\n", f"\r\n{AS_PRODUCER}\r\n\r\n", 1)
            exchange(server, allowed.encode("latin-1"), producer=True)
    offset = request(server.put, "HEAD", address, AS_PRODUCER)["Upload-Offset"]
    for wrong, status in (("9", 409), ("", 201)):
        append = (AS_PRODUCER, APPEND, f"Upload-Offset: {offset}{wrong}", "Upload-Complete: ?1")
        assert request(server.put, "PATCH", address, *append, body=b"bytes").status == status
    assert finish(reader).body == b"some bytes"
    return secrets


@both_forms
def test_no_secret_is_written_anywhere(tmp_path: Path, form: str) -> None:
    """Not to stdout, stderr, the figures, the list, nor the data directory; not even a part of one, and with DEBUG=*."""
    environment = {
        "LIVELOG_LOG_FORMAT": form, "LIVELOG_DATA_DIR": str(tmp_path), "LIVELOG_WRITE_TOKEN": WRITE_TOKEN, "DEBUG": "*",
    }  # fmt: skip
    with running(environment, wrapper=("env",)) as server:  # its command line is its own
        secrets = go_through_everything(server)
        written = {
            "the figures": request(server.put, "GET", "/metrics").body.decode(),
            "the list": request(server.get, "GET", f"/logs/{TOKEN}?limit=1000").body.decode(),
            "its command line": Path(f"/proc/{server.pid}/cmdline").read_text(encoding="utf-8"),
        }
        assert server.stop() == 0
        assert server.process.stdout is not None
        written |= {"stdout": server.process.stdout.read(), "stderr": server.log()}
        for path in tmp_path.rglob("*"):
            written[str(path.relative_to(tmp_path))] = path.name + (
                path.read_bytes().decode(errors="replace") if path.is_file() else ""
            )
        assert {line["level"] for line in lines(server)} >= {"DEBUG", "INFO"}
        assert len(told(server, "connection ended")) > 200
        assert len(written) > 8
        for place, text in written.items():
            for secret in secrets:
                assert secret[:12] not in text, f"in {place}: {text[max(0, text.index(secret[:12]) - 300) :][:600]}"
