"""Run a case against a server.

It knows only what any client can see: two ports and a token. It starts no server and reads none of its files.
1. Nothing sleeps. A step ends when its effect has been seen through the readers' port, or at a deadline.
2. A follower reads every log from its first byte; whatever a case is about, the follower must get every
   byte and the right ending.
3. A reader left `open` is shown to be open: the producer appends, and exactly those bytes arrive.
4. After a case each connection still usable is asked once more, so that stray bytes are found.
5. No header and no error may contain the token; nor does any message of the runner.
"""

import contextlib
import re
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from .casebook import (
    Answer,
    Append,
    AwaitHead,
    Break,
    Case,
    CaseError,
    Expect,
    Finish,
    Leave,
    More,
    MoreEvents,
    Produce,
    Request,
    Send,
    Step,
)
from .checks import (
    Failure,
    check_body,
    check_events,
    check_fields,
    check_framing,
    check_status,
    compare,
    document_of,
    events_in,
)
from .link import Address, Connection, Late
from .wire import Framing, Head, WireFault

TIMEOUT = 25.0
PROOF = b"proof that the log goes on\n"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(slots=True)
class Target:
    """A server under test."""

    put: Address
    get: Address
    token: str = field(repr=False)
    timeout: float = TIMEOUT
    attempts: bool = False
    """The server keeps at least the last three logs of a name."""
    write_token: str = field(default="", repr=False)
    """Its LIVELOG_WRITE_TOKEN; empty: it has none."""
    prefix_write_token: str = field(default="", repr=False)
    """The write token of the prefix `written/`."""
    unsettled: bool = False
    """The last case failed: its producer may still be connected."""

    def redacted(self, text: str) -> str:
        """A text without the secrets."""
        for name, secret in (
            ("token", self.token),
            ("write_token", self.write_token),
            ("prefix_write_token", self.prefix_write_token),
        ):
            text = text.replace(secret, "{" + name + "}") if secret else text
        return text


def tls_context(*, insecure: bool) -> ssl.SSLContext:
    """How to reach an https server; `insecure` accepts any certificate."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def unmet_need(case: Case, target: Target) -> str | None:
    """Why the case cannot be run against this server, whatever its state."""
    if case.needs == "loopback" and target.put.host not in LOOPBACK:
        return "the producers' side is not on the loopback interface"
    if case.needs == "attempts" and not target.attempts:
        return "needs a server that keeps three logs of a name (LIVELOG_KEEP_ATTEMPTS=3), and --attempts to say that this is one"
    if case.needs == "write token" and not (target.write_token and target.prefix_write_token):
        return "needs a server with a write token: LIVELOG_WRITE_TOKEN and PREFIX_WRITE_TOKEN, that of the prefix written/, in the environment"
    if case.needs != "write token" and target.write_token:
        return "needs a server without a write token"
    return None


def has_log(target: Target) -> bool:
    """Whether the server has, or had, a log. Raises: Failure if there is no server, or not with this token."""
    try:
        connection = Connection(target.get, target.timeout)
        connection.ask("GET", "1.1", _head_bytes("GET /log/" + target.token + "?follow=0", (), target.get))
        head = connection.wait_head()
        connection.close()
    except ConnectionRefusedError:
        return False  # the original opens the readers' port only when a log begins
    except (Late, WireFault, OSError) as error:
        raise Failure(target.redacted(f"no server to test: {error}")) from error
    if head.status == 401:
        raise Failure("this is not the server's token: 401 to a GET of the log")
    return head.status != 404


def run_case(case: Case, target: Target) -> None:
    """Run one case. Raises: Failure."""
    run = _Run(case, target)
    try:
        run.whole()
    except (Failure, Late, WireFault, OSError) as error:
        target.unsettled = True
        message = str(error) or type(error).__name__
        raise Failure(target.redacted(f"{run.where}: {message}")) from error
    finally:
        run.close()


class _Producer:
    """A producer's connection, what it has sent, and the follower of its log."""

    def __init__(self, name: str, connection: Connection, follower: Connection, *, chunked: bool) -> None:
        self.name = name
        self.connection = connection
        self.follower = follower
        self.sent = bytearray()
        self.ended = False
        self.spoiled = False  # raw bytes were sent: only a break can end it
        self._chunked = chunked

    @property
    def can_go_on(self) -> bool:
        """Whether more bytes can be sent, and an end."""
        return self._chunked and not self.ended and not self.spoiled

    def append(self, data: bytes) -> None:
        self.sent += data
        self.connection.send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def end(self) -> None:
        if self._chunked:
            self.connection.send(b"0\r\n\r\n")
        self.ended = True

    def check_follower(self) -> None:
        if not self.spoiled:
            compare("the log's follower: body", bytes(self.follower.answer().body), bytes(self.sent))


