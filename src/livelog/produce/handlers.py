"""Producers' requests: from a PUT, or a resumable upload, to a journal.

    /log[/{name}]            PUT, POST: begin a log · PATCH: tell of it · GET, HEAD: its state and link · DELETE: remove it
    /upload/{key}[/{name}]   PATCH: go on with a log · GET, HEAD: how much of it has arrived · DELETE: give it up

Resumable uploads are those of draft-ietf-httpbis-resumable-upload; "section" below is one of that draft.
Refuses to know who reads. Invariants:

1. A log is complete only if its body ended as its framing says, with the length and digest that were announced.
2. One producer per log: a second is refused before its body is read (RFC 9110 section 10.1.1). But who has an upload's
   key takes the place of a request that still seems to send it: that one is broken off, and settled, first.
3. Content whose digest is announced is checked before any of it counts, and before it takes the place of another log.
4. A log whose resumable upload broke off is interrupted; it is aborted when nobody goes on with it for the grace time.
   All other logs that break off are aborted at once.
"""

import contextlib
import ipaddress
import json
import logging
import math
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

from livelog import __version__, config
from livelog.config import Settings
from livelog.errors import STOPPED, ConfigError, DiskError, LeaseTaken, LivelogError, RequestError, Stopping
from livelog.log.catalogue import UNNAMED, Catalogue
from livelog.log.info import DEFAULT_TYPE, LogInfo, State, Upload
from livelog.log.journal import Appender, Journal
from livelog.log.leases import Lease, LocalLeases, holding
from livelog.log.lifecycle import Lifecycle
from livelog.log.status import describe
from livelog.names import is_name
from livelog.tokens import Access, bearer
from livelog.wire import problem
from livelog.wire.body_reader import BUFFER_SIZE, Limit
from livelog.wire.exchange import Exchange
from livelog.wire.fields import media_type, precondition
from livelog.wire.request import Request
from livelog.wire.response import Response
from livelog.wire.routes import Resource, Routes

from . import uploads
from .acknowledgements import Acknowledgements
from .uploads import Announcement

COMMON_HEADERS = {"Server": f"livelog/{__version__}"}
"""On every answer of the producers' port, errors included."""

_PASSIVE_TYPE = re.compile(
    r"(?:text/(?!html\b|css\b|xml|xsl|[a-z0-9.+-]*script)[a-z0-9.+-]+|application/json|application/octet-stream)"
    r"(?:[ \t]*;[ \t]*[a-z0-9.+-]{1,50}=(?:[a-z0-9.+_-]{1,100}|\"[a-z0-9.+_-]{1,100}\"))*",  # no commas: browsers read a list's last type
    re.ASCII | re.IGNORECASE,
)

logger = logging.getLogger(__name__)

Handler = Callable[[Exchange, str], Awaitable[Response]]
"""Answers a request for what the path names behind its first segment."""


