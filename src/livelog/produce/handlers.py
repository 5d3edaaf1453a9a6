"""The handlers of the producers' port.

    /log[/{name}]            PUT, POST: begin a log · PATCH: set its attributes · GET, HEAD: its state and link · DELETE: remove it
    /logs/{prefix}/          GET, HEAD: the link to the list of the logs whose names begin with the prefix
    /upload/{key}[/{name}]   PATCH: append to a log · GET, HEAD: the upload's offset · DELETE: cancel the upload

Resumable uploads are those of draft-ietf-httpbis-resumable-upload; "section" below is one of that draft.
`receiver` receives the content of a request into a log. Invariants:

1. A log has one producer: a second one is refused before its body is read (RFC 9110 section 10.1.1). But a request with an upload's
   key replaces one that still seems to send: the lease of that one is revoked, and its bytes are settled, first.
2. A request is checked before it begins a log.
3. An interrupted log is aborted if it is not resumed within the grace time.
"""

import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from livelog.config import Settings
from livelog.errors import LeaseTaken, Stopping
from livelog.log.attempts import NEWEST, Which
from livelog.log.catalogue import UNNAMED, Catalogue
from livelog.log.info import LogInfo, State, Upload
from livelog.log.journal import Journal
from livelog.log.leases import Lease, LocalLeases, holding
from livelog.log.lifecycle import Lifecycle
from livelog.log.status import describe_alone
from livelog.names import is_name, is_prefix
from livelog.tokens import Access, Verdict, bearer
from livelog.wire import problem
from livelog.wire.exchange import Exchange
from livelog.wire.fields import attempt_and_generation, media_type, precondition
from livelog.wire.request import Request
from livelog.wire.response import Response
from livelog.wire.routes import Resource, Routes

from . import problems, uploads
from .fields import PRODUCERS_HEADERS, ProducerFields, lifetime, response
from .guard import passive_type
from .receiver import Receiver, note_begun, unless_not_stored
from .uploads import Announcement

EXPIRED = {"WWW-Authenticate": 'Bearer error="invalid_token", error_description="the token has expired"'}
"""RFC 6750 section 3.1."""

Handler = Callable[[Exchange, str], Awaitable[Response]]
"""Answers a request. The text is the path behind its first segment."""


