"""A log that another process of this machine writes: that process's side, and the side of the one that reads.

`Feeder` has a log, and tells of it; `Follower` is told, and is a `Source` for the readers of its own process. Between them is
a pair of sockets (SOCK_SEQPACKET, AF_UNIX). The log's bytes do not pass there: the first message brings the descriptor of the
log's file, so that the kernel's page cache is all that both share.

Refuses to choose which process writes which log, and to begin processes. Invariants:

1. A follower's `length` is one that the feeder has told, so its file has those bytes: what is in the file behind them is
   not looked at.
2. The feeder never waits for a follower. While the socket is full, it remembers that there is news, and tells the newest.
3. Only a message says that a log is complete. A socket that ends before that, as it does when its feeder is killed, leaves
   the state as it was, and the follower `at_end`: broken off.
"""

import asyncio
import json
import os
import socket
import struct
from typing import BinaryIO, NamedTuple, cast

from livelog.errors import DiskError

from .disk import Disk
from .file import LogFile
from .info import LogInfo, State
from .journal import Journal
from .times import TimesFile

MAX_MESSAGE = 256 * 1024
"""Bytes of a message: many times what the largest `LogInfo` takes."""

_STATES = tuple(State)

_HEADER = struct.Struct("=BQQQ")
"""What each message begins with: the state's place in `State`, `length`, `acknowledged` and `changed`. Whatever follows is `LogInfo` as JSON."""


class News(NamedTuple):
    """What one message tells. `info`: None, if nothing of that has changed."""

    state: State
    length: int
    acknowledged: int
    changed: int
    info: LogInfo | None

    def to_bytes(self) -> bytes:
        """The message."""
        header = _HEADER.pack(_STATES.index(self.state), self.length, self.acknowledged, self.changed)
        if self.info is None:
            return header
        return header + json.dumps(self.info.to_document(self.state, self.length)).encode()

    @classmethod
    def from_bytes(cls, message: bytes) -> "News":
        """The reverse of `to_bytes`."""
        state, length, acknowledged, changed = _HEADER.unpack_from(message)
        document = message[_HEADER.size :]
        info = LogInfo.from_json(json.loads(document))[0] if document else None
        return cls(_STATES[state], length, acknowledged, changed, info)


class Feeder:
    """Tells a follower behind `sock` of `journal`, until the log has ended or one of them is gone.

    The journal's file is open now, and so are its times, if there are some: those of an older log must have been opened.

    Raises: OSError, if the follower cannot be told.
    """

    def __init__(self, journal: Journal, sock: socket.socket) -> None:
        self._journal = journal
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._told: tuple[object, ...] = ()  # of `LogInfo`, what can change
        sock.setblocking(False)
        self._gave_times = False
        self._send(journal.fileno())
        self._closed = False
        journal.watchers.add(self._changed)
        self._loop.add_reader(sock, self.close)  # a follower says nothing: it only leaves
        self._close_at_end()

    @property
    def closed(self) -> bool:
        """Whether it tells nothing any more."""
        return self._closed

    def close(self) -> None:
        """Tell nothing more. The follower is broken off, unless it has been told the end."""
        if not self._closed:
            self._closed = True
            self._journal.watchers.discard(self._changed)
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()

    def _news(self) -> News:
        journal, info = self._journal, self._journal.info
        told = info.attributes, info.upload, info.content_type, info.ended, info.reason
        is_new, self._told = told != self._told, told
        return News(
            journal.state, journal.length, journal.acknowledged, journal.changed, info if is_new else None,
        )  # fmt: skip

    def _send(self, *descriptors: int) -> None:
        """Tell what is so now, and give what descriptors the follower needs. Raises: OSError; BlockingIOError, if the socket is full."""
        times = None if self._gave_times else self._journal.times_fileno()
        given = descriptors if times is None else (*descriptors, times)
        socket.send_fds(self._sock, [self._news().to_bytes()], given)
        self._gave_times = self._gave_times or times is not None

    def _changed(self) -> None:
        """Tell what is so now."""
        told = self._told
        try:
            self._send()
        except BlockingIOError:
            self._told = told
            self._loop.add_writer(self._sock, self._changed)
            return
        except OSError:  # the follower has left
            self.close()
            return
        self._loop.remove_writer(self._sock)
        self._close_at_end()

    def _close_at_end(self) -> None:
        if self._journal.at_end:
            self.close()


