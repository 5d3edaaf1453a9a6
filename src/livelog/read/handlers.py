"""The handlers of the readers' port.

    /log/{token}[/{name}]       the bytes; {token} is ACCESS_TOKEN, the log's own, or that of a prefix of its name
    /status/{token}[/{name}]    the log's state, size, times and attributes, as JSON
    /events/{token}[/{name}]    the log as an event stream, see `read.events`
    /lines, /search, /groups, /problems, /compare    some lines of it, and their numbers; and others: see `read.queries`
    /view                       the page that shows a log, see `page.viewer`
    /page/{script}              a script of it
    /view/, /view/…/            the page that lists logs: at every such path that ends in a slash; with `?logs=`, the page that shows these
    /                           for browsers, which are sent to the list
    /livelog.pyz                the client in one file, see `page.archive`
    /logs/{token}[/{prefix}/]   the list of logs, or of those whose names begin so, as JSON; {token} is ACCESS_TOKEN, or that of a prefix

A request for bytes is answered in four steps: check the token, find the log (and wait for it if asked), resolve the range (`ranges`), and
answer with a bounded body from the file, or by following the log with a `Fanout`. Handlers use `Source`, whoever writes the log.

1. Any web page may read every answer (CORS), and no browser runs the content of one.
2. An aborted log never looks whole: an answer without a range is broken off at its end.
3. After a bounded answer the connection can be used again.
"""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from livelog.config import Settings
from livelog.errors import STOPPED
from livelog.lines.lines import MAX_LINES, start_of_last
from livelog.log.attempts import Which
from livelog.log.catalogue import UNNAMED, Catalogue
from livelog.log.info import State
from livelog.log.source import Source
from livelog.log.status import describe_alone
from livelog.names import is_name, is_prefix
from livelog.operate.metrics import Histogram
from livelog.page.archive import NAME, ClientArchive
from livelog.page.viewer import LIST, LOG, SEVERAL, Page
from livelog.tokens import Access, Verdict, bearer
from livelog.wire import problem, ranges
from livelog.wire.body_writer import BodyWriter
from livelog.wire.exchange import Exchange
from livelog.wire.fields import accepts_html, attempt_and_generation, precondition, wait_seconds, whole_number
from livelog.wire.link import unless_lost
from livelog.wire.ranges import Follow, NothingMore, Part, Parts, Unsatisfiable, Whole
from livelog.wire.request import Request
from livelog.wire.response import Response
from livelog.wire.routes import Resource, Routes

from . import problems
from .answers import PREFLIGHT_HEADERS, READERS_HEADERS, json_answer, parts_answer
from .event_fanout import EventFanout
from .events import answer_events
from .fanout import ByteFanout, Fanouts
from .finding import Finder
from .listing import Listing
from .prefix_search import PrefixSearch
from .queries import Queries
from .selection import state_named

PASS_BOUNDS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""The buckets' bounds, in seconds, of the durations of fan-out passes."""

MAX_GAPS = 1000
"""The largest number of gaps in one answer."""

EXPIRED = {"WWW-Authenticate": 'Bearer error="invalid_token", error_description="the link has expired"'}
"""RFC 6750 section 3.1."""

logger = logging.getLogger(__name__)

Handler = Callable[[Exchange, str], Awaitable[Response]]
"""Answers a request. The text is the name, or the prefix, that the path has behind its token."""

Judge = Callable[[str, str, float], Verdict]
"""Checks a token: called with the token, the name or prefix, and the time in seconds since the epoch."""

LogHandler = Callable[[Exchange, Source], Awaitable[Response]]
"""Answers a request about a log, whose file is open."""