class Producers:
    """The producers' port of a server: answers each of its requests.

    `readers_url`: the beginning of readers' links.
    """

    def __init__(self, settings: Settings, access: Access, catalogue: Catalogue, readers_url: str) -> None:
        self._access = access
        self._catalogue = catalogue
        limits = uploads.limits(settings.max_log_size, settings.resume_grace)
        self._fields = ProducerFields(access, readers_url, limits)
        fence = max((journal.info.fence for journal in catalogue.newest_first()), default=0)
        self._leases = LocalLeases(above=fence)
        self._lifecycle = Lifecycle(catalogue, self._leases, settings.resume_grace)
        self._receiver = Receiver(catalogue, self._lifecycle, self._fields, settings.max_log_size)
        self._stopping = False
        self._routes: Routes[Handler] = Routes(
            {
                "log": Resource(
                    {
                        "PUT": self._begin, "POST": self._begin, "PATCH": self._set_attributes, "GET": self._show, "HEAD": self._show,
                        "DELETE": self._remove, "OPTIONS": self._offer_logs,
                    },
                    problems.SENT_WITH_PUT,
                ),
                "logs": Resource({"GET": self._show_prefix, "HEAD": self._show_prefix}, problem.READ_WITH_GET),
                "upload": Resource(
                    {
                        "PATCH": self._append, "DELETE": self._cancel, "GET": self._show_upload, "HEAD": self._show_upload,
                        "OPTIONS": self._offer_uploads,
                    },
                    problems.APPENDED_BY_PATCH,
                ),
            },
            problems.NO_PATH,
        )  # fmt: skip

    async def answer(self, exchange: Exchange) -> Response:
        """Answer one request. Raises: RequestError, DiskError, ConnectionError."""
        request = exchange.request
        self._authorise(request)
        if request.path == "*" and request.method == "OPTIONS":
            return await self._offer_logs(exchange, UNNAMED)
        kind, rest, resource = self._routes.find(request.path)
        what = self._named(exchange, rest) if kind == "log" else rest[1:]
        return await resource.handler(request.method)(exchange, what)

    def _authorise(self, request: Request) -> None:
        """Raises: RequestError, if the request's token does not let its bearer write what the path names."""
        kind, _, path = request.path.removeprefix("/").partition("/")
        if kind == "upload":  # the path is the key and then the name
            path = path.partition("/")[2]
        token = bearer(request.fields.get("Authorization", ""))
        verdict = self._access.judge_write(token, path if kind in ("log", "logs", "upload") else "", time.time())
        if verdict is Verdict.EXPIRED:
            raise problems.EXPIRED.error(EXPIRED)
        if verdict is not Verdict.OPENS:
            raise problem.DENIED.error({"WWW-Authenticate": "Bearer"})

    def _named(self, exchange: Exchange, rest: str) -> str:
        """The name of the log in the path. `rest`: the path behind /log. Raises: RequestError."""
        if rest == "/":
            raise problems.NO_PATH.error()
        name = _name(rest[1:])
        others = (journal.info.name for journal in self._catalogue.newest_first())
        if self._access.is_secret_in(name, others):
            raise problems.NO_PATH.error()
        # Only names of logs are logged: anything else in a path may be a secret, such as a token.
        if exchange.request.method in ("PUT", "POST") or self._catalogue.get(name) is not None:
            exchange.connection.note_log(name)
        return name

    async def _offer_logs(self, _exchange: Exchange, _name: str) -> Response:
        return response(204, {"Allow": self._routes["log"].allow(), "Upload-Limit": self._fields.limits})

    async def _offer_uploads(self, _exchange: Exchange, _key: str) -> Response:
        return response(204, {"Allow": self._routes["upload"].allow(), "Accept-Patch": uploads.PARTIAL_UPLOAD})

    async def _taken_over(self, exchange: Exchange, what: str) -> Journal:
        """The log of an upload, after a request that still sent it was broken off. `what`: the upload's key and the log's name. Raises: RequestError."""
        key, _, name = what.partition("/")
        is_free = await self._lifecycle.revoke(self._upload(key, name))
        if not is_free and exchange.request.method in ("PATCH", "DELETE"):
            raise problems.BEING_RECEIVED.error()
        exchange.connection.note_log(name)
        journal = self._upload(key, name)
        if journal.state is State.ABORTED:
            raise problems.GIVEN_UP.error({"ETag": journal.etag}, reason=journal.info.reason)
        self._lifecycle.renew(journal)
        return journal

    async def _show_upload(self, exchange: Exchange, what: str) -> Response:
        journal = await self._taken_over(exchange, what)
        return response(204, {**self._fields.of_upload(exchange.request, journal), "Cache-Control": "no-store"})

    async def drain(self, timeout: float) -> None:
        """Refuse new logs, and wait for the present producers: see `Lifecycle.drain`."""
        self._stopping = True
        await self._lifecycle.drain(timeout)

    def close(self) -> None:
        """Cancel all grace times: the server is about to end."""
        self._lifecycle.close()

    # Beginning a log.

    async def _begin(self, exchange: Exchange, name: str) -> Response:
        request = exchange.request
        lifetime(request)  # an error in it must be raised before a log begins
        announcement = uploads.announced(request.fields.getall)
        resumable = announcement.complete is not None
        if request.method == "POST" and not resumable:
            raise problems.POST_BEGINS_UPLOADS.error({"Allow": self._routes["log"].allow(without=("POST",))})
        self._refuse_if_stopping()
        _check_framing(request)
        if "Content-Range" in request.fields:
            raise problems.CONTENT_RANGE.error()
        async with holding(self._leases, name) as lease:
            return await self._begin_under(lease, exchange, announcement)

    async def _begin_under(self, lease: Lease, exchange: Exchange, announcement: Announcement) -> Response:
        """Begin a log and receive its content, under a lease of its name. Raises: as `answer`."""
        request, name, resumable = exchange.request, lease.name, announcement.complete is not None
        older = self._catalogue.get(name)
        _check_preconditions(request, older)
        length = announcement.length_at(0, request.content_length) if resumable else None
        upload = Upload(resumable, older is not None, length, announcement.repr_digest, announcement.want_repr_digest)
        content_type = passive_type(request.fields.get("Content-Type"))
        info = LogInfo(name, "", 0, content_type, upload=upload, fence=lease.number)
        info.attributes = info.attributes.updated(_attribute_fields(request))
        self._receiver.refuse_too_large(max(length or 0, request.content_length or 0))
        bounded = request.content_length is not None
        if (announcement.content_digest and (older is not None or not resumable)) or (
            upload.repr_digest and not resumable
        ):
            lease.hold(exchange.connection, bounded=bounded)
            return await self._receiver.begin_checked(lease, exchange, info, announcement)
        journal = await self._lifecycle.begin(info)
        lease.hold(exchange.connection, bounded=bounded)
        note_begun(journal)
        return await self._receiver.feed(lease, exchange, journal, announcement, begins=True)

    # Resuming one.

    async def _append(self, exchange: Exchange, what: str) -> Response:
        request = exchange.request
        announcement = uploads.announced(request.fields.getall)
        _check_append(request, announcement)
        journal = await self._taken_over(exchange, what)
        self._refuse_if_stopping()
        lifetime(request)
        offset = announcement.offset
        assert offset is not None
        if offset != journal.acknowledged:
            raise uploads.mismatching_offset(offset, journal.acknowledged)
        length = announcement.length_at(offset, request.content_length)
        if journal.state.ended:
            if announcement.complete and not request.has_body:
                fields = self._fields.of_upload(request, journal) | self._fields.links(request, journal.info.name)
                return response(200 if journal.info.upload.replaces else 201, fields)
            refused = {"Upload-Complete": "?0", "Upload-Offset": str(offset)}
            raise problems.UPLOAD_COMPLETE.error(refused)
        upload = journal.info.upload
        length = uploads.agreed(upload, length)
        self._receiver.refuse_too_large(max(length or 0, offset + (request.content_length or 0)))
        attributes = journal.info.attributes.updated(_attribute_fields(request))
        bounded = request.content_length is not None
        async with holding(self._leases, journal.info.name, exchange.connection, bounded=bounded) as lease:
            change = unless_not_stored(journal.info, upload=replace(upload, length=length), attributes=attributes)
            with contextlib.nullcontext() if announcement.content_digest else change:
                await self._lifecycle.resume(journal, lease)
            return await self._receiver.feed(lease, exchange, journal, announcement, begins=False, change=change)

    # Other requests.

    async def _set_attributes(self, exchange: Exchange, name: str) -> Response:
        request = exchange.request
        if request.has_body:
            raise problems.NO_BODY.error()
        links = self._fields.links(request, name)
        journal = self._known(name)
        _check_preconditions(request, journal)
        fields = _attribute_fields(request)
        attributes = journal.info.attributes.updated(fields)
        # The job of an aborted log (it was too large, or its producer was away for too long) may end later: its exit code is taken once.
        late = journal.state is State.ABORTED and not (fields["livelog-title"] or fields["livelog-label"])
        if journal.ending and not (late and journal.info.attributes.exit_code is None):
            raise problems.LOG_ENDED.error()
        with unless_not_stored(journal.info, attributes=attributes):
            await journal.save()
        if journal.at_end:
            self._catalogue.arrivals.notify_changed(journal)
        return response(204, links)

    async def _show(self, exchange: Exchange, name: str) -> Response:
        link = self._fields.links(exchange.request, name)
        if (journal := self._catalogue.get(name)) is None:
            raise problems.NOT_BEGUN_BUT_LINK.error(link)
        fields = {"link": link["Livelog-Link"], "view": link["Livelog-View"]}
        text = json.dumps({**describe_alone(journal, self._catalogue.attempts(name)), **fields}) + "\n"
        headers = {**PRODUCERS_HEADERS, **link, "Cache-Control": "no-store", "ETag": journal.etag}
        return Response(200, {**headers, "Content-Type": "application/json; charset=utf-8"}, text.encode())

    async def _show_prefix(self, exchange: Exchange, prefix: str) -> Response:
        if not is_prefix(prefix):
            raise problems.NO_PATH.error()
        return response(204, {**self._fields.links(exchange.request, prefix), "Cache-Control": "no-store"})

    async def _remove(self, exchange: Exchange, name: str) -> Response:
        """Remove all logs of a name, or the one that the query selects. An older attempt can be removed while the newest is written."""
        query = exchange.request.query
        is_named = "attempt" in query or "generation" in query
        which = Which(*attempt_and_generation(query))
        if is_named and (journal := self._known(name, which)) is not self._known(name):
            _check_preconditions(exchange.request, journal)
            await self._catalogue.remove(journal, journal.info.fence)
            return response(204, {})
        try:
            lease = await self._leases.grant(name)
        except LeaseTaken as error:
            raise problems.LOG_WRITTEN.error() from error
        try:
            journal = self._known(name, which)
            _check_preconditions(exchange.request, journal)
            if not journal.state.ended:
                await self._lifecycle.end(journal, State.ABORTED, "the log was removed", lease)
            remove = self._catalogue.remove if is_named else self._catalogue.remove_all
            await remove(journal, lease.number)
        finally:
            self._leases.release(lease)
        return response(204, {})

    async def _cancel(self, exchange: Exchange, what: str) -> Response:
        journal = await self._taken_over(exchange, what)
        if journal.state.ended:
            raise problems.NOTHING_TO_CANCEL.error()
        journal.info.attributes = journal.info.attributes.updated(_attribute_fields(exchange.request))
        async with holding(self._leases, journal.info.name) as lease:
            await self._lifecycle.end(journal, State.ABORTED, "the producer gave it up", lease)
        return response(204, {})

    def _upload(self, key: str, name: str) -> Journal:
        """The log of the upload with that key. Raises: RequestError (404)."""
        journal = self._catalogue.get(name)
        if (
            journal is None
            or not journal.info.upload.resumable
            or not self._access.is_upload_key(key, journal.info.generation)
        ):
            raise problems.NO_UPLOAD.error()
        return journal

    def _known(self, name: str, which: Which = NEWEST) -> Journal:
        """The log of that name that `which` selects. Raises: RequestError (404)."""
        if (journal := self._catalogue.get(name, which)) is not None:
            return journal
        raise (problems.NO_LOG if self._catalogue.get(name) is None else problems.NO_ATTEMPT).error()

    def _refuse_if_stopping(self) -> None:
        if self._stopping:
            raise Stopping


