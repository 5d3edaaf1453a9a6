"""Which of some file descriptors can be read. `select.select` refuses those from 1024 on, which a large program has."""

import array
import fcntl
import select
import socket
import termios
from collections.abc import Iterable
from typing import Protocol


class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...


def readable(files: Iterable[int | _HasDescriptor], seconds: float | None = None) -> set[int]:
    """The descriptors of those `files` that have something to be read, or their end, within `seconds`; None: wait for one."""
    poll = select.poll()
    for file in files:
        poll.register(file, select.POLLIN)
    return {fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)}


def available(pipe: int) -> int:
    """How many bytes are in it."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that do not block: what is sent into the first one can be received from the second."""
    first, second = socket.socketpair()
    first.setblocking(False)
    second.setblocking(False)
    return first, second
