"""Producers' requests: from a PUT's body to a journal.

aiohttp reads the head; then the connection's protocol is exchanged for one that receives the body into a
buffer that is used again and again, takes the content out of its framing in place, and hands it to the journal.
At the end of the body aiohttp has the connection back.

Refuses to know who reads. Invariants:

1. What arrived is appended, in order, once, whatever happens next.
2. A log is complete only if its body ended as its framing says; everything else aborts it.
3. One producer per log: a second is refused before its body is read (RFC 9110 section 10.1.1).
4. At most `MAX_PENDING` bytes of a producer wait for the disk; then its socket is not read.
"""

import asyncio
import functools
import ipaddress
import logging
import re

from aiohttp import web

from . import __version__
from .config import Settings
from .endpoint import Connection
from .errors import DiskError, RequestError
from .framing import ChunkedDecoder, Decoder, LengthDecoder, Piece
from .journal import Journal, State
from .storage import UNNAMED, Storage

BUFFER_SIZE = 1024 * 1024
"""Bytes received at a time. Large: what arrives while the disk's thread writes is written together."""

SMALL = 16 * 1024
"""Content up to this many bytes is copied out of the buffer, which then need not be lent to the disk's thread."""

MANY_PIECES = 512
"""More pieces than this are copied together: a system call over so many costs more."""

MAX_PENDING = 4 * 1024 * 1024
"""Bytes of memory that one producer may have waiting for the disk."""

PIECE_COST = 1024
"""Bytes of memory that the smallest piece is taken to cost while it waits: so that many of them are bounded, too."""

MAX_SKELETON = 64 * 1024
"""The longest body, in bytes, that aiohttp is shown an empty stand-in for, to keep the connection."""

COMMON_HEADERS = {"Server": f"livelog/{__version__}"}
"""On every answer of the producers' port, errors included."""

DEFAULT_TYPE = "text/plain; charset=utf-8"

_PASSIVE_TYPE = re.compile(
    r"(?:text/(?!html\b|css\b|xml|xsl|[a-z0-9.+-]*script)[a-z0-9.+-]+|application/json|application/octet-stream)"
    r"(?:[ \t]*;[ \t]*[a-z0-9.+-]{1,50}=[a-z0-9.+-]{1,100})*",  # no commas: browsers read a list's last type
    re.ASCII | re.IGNORECASE,
)

logger = logging.getLogger(__name__)


class Producers:
    """The producers' side of a server: answers each request of that port."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage
        self._buffers = _Buffers()
        self._producing: set[str] = set()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Raises: RequestError, DiskError, ConnectionError."""
        _refuse_foreign(request, private=self._settings.put_is_loopback)
        if request.path != "/log":
            raise RequestError(404, "there is nothing here: send a log with PUT /log")
        if request.method != "PUT":
            raise RequestError(405, "a log is sent with PUT", {"Allow": "PUT"})
        return await self._put(request, UNNAMED)

    async def _put(self, request: web.BaseRequest, name: str) -> web.StreamResponse:
        if request.headers.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
            raise RequestError(501, "the only transfer coding understood is chunked")
        if request.version < (1, 1) and request.content_length is None:
            raise RequestError(411, "an HTTP/1.0 request must say how long its body is: send Content-Length")
        if "Content-Range" in request.headers:
            raise RequestError(400, "a PUT with Content-Range is not supported: send the whole log in one body")
        if name in self._producing:
            raise RequestError(409, "this log is being written by another producer: wait until that one has ended")
        replaces = self._storage.get(name) is not None
        if replaces and request.headers.get("If-None-Match", "").strip() == "*":
            raise RequestError(412, "this log exists, and If-None-Match: * forbids replacing it")
        limit, length = self._settings.max_log_size, request.content_length
        if limit is not None and length is not None and length > limit:
            raise _too_large(limit)
        self._producing.add(name)
        try:
            journal = await self._storage.begin(name, _content_type(request.headers.get("Content-Type")))
            journal.acquire()
            logger.info("log begun by %s", request.remote)
            end, reason = State.ABORTED, "the server stopped"
            try:
                if request.body_exists:
                    await self._receive(request, journal)
                end, reason = State.COMPLETE, "the body ended"
            except (ConnectionError, RequestError, DiskError) as error:
                reason = str(error)
                raise
            finally:
                try:
                    await _close(journal, end)
                finally:
                    journal.release()
                logger.info("log ended: %s after %d bytes: %s", journal.state.value, journal.length, reason)
        finally:
            self._producing.discard(name)
        if journal.failure is not None:
            raise journal.failure
        return web.Response(status=200 if replaces else 201, headers=COMMON_HEADERS)

    async def _receive(self, request: web.BaseRequest, journal: Journal) -> None:
        """Receive the body of `request` into `journal`.

        Raises: ConnectionError, if it breaks off; RequestError, if it is framed wrongly or too large; DiskError.
        """
        connection, length = Connection.of(request), request.content_length
        decoder: Decoder = ChunkedDecoder() if length is None else LengthDecoder(length)
        body = _Body(connection, decoder, journal, self._buffers, self._settings.max_log_size)
        begin = connection.lend(body)
        transport = connection.transport
        expects = request.headers.get("Expect", "").lower() == "100-continue" and request.version >= (1, 1)
        if expects and not begin and transport is not None:
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        rest = await body.receive(begin, ended=connection.ended or transport is None)
        if length is None:
            connection.resume(b"0\r\n\r\n", rest)
        elif length <= MAX_SKELETON:
            connection.resume(bytes(length), rest)


