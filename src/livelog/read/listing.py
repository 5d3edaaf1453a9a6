"""`/logs/{token}[/{prefix}/]`: the list of logs, as a page of JSON, as lines of JSON, or as events (`read.list_events`).

`Readers` has checked the token; `read.selection` says which logs are selected, and `log.status` what is said of each. Invariants:

1. The status of each log is as of one moment. Different logs have different moments, since others have their turns between them.
2. However many logs there are, one turn of the event loop takes a few milliseconds.
"""

import asyncio
import contextlib
import json
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from itertools import islice

from livelog.log.catalogue import Catalogue
from livelog.log.info import GENERATION, began
from livelog.log.source import Source
from livelog.log.status import describe_in_list
from livelog.wire.body_writer import BodyWriter
from livelog.wire.exchange import Exchange
from livelog.wire.fields import whole_number
from livelog.wire.link import unless_lost
from livelog.wire.request import Request
from livelog.wire.response import Response

from . import problems
from .answers import form, json_text, stream_fields
from .list_events import ListEvents
from .selection import Selection

PAGE_SIZE = 100
"""Logs on a page, if the request has no `limit`."""

MAX_PAGE_SIZE = 1000

AT_ONCE = 32
"""Logs whose status is made in one turn of the event loop, which takes a few milliseconds."""

LOOKED_AT_ONCE = 1024
"""Logs that are compared with the selection in one turn of the event loop."""

FORMS = {"json": "application/json", "ndjson": "application/x-ndjson", "events": "text/event-stream"}

Describe = Callable[[Source], str]
"""Makes the JSON text of one log."""


class Listing:
    """Answers the requests for lists of a catalogue's logs."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._events = ListEvents(catalogue)

    async def answer(self, exchange: Exchange, prefix: str) -> Response:
        """Answer one request for the logs below a prefix. Raises: RequestError."""
        request = exchange.request
        wanted = form(request, FORMS)
        selection, before, size = (
            Selection.of(request, prefix),
            generation_of("before", request.query.get("before")),
            _size(request),
        )
        if wanted == "events":
            snapshot = partial(_snapshot, self._described, selection, before, PAGE_SIZE if size is None else size)
            stream = partial(self._events.watch, selection=selection, snapshot=snapshot)
            return Response(200, stream_fields(FORMS[wanted]), stream=stream)
        newest_first = self._catalogue.known()
        if wanted == "ndjson":
            return _lines(newest_first, selection, before, size, self._json)
        page = min(PAGE_SIZE if size is None else size, MAX_PAGE_SIZE)
        return json_text(await _page(newest_first, selection, before, page, self._json), {})

    def _json(self, log: Source) -> str:
        """The JSON of one log: its status, and the number of logs of its name."""
        return json.dumps(self._described(log))

    def _described(self, log: Source) -> dict[str, object]:
        return describe_in_list(log, max(1, self._catalogue.count(log.info.name)))


async def _page(
    newest_first: Sequence[Source], selection: Selection, before: str | None, size: int, describe: Describe
) -> str:
    """One page of JSON: the first `size` selected logs that are older than the generation `before`.

    Its `next` is the `before` of the next page; null: there is none.
    """
    logs: list[str] = []
    last: Source | None = None
    more = False
    async with contextlib.aclosing(_selected(newest_first, selection, before)) as found:
        async for some in found:
            for log in some:
                if more := len(logs) == size:
                    break
                logs.append(describe(log))
                last = log
            if more:
                break
    following = last.info.generation if more and last is not None else None
    return f'{{"logs": [{", ".join(logs)}], "next": {json.dumps(following)}}}\n'


def _lines(
    newest_first: Sequence[Source], selection: Selection, before: str | None, size: int | None, describe: Describe
) -> Response:
    """As `_page`, with a line of JSON for each log. `size` None: all selected logs."""

    async def stream(writer: BodyWriter) -> None:
        left = len(newest_first) if size is None else size
        async with unless_lost(writer), contextlib.aclosing(_selected(newest_first, selection, before)) as found:
            async for some in found:
                data = "".join(describe(log) + "\n" for log in some[:left]).encode()
                if data:
                    writer.write(b"%x\r\n%b\r\n" % (len(data), data) if writer.chunked else data)
                    await writer.drained()
                left -= len(some[:left])
                if not left:
                    break
        if writer.chunked:
            writer.write(b"0\r\n\r\n")

    return Response(200, stream_fields("application/x-ndjson"), stream=stream)


async def _snapshot(
    described: Callable[[Source], dict[str, object]],
    selection: Selection,
    before: str | None,
    size: int,
    newest_first: list[Source],
) -> AsyncGenerator[tuple[str, object], None]:
    """As `_page`, in events: a `log` for each, then `listed` with their number and `next`."""
    count, last = 0, None
    async with contextlib.aclosing(_selected(newest_first, selection, before)) as found:
        async for some in found:
            for log in some:
                if count == size:
                    yield "listed", {"logs": count, "next": None if last is None else last.info.generation}
                    return
                yield "log", described(log)
                count, last = count + 1, log
    yield "listed", {"logs": count, "next": None}


async def _selected(
    newest_first: Sequence[Source], selection: Selection, before: str | None
) -> AsyncGenerator[list[Source], None]:
    """Yields the selected logs that are older than the generation `before`, in batches. The event loop has a turn between two batches."""
    place = 0 if before is None else place_behind(newest_first, before)
    some: list[Source] = []
    for looked, log in enumerate(islice(newest_first, place, None), 1):
        if selection.takes(log.info, log.state, log.info.attributes):
            some.append(log)
        if len(some) == AT_ONCE or looked % LOOKED_AT_ONCE == 0:
            yield some
            some = []
            await asyncio.sleep(0)
    yield some


def place_behind(newest_first: Sequence[Source], generation: str) -> int:
    """The index of the first log that is older than `generation`. If that log was removed, the time in the generation's name decides."""
    for place, journal in enumerate(newest_first):
        if journal.info.generation == generation:
            return place + 1
    moment = began(generation)
    return bisect_right(newest_first, -moment, key=lambda journal: -journal.info.order)


def generation_of(parameter: str, text: str | None) -> str | None:
    """The value of a parameter that is a generation; None: the request has none. Raises: RequestError."""
    if text is not None and not GENERATION.fullmatch(text):
        raise problems.NOT_A_GENERATION.error(parameter=parameter)
    return text


def _size(request: Request) -> int | None:
    """The number of logs that a request asks for; None: it has no `limit`. Raises: RequestError."""
    if "limit" not in request.query:
        return None
    size = whole_number("limit", request.query["limit"])
    if not size:
        raise problems.NOT_ABOVE_0.error(parameter="limit")
    return size
