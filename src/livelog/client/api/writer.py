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
"""Seconds that the end of a log waits for the server, by default; what is left then stays in a spool on disk."""

UNREACHED = 1.0
"""The same for a server that was never reached."""

FIRST_WORD = 0.5
"""Seconds to wait for the server's first word when somebody asks for the link."""

logger = logging.getLogger("livelog")

ENDED = "this log has ended: nothing can be appended"

_open: "weakref.WeakSet[Writer]" = weakref.WeakSet()
"""Those that are aborted if nobody ends them; see `_abandon`."""

_written: "weakref.WeakSet[Writer]" = weakref.WeakSet()
"""Those that have not ended."""


class Writer(_RawFile):
    """A log that is being written, as a raw binary file.

    `name`: the log's name on the server; empty: the log that has none; None: a new one, made of the program's name
    and the time. `title` and `labels` are told to readers. `content_type`: what the log is served as. `drain`: seconds
    that `close` waits for the server at most; None: 10, or 1 for a server that was never reached. Raises: ConfigError; ValueError, if that is no name; InvalidAttribute, if what is
    told of the log is not allowed.
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
        """What the log's readers are told of how the job ended; set it before `close`."""
        self.delivered = False
        """After `close`: whether the server has the whole log."""
        self.spool: Path | None = None
        """After `close`: the folder that holds what the server does not have; `livelog push` sends it. None: nothing is kept."""
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
        """Where readers find the log. Empty if the server has not told within half a second of asking."""
        self._sender.begun.wait(FIRST_WORD)
        return self._sender.link

    @property
    def view(self) -> str:
        """Where a browser shows the log to people; otherwise as `link`."""
        self._sender.begun.wait(FIRST_WORD)
        return self._sender.view

    @property
    def problem(self) -> str:
        """Why the server does not get any bytes just now; empty: it does."""
        return self._sender.problem

    @property
    def refused(self) -> Refused | None:
        """Why the server will never take the log; None: it may."""
        return self._sender.refused

    @property
    def size(self) -> int:
        """How many bytes the log has by now."""
        return self._spool.end

    @property
    def failure(self) -> OSError | None:
        """Why what was written after `size` bytes is lost: the server was far behind, and the disk full. None: it is not."""
        return self._spool.failure

    @property
    def sent(self) -> int:
        """Up to which byte the server was sent the log."""
        return self._sender.sent

    @property
    def acknowledged(self) -> int:
        """How many bytes the server has told to have."""
        return self._sender.acknowledged

    def hurry(self) -> None:
        """Have a `close` that waits for the server wait no longer."""
        self._sender.done.set()

    def writable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def fileno(self) -> int:
        """A descriptor, a pipe's, by which subprocesses write to the log: `subprocess.run(..., stdout=log)`.

        What they write after `close` breaks their pipe. Raises: ValueError, if the log has ended; OSError.
        """
        return self._open_inlet().fileno()

    def write(self, data: "ReadableBuffer | str", /) -> int:
        """Append `data`, all of it. Returns its size in bytes. Raises: ValueError, if the log has ended."""
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
        """Make the pipe that the forked process will write to."""
        with contextlib.suppress(OSError), self._making:
            if self._inlet is None:
                self._inlet = Inlet(self._append)

    def after_fork(self, *, here: bool) -> None:
        """Go on after a fork. `here`: this is the process that has forked; the new one has no more of the log than the pipe."""
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
        """End the log as a complete one. Waits for the server for `drain` seconds at most; never raises because of it."""
        self._close(aborted=False)

    def abort(self) -> None:
        """End the log as an aborted one; otherwise as `close`."""
        self._close(aborted=True)

    async def aclose(self) -> None:
        """The same as `close`, for asyncio."""
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
                spool.spill()  # whoever gets impatient now takes nothing away
                drain = DRAIN if self._drain is None and sender.reached else drain
                sender.done.wait(drain - UNREACHED)
        finally:  # also if the handler of a signal raises an exception, such as KeyboardInterrupt
            self._settle()

    def _settle(self) -> None:
        """Give up what the server does not have by now, and keep it."""
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
        """Whether the block in which the log was written has failed. `sys.exit` in it tells how the job has ended."""
        if not isinstance(error, SystemExit):
            return error is not None
        if self.exit_code is None:
            code = error.code
            self.exit_code = (code & 0xFF) if isinstance(code, int) else int(code is not None)
        return False

    def __del__(self) -> None:
        # Nobody has said that this was all. When Python ends, there are no threads any more: see `_abandon`.
        if hasattr(self, "_sender") and not sys.is_finalizing() and not self._forked:
            self._close(aborted=True)


@atexit.register
def _abandon() -> None:
    """A program ends, and has not said that its logs were complete."""
    for writer in list(_open):
        writer.abort()


def end_by_itself(writer: Writer) -> None:
    """Have somebody else see to it that a log ends when the program does."""
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
    """Begin to send what a writer had to leave in `folder`, never in place of a log that has got its name meanwhile.

    `name`: another name for it; where a server has its beginning already, for what follows. Raises: ClientError, if that cannot be.
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
    """A name that no other log has: made of the last part of `hint`, a path, and the time."""
    word = re.sub(r"[^A-Za-z0-9._~-]+", "-", hint.rstrip("/").rpartition("/")[2]).strip("-.")[:60] or "log"
    return f"{word}/{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"


def _spool_folder(directory: Path, name: str) -> Path:
    return directory / f"{name.replace('/', '+') or '+'}-{secrets.token_hex(3)}"


def header_fields(title: str, labels: Mapping[str, str], content_type: str) -> dict[str, str]:
    """Header fields that tell of a log. Raises: InvalidAttribute, if they are not allowed."""
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
