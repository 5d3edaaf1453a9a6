r"""A log as a file that Python writes to. Writing never waits for the server, and never fails because of it.

    with livelog.Writer("nightly/linux", title="nightly build") as log:
        print("see", log.link)
        log.write(b"all is well\\n")

`async with` and `aclose` do the same for asyncio, where `write` may be called as it is: it waits for nothing but, when the
server is far behind, this machine's disk. Leaving the block completes the log; an exception inside aborts it, and what was written stays readable. `sys.exit`
is no failure of the log: it completes it, with its exit code. Bytes are what a log is made of; text becomes UTF-8.

After a fork, both processes write to the same log, as to any other file: the forked one by a pipe, see `inlet`. The log
belongs to the process that began it, and ends with it.
"""

import atexit
import contextlib
import io
import logging
import os
import re
import secrets
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from livelog.client.settings import ClientSettings, load
from livelog.client.transport.origin import shown
from livelog.client.transport.sender import Sender
from livelog.client.transport.spool import Rest, Spool
from livelog.errors import ClientError, InvalidAttribute, Refused
from livelog.log.attributes import Attributes, encoded
from livelog.names import is_name

from .inlet import Inlet

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    class _RawFile(io.RawIOBase, BinaryIO):
        """A raw file that type checkers let stand where a file is asked for, such as `stdout` of `subprocess.run`."""

else:
    _RawFile = io.RawIOBase

DRAIN = 10.0
"""Default of `drain`: seconds that `close` waits for the server. Bytes that are left then stay in a spool on disk."""

UNREACHED = 1.0
"""Default of `drain` for a server that was never reached."""

FIRST_WORD = 0.5
"""Seconds that `link` and `view` wait for the server's first response."""

logger = logging.getLogger("livelog")

ENDED = "this log has ended: nothing can be appended"

_open: "weakref.WeakSet[Writer]" = weakref.WeakSet()
"""The writers that `_abandon` aborts if the program exits without closing them."""

_written: "weakref.WeakSet[Writer]" = weakref.WeakSet()
"""The writers that have not ended."""


