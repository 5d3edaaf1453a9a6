"""What answers on the readers' port have in common: header fields, JSON, streams of a log's bytes; numbers in queries.

Every answer may be read by any web page (CORS), and none is run by a browser. Refuses to know what is asked.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

from aiohttp import web

from . import __version__
from .endpoint import Connection
from .log.journal import Journal
from .outlet import Outlet, end_by_reset, unless_lost
from .ranges import Part
from .wire import problem

MAX_WAIT = 300
"""The longest time, in seconds, that a request is held until its log begins."""

ALLOW = {"Allow": "GET, HEAD, OPTIONS"}

COMMON_HEADERS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "*",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": f"livelog/{__version__}",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer of the readers' port, errors included."""

PREFLIGHT_HEADERS: Mapping[str, str] = {
    **ALLOW,
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    # Every field but Authorization, which must be named: so what a handler reads, a page may send.
    "Access-Control-Allow-Headers": "*, Authorization",
    "Access-Control-Max-Age": "86400",
}

_ENTITY_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")', re.ASCII)

_WAIT_PREFERENCE = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]+)", re.ASCII | re.IGNORECASE)


def json_answer(document: object, headers: Mapping[str, str]) -> web.Response:
    """An answer that no cache keeps."""
    return json_text(json.dumps(document) + "\n", headers)


def json_text(text: str, headers: Mapping[str, str]) -> web.Response:
    """As `json_answer`, of a document whose text is there."""
    return web.Response(
        text=text, content_type="application/json", headers={**COMMON_HEADERS, **headers, "Cache-Control": "no-store"}
    )


def stream_headers(journal: Journal, content_type: str) -> dict[str, str]:
    """The header fields of an answer that comes piece by piece."""
    return {
        **COMMON_HEADERS, "Cache-Control": "no-store", "Content-Type": content_type, "ETag": journal.etag,
        "Incremental": "?1", "Livelog-State": journal.state.value, "X-Accel-Buffering": "no",
    }  # fmt: skip


def begin_answer(request: web.BaseRequest, status: int, headers: Mapping[str, str]) -> web.StreamResponse:
    """An answer whose body will be streamed."""
    response = web.StreamResponse(status=status, headers=headers)
    if not request.content.is_eof():
        response.force_close()  # a body that nobody wants follows: it must not be taken for the next request
    return response


def stream(
    request: web.BaseRequest,
    response: web.StreamResponse,
    journal: Journal,
    body: Callable[[Outlet], Awaitable[None]],
) -> None:
    """Have `body` send the body of `response` from `journal`, whose file stays open for it. Raises: ConnectionError."""

    async def send(outlet: Outlet) -> None:
        try:
            await body(outlet)
        finally:
            journal.release()

    journal.acquire()
    try:
        Connection.of(request).endpoint.stream(request, send, response)
    except ConnectionError:
        journal.release()
        raise


def precondition(request: web.BaseRequest, etag: str, *, confirms: bool = True) -> int | None:
    """The status that the request's preconditions call for (RFC 9110 section 13.2.2); None: go on.

    `confirms`: whether all who were told this tag have the content that it would be answered with now. If they may have
    less, a tag in If-None-Match gets the content, since 304 would say that there is nothing more.
    """
    wanted, known = (",".join(request.headers.getall(name, [])) for name in ("If-Match", "If-None-Match"))
    if wanted and wanted.strip() != "*" and ("", etag) not in _entity_tags(wanted, etag):
        return 412  # compared strongly: weak tags never match
    if known and (known.strip() == "*" or (confirms and any(tag == etag for _, tag in _entity_tags(known, etag)))):
        return 304
    return None


def _entity_tags(field: str, etag: str) -> list[tuple[str, str]]:
    """The entity-tags in a field, each with W/ if it is weak; none, and no work, if `etag` cannot be among them."""
    return _ENTITY_TAG.findall(field) if etag in field else []


def wait_seconds(request: web.BaseRequest) -> float:
    """How long the client is willing to wait for the log to begin: `?wait=N` or `Prefer: wait=N` (RFC 7240)."""
    text = request.query.get("wait")
    if text is None:
        preference = _WAIT_PREFERENCE.search(",".join(request.headers.getall("Prefer", [])))
        return min(int(preference[1][:9]), MAX_WAIT) if preference else 0
    return min(whole_number("wait", text), MAX_WAIT)


def whole_number(parameter: str, text: str) -> int:
    """The value of a query parameter. Raises: RequestError."""
    if not re.fullmatch("[0-9]+", text, re.ASCII):
        raise problem.NOT_A_NUMBER.error(parameter=parameter)
    return int(text[:18])


async def send_parts(
    request: web.BaseRequest,
    journal: Journal,
    status: int,
    headers: Mapping[str, str],
    pieces: list[tuple[bytes, Part]],
) -> web.StreamResponse:
    """A bounded answer: for each piece some bytes, then a part of the log."""

    async def body(outlet: Outlet) -> None:
        for text, part in pieces:
            outlet.write(text)
            await outlet.send(journal, part.start, part.stop)

    response = begin_answer(request, status, headers)
    response.content_length = sum(len(text) + part.stop - part.start for text, part in pieces)
    await response.prepare(request)
    if request.method != "HEAD" and response.content_length:
        stream(request, response, journal, body)
    return response


async def begin_endless_answer(
    request: web.BaseRequest, status: int, headers: Mapping[str, str]
) -> tuple[web.StreamResponse, bool]:
    """An answer whose length nobody knows yet, its head sent. Returns it, and whether its body goes in chunks.

    In HTTP/1.0 it ends with its connection: then the socket is set to reset before the first byte of the head is out, so
    that nothing but the end of the body, not even the death of this process, looks like one.
    """
    response = begin_answer(request, status, headers)
    chunked = request.version >= (1, 1)
    if chunked:
        response.enable_chunked_encoding()
    else:
        response.force_close()
        if request.method != "HEAD" and (transport := Connection.of(request).transport) is not None:
            end_by_reset(transport, True)
    await response.prepare(request)
    return response, chunked


async def send_pieces(
    request: web.BaseRequest,
    journal: Journal,
    headers: Mapping[str, str],
    pieces: Callable[[Outlet], AsyncGenerator[bytes, None]],
    close: Callable[[], None] = lambda: None,
) -> web.StreamResponse:
    """An answer of pieces, each sent as soon as it is there.

    `pieces` is closed when they end, and at once when the peer leaves; then `close` is called, also if they never began. An
    error that is raised here leaves that to the caller.
    """
    response, chunked = await begin_endless_answer(request, 200, headers)

    async def body(outlet: Outlet) -> None:
        try:
            await send(outlet)
        finally:
            close()

    async def send(outlet: Outlet) -> None:
        if outlet.ended:
            raise ConnectionResetError("the peer has left")
        outlet.endless = True
        async with unless_lost(outlet), contextlib.aclosing(pieces(outlet)) as found:
            async for piece in found:
                outlet.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                await outlet.drained()
                await asyncio.sleep(0)  # a peer that is quick enough would keep all others waiting
        if chunked:
            outlet.write(b"0\r\n\r\n")

    if request.method != "HEAD":
        stream(request, response, journal, body)
    else:
        close()
    return response
