"""Waiting for descriptors that can be read. `select.select` refuses descriptors above 1023, which a large program has."""

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
    """The descriptors of those `files` that can be read, or are at their end. Waits for `seconds`, or without a limit (None)."""
    poll = select.poll()
    for file in files:
        poll.register(file, select.POLLIN)
    return {fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)}


def available(pipe: int) -> int:
    """The number of bytes that can be read from it now."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected non-blocking sockets: bytes sent into the first one are received from the second."""
    first, second = socket.socketpair()
    first.setblocking(False)
    second.setblocking(False)
    return first, second