class Producers:
    """The producers' side of a server: answers each request of that port.

    `readers_url`: what readers' links begin with.
    """

    def __init__(self, settings: Settings, access: Access, catalogue: Catalogue, readers_url: str) -> None:
        self._settings = settings
        self._access = access
        self._catalogue = catalogue
        self._readers_url = readers_url
        self._limits = uploads.limits(settings.max_log_size, settings.resume_grace)
        fence = max((journal.info.fence for journal in catalogue.newest_first()), default=0)
        self._leases = LocalLeases(above=fence)
        self._lifecycle = Lifecycle(catalogue, self._leases, settings.resume_grace)
        self._stopping = False
        self._routes: Routes[Handler] = Routes(
            {
                "log": Resource(
                    {
                        "PUT": self._begin, "POST": self._begin, "PATCH": self._tell, "GET": self._show, "HEAD": self._show,
                        "DELETE": self._remove, "OPTIONS": self._offer_logs,
                    },
                    problem.SENT_WITH_PUT,
                ),
                "upload": Resource(
                    {
                        "PATCH": self._append, "DELETE": self._cancel, "GET": self._show_upload, "HEAD": self._show_upload,
                        "OPTIONS": self._offer_uploads,
                    },
                    problem.APPENDED_BY_PATCH,
                ),
            },
            problem.NO_PATH,
        )  # fmt: skip

    async def answer(self, exchange: Exchange) -> Response:
        """Answer one request. Raises: RequestError, DiskError, ConnectionError."""
        request = exchange.request
        if not self._access.may_write(bearer(request.fields.get("Authorization", ""))):
            raise problem.DENIED.error({"WWW-Authenticate": "Bearer"})
        if request.path == "*" and request.method == "OPTIONS":
            return await self._offer_logs(exchange, UNNAMED)
        kind, rest, resource = self._routes.find(request.path)
        what = self._named(exchange, rest) if kind == "log" else rest[1:]
        return await resource.handler(request.method)(exchange, what)

    def _named(self, exchange: Exchange, rest: str) -> str:
        """The name of the log that a request is about; `rest`: what its path has behind /log. Raises: RequestError."""
        if rest == "/":
            raise problem.NO_PATH.error()
        name = _name(rest[1:])
        others = (journal.info.name for journal in self._catalogue.newest_first())
        if self._access.is_told_by(name, others):
            raise problem.NO_PATH.error()
        # What never becomes a log's name is not told: it may be anything that got into the path, such as a token.
        if exchange.request.method in ("PUT", "POST") or self._catalogue.get(name) is not None:
            exchange.connection.note_log(name)
        return name

    async def _offer_logs(self, _exchange: Exchange, _name: str) -> Response:
        return self._response(204, {"Allow": self._routes["log"].allow(), "Upload-Limit": self._limits})

    async def _offer_uploads(self, _exchange: Exchange, _key: str) -> Response:
        return self._response(204, {"Allow": self._routes["upload"].allow(), "Accept-Patch": uploads.PARTIAL_UPLOAD})

    async def _taken_over(self, exchange: Exchange, what: str) -> Journal:
        """The log of an upload, which nobody sends any more; `what`: its key, and its name. Raises: RequestError."""
        key, _, name = what.partition("/")
        is_free = await self._lifecycle.revoke(self._upload(key, name))
        if not is_free and exchange.request.method in ("PATCH", "DELETE"):
            raise problem.BEING_RECEIVED.error()
        exchange.connection.note_log(name)
        journal = self._upload(key, name)
        if journal.state is State.ABORTED:
            raise problem.GIVEN_UP.error({"ETag": journal.etag}, reason=journal.info.reason)
        self._lifecycle.renew(journal)
        return journal

    async def _show_upload(self, exchange: Exchange, what: str) -> Response:
        journal = await self._taken_over(exchange, what)
        return self._response(204, {**self._upload_headers(exchange.request, journal), "Cache-Control": "no-store"})

    async def drain(self, timeout: float) -> None:
        """Begin nothing more, and let producers that are about to be done end: see `Lifecycle.drain`."""
        self._stopping = True
        await self._lifecycle.drain(timeout)

    def close(self) -> None:
        """Give no interrupted log up any more: the server is about to end."""
        self._lifecycle.close()

    # Beginning a log.

    async def _begin(self, exchange: Exchange, name: str) -> Response:
        request = exchange.request
        _lifetime(request)  # what is wrong with it is told before a log begins
        announcement = uploads.announced(request.fields.getall)
        resumable = announcement.complete is not None
        if request.method == "POST" and not resumable:
            raise problem.POST_BEGINS_UPLOADS.error({"Allow": self._routes["log"].allow(without=("POST",))})
        self._refuse_if_stopping()
        _check_framing(request)
        if "Content-Range" in request.fields:
            raise problem.CONTENT_RANGE.error()
        async with holding(self._leases, name) as lease:
            return await self._begin_under(lease, exchange, announcement)

    async def _begin_under(self, lease: Lease, exchange: Exchange, announcement: Announcement) -> Response:
        """Begin a log, under a lease of its name."""
        request, name, resumable = exchange.request, lease.name, announcement.complete is not None
        older = self._catalogue.get(name)
        _check_preconditions(request, older)
        length = announcement.length_at(0, request.content_length) if resumable else None
        upload = Upload(resumable, older is not None, length, announcement.repr_digest, announcement.want_repr_digest)
        content_type = _content_type(request.fields.get("Content-Type"))
        info = LogInfo(name, "", 0, content_type, upload=upload, fence=lease.number)
        info.attributes = info.attributes.updated(_metadata_fields(request))
        self._refuse_too_large(max(length or 0, request.content_length or 0))
        bounded = request.content_length is not None
        if (announcement.content_digest and (older is not None or not resumable)) or (
            upload.repr_digest and not resumable
        ):
            lease.hold(exchange.connection, bounded=bounded)
            return await self._begin_checked(lease, exchange, info, announcement)
        journal = await self._lifecycle.begin(info)
        lease.hold(exchange.connection, bounded=bounded)
        _tell_begun(journal)
        return await self._feed(lease, exchange, journal, announcement, begins=True)

    async def _begin_checked(
        self, lease: Lease, exchange: Exchange, info: LogInfo, announcement: Announcement
    ) -> Response:
        """Begin a log with content that is known to be right, or none."""
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
        _tell_begun(draft)
        return await self._feed(lease, exchange, draft, announcement, begins=True, verified=verified)

    # Going on with one.

    async def _append(self, exchange: Exchange, what: str) -> Response:
        request = exchange.request
        announcement = uploads.announced(request.fields.getall)
        _check_append(request, announcement)
        journal = await self._taken_over(exchange, what)
        self._refuse_if_stopping()
        _lifetime(request)
        offset = announcement.offset
        assert offset is not None
        if offset != journal.acknowledged:
            raise uploads.mismatching_offset(offset, journal.acknowledged)
        length = announcement.length_at(offset, request.content_length)
        if journal.state.ended:
            if announcement.complete and not request.has_body:
                told = self._upload_headers(request, journal) | self._link_headers(request, journal.info.name)
                return self._response(200 if journal.info.upload.replaces else 201, told)
            refused = {"Upload-Complete": "?0", "Upload-Offset": str(offset)}
            raise problem.UPLOAD_COMPLETE.error(refused)
        upload = journal.info.upload
        length = uploads.agreed(upload, length)
        self._refuse_too_large(max(length or 0, offset + (request.content_length or 0)))
        attributes = journal.info.attributes.updated(_metadata_fields(request))
        bounded = request.content_length is not None
        async with holding(self._leases, journal.info.name, exchange.connection, bounded=bounded) as lease:
            change = _unless_lost(journal.info, upload=replace(upload, length=length), attributes=attributes)
            with contextlib.nullcontext() if announcement.content_digest else change:
                await self._lifecycle.resume(journal, lease)
            return await self._feed(lease, exchange, journal, announcement, begins=False, change=change)

    async def _feed(
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
        """Receive the content of a request into `journal`, whose file is open, and is released at the end.

        `change`: in it is known what the request tells besides, if that counts only as its content does. `verified`: the content is
        there, and right, and these header fields tell of it.
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
            headers |= self._upload_headers(exchange.request, journal)
        return self._response(code, headers | self._link_headers(exchange.request, journal.info.name))

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
        """Receive the content of `request` into `journal`. Raises: as `Body.receive`."""
        interim, request, connection = "", exchange.request, exchange.connection
        if announcement.interim and request.version >= (1, 1) and journal.info.upload.resumable:
            interim = f"HTTP/1.1 104 Upload Resumption Supported\r\nUpload-Draft-Interop-Version: {uploads.INTEROP_VERSION}\r\n"
        if interim and begins:
            info = journal.info
            told = {"Location": self._location(request, info), "Upload-Limit": self._limits}
            told |= self._link_headers(request, info.name)
            lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
            connection.inform(f"{interim}{lines}\r\n".encode())
        if announcement.content_digest:
            await self._receive_checked(lease, exchange, journal, announcement, change or contextlib.nullcontext())
            return
        if not request.has_body:
            return
        # What the end of this process takes away must not be acknowledged: its producer will have to send it again.
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
        """Receive content whose digest is known: nothing of the request counts before all of it has arrived and is right."""
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
        """Check a log that shall be complete against what was announced. Returns header fields that tell of it.

        `is_upload`: there is an upload, of which errors tell. Raises: RequestError, DiskError.
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

    # What else can be done with a log.

    async def _tell(self, exchange: Exchange, name: str) -> Response:
        request = exchange.request
        if request.has_body:
            raise problem.NO_BODY.error()
        links = self._link_headers(request, name)
        journal = self._known(name)
        _check_preconditions(request, journal)
        told = _metadata_fields(request)
        attributes = journal.info.attributes.updated(told)
        # A job whose log was aborted, because it was too large or its producer away for long, ends later, and with an exit code.
        late = journal.state is State.ABORTED and not (told["livelog-title"] or told["livelog-label"])
        if journal.ending and not (late and journal.info.attributes.exit_code is None):
            raise problem.LOG_ENDED.error()
        with _unless_lost(journal.info, attributes=attributes):
            await journal.save()
        return self._response(204, links)

    async def _show(self, exchange: Exchange, name: str) -> Response:
        link = self._link_headers(exchange.request, name)
        if (journal := self._catalogue.get(name)) is None:
            raise problem.NOT_BEGUN_BUT_LINK.error(link)
        text = json.dumps({**describe(journal), "link": link["Livelog-Link"], "view": link["Livelog-View"]}) + "\n"
        headers = {**COMMON_HEADERS, **link, "Cache-Control": "no-store", "ETag": journal.etag}
        return Response(200, {**headers, "Content-Type": "application/json; charset=utf-8"}, text.encode())

    async def _remove(self, exchange: Exchange, name: str) -> Response:
        try:
            lease = await self._leases.grant(name)
        except LeaseTaken as error:
            raise problem.LOG_WRITTEN.error() from error
        try:
            journal = self._known(name)
            _check_preconditions(exchange.request, journal)
            if not journal.state.ended:
                await self._lifecycle.end(journal, State.ABORTED, "the log was removed", lease)
            await self._catalogue.remove(journal, lease.number)
        finally:
            self._leases.release(lease)
        return self._response(204, {})

    async def _cancel(self, exchange: Exchange, what: str) -> Response:
        journal = await self._taken_over(exchange, what)
        if journal.state.ended:
            raise problem.NOTHING_TO_CANCEL.error()
        journal.info.attributes = journal.info.attributes.updated(_metadata_fields(exchange.request))
        async with holding(self._leases, journal.info.name) as lease:
            await self._lifecycle.end(journal, State.ABORTED, "the producer gave it up", lease)
        return self._response(204, {})

    def _upload(self, key: str, name: str) -> Journal:
        """The log that is made by the upload with that key. Raises: RequestError."""
        journal = self._catalogue.get(name)
        if (
            journal is None
            or not journal.info.upload.resumable
            or not self._access.is_upload_key(key, journal.info.generation)
        ):
            raise problem.NO_UPLOAD.error()
        return journal

    def _known(self, name: str) -> Journal:
        if (journal := self._catalogue.get(name)) is None:
            raise problem.NO_LOG.error()
        return journal

    # Limits and header fields.

    def _limit(self, journal: Journal) -> Limit | None:
        """How much more `journal` may get."""
        limits = []
        if (largest := self._settings.max_log_size) is not None:
            limits.append(Limit(largest - journal.length, self._too_large(largest)))
        if (length := journal.info.upload.length) is not None:
            error = uploads.inconsistent_length(
                f"there is more than the {length} bytes that were announced", final=True
            )
            limits.append(Limit(length - journal.length, error))
        return min(limits, key=lambda limit: limit.size, default=None)

    def _refuse_if_stopping(self) -> None:
        if self._stopping:
            raise Stopping

    def _refuse_too_large(self, length: int) -> None:
        if (largest := self._settings.max_log_size) is not None and length > largest:
            raise self._too_large(largest)

    def _too_large(self, largest: int) -> RequestError:
        told = {"Upload-Limit": self._limits}
        return problem.TOO_LARGE.error(told, final=True, limit=largest)

    def _upload_headers(self, request: Request, journal: Journal) -> dict[str, str]:
        """What is told of an upload with each of its answers."""
        headers = {
            "Location": self._location(request, journal.info),
            "Upload-Complete": "?1" if journal.state is State.COMPLETE else "?0",
            "Upload-Offset": str(journal.acknowledged),
            "Upload-Limit": self._limits,
        }
        length = journal.length if journal.state is State.COMPLETE else journal.info.upload.length
        return headers if length is None else {**headers, "Upload-Length": str(length)}

    def _location(self, request: Request, info: LogInfo) -> str:
        """An upload's address, relative to that of `request` (RFC 9110 section 10.2.2): a proxy may have put it below a prefix."""
        up = "../" * (request.path.count("/") - 1)
        return f"{up}upload/{self._access.upload_key(info.generation)}{'/' if info.name else ''}{info.name}"

    def _link_headers(self, request: Request, name: str) -> dict[str, str]:
        """A log's links, which expire as `request` asks. Raises: RequestError, as `_lifetime`."""
        lifetime = _lifetime(request)
        expires = None if lifetime is None else math.ceil(time.time() + lifetime)
        return {
            f"Livelog-{field}": self._access.link(self._readers_url, name, expires, resource)
            for field, resource in (("Link", "log"), ("View", "view"))
        }

    def _response(self, code: int, headers: dict[str, str]) -> Response:
        return Response(code, {**COMMON_HEADERS, **headers})


async def _check_content(journal: Journal, announcement: Announcement, offset: int | None) -> None:
    """Check the content of a request, all that `journal` has, against its digests. Raises: RequestError, DiskError."""
    await journal.flush()
    if journal.failure is not None:
        raise journal.failure
    for algorithm, digest in announcement.content_digest.items():
        if await journal.digest(uploads.DIGESTS[algorithm]()) != digest:
            raise uploads.mismatching_digest("Content-Digest", algorithm, digest, offset, final=False)


def _tell_begun(journal: Journal) -> None:
    fields = {"log": journal.info.name, "generation": journal.info.generation}
    logger.info("log begun", extra={"fields": fields})


@contextlib.contextmanager
def _unless_lost(info: LogInfo, **told: object) -> Iterator[None]:
    """Have these members of `info` while they are kept, and from then on unless that fails: what is not kept is not told."""
    before = {name: getattr(info, name) for name in told}
    for name, value in told.items():
        setattr(info, name, value)
    try:
        yield
    except DiskError:
        for name, value in told.items():
            if getattr(info, name) is value:  # else more was told meanwhile
                setattr(info, name, before[name])
        raise


def _name(rest: str) -> str:
    """The name of a log that stands in a path; none: the unnamed one. Raises: RequestError."""
    if rest and not is_name(rest):
        raise problem.NOT_A_NAME.error()
    return rest or UNNAMED


def _metadata_fields(request: Request) -> dict[str, list[str]]:
    return {name: request.fields.getall(name) for name in ("livelog-title", "livelog-exit-code", "livelog-label")}


def _lifetime(request: Request) -> float | None:
    """For how many seconds from now a request wants links to open a log; None: for ever. Raises: RequestError."""
    try:
        return config.seconds("expires", request.query["expires"]) if "expires" in request.query else None
    except ConfigError as error:
        # It is not quoted: what stands in a URL is nothing for the log.
        raise problem.NOT_A_DURATION.error() from error


def _check_framing(request: Request) -> None:
    if request.fields.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        raise problem.OTHER_CODING.error()
    if request.version < (1, 1) and request.content_length is None:
        raise problem.NO_LENGTH.error()


def _check_preconditions(request: Request, journal: Journal | None) -> None:
    """Raises: RequestError (412), if a log shall change only on a condition that does not hold (RFC 9110 section 13.1)."""
    if journal is None:
        refusal = 412 if "If-Match" in request.fields else None
    else:
        refusal = precondition(request, journal.etag)
    if refusal == 412:
        raise problem.NOT_THIS_LOG.error()
    if refusal is not None:
        raise problem.EXISTS.error()


def _check_append(request: Request, announcement: Announcement) -> None:
    """Raises: RequestError, if this is no request to append (section "Upload Append")."""
    if media_type(request) != uploads.PARTIAL_UPLOAD:
        raise problem.NOT_A_PART.error({"Accept-Patch": uploads.PARTIAL_UPLOAD})
    if announcement.offset is None:
        raise problem.NO_OFFSET.error()
    if announcement.complete is None:
        raise problem.NO_COMPLETENESS.error()
    _check_framing(request)


def _content_type(header: str | None) -> str:
    """The content type a log is served with: the producer's, if browsers only show it and never run it."""
    return header.strip() if header is not None and _PASSIVE_TYPE.fullmatch(header.strip()) else DEFAULT_TYPE


def refuse_foreign(request: Request, *, private: bool) -> None:
    """Refuse what a browser sends on behalf of a page from elsewhere. Raises: RequestError.

    `private`: the port is on loopback, where only a name of this machine can be meant (DNS rebinding).
    """
    if request.fields.get("Sec-Fetch-Site") == "cross-site":
        raise problem.OTHER_SITE.error()
    host = request.fields.get("Host", "")
    if private and host and not _is_loopback(host):
        raise problem.FOREIGN_HOST.error()


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