def _name(rest: str) -> str:
    """Check the name of a log from a path; empty: the unnamed log. Raises: RequestError (400)."""
    if rest and not is_name(rest):
        raise problems.NOT_A_NAME.error()
    return rest or UNNAMED


def _attribute_fields(request: Request) -> dict[str, list[str]]:
    return {name: request.fields.getall(name) for name in ("livelog-title", "livelog-exit-code", "livelog-label")}


def _check_framing(request: Request) -> None:
    if request.fields.get("Transfer-Encoding", "chunked").strip().lower() != "chunked":
        raise problems.OTHER_CODING.error()
    if request.version < (1, 1) and request.content_length is None:
        raise problems.NO_LENGTH.error()


def _check_preconditions(request: Request, journal: Journal | None) -> None:
    """Raises: RequestError (412), if a precondition of the request does not hold (RFC 9110 section 13.1)."""
    if journal is None:
        refusal = 412 if "If-Match" in request.fields else None
    else:
        refusal = precondition(request, journal.etag)
    if refusal == 412:
        raise problems.NOT_THIS_LOG.error()
    if refusal is not None:
        raise problems.EXISTS.error()


def _check_append(request: Request, announcement: Announcement) -> None:
    """Raises: RequestError, if this is no valid request to append (section "Upload Append")."""
    if media_type(request) != uploads.PARTIAL_UPLOAD:
        raise problems.NOT_A_PART.error({"Accept-Patch": uploads.PARTIAL_UPLOAD})
    if announcement.offset is None:
        raise problems.NO_OFFSET.error()
    if announcement.complete is None:
        raise problems.NO_COMPLETENESS.error()
    _check_framing(request)
