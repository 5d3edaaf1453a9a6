"""The output of `livelog tail`: stdout, a file that is replaced once the log is complete, or anything else with a name.

Only a regular file is replaced; it keeps its mode, its owner, and the symbolic links that lead to it. Devices, named pipes, `>(command)` and
/dev/stdout are written to directly, because another process has them open.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

_DESCRIPTOR = re.compile(rf"/(?:dev|proc/(?:self|thread-self|{os.getpid()}))/fd/([0-9]{{1,9}})")
_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_FOREIGN = re.compile("/proc/[0-9]+(?:/task/[0-9]+)?/fd/[0-9]+")

MAX_LINKS = 40
"""The limit of symbolic links to follow; it is Linux's."""


class ReaderLeft(BaseException):
    """The reader of a pipe has closed it. It is no `Exception`, so that it is not retried: the command ends."""


def opened_for_writing(name: str) -> int | None:
    """A new descriptor of what `name` means, if that is to be written to; None: it is a file that is to be replaced.

    Raises: OSError.
    """
    if name == "-":
        return os.dup(1)
    path = os.path.abspath(name)
    for _ in range(MAX_LINKS):
        # A descriptor is duplicated: opened by its name, a file would be written from its first byte.
        if path in _STANDARD:
            return os.dup(_STANDARD[path])
        if match := _DESCRIPTOR.fullmatch(path):
            return os.dup(int(match[1]))
        if _FOREIGN.fullmatch(path):
            return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        folder = os.path.realpath(os.path.dirname(path))
        path = os.path.join(folder, os.path.basename(path))
        if not os.path.islink(path):
            break
        path = os.path.normpath(os.path.join(folder, os.readlink(path)))
    try:
        regular = stat.S_ISREG(os.stat(name).st_mode)
    except FileNotFoundError:
        regular = True
    return None if regular else os.open(name, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)


class Replacement:
    """The file `name`, which is replaced once the log is complete. Until then, a file beside it holds the part; its name says of which log."""

    def __init__(self, name: str, generation: str, bounds: str) -> None:
        self.file = Path(os.path.realpath(name))
        self.part = self.file.with_name(f"{self.file.name}.{generation}{bounds}.part")
        self._opened = os.fdopen(os.open(self.part, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666), "ab")
        with contextlib.suppress(FileNotFoundError):
            os.chmod(self.part, stat.S_IMODE(os.stat(self.file).st_mode))  # not more readable than what it will be

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def size(self) -> int:
        """The number of bytes in the part."""
        return os.fstat(self._opened.fileno()).st_size

    def write(self, data: bytes) -> None:
        """Append `data`. Raises: OSError."""
        self._opened.write(data)
        self._opened.flush()

    def commit(self) -> None:
        """Replace the file by the part. Raises: OSError."""
        try:
            before = os.stat(self.file)
        except FileNotFoundError:
            before = None
        try:
            if before is not None:
                now = os.fstat(self._opened.fileno())
                if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
                    os.chown(self.part, before.st_uid, before.st_gid)
                os.chmod(self.part, stat.S_IMODE(before.st_mode))  # behind chown, which takes some bits away
            os.replace(self.part, self.file)
        except OSError:  # it belongs to somebody else, or is a mount point: its content can change, not the file itself
            if before is None:
                raise
            with open(self.part, "rb") as whole, open(self.file, "r+b") as opened:
                shutil.copyfileobj(whole, opened)
                opened.truncate()
            self.part.unlink()


@contextlib.contextmanager
def noticing_the_end_of(fd: int) -> Iterator[None]:
    """Raise `ReaderLeft` in the main thread as soon as nobody can read any more what is written to `fd`.

    So that `livelog tail x | grep -m 1 ready` ends with grep, also if the log is silent.
    """
    mode = os.fstat(fd).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        yield
        return
    ended = threading.Event()

    def left(*_: object) -> None:
        if ended.is_set():  # else it is about some socket, which tells of it itself
            raise ReaderLeft

    def watch() -> None:
        poll = select.poll()
        poll.register(fd, 0)  # POLLERR and POLLHUP are told in any case
        poll.poll()
        ended.set()
        os.kill(os.getpid(), signal.SIGPIPE)

    before = signal.signal(signal.SIGPIPE, left)
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, before)
