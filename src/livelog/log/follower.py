"""A log that another process of this machine writes: `Feeder` for the process that writes, `Follower` for the one that reads.

A `Feeder` sends a journal's facts, length and state; a `Follower` receives them, and is a `Source` for the readers in its process. Between
them is a pair of sockets (AF_UNIX, SOCK_SEQPACKET). The log's bytes do not pass there: the first message has the descriptor of the
log's file, and both processes share the kernel's page cache.

It does not decide which process writes a log, and starts no process. Invariants:

1. A follower's `length` was sent by the feeder, so the file has those bytes. It does not look at the file's size.
2. The feeder never waits for a follower. While the socket is full, it remembers that there is a change, and later sends the newest facts.
3. Only a message sets COMPLETE. If the socket ends before, as it does when the feeder is killed, the state stays and `at_end` is
   true: readers' answers are broken off.
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
"""The largest message, in bytes: many times the largest `LogInfo`."""

_STATES = tuple(State)

_HEADER = struct.Struct("=BQQQ")
"""The header of each message: the state's index in `State`, `length`, `acknowledged` and `changed`. `LogInfo` as JSON may follow."""


class News(NamedTuple):
    """The content of one message. `info`: None if it has not changed since the last message."""

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
    """Sends the changes of `journal` to the follower at the other end of `sock`, until the log has ended or one of them is closed.

    The journal's file must be open, and its notes, if it has any (`Source.open_times`).

    Raises: OSError, if the first message cannot be sent.
    """

    def __init__(self, journal: Journal, sock: socket.socket) -> None:
        self._journal = journal
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._sent: tuple[object, ...] = ()  # the members of `LogInfo` that can change, as sent last
        sock.setblocking(False)
        self._gave_times = False
        self._send(journal.fileno())
        self._closed = False
        journal.watchers.add(self._changed)
        self._loop.add_reader(sock, self.close)  # a follower sends nothing: readable means that it has closed
        self._close_at_end()

    @property
    def closed(self) -> bool:
        """Whether it sends nothing any more."""
        return self._closed

    def close(self) -> None:
        """Stop sending. The follower is at its end, without COMPLETE unless that was sent."""
        if not self._closed:
            self._closed = True
            self._journal.watchers.discard(self._changed)
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()

    def _news(self) -> News:
        journal, info = self._journal, self._journal.info
        sent = info.attributes, info.upload, info.content_type, info.ended, info.reason
        is_new, self._sent = sent != self._sent, sent
        return News(
            journal.state, journal.length, journal.acknowledged, journal.changed, info if is_new else None,
        )  # fmt: skip

    def _send(self, *descriptors: int) -> None:
        """Send the present facts, and `descriptors`. Raises: OSError; BlockingIOError, if the socket is full."""
        times = None if self._gave_times else self._journal.times_fileno()
        given = descriptors if times is None else (*descriptors, times)
        socket.send_fds(self._sock, [self._news().to_bytes()], given)
        self._gave_times = self._gave_times or times is not None

    def _changed(self) -> None:
        """The watcher of the journal: send the present facts, or remember to."""
        sent = self._sent
        try:
            self._send()
        except BlockingIOError:
            self._sent = sent
            self._loop.add_writer(self._sock, self._changed)
            return
        except OSError:  # the follower has closed
            self.close()
            return
        self._loop.remove_writer(self._sock)
        self._close_at_end()

    def _close_at_end(self) -> None:
        if self._journal.at_end:
            self.close()


class Follower(LogFile):
    """A log whose `Feeder` is in another process. `follow` makes one; call `close` when it is not read any more."""

    __slots__ = ("_acknowledged", "_sock")

    def __init__(self, news: News, disk: Disk, file: BinaryIO, times: list[BinaryIO], sock: socket.socket) -> None:
        assert news.info is not None
        super().__init__(news.info, disk, file=file, length=news.length, state=news.state, changed=news.changed)
        # What other processes have answered with this tag is not known here, so `tag_confirms` stays false.
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
        """Receive all messages that have arrived, then call the watchers once."""
        assert self._sock is not None
        woken = False
        while self._sock is not None:
            try:
                message, descriptors, _, _ = socket.recv_fds(self._sock, MAX_MESSAGE, 1, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                break
            except OSError:  # the feeder's end is closed
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
        """Take the file of notes, which the feeder sends when it has its first note."""
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
        """Stop following and release the file, which stays open for its other users. Call it once."""
        self._unplug()
        self.suspend()
        self.release()

    async def open(self) -> None:
        """See `Source.open`. The file is open until `close`, and then until its last user releases it."""
        if self.file is None:
            raise DiskError("opening the log's file", FileNotFoundError("it is not followed any more"))
        self.acquire()

    async def open_times(self) -> None:
        """See `Source.open_times`: the feeder has sent the descriptor."""

    async def keep(self, suffix: str, data: bytes) -> None:
        """See `Source.keep`. Without effect: only the process that writes the log uses the data directory."""

    async def kept(self, suffix: str) -> bytes:
        """See `Source.kept`, and `keep`."""
        return b""


async def follow(sock: socket.socket, disk: Disk) -> Follower:
    """Make the follower for the feeder at the other end of `sock`. `disk`: that of the log. Raises: ConnectionError, if the feeder closes before its first message."""
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
    """Make a follower from the feeder's first message, which has arrived. Raises: ConnectionError."""
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
