"""The sender of one log: from a spool to a server, by a resumable upload (draft-ietf-httpbis-resumable-upload, interop version 8).

    PUT /log/{name}  Upload-Complete: ?0   the bytes as they are written; 104 has the upload's address and the acknowledged offset
    HEAD {upload}                          after a broken connection: the offset at which to continue
    PATCH {upload}   Upload-Complete: ?0   the bytes from there
    PATCH {upload}   Upload-Complete: ?1   no bytes: the log is complete, with the exit code; or DELETE: the log is aborted

If the last bytes are known to be the last, their request has ?1 itself, so that the server cannot abort the upload between bytes and end.

A thread sends, so that the writer never waits. What a failure means for the job is decided elsewhere. Invariants:

1. A byte is released from the spool once the server has said by 104 that not even its own crash loses it. If a server that keeps its
   logs in memory crashes, it gets all bytes again, and the log is whole.
2. Each connection begins at the offset that the server reports, so no byte is stored twice.
3. A log that has lost a byte, or whose writer failed, is never completed: it is aborted.
4. A log counts as delivered only once the server has answered its end, or reports by HEAD that it has the end.
"""

import contextlib
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from urllib.parse import quote, urljoin, urlsplit

from livelog.client.settings import ClientSettings
from livelog.errors import Refused

from .origin import Origin, shown
from .spool import Source
from .waiting import readable, socket_pair
from .wire import Answer, Unavailable, Wire, explain

CHUNK = 256 * 1024
"""The limit of bytes in one chunk."""

DISTANCE = 0.01
"""The smallest pause between two small chunks, in seconds. What is written meanwhile goes into the next chunk."""

FIRST_WORD = 0.25
"""Seconds to wait for the interim response with the upload's address. After that, the request is ended to get a final response."""

FIRST_PAUSE, LAST_PAUSE = 0.1, 10.0
"""Seconds before a new attempt after a broken connection: the pause doubles from the first to the last value."""

_EXPIRING = re.compile(r"/(?:log|view)/[^/]+\.[0-9]+(?:/|$)")
"""The pattern of a link with an expiring token; its group is the time of expiry."""

_INTEROP = {"Upload-Draft-Interop-Version": "8"}

logger = logging.getLogger("livelog")