class _Buffers:
    """The buffers that bodies are received into: one is current, the ones that the disk's threads read are lent."""

    def __init__(self) -> None:
        self.current = bytearray(BUFFER_SIZE)
        self._free: list[bytearray] = []

    def lend(self) -> bytearray:
        """The current buffer, until it is given back; another one becomes current."""
        lent = self.current
        self.current = self._free.pop() if self._free else bytearray(BUFFER_SIZE)
        return lent

    def give_back(self, buffer: bytearray) -> None:
        """End a loan. A few buffers are kept for the next."""
        if len(self._free) < MAX_PENDING // BUFFER_SIZE:
            self._free.append(buffer)


class _Body(asyncio.BufferedProtocol):
    """Receives one body. All producers share the current buffer: it is filled and emptied in one callback."""

    def __init__(
        self,
        connection: Connection,
        decoder: Decoder,
        journal: Journal,
        buffers: _Buffers,
        limit: int | None,
    ) -> None:
        self._connection = connection
        self._decoder = decoder
        self._journal = journal
        self._buffers = buffers
        self._limit = limit
        self._size = 0
        self._carry = b""  # framing that is not whole yet
        self._pending = 0
        self._paused = False
        self._received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def receive(self, begin: bytes, *, ended: bool) -> bytes:
        """Receive the body, which begins with `begin`, which is all there is if it has `ended`.

        Returns what came behind its end. Raises: as `Producers._receive`.
        """
        view = memoryview(begin)
        while view and not self._received.done():
            room = self.get_buffer(-1)
            count = min(len(view), len(room))
            room[:count] = view[:count]
            view = view[count:]
            self.buffer_updated(count)
        if ended and not self._received.done():
            self._fail(ConnectionResetError("the producer's connection ended before the body did"))
        return await self._received + bytes(view)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol`."""
        buffer, carried = self._buffers.current, len(self._carry)
        buffer[:carried] = self._carry
        return memoryview(buffer)[carried:]

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        buffer, stop = self._buffers.current, len(self._carry) + nbytes
        pieces, consumed = self._decoder.decode(buffer, stop)
        self._carry = bytes(memoryview(buffer)[consumed:stop])
        size = sum(map(len, pieces))
        self._size += size
        excess = 0 if self._limit is None else self._size - self._limit
        if excess > 0:
            size = max(0, size - excess)
            pieces = [b"".join(pieces)[:size]]
        if size:
            self._append(pieces, size)
        if excess > 0 and self._limit is not None:
            self._fail(_too_large(self._limit))
        elif self._decoder.fault is not None:
            self._fail(self._decoder.fault)
        elif self._decoder.finished:
            if (transport := self._connection.transport) is not None:
                transport.set_protocol(self._connection)
            self._received.set_result(self._carry)

    def _append(self, pieces: list[Piece], size: int) -> None:
        lent, held = None, max(size, PIECE_COST)
        if size <= SMALL or len(pieces) > MANY_PIECES:
            pieces = [b"".join(pieces)]
        else:
            lent, held = self._buffers.lend(), BUFFER_SIZE
        self._pending += held
        if self._pending > MAX_PENDING and not self._paused and (transport := self._connection.transport) is not None:
            self._paused = True
            transport.pause_reading()
        self._journal.append(pieces, functools.partial(self._written, held, lent))

    def _written(self, held: int, lent: bytearray | None) -> None:
        if lent is not None:
            self._buffers.give_back(lent)
        self._pending -= held
        if self._journal.failure is not None:
            self._fail(self._journal.failure)
        elif (
            self._paused and self._pending <= MAX_PENDING // 2 and (transport := self._connection.transport) is not None
        ):
            self._paused = False
            transport.resume_reading()

    def _fail(self, error: Exception) -> None:
        if not self._received.done():
            self._received.set_exception(error)
            self._connection.discard()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        if not self._received.done():
            self._received.set_exception(ConnectionResetError("the producer's connection broke off"))
        self._connection.connection_lost(exc)

    def eof_received(self) -> None:
        """See `asyncio.BufferedProtocol`: the peer ends its side, in the middle of the body; asyncio closes the rest."""

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._connection.resume_writing()


async def _close(journal: Journal, state: State) -> None:
    try:
        await journal.close(state)
    except DiskError as error:
        logger.error("%s: the log is cut off at %d bytes", error, journal.length)


def _content_type(header: str | None) -> str:
    """The content type a log is served with: the producer's, if browsers only show it and never run it."""
    return header.strip() if header is not None and _PASSIVE_TYPE.fullmatch(header.strip()) else DEFAULT_TYPE


def _too_large(limit: int) -> RequestError:
    return RequestError(413, f"the log is larger than this server takes: at most {limit} bytes")


def _refuse_foreign(request: web.BaseRequest, *, private: bool) -> None:
    """Refuse what a browser sends on behalf of a page from elsewhere. Raises: RequestError.

    `private`: the port is on loopback, where only a name of this machine can be meant (DNS rebinding).
    """
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise RequestError(403, "pages of other sites may not write logs")
    host = request.headers.get("Host", "")
    if private and host and not _is_loopback(host):
        raise RequestError(403, "this port answers to the names of this machine only, such as localhost")


def _is_loopback(host: str) -> bool:
    """Whether a Host header (RFC 9110 section 7.2) names this machine."""
    name = host.rpartition(":")[0] if re.search(r":[0-9]*$", host) and not host.endswith("]") else host
    name = name.lower().strip("[]").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