class _Run:
    """One case being run."""

    def __init__(self, case: Case, target: Target) -> None:
        self.where = "setup"
        self._case = case
        self._target = target
        self._connections: dict[str, Connection] = {}
        self._producers: dict[str, _Producer] = {}
        self._events_read: dict[
            str, int
        ] = {}  # where in an answer on this connection the events begin that no step was about
        self._opened: list[tuple[str, Connection]] = []
        self._variables = {
            "token": target.token,
            "write_token": target.write_token,
            "prefix_write_token": target.prefix_write_token,
            "put_host": target.put.authority,
            "put_port": str(target.put.port),
            "get_host": target.get.authority,
        }

    def whole(self) -> None:
        """Make the log, take the steps, and see that nothing is left over."""
        self._make_log()
        for number, step in enumerate(self._case.steps, 1):
            self.where = f"step {number}, {type(step).__name__.lower()} on {step.on}"
            self._take(step)
        self.where = "after the last step"
        self._wind_up()

    def close(self) -> None:
        """Drop every connection."""
        for _, connection in self._opened:
            connection.close()

    # The log's state

    def _make_log(self) -> None:
        case = self._case
        if case.log == "none":
            return
        if self._target.unsettled:
            self._settle()
        if case.log == "complete":
            head = self._put_whole(case.producer, case.content)
            if head.status not in (200, 201):
                raise Failure(f"the PUT of the case's log was answered {head.status} {head.reason}")
            return
        self._produce("producer", case.producer)
        if case.content:
            self._append("producer", case.content)
        if case.log == "aborted":
            self._break("producer", "reset")

    def _settle(self) -> None:
        """After a failed case: wait until the server lets a new producer in."""
        deadline = time.monotonic() + self._target.timeout
        while self._put_whole((), b"").status == 409:
            if time.monotonic() > deadline:
                raise Late("409 to every new producer since an earlier case failed")
        self._target.unsettled = False

    def _put_whole(self, headers: Iterable[str], content: bytes) -> Head:
        connection = self._connect("put")
        lines = [*headers, f"Content-Length: {len(content)}"]
        connection.ask("PUT", "1.1", _head_bytes("PUT /log", lines, self._target.put) + content)
        head = connection.wait_head()
        connection.wait_end()
        connection.close()
        return head

    # Steps

    def _take(self, step: Step) -> None:
        match step:
            case Request():
                self._request(step)
            case Answer():
                self._check(step.on, step.expect)
            case More():
                self._more(step)
            case MoreEvents():
                self._more_events(step)
            case AwaitHead():
                self._await_head(step)
            case Produce():
                self._produce(step.on, step.headers)
            case Append():
                self._append(step.on, step.data)
            case Finish():
                self._finish(step.on, step.expect)
            case Break():
                self._break(step.on, step.how)
            case Send():
                self._connection(step.on).send(step.data)
                if step.on in self._producers:
                    self._producers[step.on].spoiled = True
            case Leave():
                self._connections.pop(step.on).close()

    def _request(self, step: Request) -> None:
        connection = self._connections.get(step.on)
        if connection is None:
            connection = self._connections[step.on] = self._connect(step.port)
        lines = [self._fill(line) for line in step.headers]
        body = step.body
        if body is not None and not _has(lines, "content-length") and not _has(lines, "transfer-encoding"):
            lines.append(f"Content-Length: {len(body)}")
        head = _head_bytes(self._fill(step.line), lines, connection.address if step.host else None)
        connection.unfinished |= step.unfinished
        data = head + (body or b"")
        connection.ask(step.method, step.version, data, byte_by_byte=step.byte_by_byte)
        if step.expect is not None:
            self._check(step.on, step.expect)

    def _await_head(self, step: AwaitHead) -> None:
        answer = self._connection(step.on).wait(lambda answer: bool(answer.heads), f"{step.status}")
        got = [head.status for head in answer.heads]
        if got != [step.status]:
            raise Failure(f"statuses {got}, expected {step.status} before anything else")

    def _more(self, step: More) -> None:
        connection = self._connection(step.on)
        answer = connection.answer()
        seen = len(answer.body)
        self._read(connection, seen + len(step.body), step.ending)
        compare("further bytes", bytes(answer.body[seen:]), step.body)
        if answer.ending is not None:
            connection.settle()

    def _more_events(self, step: MoreEvents) -> None:
        connection = self._connection(step.on)
        start = self._events_read[step.on]
        self._await_events(connection, step.on, start, len(step.events))
        check_events(bytes(connection.answer().body[start:]), step.events, self._fill)

    def _await_events(self, connection: Connection, name: str, start: int, count: int) -> None:
        """Read on until there are so many events behind the byte at `start` of the body."""
        answer = connection.wait(lambda answer: len(events_in(bytes(answer.body[start:]))) >= count, f"{count} events")
        self._events_read[name] = answer.body.rfind(b"\n\n") + 2

    def _produce(self, name: str, headers: Iterable[str]) -> None:
        lines = [self._fill(line) for line in headers]
        chunked = not _has(lines, "content-length")
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        connection = self._connections[name] = self._connect("put")
        connection.ask("PUT", "1.1", _head_bytes("PUT /log", lines, connection.address))
        follower = self._follow(connection)
        self._producers[name] = _Producer(name, connection, follower, chunked=chunked)

    def _follow(self, producer: Connection) -> Connection:
        """A reader of the log that has just begun, from its first byte."""
        deadline = time.monotonic() + self._target.timeout
        while time.monotonic() < deadline:
            early = producer.poll().head
            if early is not None:
                raise Failure(f"the producer was answered {early.status} {early.reason} when it began")
            connection = self._connect("get")
            connection.ask("GET", "1.1", _head_bytes(f"GET /log/{self._target.token}", (), self._target.get))
            head = connection.wait_head()
            # Until the server has read the PUT's head, an earlier log (or none) is what readers see.
            live = head.status == 200 and head.get("livelog-state") in ("live", None)
            if live and connection.answer().framing is not Framing.LENGTH:
                return connection
            connection.close()
        raise Late(f"readers do not see the log live within {self._target.timeout:g} s of its PUT")

    def _append(self, name: str, data: bytes) -> None:
        producer = self._producers[name]
        producer.append(data)
        if not producer.spoiled:
            # A body of known length may end the log with this append.
            size, ending = len(producer.sent), "open" if producer.can_go_on else "open or clean"
            self._read(producer.follower, size, ending, "the log's follower: ")
            producer.check_follower()

    def _finish(self, name: str, expect: Expect | None) -> None:
        producer = self._producers[name]
        producer.end()
        if expect is not None:
            self._check(name, expect)
        else:
            head = producer.connection.wait_head()
            producer.connection.wait_end()
            if head.status not in (200, 201):
                raise Failure(f"the finished PUT was answered {head.status} {head.reason}")
            producer.connection.settle()
        self._see_end(producer, "clean")

    def _break(self, name: str, how: str) -> None:
        producer = self._producers[name]
        producer.ended = True
        producer.connection.unfinished = True
        if how == "fin":
            producer.connection.finish_sending()
        else:
            producer.connection.reset()
            del self._connections[name]  # so that a later step may use the name again
        self._see_end(producer, "cut")

    def _see_end(self, producer: _Producer, ending: str) -> None:
        self._read(producer.follower, None, ending, "the log's follower: ")
        producer.check_follower()
        producer.follower.close()

    # Expectations

    def _check(self, name: str, expect: Expect) -> None:
        connection = self._connection(name)
        head = connection.wait_head()
        answer = connection.answer()
        if head.status not in expect.status and answer.framing is Framing.LENGTH:
            with contextlib.suppress(Late, WireFault):
                connection.wait_end()  # the body of an error says what the server did not like
        check_status(answer, head, expect)
        check_fields(head, expect, self._fill)
        check_framing(answer, expect)
        for variable, source in expect.save.items():
            header, _, pattern = source.partition(" ")
            found = re.search(pattern or "(.+)", head.get(header) or "")
            if found is None:
                raise Failure(f"no {source}, and later steps need it")
            self._variables[variable] = found[1]
        if expect.events is not None and expect.ending == "open":
            self._await_events(connection, name, 0, len(expect.events))
        else:
            self._read(connection, len(expect.body or b""), expect.ending)
        check_body(answer, head, expect, self._fill)
        for variable, path in expect.keep.items():
            self._variables[variable] = _member(document_of(bytes(answer.body)), path)
        self._check_secret(head, bytes(answer.body))
        connection.must_answer = bool(expect.reusable)
        if answer.ending is not None:
            connection.settle()
            if expect.reusable is False:
                connection.wait_closed()

    def _check_secret(self, head: Head, body: bytes) -> None:
        said = repr(head.fields) + (body.decode("latin-1") if head.status >= 400 else "")
        if self._target.redacted(said) != said:
            raise Failure(f"the answer {head.status} {head.reason} contains the token")

    def _read(self, connection: Connection, size: int | None, ending: str, who: str = "") -> None:
        """Read to the end of an answer, or, if it is to stay `open`, until its body has `size` bytes."""
        if ending.startswith("open") and size is not None:
            answer = connection.wait(lambda answer: len(answer.body) >= size, f"{who}{size} bytes of body")
        else:
            answer = connection.wait_end(who)
        got = answer.ending.value if answer.ending is not None else "open"
        if ending != "any" and got not in ending.split(" or "):
            raise Failure(f"{who}the answer is {got} after {len(answer.body)} bytes of body, expected {ending}")

    # The end of a case

    def _wind_up(self) -> None:
        readers = self._open_readers()
        producers = [producer for producer in self._producers.values() if not producer.ended]
        if readers:
            able = [producer for producer in producers if producer.can_go_on]
            if not able:
                raise Failure("a reader is left open, and no producer can go on")
            self._prove_open(able[0], readers)
        for producer in producers:
            self._end(producer)
        for name, connection in readers.items():
            self._read(connection, None, "clean", f"{name}, left open: ")
            connection.settle()
        for name, connection in self._connections.items():
            self.where = f"after the last step, on {name}"
            self._leave(connection)

    def _open_readers(self) -> dict[str, Connection]:
        found = {}
        for name, connection in self._connections.items():
            if name in self._producers or not connection.waiting or connection.unfinished:
                continue
            if connection.answer().head is None:
                raise CaseError(f"{self._case.name}: nothing is expected of the last request on {name}")
            found[name] = connection
        return found

    def _prove_open(self, producer: _Producer, readers: dict[str, Connection]) -> None:
        before = {name: len(connection.answer().body) for name, connection in readers.items()}
        producer.append(PROOF)
        for name, connection in readers.items():
            self._read(connection, before[name] + len(PROOF), "open", f"{name}, left open: ")
            compare(f"{name}, left open: further bytes", bytes(connection.answer().body[before[name] :]), PROOF)

    def _end(self, producer: _Producer) -> None:
        """End a producer that the case left connected, so that the next case can begin its own."""
        if producer.can_go_on:
            self._finish(producer.name, None)
            return
        producer.connection.unfinished = True
        producer.connection.reset()
        producer.follower.wait_end("the log's follower: ")

    def _leave(self, connection: Connection) -> None:
        """Leave the connection, having seen that it holds no stray bytes."""
        if connection.must_answer and (connection.closed or connection.closing):
            raise Failure("the connection is closed or closing, and was to be usable")
        if connection.closed or connection.unfinished:
            return
        if connection.closing:
            connection.finish_sending()  # lets a server that drains what may still come close at once
            connection.wait_closed()
            return
        # Neither follow-up can wait for anything, whatever the state of the log.
        line = "GET /log" if ("put", connection) in self._opened else f"OPTIONS /log/{self._target.token}"
        lines = ["Connection: close"]
        connection.ask(line.partition(" ")[0], "1.1", _head_bytes(line, lines, connection.address))
        try:
            connection.wait_end("a follow-up request: ")
        except WireFault:
            # A server may close an idle connection at any time, but only without a word.
            closed: bool = connection.closed  # which `wait_end` may have changed
            if connection.must_answer or not closed or connection.answer().begun:
                raise
            return
        connection.wait_closed()

    # Helpers

    def _connect(self, port: str) -> Connection:
        address = self._target.put if port == "put" else self._target.get
        connection = Connection(address, self._target.timeout)
        self._opened.append((port, connection))
        return connection

    def _connection(self, name: str) -> Connection:
        if name not in self._connections:
            raise CaseError(f"{self._case.name}: no connection is named {name!r}")
        return self._connections[name]

    def _fill(self, text: str) -> str:
        """Put the values known at run time into a text of the case."""
        if "{etag}" in text and "etag" not in self._variables:
            self._variables["etag"] = self._look_up_etag()
        for name, value in self._variables.items():
            text = text.replace("{" + name + "}", value)
        return text

    def _look_up_etag(self) -> str:
        connection = self._connect("get")
        connection.ask("HEAD", "1.1", _head_bytes(f"HEAD /log/{self._target.token}", (), self._target.get))
        etag = connection.wait_head().get("etag")
        connection.close()
        if etag is None:
            raise Failure("the log has no ETag")
        return etag


def _member(document: object, path: str) -> str:
    """The text or number at a place in JSON, such as `logs.0.generation`. Raises: Failure."""
    value: object = document
    for step in path.split("."):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            raise Failure(f"there is no {path} in {document!r}, and later steps need it")
    return str(value)


def _has(lines: Iterable[str], name: str) -> bool:
    return any(line.lower().startswith(f"{name}:") for line in lines)


def _head_bytes(line: str, lines: Iterable[str], host: Address | None) -> bytes:
    """A request's head; HTTP/1.1 unless the line says otherwise, with a Host of its own unless one is given."""
    lines = list(lines)
    if host is not None and not _has(lines, "host"):
        lines.insert(0, f"Host: {host.authority}")
    if " HTTP/" not in line:
        line += " HTTP/1.1"
    return "".join(f"{text}\r\n" for text in [line, *lines, ""]).encode()