class Readers:
    """The readers' port of a server: answers each of its requests."""

    def __init__(self, settings: Settings, access: Access, catalogue: Catalogue) -> None:
        self._settings = settings
        self._access = access
        self._catalogue = catalogue
        self._finder = Finder(catalogue)
        self.queries = Queries(catalogue)
        self._log_page, self._list_page, self._several_page = (
            Page(name, READERS_HEADERS) for name in (LOG, LIST, SEVERAL)
        )
        self._client = ClientArchive(READERS_HEADERS)
        self.pass_seconds = Histogram(PASS_BOUNDS)
        """The durations of all fan-outs' passes, in seconds."""
        self._bytes = Fanouts(ByteFanout, self.pass_seconds, self._count_readers)
        self._events = Fanouts(EventFanout, self.pass_seconds, self._count_readers)
        self._listing = Listing(catalogue)
        self._prefix_search = PrefixSearch(catalogue, self.queries.searches)
        about_logs: Mapping[str, LogHandler] = {
            "log": self._answer_log, "events": partial(answer_events, self._events), **self.queries.answers
        }  # fmt: skip
        handlers: dict[str, Handler] = {name: partial(self._open, answer) for name, answer in about_logs.items()}
        handlers["events"] = partial(self._open, about_logs["events"], replaced=True)  # an event says so
        handlers |= {
            "status": self._status,
            "logs": self._listing.answer,
            "view": self._view,
            "page": self._script,
            NAME: self._archive,
            "": self._front,
        }
        self._routes = Routes(
            {
                name: Resource({"GET": handler, "HEAD": handler, "OPTIONS": self._preflight})
                for name, handler in handlers.items()
            },
            problems.NO_READERS_PATH,
        )

    def _count_readers(self, journal: Source) -> None:
        """Have the new number of readers sent to the log's event streams."""
        if (fanout := self._events.get(journal)) is not None:
            fanout.count_readers()

    def lags(self) -> list[int]:
        """For each reader that follows a log, the number of bytes that it was not sent yet."""
        return [lag for fanout in (*self._bytes.all, *self._events.all) for lag in fanout.lags()]

    async def answer(self, exchange: Exchange) -> Response:
        """Answer one request. Raises: RequestError, DiskError, ConnectionError."""
        request = exchange.request
        if request.method == "OPTIONS":  # a CORS preflight: browsers send it without the Authorization field
            return await self._preflight(exchange, UNNAMED)
        kind, rest, resource = self._routes.find(request.path)
        name = UNNAMED
        if kind == "logs":
            name = self._authorised_prefix(request, rest[1:])
        elif kind in (NAME, ""):
            if rest:
                raise problems.NO_READERS_PATH.error()
        elif kind == "search" and ("prefix" in request.query or rest.endswith("/")):
            resource.handler(request.method)
            return await self._prefix_search.answer(exchange, self._authorised_prefix(request, rest[1:]))
        elif kind == "page":
            name = rest[1:]
        elif kind != "view":
            name = self._authorised(request, rest[1:])
        return await resource.handler(request.method)(exchange, name)

    def answer_now(self, exchange: Exchange) -> Response | None:
        """Answer a plain GET of `/status`, the most frequent request, without a task, if no index has to be asked.

        Returns None for any other request. Raises: RequestError.
        """
        request = exchange.request
        if not request.path.startswith("/status/") or request.method != "GET" or request.query:
            return None
        _, rest, _ = self._routes.find(request.path)
        name = self._authorised(request, rest[1:])
        journal = self._catalogue.get(name)
        if journal is None or self.queries.has_index(journal):
            return None
        exchange.connection.note_log(name)
        return json_answer(describe_alone(journal, self._catalogue.attempts(name)), {"ETag": journal.etag})

    async def _preflight(self, _exchange: Exchange, _name: str) -> Response:
        return Response(204, PREFLIGHT_HEADERS)

    async def _view(self, exchange: Exchange, _name: str) -> Response:
        request = exchange.request
        if not request.path.endswith("/"):
            return self._log_page.answer(request)
        return (self._several_page if "logs" in request.query else self._list_page).answer(request)

    async def _front(self, exchange: Exchange, _name: str) -> Response:
        """Send a browser to the list of logs, which asks for a token. Others find nothing. Raises: RequestError."""
        if not accepts_html(exchange.request):
            raise problems.NO_READERS_PATH.error({"Vary": "Accept"})
        fields = {**READERS_HEADERS, "Cache-Control": "no-cache", "Location": "view/", "Vary": "Accept"}
        return Response(303, fields)

    async def _script(self, exchange: Exchange, name: str) -> Response:
        answer = self._log_page.answer_script(exchange.request, name)
        if answer is None:
            raise problems.NO_READERS_PATH.error()
        return answer

    async def _archive(self, exchange: Exchange, _name: str) -> Response:
        return await self._client.answer(exchange.request)

    async def _open(self, answer: LogHandler, exchange: Exchange, name: str, *, replaced: bool = False) -> Response:
        """Open the log of that name, and return what `answer` does; see `Finder.open`. Raises: as `answer`."""
        journal = await self._finder.open(exchange, name, replaced=replaced)
        try:
            return await answer(exchange, journal)
        finally:
            journal.release()

    def _authorised(self, request: Request, rest: str) -> str:
        """The name of the log, from `rest`, the path behind its first segment, if the token opens it. Raises: RequestError."""
        name = self._opened_by_token(request, rest, self._access.judge)
        if name and not is_name(name):
            raise problems.NOT_A_READERS_NAME.error()
        return name or UNNAMED

    def _authorised_prefix(self, request: Request, rest: str) -> str:
        """The prefix, from `rest`, the path behind its first segment, if the token opens it; empty: all logs. Raises: RequestError.

        If the query has `prefix`, a token for that prefix is enough.
        """
        wanted = request.query.get("prefix", "")

        def judge(presented: str, prefix: str, now: float) -> Verdict:
            verdicts = [self._access.judge_prefix(presented, each, now) for each in (prefix, wanted)]
            return min(verdicts, key=[*Verdict].index)

        prefix = self._opened_by_token(request, rest, judge)
        if prefix and not is_prefix(prefix):
            raise problems.NOT_A_PREFIX.error()
        return prefix

    def _opened_by_token(self, request: Request, rest: str, judge: Judge) -> str:
        """The name or prefix in `rest`, if `judge` accepts its first segment as the token, or a token in Authorization for all of it. Raises: RequestError."""
        now, header = time.time(), bearer(request.fields.get("Authorization", ""))
        token, _, name = rest.partition("/")
        in_path = judge(token, name, now)
        if in_path is Verdict.OPENS:
            return name
        in_header = judge(header, rest, now)
        if in_header is Verdict.OPENS:
            return rest
        if Verdict.EXPIRED in (in_path, in_header):
            raise problems.EXPIRED.error(EXPIRED)
        raise problem.DENIED.error({"WWW-Authenticate": "Bearer"})

    async def _status(self, exchange: Exchange, name: str) -> Response:
        """Answer with a log's status. With `?wait=N` and `size=L` or `state=S`, wait until the size is not L, the state is not S, or the log has ended."""
        request = exchange.request
        if (known := request.query.get("state")) is not None:
            known = state_named(known).value
        known_size = whole_number("size", request.query["size"]) if "size" in request.query else None
        timeout, which = wait_seconds(request), Which(*attempt_and_generation(request.query))
        is_new = await self._catalogue.locate(name, which) is None
        journal = await self._finder.find(exchange, name, which, timeout)
        if (known_size, known) != (None, None) and not is_new:
            await self._change(exchange, journal, known_size, known or journal.state.value, timeout)
        document, length = describe_alone(journal, self._catalogue.attempts(name) or [journal]), journal.length
        document["lines"] = lines = await self.queries.known_lines(journal, length)
        if lines is None:
            self.queries.want_lines(exchange.connection, journal)
        if "gaps" in request.query:
            most = min(whole_number("gaps", request.query["gaps"]), MAX_GAPS)
            document["gaps"] = await self.queries.gaps(exchange, journal, most) if most else []
        return json_answer(document, {"ETag": journal.etag})

    async def _change(self, exchange: Exchange, journal: Source, size: int | None, state: str, timeout: float) -> None:
        """Wait until the log's size or state differs from `size` and `state`, or it has ended, for `timeout` seconds at most. `size` None: only the state counts."""
        connection, changed = exchange.connection, asyncio.Event()

        def look() -> None:
            if journal.state.value != state or journal.at_end or size not in (None, journal.length):
                changed.set()

        journal.watchers.add(look)
        connection.waiting = True
        try:
            async with unless_lost(connection), asyncio.timeout(0 if connection.ended else timeout):
                look()
                await changed.wait()
        except TimeoutError:
            pass
        finally:
            connection.waiting = False
            journal.watchers.discard(look)

    async def _answer_log(self, exchange: Exchange, journal: Source) -> Response:
        request = exchange.request
        headers = {
            **READERS_HEADERS,
            "Accept-Ranges": "bytes",
            "Content-Type": journal.info.content_type,
            "ETag": journal.etag,
            "Incremental": "?1",
            "Livelog-State": journal.state.value,
            "X-Accel-Buffering": "no",
        }
        live = not journal.state.ended
        headers["Cache-Control"] = "no-store, no-transform" if live else "private, no-cache"
        if (status := precondition(request, journal.etag, confirms=not live and journal.tag_confirms)) is not None:
            if status == 412:
                raise problems.REPLACED.error()
            del headers["Content-Type"]
            return Response(304, headers)
        length = journal.length
        start, bounded = 0, journal.state is State.COMPLETE or request.query.get("follow") == "0"
        plan: ranges.Plan = Whole()
        if (tail := request.query.get("tail")) is not None:
            count = min(whole_number("tail", tail), MAX_LINES)
            async with unless_lost(exchange.connection):
                start = await journal.run(partial(start_of_last, length, count, journal.read))
            headers["Livelog-Offset"] = str(start)
        else:
            plan = ranges.resolve(
                _ranges(request, journal.etag), length, live=live and not bounded,
                unfinished=journal.state is not State.COMPLETE, largest=self._settings.max_log_size,
            )  # fmt: skip
        logger.debug("asked of %d bytes, %s: %s", length, journal.state.value, plan)
        refused = {name: headers[name] for name in ("Accept-Ranges", "Cache-Control", "ETag", "Livelog-State")}
        if live and request.method != "HEAD" and (bounded or isinstance(plan, Part)):
            journal.tag_confirms = False  # this client gets less than the whole log under this tag
        match plan:
            case Whole() if bounded:
                return parts_answer(journal, 200, headers, [(b"", Part(start, length))])
            case Whole():
                return self._follow(journal, 200, headers, start)
            case Follow(first, last_text):
                headers["Content-Range"] = f"bytes {first}-{last_text}/*"
                return self._follow(journal, 206, headers, first)
            case Part(first, stop):
                headers["Content-Range"] = _content_range(plan, length, live)
                return parts_answer(journal, 206, headers, [(b"", Part(first, stop))])
            case Parts(parts):
                boundary = os.urandom(16).hex()
                inner = headers["Content-Type"]
                headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
                pieces = [
                    (
                        f"\r\n--{boundary}\r\nContent-Type: {inner}\r\n"
                        f"Content-Range: {_content_range(part, length, live)}\r\n\r\n".encode(),
                        part,
                    )
                    for part in parts
                ]
                pieces.append((f"\r\n--{boundary}--\r\n".encode(), Part(0, 0)))
                return parts_answer(journal, 206, headers, pieces)
            case NothingMore():
                if not live:
                    raise problems.ABORTED_THERE.error(refused, length=length)
                raise problems.MORE_MAY_COME.error(
                    refused, length=length, state=journal.state.value, last=ranges.VERY_LARGE
                )
            case Unsatisfiable():
                raise problems.NOT_IN_THE_LOG.error(
                    {**refused, "Content-Range": f"bytes */{length}"},
                    length=length,
                    so_far="so far" if live else "in all",
                )

    def _follow(self, journal: Source, status: int, headers: Mapping[str, str], start: int) -> Response:
        """An answer that follows the log to its end: it ends cleanly if the log is complete, and is broken off otherwise."""
        journal.acquire()
        return Response(status, headers, stream=partial(self._follow_body, journal, start), done=journal.release)

    async def _follow_body(self, journal: Source, start: int, writer: BodyWriter) -> None:
        if writer.ended and not journal.at_end:
            raise ConnectionResetError("the peer has left")
        writer.endless = True
        whole = False
        try:
            with self._bytes.use(journal) as fanout:
                await fanout.follow(writer, start, chunked=writer.chunked)
            whole = journal.state.ended  # the answer has all bytes, also of an aborted log
        finally:
            if not whole:
                journal.tag_confirms = False
        if journal.state is not State.COMPLETE:  # aborted, or the server stops before the log has ended
            # Without its last chunk, a chunked body is incomplete (RFC 9112 section 8).
            await writer.break_off(reset=not writer.chunked)
            raise ConnectionAbortedError(f"the log is {journal.state.value}" if journal.state.ended else STOPPED)
        if writer.chunked:
            writer.write(b"0\r\n\r\n")


def _ranges(request: Request, etag: str) -> tuple[ranges.Spec, ...] | None:
    """The ranges of the request; None: there is no single `Range` field that can be used, or `If-Range` has another tag."""
    headers = request.fields.getall("Range")
    if len(headers) != 1 or request.fields.get("If-Range", etag).strip() != etag:
        return None
    return ranges.parse_range(headers[0])


def _content_range(part: Part, length: int, live: bool) -> str:
    """The value of Content-Range (RFC 9110 section 14.4). `live`: the length is `*`, since the log grows."""
    return f"bytes {part.start}-{part.stop - 1}/{'*' if live else length}"
