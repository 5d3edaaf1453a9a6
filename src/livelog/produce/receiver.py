"""The receiver of content: it appends the body of a request to a log, checks the announced length and digests, and ends or interrupts the log.

`handlers` has checked the method, the path and the fields. "section" is one of draft-ietf-httpbis-resumable-upload. Invariants:

1. A log is complete only if its body ended as its framing says, with the announced length and digest.
2. Content with an announced digest is checked before any of it is appended, and before the log replaces another one.
3. A resumable upload that breaks off leaves an interrupted log. Any other log that breaks off is aborted.
"""

import contextlib
import logging
from collections.abc import Iterator

from livelog.errors import STOPPED, DiskError, LivelogError, RequestError
from livelog.log.catalogue import Catalogue
from livelog.log.info import LogInfo, State
from livelog.log.journal import Appender, Journal
from livelog.log.leases import Lease
from livelog.log.lifecycle import Lifecycle
from livelog.wire.body_reader import BUFFER_SIZE, Limit
from livelog.wire.exchange import Exchange
from livelog.wire.response import Response

from . import problems, uploads
from .acknowledgements import Acknowledgements
from .fields import ProducerFields, response
from .uploads import Announcement

logger = logging.getLogger(__name__)


class Receiver:
    """Receives the content of producers' requests into logs. `max_log_size`: the largest log in bytes; None: no limit."""

    def __init__(
        self, catalogue: Catalogue, lifecycle: Lifecycle, fields: ProducerFields, max_log_size: int | None
    ) -> None:
        self._catalogue = catalogue
        self._lifecycle = lifecycle
        self._fields = fields
        self._max_log_size = max_log_size

    async def begin_checked(
        self, lease: Lease, exchange: Exchange, info: LogInfo, announcement: Announcement
    ) -> Response:
        """Receive the content into a draft, check it, and begin the log. If it is wrong, no log begins. Raises: RequestError, DiskError, ConnectionError."""
        draft = await self._catalogue.draft(info)
        try:
            if exchange.request.has_body:
                await self._receive_into(Appender(draft, lease.number), exchange, self._limit(draft), None)
            await _check_content(draft, announcement, None)
            verified = {} if announcement.complete is False else await self._verify(draft, is_upload=False)
            await self._lifecycle.publish(draft)
        except BaseException:
            await self._catalogue.discard(draft)
            raise
        note_begun(draft)
        return await self.feed(lease, exchange, draft, announcement, begins=True, verified=verified)

    async def feed(
        self,
        lease: Lease,
        exchange: Exchange,
        journal: Journal,
        announcement: Announcement,
        *,
        begins: bool,
        change: contextlib.AbstractContextManager[None] | None = None,
        verified: dict[str, str] | None = None,
    ) -> Response:
        """Receive the content of a request into `journal`, end or interrupt the log, and answer.

        The file of `journal` must be open, and is released at the end. `change`: a context that applies the request's other changes, if they
        depend on the content's digest. `verified`: header fields of the answer, if the content is in the log already and was checked.
        Raises: RequestError, DiskError, ConnectionError.
        """
        resumable = journal.info.upload.resumable
        end, reason = State.INTERRUPTED if resumable else State.ABORTED, STOPPED
        headers: dict[str, str] = {}
        try:
            if verified is None:
                await self._receive(lease, exchange, journal, announcement, begins=begins, change=change)
            reason = "the body ended"
            if announcement.complete is not False:
                headers = await self._verify(journal, is_upload=True) if verified is None else verified
                end = State.COMPLETE
        except (ConnectionError, LivelogError) as error:
            reason = str(error)
            if isinstance(error, RequestError) and error.final:
                end = State.ABORTED
            raise
        finally:
            try:
                if end is State.INTERRUPTED:
                    await self._lifecycle.interrupt(journal, reason, lease)
                else:
                    await self._lifecycle.end(journal, end, reason, lease)
            finally:
                journal.release()
        if journal.failure is not None:
            raise journal.failure
        replaces, created = journal.info.upload.replaces, begins or end is State.COMPLETE
        code = 204 if not created else 200 if replaces and end is State.COMPLETE else 201
        if resumable:
            headers |= self._fields.of_upload(exchange.request, journal)
        return response(code, headers | self._fields.links(exchange.request, journal.info.name))

    async def _receive(
        self,
        lease: Lease,
        exchange: Exchange,
        journal: Journal,
        announcement: Announcement,
        *,
        begins: bool,
        change: contextlib.AbstractContextManager[None] | None,
    ) -> None:
        """Receive the content of a request into `journal`. Raises: as `Connection.receive`."""
        interim, request, connection = "", exchange.request, exchange.connection
        if announcement.interim and request.version >= (1, 1) and journal.info.upload.resumable:
            interim = f"HTTP/1.1 104 Upload Resumption Supported\r\nUpload-Draft-Interop-Version: {uploads.INTEROP_VERSION}\r\n"
        if interim and begins:
            info = journal.info
            fields = {"Location": self._fields.location(request, info), "Upload-Limit": self._fields.limits}
            fields |= self._fields.links(request, info.name)
            lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            connection.inform(f"{interim}{lines}\r\n".encode())
        if announcement.content_digest:
            await self._receive_checked(lease, exchange, journal, announcement, change or contextlib.nullcontext())
            return
        if not request.has_body:
            return
        # Without a data directory, nothing is acknowledged: the bytes do not survive this process, and the producer has to send them again.
        acknowledged = interim and self._catalogue.durable
        acknowledgements = Acknowledgements(connection, journal, interim) if acknowledged else None
        try:
            sink = Appender(journal, lease.number)
            await self._receive_into(sink, exchange, self._limit(journal), acknowledgements)
        finally:
            if acknowledgements is not None:
                acknowledgements.stop()

    async def _receive_checked(
        self,
        lease: Lease,
        exchange: Exchange,
        journal: Journal,
        announcement: Announcement,
        change: contextlib.AbstractContextManager[None],
    ) -> None:
        """Receive content with an announced digest into a scratch journal, check it, and then append it to the log."""
        scratch, sink = await self._catalogue.scratch(), Appender(journal, lease.number)
        try:
            if exchange.request.has_body:
                await self._receive_into(Appender(scratch, lease.number), exchange, self._limit(journal), None)
            await _check_content(scratch, announcement, journal.length)
            with change:
                await journal.save()
            for start in range(0, scratch.length, BUFFER_SIZE):
                sink.append([await scratch.fetch(start, min(scratch.length, start + BUFFER_SIZE))], lambda: None)
                await journal.flush()
        finally:
            await self._catalogue.discard(scratch)

    async def _receive_into(
        self, sink: Appender, exchange: Exchange, limit: Limit | None, acknowledgements: Acknowledgements | None
    ) -> None:
        written = acknowledgements.written if acknowledgements is not None else None
        await exchange.connection.receive(exchange.request, sink, limit=limit, on_written=written)

    async def _verify(self, journal: Journal, *, is_upload: bool) -> dict[str, str]:
        """Check the length and the digests of a log that shall be complete. Returns header fields of the answer, such as Repr-Digest.

        `is_upload`: the log is an upload, whose offset errors tell. Raises: RequestError, DiskError.
        """
        upload = journal.info.upload
        await journal.flush()
        if journal.failure is not None:
            raise journal.failure
        if upload.length not in (None, journal.length):
            raise uploads.inconsistent_length(
                f"the upload ends at {journal.length} bytes, but {upload.length} were announced"
            )
        for algorithm, digest in upload.repr_digest.items():
            if await journal.digest(uploads.DIGESTS[algorithm]()) != digest:
                offset = journal.length if is_upload else None
                raise uploads.mismatching_digest("Repr-Digest", algorithm, digest, offset, final=True)
        if (wanted := upload.want_repr_digest) is None:
            return {}
        return {"Repr-Digest": uploads.digest_field(wanted, await journal.digest(uploads.DIGESTS[wanted]()))}

    def _limit(self, journal: Journal) -> Limit | None:
        """The limit of the bytes that may still be appended to `journal`; None: there is none."""
        limits = []
        if (largest := self._max_log_size) is not None:
            limits.append(Limit(largest - journal.length, self._too_large(largest)))
        if (length := journal.info.upload.length) is not None:
            error = uploads.inconsistent_length(
                f"there is more than the {length} bytes that were announced", final=True
            )
            limits.append(Limit(length - journal.length, error))
        return min(limits, key=lambda limit: limit.size, default=None)

    def refuse_too_large(self, length: int) -> None:
        """Raises: RequestError (413), if `length` is more than `max_log_size`."""
        if (largest := self._max_log_size) is not None and length > largest:
            raise self._too_large(largest)

    def _too_large(self, largest: int) -> RequestError:
        fields = {"Upload-Limit": self._fields.limits}
        return problems.TOO_LARGE.error(fields, final=True, limit=largest)


async def _check_content(journal: Journal, announcement: Announcement, offset: int | None) -> None:
    """Check the content of a request, which is all of `journal`, against its Content-Digest. Raises: RequestError, DiskError."""
    await journal.flush()
    if journal.failure is not None:
        raise journal.failure
    for algorithm, digest in announcement.content_digest.items():
        if await journal.digest(uploads.DIGESTS[algorithm]()) != digest:
            raise uploads.mismatching_digest("Content-Digest", algorithm, digest, offset, final=False)


def note_begun(journal: Journal) -> None:
    """Write to the server's own log that a log has begun."""
    fields = {"log": journal.info.name, "generation": journal.info.generation}
    logger.info("log begun", extra={"fields": fields})


@contextlib.contextmanager
def unless_not_stored(info: LogInfo, **fields: object) -> Iterator[None]:
    """Set these members of `info` within the block, which stores them. A DiskError in the block takes them back."""
    before = {name: getattr(info, name) for name in fields}
    for name, value in fields.items():
        setattr(info, name, value)
    try:
        yield
    except DiskError:
        for name, value in fields.items():
            if getattr(info, name) is value:  # it may have been set again meanwhile
                setattr(info, name, before[name])
        raise