class Writer(_RawFile):
    """A log that is being written, as a raw binary file.

    `name`: the log's name on the server; empty: the log without a name; None: a new name, made of the program's name
    and the time. `title` and `labels`: attributes that readers see. `content_type`: the type with which the log is served. `drain`: seconds
    that `close` waits for the server; None: 10, or 1 for a server that was never reached. `settings`: where the server is; None: the
    environment and the configuration file say it.

    Raises: ConfigError; ValueError, if `name` is not valid; InvalidAttribute, if an attribute is not valid.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        title: str = "",
        labels: Mapping[str, str] | None = None,
        content_type: str = "",
        drain: float | None = None,
        settings: ClientSettings | None = None,
    ) -> None:
        super().__init__()
        self.name = new_name(sys.argv[0]) if name is None else name  # type: ignore[misc]  # an attribute, as FileIO's
        if self.name and not is_name(self.name):
            raise ValueError(f"{self.name!r} is not the name of a log, such as builds/42")
        self.exit_code: int | None = None
        """The exit code of the job, for readers; set it before `close`."""
        self.delivered = False
        """After `close`: whether the server has the whole log."""
        self.spool: Path | None = None
        """After `close`: the folder with the bytes that the server does not have, which `livelog push` can send. None: there is none."""
        settings = settings or load()
        self._drain = drain
        self._forked = False
        self._inlet: Inlet | None = None
        self._making = threading.Lock()
        self._spool = Spool(_spool_folder(settings.spool_dir, self.name))
        fields = header_fields(title, labels or {}, content_type)
        self._spool.about = {"name": self.name, "server": shown(settings.server), "fields": fields}
        self._sender = Sender(settings, self.name, self._spool, fields)
        self._sender.start()
        _open.add(self)
        _written.add(self)

    @property
    def link(self) -> str:
        """The link for readers. Empty, if the server has not sent it within half a second."""
        self._sender.begun.wait(FIRST_WORD)
        return self._sender.link

    @property
    def view(self) -> str:
        """The link to the viewer. Empty, if the server has not sent it within half a second."""
        self._sender.begun.wait(FIRST_WORD)
        return self._sender.view

    @property
    def problem(self) -> str:
        """Why the server gets no bytes at present, in words; empty: it does."""
        return self._sender.problem

    @property
    def refused(self) -> Refused | None:
        """Why the server will never take the log; None: it may."""
        return self._sender.refused

    @property
    def size(self) -> int:
        """The number of bytes written so far."""
        return self._spool.end

    @property
    def failure(self) -> OSError | None:
        """Why bytes after the first `size` were dropped, such as a full disk while the server was far behind. None: none were."""
        return self._spool.failure

    @property
    def sent(self) -> int:
        """The offset up to which the log was sent."""
        return self._sender.sent

    @property
    def acknowledged(self) -> int:
        """The number of bytes that the server has acknowledged."""
        return self._sender.acknowledged

    def hurry(self) -> None:
        """End the wait of `close` for the server. May be called from any thread."""
        self._sender.done.set()

    def writable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def fileno(self) -> int:
        """The descriptor of a pipe into the log, for subprocesses: `subprocess.run(..., stdout=log)`.

        After `close`, writing to it fails with EPIPE. Raises: ValueError, if the log has ended; OSError.
        """
        return self._open_inlet().fileno()

    def write(self, data: "ReadableBuffer | str", /) -> int:
        """Append all of `data`; text is encoded as UTF-8. Returns its size in bytes. Raises: ValueError, if the log has ended."""
        if isinstance(data, str):
            data = data.encode(errors="backslashreplace")
        if self.closed:
            raise ValueError(ENDED)
        with memoryview(data).cast("B") as view:
            if self._forked:
                self._write_to_pipe(view)
            else:
                if self._inlet is not None:
                    self._inlet.drain()
                self._spool.write(view)
                self._sender.wake()
            return len(view)

    def _write_to_pipe(self, view: memoryview) -> None:
        if self._inlet is None:
            raise ValueError(
                "this log belongs to the process of which this one is a fork, and there was no pipe to be had"
            )
        try:
            while view:
                view = view[os.write(self._inlet.fileno(), view) :]
        except BrokenPipeError:
            raise ValueError(ENDED) from None

    def _append(self, data: bytes) -> None:
        self._spool.write(data)
        self._sender.wake()

    def _open_inlet(self) -> Inlet:
        if self.closed:
            raise ValueError(ENDED)
        if self._inlet is None:  # looked at before the lock is taken, which in a forked process nobody may ever release
            with self._making:
                self._inlet = self._inlet or Inlet(self._append)
        if not self._forked:
            self._inlet.start()
        return self._inlet

    def before_fork(self) -> None:
        """Make the pipe to which the forked process will write."""
        with contextlib.suppress(OSError), self._making:
            if self._inlet is None:
                self._inlet = Inlet(self._append)

    def after_fork(self, *, here: bool) -> None:
        """Continue after a fork. `here`: in the parent process, which keeps the log; the forked process can only write to the pipe."""
        if self._forked:  # more than once
            return
        if here:
            if self._inlet is not None:
                self._inlet.start()
        else:
            self._forked = True
            self._sender.let_go()
            if self._inlet is not None:
                self._inlet.write_only()

    def close(self) -> None:
        """End the log as complete. Waits at most `drain` seconds for the server. A failure of the server raises nothing: see `delivered`."""
        self._close(aborted=False)

    def abort(self) -> None:
        """End the log as aborted; otherwise like `close`."""
        self._close(aborted=True)

    async def aclose(self) -> None:
        """Like `close`, for asyncio."""
        import asyncio  # noqa: PLC0415  # whoever gets here has it; `livelog run` starts a third faster without

        await asyncio.to_thread(self.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        import asyncio  # noqa: PLC0415  # as above

        await asyncio.to_thread(self._close, aborted=self._failed(error))

    def _close(self, *, aborted: bool) -> None:
        if self.closed:
            return
        super().close()
        _open.discard(self)
        _written.discard(self)
        if self._forked:  # it goes on in the other process
            return
        if self._inlet is not None:
            self._inlet.close()
        sender, spool = self._sender, self._spool
        sender.aborted = aborted
        if self.exit_code is not None:
            sender.final_fields["Livelog-Exit-Code"] = str(self.exit_code)
        spool.about |= {"aborted": aborted, "final_fields": sender.final_fields}
        try:
            sender.finish()
            drain = UNREACHED if self._drain is None else self._drain
            if not sender.done.wait(min(drain, UNREACHED)):
                spool.spill()  # if the process is killed now, nothing is lost
                drain = DRAIN if self._drain is None and sender.reached else drain
                sender.done.wait(drain - UNREACHED)
        finally:  # also if the handler of a signal raises an exception, such as KeyboardInterrupt
            self._settle()

    def _settle(self) -> None:
        """Stop sending, and keep the bytes that the server does not have."""
        sender, spool = self._sender, self._spool
        sender.stop()
        self.delivered = sender.delivered
        if self.delivered:
            spool.discard()
        elif spool.keep():
            self.spool = spool.folder
            logger.warning(
                "log %s: %s; %d bytes are in %s: livelog push sends them", self.name,
                self.problem or "the server has not taken all of it in time", spool.end - spool.start, spool.folder,
            )  # fmt: skip
        if spool.failure is not None:
            logger.warning("log %s: %s: it ends after %d bytes", self.name, spool.failure.strerror, spool.end)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close(aborted=self._failed(error))

    def _failed(self, error: BaseException | None) -> bool:
        """Whether the `with` block has failed. `sys.exit` is no failure; it sets the exit code."""
        if not isinstance(error, SystemExit):
            return error is not None
        if self.exit_code is None:
            code = error.code
            self.exit_code = (code & 0xFF) if isinstance(code, int) else int(code is not None)
        return False

    def __del__(self) -> None:
        # The log was not closed, so it may not be whole. When Python exits, there are no threads any more: see `_abandon`.
        if hasattr(self, "_sender") and not sys.is_finalizing() and not self._forked:
            self._close(aborted=True)


@atexit.register
def _abandon() -> None:
    """Abort the logs that the program has not closed when it exits."""
    for writer in list(_open):
        writer.abort()


def end_by_itself(writer: Writer) -> None:
    """Do not abort this log when the program exits: the caller ends it."""
    _open.discard(writer)


def _before_fork() -> None:
    for writer in list(_written):
        writer.before_fork()


def _after_fork(*, here: bool) -> None:
    for writer in list(_written):
        writer.after_fork(here=here)


os.register_at_fork(
    before=_before_fork,
    after_in_parent=lambda: _after_fork(here=True),
    after_in_child=lambda: _after_fork(here=False),
)


def push_spool(folder: Path, name: str | None, settings: ClientSettings) -> Sender:
    """Begin to send the spool that a writer left in `folder`. It never replaces a log that has got this name meanwhile.

    `name`: send it under another name; if the server already has its beginning, only the rest. Raises: ClientError, if it cannot be read.
    """
    try:
        spool = Spool.reopen(folder)
        about = spool.about
        source: Spool | Rest = spool
        if name is not None and spool.start:
            about, source = about | {"name": name}, Rest(spool)
        elif name is not None:
            about = spool.about = about | {"name": name, "location": ""}
        sender = Sender(settings, about["name"], source, {**about["fields"], "If-None-Match": "*"})
        if source is spool:
            sender.keep_about = spool.describe  # should it fail again, the upload that it then was is known
        sender.aborted = about.get("aborted", True) or not about["whole"]
        sender.final_fields = about.get("final_fields", {})
    except (OSError, ValueError, KeyError) as error:
        raise ClientError(f"{folder} holds no log that could be sent: {error}") from error
    sender.start()
    sender.finish()
    return sender


def new_name(hint: str) -> str:
    """A new, unique name: the last part of the path `hint`, the time, and random digits."""
    word = re.sub(r"[^A-Za-z0-9._~-]+", "-", hint.rstrip("/").rpartition("/")[2]).strip("-.")[:60] or "log"
    return f"{word}/{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"


def _spool_folder(directory: Path, name: str) -> Path:
    return directory / f"{name.replace('/', '+') or '+'}-{secrets.token_hex(3)}"


def header_fields(title: str, labels: Mapping[str, str], content_type: str) -> dict[str, str]:
    """The header fields of a log's attributes. Raises: InvalidAttribute, if one is not valid."""
    fields = {}
    if title:
        fields["Livelog-Title"] = encoded(title)
    if labels:
        fields["Livelog-Label"] = ", ".join(f"{name}={encoded(value)}" for name, value in labels.items())
    Attributes.NONE.updated({name.lower(): [value] for name, value in fields.items()})
    if content_type:
        if not content_type.isprintable() or not content_type.isascii():
            raise InvalidAttribute(f"{content_type!r} is not a content type, such as text/plain")
        fields["Content-Type"] = content_type
    return fields