class Follower(LogFile):
    """A log that a `Feeder` in another process tells of. Made by `follow`; `close` when nobody reads it any more."""

    __slots__ = ("_acknowledged", "_sock")

    def __init__(self, news: News, disk: Disk, file: BinaryIO, times: list[BinaryIO], sock: socket.socket) -> None:
        assert news.info is not None
        super().__init__(news.info, disk, file=file, length=news.length, state=news.state, changed=news.changed)
        # Nobody here knows what other processes answered to those who have the tag: `tag_confirms` stays false.
        self._acknowledged = news.acknowledged
        self._sock: socket.socket | None = sock
        self._take_times(times)
        if self.state.ended:
            self._unplug()
        else:
            self._loop.add_reader(sock, self._receive)

    @property
    def acknowledged(self) -> int:
        """See `Source.acknowledged`."""
        return self._acknowledged

    def _receive(self) -> None:
        """Take what the feeder tells; many messages in one turn wake the watchers once."""
        assert self._sock is not None
        woken = False
        while self._sock is not None:
            try:
                message, descriptors, _, _ = socket.recv_fds(self._sock, MAX_MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                break
            except OSError:  # the feeder's end is gone, with messages of ours or not
                message, descriptors = b"", []
            woken = True
            self._take_times(_files(descriptors))
            if message:
                self._take(News.from_bytes(message))
            else:
                self._suspended = True
                self._unplug()
        if woken:
            self._wake()

    def _take_times(self, files: list[BinaryIO]) -> None:
        """Have the notes of when the bytes came, which begin with the first note."""
        for file in files:
            self._times = TimesFile(self.info.began // 1000, lambda _: None)
            self._times.file = file

    def _take(self, news: News) -> None:
        if news.info is not None:
            self.info = news.info
        if news.length != self.length:
            self._note_fresh()
            self._grow(news.length, news.changed)
        self._acknowledged, self.state = news.acknowledged, news.state
        if self.state.ended:
            self._unplug()

    def _unplug(self) -> None:
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._sock.close()
            self._sock = None

    def close(self) -> None:
        """Follow no more, and let go of the file: whoever still reads it keeps it. Once."""
        self._unplug()
        self.suspend()
        self.release()

    async def open(self) -> None:
        """See `Source.open`. The file is there from the beginning until `close`, and longer for those who hold it."""
        if self.file is None:
            raise DiskError("opening the log's file", FileNotFoundError("it is not followed any more"))
        self.acquire()

    async def open_times(self) -> None:
        """See `Source.open_times`: the feeder gives them."""

    async def keep(self, suffix: str, data: bytes) -> None:
        """See `Source.keep`: the process that writes the log has the data directory, and keeps what it finds out itself."""

    async def kept(self, suffix: str) -> bytes:
        """See `Source.kept`, and `keep`."""
        return b""


async def follow(sock: socket.socket, disk: Disk) -> Follower:
    """The log that a feeder tells of behind `sock`, on `disk`. Raises: ConnectionError, if the feeder leaves without a word."""
    loop = asyncio.get_running_loop()
    sock.setblocking(False)
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock)
    return _first(sock, disk)


def _first(sock: socket.socket, disk: Disk) -> Follower:
    """The log of which the first message of a feeder tells, which is there. Raises: ConnectionError."""
    message, descriptors, _, _ = socket.recv_fds(sock, MAX_MESSAGE, 2, socket.MSG_CMSG_CLOEXEC)
    files = _files(descriptors)
    if not message or not files:
        for file in files:
            file.close()
        sock.close()
        raise ConnectionResetError("the process that writes the log has left")
    return Follower(News.from_bytes(message), disk, files[0], files[1:], sock)


def _files(descriptors: list[int]) -> list[BinaryIO]:
    return [cast(BinaryIO, os.fdopen(descriptor, "rb", buffering=0)) for descriptor in descriptors]
