"""A pipe into a log, for what needs a file descriptor: subprocesses, C libraries, and processes that were forked.

    fileno() → pipe → (thread) → append

Whoever has a copy of the descriptor writes to the log; the process that began the log reads. Refuses to know what a log
is. Invariants:

1. What is in the pipe before `drain` is called is appended before `drain` returns: so what a subprocess wrote stands in
   front of what is written after its end.
2. Up to PIPE_BUF (4096) bytes that are written at once are never mixed with what others write (POSIX, write).
3. Nobody is waited for: `close` takes what is there, and leaves the rest to a broken pipe.
"""

import contextlib
import os
import select
import threading
from collections.abc import Callable

from livelog.client.transport.streams import READ_SIZE


class Inlet:
    """Gives everything that is written to `fileno` to `append`, which is called by one thread at a time."""

    def __init__(self, append: Callable[[bytes], object]) -> None:
        self._append = append
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        self._lock = threading.RLock()  # the handler of a signal may write, too
        self._closing = os.eventfd(0)
        self._pump: threading.Thread | None = None

    def fileno(self) -> int:
        """The descriptor to write to. It blocks, if more than a pipe's size waits to be read."""
        return self._in

    def start(self) -> None:
        """Have a thread read. To be called in the process that began the log, after a fork as well as without one."""
        if self._pump is None:
            self._pump = threading.Thread(target=self._run, name="livelog inlet", daemon=True)
            self._pump.start()

    def drain(self) -> None:
        """Append what is in the pipe now."""
        with self._lock, contextlib.suppress(BlockingIOError):
            while self._out >= 0 and (data := os.read(self._out, READ_SIZE)):
                self._append(data)

    def close(self) -> None:
        """Append what is in the pipe, and close it."""
        os.eventfd_write(self._closing, 1)
        if self._pump is not None:
            self._pump.join()  # a thread that waits for a pipe holds it open
        self.drain()
        for fd in (self._in, self._out, self._closing):
            os.close(fd)
        self._out = -1

    def write_only(self) -> None:
        """To be called in a process that was forked: it can write, and the pipe breaks when the other one ends."""
        os.close(self._out)
        os.close(self._closing)
        self._out, self._pump = -1, None

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.register(self._closing, select.POLLIN)
        while self._closing not in {fd for fd, _ in poll.poll()}:
            self.drain()
