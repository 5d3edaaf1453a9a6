"""The server's side of the processes that scan logs: starts them, gives them jobs, reads what they find, and ends them.

Refuses to know what a job does: `scanner` does. Invariants:

1. A process has one job at a time. Whoever begins a job calls `Scan.close`, which ends the process if the job is not done.
2. A process that dies makes its job a `ScanError`; the next job gets another process.
3. What a process has found waits in its socket until it is read: no more than that is in memory.
"""

import asyncio
import contextlib
import json
import signal
import socket
from collections import deque
from collections.abc import Mapping

from livelog import own_process
from livelog.errors import DiskError, ScanError, ScanRefused
from livelog.log.source import Source

from . import scanner
from .scanner import DONE, FRAME, JOB, OUT_OF_MEMORY, PART, REFUSED

SILENCE = 120.0
"""Seconds without a word after which a process is taken to hang: it has to read a piece from the disk, or waits for the
processor."""

KEPT_IDLE = 15.0
"""Seconds for which a process without a job is kept for the next one."""

EXCESS: Mapping[int, str] = {
    -signal.SIGPROF: "takes too long",
    -signal.SIGXCPU: "takes too long in all",
    OUT_OF_MEMORY: "needs too much memory",
}
"""What it says of a job that a process ended with this exit code."""


class Turns:
    """Who may use the processor: at most `limit` at a time, the others in the order in which they came.

    A turn is taken for as long as something is computed, and not for as long as somebody is connected. Whoever gives up
    waiting, because its task is cancelled, is not in the queue any more.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def free(self) -> bool:
        """Whether `take` need not wait."""
        return self._free > 0

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for a turn."""
        return bool(self._queue)

    async def take(self) -> None:
        """Wait for a turn, which must be given back."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()  # it came in the moment in which nobody wanted it any more
            else:
                with contextlib.suppress(ValueError):
                    self._queue.remove(turn)
            raise

    def give_back(self) -> None:
        """Let the next one have its turn."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class Worker:
    """One process. `reader` and `sock`: the server's end of its socket."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        sock: socket.socket,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self.reader = reader
        self._sock = sock
        self._writer = writer

    @classmethod
    async def start(cls) -> "Worker":
        """A new process. Raises: OSError."""
        ours, its = socket.socketpair()
        try:
            with its, own_process.nowhere() as nowhere:
                process = await asyncio.create_subprocess_exec(
                    *own_process.command(scanner.__name__), stdin=its.fileno(), stdout=nowhere, stderr=nowhere,
                    env={},  # none of the server's secrets
                )  # fmt: skip
            ours.setblocking(False)
            try:
                reader, writer = await asyncio.open_unix_connection(sock=ours)
            except BaseException:
                process.kill()
                await process.wait()
                raise
        except BaseException:
            ours.close()
            raise
        return cls(process, ours, reader, writer)

    async def ask(self, request: bytes, fds: list[int]) -> None:
        """Give it a job. Raises: OSError, if it has ended."""
        # Nothing else is on its way there, so that the socket has room for this.
        socket.send_fds(self._sock, [FRAME.pack(JOB, len(request))], fds)
        self._writer.write(request)
        await self._writer.drain()

    def end(self) -> None:
        """End it, whatever it does."""
        self._writer.transport.abort()
        with contextlib.suppress(ProcessLookupError):  # it has ended
            self.process.kill()


class Scan:
    """A job under way."""

    def __init__(self, scanners: "Scanners", worker: Worker, *, reuse: bool) -> None:
        self._scanners = scanners
        self._worker: Worker | None = worker
        self._reuse = reuse

    async def part(self) -> bytes | None:
        """The next part of the result; None: that was all. Raises: ScanError, ScanRefused, DiskError."""
        worker = self._worker
        if worker is None:
            raise ScanError("the process that looked at the lines of this log was ended")
        try:
            async with asyncio.timeout(SILENCE):
                letter, size = FRAME.unpack(await worker.reader.readexactly(FRAME.size))
                payload = await worker.reader.readexactly(size)
        except TimeoutError as error:
            self.close()
            raise ScanError(
                f"the process that looks at the lines of this log said nothing for {SILENCE:g} s"
            ) from error
        except (asyncio.IncompleteReadError, OSError) as error:
            code = await worker.process.wait()
            self.close()
            if code in EXCESS:
                raise ScanError(EXCESS[code], excess=True) from error
            raise ScanError(f"the process that looked at the lines of this log was ended (exit code {code})") from error
        if letter == PART:
            return payload
        if self._reuse:
            self._worker = None
            self._scanners.keep(worker)
        else:
            self.close()
            await worker.process.wait()
        if letter == DONE:
            return None
        text = payload.decode(errors="replace")
        raise ScanRefused(text) if letter == REFUSED else DiskError("reading the log", OSError(text))

    def close(self) -> None:
        """End what is not done."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            self._scanners.end(worker)