class Sender(threading.Thread):
    """Sends the log `name` from `spool`. `fields`: its header fields, such as Livelog-Title.

    `begun` is set once the server has the log, or the first attempt has failed; `done` once there is nothing more to do.
    """

    def __init__(self, settings: ClientSettings, name: str, spool: Source, fields: dict[str, str]) -> None:
        super().__init__(name=f"livelog {name}", daemon=True)
        self.begun = threading.Event()
        self.done = threading.Event()
        self.link = ""
        """The link for readers; empty: the server has not sent it yet."""
        self.view = ""
        """The link to the viewer; empty: the server has not sent it yet."""
        self.delivered = False
        """Whether the server has the whole log and its end."""
        self.problem = ""
        """Why the server gets no bytes at present, in words; empty: it does."""
        self.refused: Refused | None = None
        """Why the server will never get the log; None: it may."""
        self.reached = False
        """Whether a connection to the server was ever made."""
        self.sent = 0
        """The offset up to which the log was sent."""
        self.acknowledged = 0
        """The number of bytes that the server has acknowledged so far."""
        self.aborted = False
        self.final_fields: dict[str, str] = {}
        """Header fields for the end of the log, such as Livelog-Exit-Code."""
        self.keep_about: Callable[[], object] = lambda: None
        """Called when the spool's `about` has changed, to store it."""
        self._settings = settings
        self.log_name = name
        self._spool = spool
        self._fields = fields
        self._location: str = spool.about.get("location", "")
        """The upload's address, relative to the server's URL, which may have another prefix when a spool is sent later."""
        self._target = ""
        self._completes = False
        """Whether the request under way completes the log with its body."""
        self._gave_up = False
        """Whether the server has aborted an upload of this log after all bytes were sent and before its end."""
        self._wire: Wire | None = None
        self._sleeping = False
        self._hurry = threading.Event()
        # Sockets, since they can be waited for together with a connection.
        self._alarm, self._alarmed = socket_pair()

    def wake(self) -> None:
        """Notify the thread that the spool has grown."""
        if self._sleeping:
            self._sleeping = False
            with contextlib.suppress(OSError):  # it has ended meanwhile
                self._alarm.send(b"!")

    def let_go(self) -> None:
        """Release all resources in a forked process, which does not send. `Wire` closes the connection by itself."""
        for end in (self._alarm, self._alarmed):
            end.close()

    def finish(self) -> None:
        """The spool is complete, and the caller waits for the end: try again at once."""
        self._spool.ended = True
        self._hurry.set()
        self._sleeping = True
        self.wake()

    def stop(self) -> None:
        """Give up at once: nothing is sent any more, and `delivered` is final.

        It waits for the end of the thread, unless that is making a TCP connection, which may take long and is not used. So no thread
        is within OpenSSL when the process exits: OpenSSL frees its memory then, and the process would end by SIGSEGV.
        """
        self.done.set()
        self._hurry.set()
        if (wire := self._wire) is not None:
            wire.shut_down()
            if wire.connecting:
                return
        if threading.current_thread() is not self:  # the garbage collector, which closes writers, runs in any thread
            self.join()

    def run(self) -> None:
        """Run the thread: see `threading.Thread`."""
        try:
            self._run()
        finally:
            self._sleeping = False
            self._alarm.close()
            self._alarmed.close()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self.done.is_set():
            before = self.acknowledged
            try:
                self._attempt()
                self.done.set()
            except Refused as error:
                self.refused, self.problem = error, str(error)
                self.begun.set()
                self._finish_late(error)
                self.done.set()
            except (OSError, HTTPException) as error:
                if self.done.is_set():  # this side has broken the connection off
                    break
                self.problem = explain(error, Origin.of(self._settings.server, direct=not self._settings.chosen))
                self.begun.set()
                logger.debug("log %s: %s", self.log_name, self.problem)
                if self.acknowledged > before:
                    pause = FIRST_PAUSE
                self._hurry.wait(pause * random.uniform(0.7, 1.3))  # noqa: S311  # many clients, one server
                self._hurry.clear()
                pause = min(2 * pause, 1.0 if self._spool.ended else LAST_PAUSE)  # then somebody waits
        self.begun.set()

    def _attempt(self) -> None:
        """Send the rest of the log as it is written, and its end. Raises: OSError, HTTPException: try again; Refused."""
        with self._connected() as wire:
            sent = self._begin(wire) if not self._location else self._resume(wire)
            if sent is not None:
                while not self._is_all(sent := self._stream(wire, sent)):
                    self._patch(wire, sent)
                if not self._completes:
                    self._end(wire, sent)
            self.delivered = True

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Wire]:
        """A connection to the server, which `stop` breaks off, now or while it is being made."""
        self._wire = Wire(self._settings.server, self._settings.ca_file, direct=not self._settings.chosen)
        if self.done.is_set():  # looked at after `stop` could see the connection
            raise ConnectionAbortedError("this was stopped")
        with self._wire as wire:
            self.reached = True
            yield wire

    def _begin(self, wire: Wire) -> int:
        if self._spool.start:
            raise Refused("the server has lost this log, and what was acknowledged is not here any more")
        # More than one piece is not sent at once to who may not know resumable uploads: see `_stream`.
        known = self._gave_up or self._spool.end <= CHUNK
        self._head(wire, "PUT", self._path(), {**self._fields, **self._content_fields(completes=known)})
        return 0

    def _patch(self, wire: Wire, offset: int) -> None:
        """Send the head of a request that appends from `offset`."""
        self._head(wire, "PATCH", self._location, {**_append(offset), **self._content_fields(completes=True)})

    def _content_fields(self, *, completes: bool) -> dict[str, str]:
        """The header fields of a request with a body. `completes`: whether the body may complete the log."""
        self._completes = completes and self._spool.ended and not self.aborted and self._spool.failure is None
        ended = {"Upload-Complete": "?1", **self.final_fields} if self._completes else {"Upload-Complete": "?0"}
        return {"Transfer-Encoding": "chunked", **ended}

    def _path(self) -> str:
        return f"/log{'/' if self.log_name else ''}{quote(self.log_name)}"

    def _finish_late(self, refused: Refused) -> None:
        """Set the exit code of a log that the server aborted before the job ended, because it was too large or the client was away too long."""
        if refused.status not in (410, 413) or not self._location:
            return
        if not self._spool.ended:
            self._hurry.wait()
        if self.done.is_set() or not self.final_fields:
            return
        with contextlib.suppress(OSError, HTTPException, Refused), self._connected() as wire:
            self._head(wire, "HEAD", self._location, {})
            answer = wire.answer()
            if answer.status == 410:  # else another log has the name
                self._set_final_fields(wire, answer)

    def _set_final_fields(self, wire: Wire, answer: Answer) -> None:
        """Set the exit code of a log that the server has aborted, as its `answer` says."""
        if self.final_fields and (etag := answer.field("ETag")):
            self._head(wire, "PATCH", self._path(), {"If-Match": etag, "Content-Length": "0", **self.final_fields})
            wire.answer()

    def _resume(self, wire: Wire) -> int | None:
        """Ask for the offset at which the upload continues; None: the server has the whole log."""
        self._head(wire, "HEAD", self._location, {})
        answer = wire.answer()
        if answer.status in (404, 410):
            self._forget(wire, answer)
            return self._begin(wire)
        self._check(answer)
        if answer.field("Upload-Complete") == "?1":
            return None
        self.acknowledged = offset = _number(answer.field("Upload-Offset"))
        if not self._spool.start <= offset <= self._spool.end:
            raise Refused(f"the server has {offset} bytes, but here are those from {self._spool.start} on")
        self._patch(wire, offset)
        return offset

    def _forget(self, wire: Wire, answer: Answer) -> None:
        """Have the log begin anew: the server was started again and had nothing on disk, or nobody came back in time.

        Raises: Refused, if not all bytes are here any more, or if another log has the name: that one is not replaced.
        """
        if self._spool.start:
            raise Refused(f"the log cannot be resumed: {answer}", answer.status)
        if answer.status == 404:
            self._head(wire, "HEAD", self._path(), {})
            if (other := wire.answer()).status != 404:
                self._check(other)
                raise Refused("another log has its name now", 412)
        self._location = ""
        if answer.status == 410 and "If-None-Match" in self._fields and (etag := answer.field("ETag")):
            # The log of that name is the beginning of this one: it, and no other, may be replaced.
            del self._fields["If-None-Match"]
            self._fields["If-Match"] = etag

    def _stream(self, wire: Wire, sent: int) -> int:
        """Send the spool's bytes from `sent` as they come, and the end of the body. Returns how many the server has then.

        The body ends early if no interim response has told the upload's address: what is on the way may swallow those, and the
        final one tells it as well. A request that completes the log has all of it. Raises: as `_attempt`.
        """
        spool, sent_at, deadline = self._spool, 0.0, time.monotonic() + FIRST_WORD
        while self._location or self._completes or (left := deadline - time.monotonic()) > 0:
            while wire.ready():
                self._hear(wire)
            self._sleeping = True
            data = spool.read(sent, CHUNK)
            if data:
                self._sleeping = False
                if len(data) < CHUNK and (early := sent_at + DISTANCE - time.monotonic()) > 0:
                    time.sleep(early)
                    data = spool.read(sent, CHUNK)
                wire.chunk(data)
                self.sent = sent = sent + len(data)
                sent_at = time.monotonic()
            elif self._is_all(sent):
                break
            else:
                patience = None if self._location or self._completes else left
                if self._alarmed.fileno() in readable([wire, self._alarmed], patience):
                    self._alarmed.recv(4096)
        if (
            self._completes and spool.failure is not None
        ):  # found out while it is sent: the body must not end as a whole one
            raise HTTPException(f"the log cannot be completed: {spool.failure.strerror or spool.failure}")
        wire.chunk(b"")
        while (answer := wire.receive()) is None or answer.status < 200:
            if answer is not None:
                self._note(answer)
        self._check(answer)
        self._note(answer)
        if not self._location:
            raise Refused(
                f"{shown(self._settings.server)} takes no resumable uploads: it answers {answer}", answer.status
            )
        return sent

    def _is_all(self, sent: int) -> bool:
        """Whether nothing will follow the first `sent` bytes: they are the whole log, or the rest cannot be read."""
        spool = self._spool
        return spool.ended and (sent == spool.end or (spool.failure is not None and not spool.read(sent, 1)))

    def _end(self, wire: Wire, size: int) -> None:
        """End a log whose bytes the server has. Raises: as `_attempt`; the log then is not known to have ended."""
        if self.aborted or self._spool.failure is not None:
            self._head(wire, "DELETE", self._location, self.final_fields)
            answer = wire.answer()
            if answer.status == 410:  # the server has aborted it already
                self._set_final_fields(wire, answer)
                return
        else:
            ended = {"Upload-Complete": "?1", "Content-Length": "0", **self.final_fields}
            self._head(wire, "PATCH", self._location, {**_append(size), **ended})
            answer = wire.answer()
            self._gave_up = answer.status == 410
        self._check(answer)

    def _hear(self, wire: Wire) -> None:
        """Process a response that arrives while the body is sent. A final one is a refusal."""
        answer = wire.receive()
        if answer is None:
            return
        if answer.status < 200:
            self._note(answer)
            return
        self._check(answer)
        raise Unavailable(f"{answer} before it was sent everything")

    def _note(self, answer: Answer) -> None:
        """Take the upload's address, the links and the acknowledged offset from a response."""
        if location := answer.field("Location"):
            base = urlsplit(self._settings.server).path
            parts = urlsplit(urljoin(f"http://host{base}{self._target}", location))  # RFC 9110 section 10.2.2
            # An absolute path is one of the server's own, which knows nothing of a prefix that a proxy has put in front.
            path = parts.path.removeprefix(base) if parts.path.startswith(f"{base}/") else parts.path
            self._location = f"{path}?{parts.query}" if parts.query else path
            self._spool.about["location"] = self._location
            self.keep_about()
        self.link = self._link(answer.field("Livelog-Link")) or self.link
        self.view = self._link(answer.field("Livelog-View")) or self.view
        if self._location:
            self.problem = ""
            self.begun.set()
        if offset := answer.field("Upload-Offset"):
            self.acknowledged = max(self.acknowledged, _number(offset))
            if answer.status < 200:
                self._spool.release(_number(offset))

    def _link(self, link: str) -> str:
        """A link of the server as it may be shown; empty, if it would be valid for longer than the settings allow."""
        if not link or (self._settings.link_expires is not None and not _EXPIRING.search(link)):
            return ""
        return self._settings.link_for_readers(link, self.log_name)

    def _check(self, answer: Answer) -> None:
        """Raises: Refused, if the request must not be repeated; HTTPException, if it may be."""
        if answer.status < 300:
            return
        passing = answer.status >= 500 and answer.status not in (501, 505)
        # An upload that is not there any more is asked for again, which tells whether the log can begin anew: see `_resume`.
        gone = answer.status == 410 or (answer.status == 404 and self._location)
        if passing or gone or answer.status in (408, 409, 429):
            raise Unavailable(str(answer))
        raise Refused(f"{shown(self._settings.server)} refuses this log: {answer}", answer.status)

    def _head(self, wire: Wire, method: str, path: str, fields: dict[str, str]) -> None:
        self._target = path
        if method in ("PUT", "PATCH") and (expires := self._settings.link_expires) is not None:
            path += f"{'&' if '?' in path else '?'}expires={expires:.0f}"
        token = self._settings.write_token
        guard: dict[str, str] = {"Authorization": f"Bearer {token}"} if token else {}
        wire.head(method, wire.prefix + path, {**guard, **_INTEROP, **fields})


def _append(offset: int) -> dict[str, str]:
    return {"Content-Type": "application/partial-upload", "Upload-Offset": str(offset)}


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise HTTPException(f"the server tells an offset that is none: {text[:40]!r}")
    return int(text)
