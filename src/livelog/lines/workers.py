"""The server's side of the scanner processes: starts them, sends jobs, receives results, and ends them.

What a job does is in `scanner`. Invariants:

1. A process has one job at a time. Whoever begins a job must call `Scan.close`, which kills the process if the job is not done.
2. If a process dies, its job raises `ScanError`, and the next job gets another process.
3. Results wait in the socket until they are read; the server holds no more of them in memory.
"""

import asyncio
import contextlib
import json
import signal
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import chain

from livelog import own_process
from livelog.errors import DiskError, ScanError, ScanRefused
from livelog.log.source import Source

from . import scanner
from .scanner import DONE, FRAME, JOB, OUT_OF_MEMORY, PART, REFUSED

SILENCE = 120.0
"""Seconds without a frame and without processor time after which a process is taken to hang. They allow for a slow disk and a busy processor.

On a busy machine the low priority of a process can turn a second of work into minutes. So one that works is waited for: its own limits
of processor time end it.
"""

KEPT_IDLE = 15.0
"""Seconds for which an idle process is kept for the next job."""

EXCESS: Mapping[int, str] = {
    -signal.SIGPROF: "takes too long",
    -signal.SIGXCPU: "takes too long in all",
    OUT_OF_MEMORY: "needs too much memory",
}
"""What an error says about a job, by the exit code of its process."""


class Turns:
    """A fair semaphore for processor time: at most `limit` tasks have a turn, the others wait in the order in which they came.

    A turn is held while something is computed, not while a client is connected. A task that is cancelled leaves the queue.
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
        """Wait for a turn. The caller must call `give_back`."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()  # the turn was given in the moment of the cancellation
            else:
                with contextlib.suppress(ValueError):
                    self._queue.remove(turn)
            raise

    def give_back(self) -> None:
        """End a turn. The next waiting task gets it."""
        while self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


ALLOCATION = dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(16 * 1024 * 1024))
"""The environment of a process: variables of the GNU C library, in bytes. Without them it returns the memory of a piece to the system each time, and takes it
again page by page for the next one, which costs more than to search the piece."""


class Worker:
    """One scanner process. `reader`, `writer` and `sock`: the server's end of its socket."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        sock: socket.socket,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self._reader = reader
        self._sock = sock
        self._writer = writer

    @classmethod
    async def start(cls) -> "Worker":
        """Start a process. Raises: OSError."""
        ours, its = socket.socketpair()
        try:
            with its, own_process.nowhere() as nowhere:
                process = await asyncio.create_subprocess_exec(
                    *own_process.command(scanner.__name__), stdin=its.fileno(), stdout=nowhere, stderr=nowhere,
                    env=ALLOCATION,  # none of the server's secrets
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
        """Send a job. Raises: OSError, if the process has ended."""
        # The socket is empty, so it has room for a job.
        socket.send_fds(self._sock, [FRAME.pack(JOB, len(request))], fds)
        self._writer.write(request)
        await self._writer.drain()

    async def read(self, size: int) -> bytes:
        """Read `size` bytes of what the process sends. Raises: TimeoutError, if it hangs; asyncio.IncompleteReadError and OSError, if it has ended."""
        while True:
            used = self.processor_time()
            try:
                async with asyncio.timeout(SILENCE):
                    return await self._reader.readexactly(size)  # a reader that is cancelled takes no bytes
            except TimeoutError:
                if self.processor_time() <= used:
                    raise

    def processor_time(self) -> float:
        """The processor time that the process has had, in seconds; 0.0 if it has ended, or if the system does not tell."""
        try:
            return time.clock_gettime(~self.process.pid << 3 | 2)  # what clock_getcpuclockid(3) returns on Linux
        except OSError:
            return 0.0

    @property
    def gone(self) -> bool:
        """Whether the process has ended."""
        return self.process.returncode is not None or self._reader.at_eof()

    def end(self) -> None:
        """Kill the process."""
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
        """The next part of the result; None: the job is done. Raises: ScanError, ScanRefused, DiskError."""
        worker = self._worker
        if worker is None:
            raise ScanError("the process that looked at the lines of this log was ended")
        try:
            letter, size = FRAME.unpack(await worker.read(FRAME.size))
            payload = await worker.read(size)
        except TimeoutError as error:
            self.close()
            raise ScanError(
                f"the process that looks at the lines of this log said and did nothing for {SILENCE:g} s"
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
        """Kill the process if its job is not done."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            self._scanners.end(worker)


class Scanners:
    """All scanner processes."""

    def __init__(self) -> None:
        self._idle: Worker | None = None
        self._idle_end: asyncio.TimerHandle | None = None
        self._starting: set[asyncio.Task[Worker]] = set()
        self._ending: set[asyncio.Task[int]] = set()
        self._closed = False

    async def begin(
        self,
        job: str,
        logs: Sequence[Source],
        parameters: Mapping[str, object],
        kept: bytes = b"",
        *,
        seconds: float,
        reuse: bool,
    ) -> Scan:
        """Begin a job over logs, whose files must be open: see `scanner.JOBS`. A job about a pattern only has none.

        `kept`: bytes that an earlier job returned. `seconds`: the limit of processor time. `reuse`: whether the process may have another
        job afterwards; false if the job has a client's pattern. Raises: ScanError.
        """
        for log in logs:
            await log.open_times()
        document = {"job": job, "processor": seconds, "parameters": dict(parameters)}
        while True:
            if self._closed:
                raise ScanError("the server is stopping")
            kept_one = worker = self._take()
            try:
                if worker is None:
                    worker = await self._start()
                fds = [_descriptors(log) for log in logs]
                document["logs"] = [
                    (log.info.began // 1000, len(each) > 1) for log, each in zip(logs, fds, strict=True)
                ]
                await worker.ask(json.dumps(document).encode() + b"\n" + kept, [*chain(*fds)])
            except OSError as error:
                if worker is not None:
                    self.end(worker)
                if kept_one is None:
                    raise ScanError(
                        f"no process can be started that looks at the lines of this log: {error}"
                    ) from error
                continue  # the process has ended since its last job
            except BaseException:
                if worker is not None:
                    self.end(worker)
                raise
            return Scan(self, worker, reuse=reuse)

    async def _start(self) -> Worker:
        """Start a process. Raises: OSError.

        If the caller is cancelled meanwhile, the process is ended as soon as it has started, and the caller keeps its turn until then:
        so clients that leave at once cannot start many processes.
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
        if worker is not None and worker.gone:
            self.end(worker)
            return None
        return worker

    def keep(self, worker: Worker) -> None:
        """Keep an idle process for the next job, for `KEPT_IDLE` seconds."""
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
        """End all processes, and start no more."""
        self._closed = True
        if self._idle_end is not None:
            self._idle_end.cancel()
        self._end_idle()
        while tasks := {*self._starting, *self._ending}:
            await asyncio.wait(tasks)


def _descriptors(log: Source) -> list[int]:
    """Those of a log's file and of its file of notes, if there is one."""
    times = log.times_fileno()
    return [log.fileno()] if times is None else [log.fileno(), times]