class Scanners:
    """The processes that there are."""

    def __init__(self) -> None:
        self._idle: Worker | None = None
        self._idle_end: asyncio.TimerHandle | None = None
        self._starting: set[asyncio.Task[Worker]] = set()
        self._ending: set[asyncio.Task[int]] = set()
        self._closed = False

    async def begin(
        self, job: str, log: Source, parameters: Mapping[str, object], kept: bytes = b"", *, seconds: float, reuse: bool
    ) -> Scan:
        """Begin a job over a log, whose file is open: see `scanner.JOBS`.

        `kept`: what an earlier one returned. `seconds`: what it may take of the processor. `reuse`: whether its process may
        have another job thereafter: it has seen nothing that a client has made up. Raises: ScanError.
        """
        document = {"job": job, "processor": seconds, "began": log.info.began // 1000, "parameters": dict(parameters)}
        request = json.dumps(document).encode() + b"\n" + kept
        await log.open_times()
        while True:
            if self._closed:
                raise ScanError("the server is stopping")
            kept_one = worker = self._take()
            try:
                if worker is None:
                    worker = await self._start()
                times = log.times_fileno()
                await worker.ask(request, [log.fileno()] if times is None else [log.fileno(), times])
            except OSError as error:
                if worker is not None:
                    self.end(worker)
                if kept_one is None:
                    raise ScanError(
                        f"no process can be started that looks at the lines of this log: {error}"
                    ) from error
                continue  # it had ended since its last job
            except BaseException:
                if worker is not None:
                    self.end(worker)
                raise
            return Scan(self, worker, reuse=reuse)

    async def _start(self) -> Worker:
        """A new process. Raises: OSError.

        One that nobody wants any more by the time it has started is ended then. Whoever wanted it keeps its turn so long:
        clients that come and go at once do not start any number of processes.
        """
        starting = asyncio.get_running_loop().create_task(Worker.start())
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            await asyncio.wait((starting,))
        except asyncio.CancelledError:
            starting.add_done_callback(self._end_started)
            await asyncio.wait((starting,))
            raise
        return starting.result()

    def _end_started(self, starting: asyncio.Task[Worker]) -> None:
        if not starting.cancelled() and starting.exception() is None:
            self.end(starting.result())

    def _take(self) -> Worker | None:
        worker, self._idle = self._idle, None
        if self._idle_end is not None:
            self._idle_end.cancel()
            self._idle_end = None
        if worker is not None and (worker.process.returncode is not None or worker.reader.at_eof()):
            self.end(worker)
            return None
        return worker

    def keep(self, worker: Worker) -> None:
        """Keep a process, which has no job, for the next one."""
        if self._closed or self._idle is not None:
            self.end(worker)
            return
        self._idle = worker
        self._idle_end = asyncio.get_running_loop().call_later(KEPT_IDLE, self._end_idle)

    def _end_idle(self) -> None:
        worker, self._idle, self._idle_end = self._idle, None, None
        if worker is not None:
            self.end(worker)

    def end(self, worker: Worker) -> None:
        """End a process."""
        worker.end()
        task = asyncio.get_running_loop().create_task(worker.process.wait())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def close(self) -> None:
        """End all; begin no more."""
        self._closed = True
        if self._idle_end is not None:
            self._idle_end.cancel()
        self._end_idle()
        while tasks := {*self._starting, *self._ending}:
            await asyncio.wait(tasks)
