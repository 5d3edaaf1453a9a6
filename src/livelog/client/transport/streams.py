"""Standard streams, as a command has them: which are open, which are the same, and how to write to one whoever it belongs to."""

import fcntl
import os
import select

READ_SIZE = 64 * 1024
"""Bytes read from a stream or a file at once."""


def hold_closed_streams() -> None:
    """Have those of stdin, stdout and stderr that are closed stay so: else the next file or socket would become one."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open("/dev/null", os.O_PATH)  # can be neither read nor written, and takes the lowest number


def same_file(one: int, other: int) -> bool:
    """Whether two streams are open on one file, as they are after `2>&1`."""
    try:
        first, second = os.fstat(one), os.fstat(other)
    except OSError:
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def is_open(fd: int) -> bool:
    """Whether a stream is open: it is not one that `hold_closed_streams` holds."""
    return not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_PATH


def has_no_reader(fd: int) -> bool:
    """Whether it is a pipe or a socket whose other side has left."""
    poll = select.poll()
    poll.register(fd, 0)
    return bool(poll.poll(0))


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, waiting where that takes long, also on a stream that does not block. Raises: OSError."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])
