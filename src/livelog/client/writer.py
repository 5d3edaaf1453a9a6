r"""A log as a file that Python writes to. Writing never waits for the server, and never fails because of it.

    with livelog.Writer("nightly/linux", title="nightly build") as log:
        print("see", log.link)
        log.write(b"all is well\\n")

`async with` and `aclose` do the same for asyncio, where `write` may be called as it is: it waits for nothing but, when the
server is far behind, this machine's disk. Leaving the block completes the log; an exception inside aborts it, and what was written stays readable. Refuses to take
text: bytes are what a log is made of; `io.TextIOWrapper(log)` encodes.
"""

import atexit
import io
import logging
import os
import re
import secrets
import sys
import time
import weakref
from asyncio import to_thread
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from livelog.access import is_name
from livelog.errors import ClientError, Refused, RequestError
from livelog.metadata import Metadata

from .sender import Sender
from .settings import ClientSettings, load
from .spool import Spool

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

DRAIN = 10.0
"""Seconds that the end of a log waits for the server, by default; what is left then stays in a spool on disk."""

FIRST_WORD = 0.5
"""Seconds to wait for the server's first word when somebody asks for the link."""

logger = logging.getLogger("livelog")

_open: "weakref.WeakSet[Writer]" = weakref.WeakSet()
"""Those that nobody has ended; see `_abandon`."""


class Writer(io.RawIOBase):
    """A log that is being written, as a raw binary file.

    `name`: the log's name on the server; empty: the log that has none; None: a new one, made of the program's name
    and the time. `title` and `labels` are told to readers. `content_type`: what the log is served as. `drain`: seconds
    that `close` waits for the server at most. Raises: ConfigError; ValueError, if that is no name; RequestError, if what is
    told of the log is not allowed.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        title: str = "",
        labels: Mapping[str, str] | None = None,
        content_type: str = "",
        drain: float = DRAIN,
        settings: ClientSettings | None = None,
    ) -> None:
        super().__init__()
        self.name = new_name(sys.argv[0]) if name is None else name
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
        self._process = os.getpid()
        self._spool = Spool(_spool_folder(settings.spool_dir, self.name))
        fields = header_fields(title, labels or {}, content_type)
        self._spool.about = {"name": self.name, "server": settings.server, "fields": fields}
        self._sender = Sender(settings, self.name, self._spool, fields)
        self._sender.start()
        _open.add(self)

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
    def acknowledged(self) -> int:
        """How many bytes the server has told to have."""
        return self._sender.acknowledged

    def hurry(self) -> None:
        """Have a `close` that waits for the server wait no longer."""
        self._sender.done.set()

    def writable(self) -> bool:
        """See `io.IOBase`."""
        return True

    def write(self, data: "ReadableBuffer", /) -> int:
        """Append `data`, all of it. Returns its size in bytes. Raises: ValueError, if the log has ended.

        After a fork, the log belongs to the process that has begun it: in the other one this raises ValueError, too.
        """
        if self._process != os.getpid():
            raise ValueError("this log belongs to another process, of which this one is a fork")
        if self.closed:
            raise ValueError("this log has ended: nothing can be appended")
        with memoryview(data).cast("B") as view:
            self._spool.write(view)
            size = len(view)
        self._sender.wake()
        return size

    def close(self) -> None:
        """End the log as a complete one. Waits for the server for `drain` seconds at most; never raises because of it."""
        self._close(aborted=False)

    def abort(self) -> None:
        """End the log as an aborted one; otherwise as `close`."""
        self._close(aborted=True)

    async def aclose(self) -> None:
        """The same as `close`, for asyncio."""
        await to_thread(self.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await to_thread(self._close, aborted=kind is not None)

    def _close(self, *, aborted: bool) -> None:
        if self.closed:
            return
        super().close()
        _open.discard(self)
        if self._process != os.getpid():  # it goes on there
            return
        sender, spool = self._sender, self._spool
        sender.aborted = aborted
        if self.exit_code is not None:
            sender.final_fields["Livelog-Exit-Code"] = str(self.exit_code)
        spool.about |= {"aborted": aborted, "final_fields": sender.final_fields}
        try:
            sender.finish()
            sender.done.wait(self._drain)
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
        self._close(aborted=kind is not None)

    def __del__(self) -> None:
        # Nobody has said that this was all. When Python ends, there are no threads any more: see `_abandon`.
        if hasattr(self, "_sender") and not sys.is_finalizing():
            self._close(aborted=True)


class Handler(logging.Handler):
    """Sends what Python logs to a log: `logging.getLogger().addHandler(livelog.Handler(livelog.Writer("worker/7")))`.

    Each record is a line. `logging.shutdown`, which Python calls at its end, completes the log. What livelog itself says
    is for other handlers: it is about what becomes of this log.
    """

    def __init__(self, writer: Writer, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        # Not to be done in `emit`: its lock is held while the log is closed, which waits for the thread that says it.
        self.addFilter(lambda record: record.name != logger.name)
        self.writer = writer
        """The log; its `link` is for readers."""
        _open.discard(writer)  # `logging` ends it

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        try:
            self.writer.write(f"{self.format(record)}\n".encode(errors="backslashreplace"))
        except Exception:  # noqa: BLE001  # what logging's own handlers do
            self.handleError(record)

    def close(self) -> None:
        """Complete the log."""
        self.writer.close()
        super().close()


@atexit.register
def _abandon() -> None:
    """A program ends, and has not said that its logs were complete."""
    for writer in list(_open):
        writer.abort()


def push_spool(folder: Path, name: str | None, settings: ClientSettings) -> Sender:
    """Begin to send what a writer had to leave in `folder`, never in place of a log that has got its name meanwhile.

    `name`: another name for it. Raises: ClientError, if that cannot be.
    """
    try:
        spool = Spool.reopen(folder)
        about = spool.about = spool.about | ({} if name is None else {"name": name, "location": ""})
        sender = Sender(settings, about["name"], spool, {**about["fields"], "If-None-Match": "*"})
        sender.aborted = about.get("aborted", True) or not about["whole"]
        sender.final_fields = about.get("final_fields", {})
    except (OSError, ValueError, KeyError) as error:
        raise ClientError(f"{folder} holds no log that could be sent: {error}") from error
    if name is not None and spool.start:
        raise ClientError(f"its first {spool.start} bytes are on the server only, so that it keeps its name")
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
    """Header fields that tell of a log. Raises: RequestError, if they are not allowed."""
    for name, value in labels.items():
        if "," in name + value:
            raise RequestError(400, f"the label {name} has a comma in it")
    fields = {}
    if title:
        fields["Livelog-Title"] = title
    if labels:
        fields["Livelog-Label"] = ", ".join(f"{name}={value}" for name, value in labels.items())
    Metadata.NONE.updated({name.lower(): [value] for name, value in fields.items()})
    if content_type:
        if not content_type.isprintable() or not content_type.isascii():
            raise RequestError(400, f"{content_type!r} is not a content type, such as text/plain")
        fields["Content-Type"] = content_type
    return fields
