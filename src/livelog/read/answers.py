"""Parts that several answers of the readers' port have in common: header fields, JSON, streams of a log's bytes.

Any web page may read every answer (CORS), and no browser runs the content of one.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping

from livelog import __version__
from livelog.log.source import Source
from livelog.wire.body_writer import BodyWriter
from livelog.wire.link import unless_lost
from livelog.wire.ranges import Part
from livelog.wire.request import Request
from livelog.wire.response import Response

from . import problems

READERS_HEADERS: Mapping[str, str] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "*",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "Server": f"livelog/{__version__}",
    "X-Content-Type-Options": "nosniff",
}
"""The header fields of every answer of the readers' port, also of errors."""

PREFLIGHT_HEADERS: Mapping[str, str] = {
    **READERS_HEADERS,
    "Allow": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    # `*` is every field except Authorization, which must be named. So a page may send every field that a handler reads.
    "Access-Control-Allow-Headers": "*, Authorization",
    "Access-Control-Max-Age": "86400",
}


def json_answer(document: object, headers: Mapping[str, str]) -> Response:
    """An answer that no cache keeps."""
    return json_text(json.dumps(document) + "\n", headers)


def json_text(text: str, headers: Mapping[str, str]) -> Response:
    """As `json_answer`, for a document that is JSON text already."""
    fields = {
        **READERS_HEADERS,
        "Content-Type": "application/json; charset=utf-8",
        **headers,
        "Cache-Control": "no-store",
    }
    return Response(200, fields, text.encode())


def form(request: Request, forms: Mapping[str, str]) -> str:
    """The form in which the client wants the answer: that of `?as=`, else the first known media type in Accept, else the first of `forms`.

    `forms`: media types, by their names in `?as=`. Raises: RequestError (400), if `?as=` is none of them.
    """
    if (wanted := request.query.get("as")) is not None:
        if wanted not in forms:
            raise problems.NOT_A_FORM.error(forms=", ".join(forms))
        return wanted
    types = {media_type: name for name, media_type in forms.items()}
    for accepted in request.fields.joined("Accept").split(","):
        if (name := types.get(accepted.partition(";")[0].strip().lower())) is not None:
            return name
    return next(iter(forms))


def stream_fields(content_type: str) -> dict[str, str]:
    """The header fields of a streamed answer."""
    return {
        **READERS_HEADERS, "Cache-Control": "no-store", "Content-Type": content_type, "Incremental": "?1", "X-Accel-Buffering": "no",
    }  # fmt: skip


def stream_headers(journal: Source, content_type: str) -> dict[str, str]:
    """As `stream_fields`, for an answer about a log."""
    return {**stream_fields(content_type), "ETag": journal.etag, "Livelog-State": journal.state.value}


def parts_answer(
    journal: Source, status: int, headers: Mapping[str, str], pieces: list[tuple[bytes, Part]]
) -> Response:
    """An answer of known length. Each of `pieces` is some bytes, followed by a part of the log."""

    async def stream(writer: BodyWriter) -> None:
        for text, part in pieces:
            writer.write(text)
            await writer.send(journal, part.start, part.stop)

    length = sum(len(text) + part.stop - part.start for text, part in pieces)
    journal.acquire()
    return Response(status, headers, stream=stream, length=length, done=journal.release)


def pieces_answer(
    journal: Source,
    headers: Mapping[str, str],
    pieces: Callable[[BodyWriter], AsyncGenerator[bytes, None]],
    close: Callable[[], None] = lambda: None,
) -> Response:
    """A streamed answer. Each piece is sent as soon as `pieces` yields it.

    The generator is closed at its end, or as soon as the peer leaves. Then `close` is called, also if the stream never began.
    """

    async def stream(writer: BodyWriter) -> None:
        if writer.ended:
            raise ConnectionResetError("the peer has left")
        writer.endless = True
        async with unless_lost(writer), contextlib.aclosing(pieces(writer)) as found:
            async for piece in found:
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if writer.chunked else piece)
                await writer.drained()
                await asyncio.sleep(0)  # a peer that always has room would keep the event loop from the others
        if writer.chunked:
            writer.write(b"0\r\n\r\n")

    def done() -> None:
        close()
        journal.release()

    journal.acquire()
    return Response(200, headers, stream=stream, done=done)
