"""A pipe into a log, for writers that need a file descriptor: subprocesses, C libraries, and forked processes.

    fileno() → pipe → (thread) → append

Any process with a copy of the descriptor can write. The process that began the log reads, and appends what it reads. Invariants:

1. Bytes that are in the pipe when `drain` is called are appended before it returns. So the output of a subprocess comes before
   anything that is written after its end.
2. A write of up to PIPE_BUF (4096) bytes is not mixed with other writes (POSIX, write).
3. `close` waits for no writer: it appends what is in the pipe. Later writes fail with EPIPE.
"""

import contextlib
import os
import select
import threading
from collections.abc import Callable

from livelog.client.transport.streams import READ_SIZE


class Inlet:
    """Passes all bytes that are written to `fileno` to `append`, which is called by one thread at a time. Raises: OSError."""

    def __init__(self, append: Callable[[bytes], object]) -> None:
        self._append = append
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        self._lock = threading.RLock()  # the handler of a signal may write, too
        self._closing = os.eventfd(0)
        self._pump: threading.Thread | None = None

    def fileno(self) -> int:
        """The descriptor to write to. Writing blocks while the pipe is full."""
        return self._in

    def start(self) -> None:
        """Start the thread that reads, unless it runs. Must be called in the process that began the log."""
        if self._pump is None:
            self._pump = threading.Thread(target=self._run, name="livelog inlet", daemon=True)
            self._pump.start()

    def drain(self) -> None:
        """Append the bytes that are in the pipe now."""
        with self._lock, contextlib.suppress(BlockingIOError):
            while self._out >= 0 and (data := os.read(self._out, READ_SIZE)):
                self._append(data)

    def close(self) -> None:
        """Append the bytes that are in the pipe, and close it."""
        os.eventfd_write(self._closing, 1)
        if self._pump is not None:
            self._pump.join()  # a thread that waits for a pipe holds it open
        self.drain()
        for fd in (self._in, self._out, self._closing):
            os.close(fd)
        self._out = -1

    def write_only(self) -> None:
        """Close the reading end. Must be called in a forked process, so that the pipe breaks when the parent process ends."""
        os.close(self._out)
        os.close(self._closing)
        self._out, self._pump = -1, None

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.register(self._closing, select.POLLIN)
        while self._closing not in {fd for fd, _ in poll.poll()}:
            self.drain()
