"""The standard streams of a command: whether they are open, whether they are the same, and how to write to them."""

import fcntl
import os
import select

READ_SIZE = 64 * 1024
"""Bytes read from a stream or a file at once."""


def hold_closed_streams() -> None:
    """Open /dev/null for each standard stream that is closed. Otherwise the next file or socket would get its descriptor."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open("/dev/null", os.O_PATH)  # can be neither read nor written, and takes the lowest number


def same_file(one: int, other: int) -> bool:
    """Whether two streams are the same open file, as after `2>&1`."""
    try:
        first, second = os.fstat(one), os.fstat(other)
    except OSError:
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def is_open(fd: int) -> bool:
    """Whether a stream was open at the start: it is not one that `hold_closed_streams` has opened."""
    return not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_PATH


def has_no_reader(fd: int) -> bool:
    """Whether it is a pipe or a socket whose other end is closed."""
    poll = select.poll()
    poll.register(fd, 0)
    return bool(poll.poll(0))


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, and wait as long as that takes, even if the descriptor is non-blocking. Raises: OSError."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])
