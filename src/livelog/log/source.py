"""`Source`: the interface of a log for readers, independent of the process that writes it.

`Journal` is a log that this process writes; `Follower` is one that another process writes. Readers' code (fan-out, answers,
lines) uses `Source` only. One test suite, `tests/seam`, runs over both.

Each implementation guarantees:

1. Every byte below `length` can be read at any time and never changes. `length` only grows.
2. `watchers` are called on the event loop after each change of `length`, `state`, `at_end` or `info`, never before.
3. The state is COMPLETE only if all bytes of the log are below `length`. If the writer is lost before it has reported the end,
   `at_end` is true and the state is not COMPLETE: readers' answers are broken off, so that none looks whole.
4. Only coroutines, `read`, and the methods of `times()` wait for the disk. No method waits for the writer.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from livelog.times import Cursor, Times

from .info import LogInfo, State

T = TypeVar("T")


class Source(Protocol):
    """A log, for readers."""

    watchers: set[Callable[[], None]]
    """Functions that are called after each change. A watcher may add and remove watchers, also itself."""

    tag_confirms: bool
    """Whether every answer with this `etag` had the whole content, so that 304 is right. Readers set it to false; nobody sets it to true."""

    readers: int
    """The number of this process's responses that follow the log. Whoever sends one counts it."""

    # Its facts.

    @property
    def info(self) -> LogInfo:
        """The log's name, generation, times, attributes and upload."""

    @property
    def length(self) -> int:
        """The number of bytes that can be read."""

    @property
    def acknowledged(self) -> int:
        """The number of bytes that survive the death of the writer's process, and may be acknowledged to a producer. At most `length`."""

    @property
    def state(self) -> State:
        """LIVE and INTERRUPTED may alternate. COMPLETE or ABORTED is final, and is set after the last change of `length`."""

    @property
    def at_end(self) -> bool:
        """Whether `length` will not grow in this process: the log has ended, was suspended, or its writer is lost."""

    @property
    def changed(self) -> int:
        """When the last byte arrived, in microseconds since the epoch."""

    @property
    def etag(self) -> str:
        """The entity-tag (RFC 9110 section 8.8.3) of this generation of the log: the same while it grows and after its end."""

    # Its file, which is open while it has users.

    async def open(self) -> None:
        """Become a user of the file: it is open until `release`. Raises: DiskError."""

    def acquire(self) -> None:
        """Become another user of the file, which must be open, until `release`."""

    def release(self) -> None:
        """Cease to be a user of the file. The last one has it closed."""

    def fileno(self) -> int:
        """The descriptor of the file, for `sendfile` and for the scanner's process. The file must be open."""

    # Its bytes. `stop` is at most `length`, and the file must be open.

    def is_cached(self, start: int, stop: int) -> bool:
        """Whether a `read` of `[start, stop)` will most probably not wait for the disk."""

    def read(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`. Waits for the disk unless `is_cached`; may be called in any thread. Raises: DiskError."""

    async def fetch(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`, read in a thread; after that they are cached. Raises: DiskError."""

    async def run(self, job: Callable[[], T]) -> T:
        """Call `job`, which may `read`, in a thread, and return its result. The file stays open for it, even if the caller is cancelled."""

    # The arrival times of its bytes.

    async def open_times(self) -> None:
        """Open the log's notes of arrival times, for as long as the file is open, which it must be. Before, all bytes have the time of the log's begin.

        Notes that cannot be opened or read are missing; there is no error.
        """

    def times_fileno(self) -> int | None:
        """The descriptor of the file of notes, in the format of `livelog.times`; None: it is not open, or there are no notes.

        The file has the notes of all bytes below `length`. It may be made later, while the log grows.
        """

    def times_from(self, start: int) -> Cursor:
        """A cursor over the arrival times of the bytes from `start` on. Neither this method nor `Cursor.take` waits for the disk. Raises: BlockingIOError, instead."""

    def times(self) -> Times:
        """The arrival times of the bytes below `length`. Its methods wait for the disk, so call them in a thread: see `run`."""

    # Its sidecar files: derived data, which is made again if it is lost.

    async def keep(self, suffix: str, data: bytes) -> None:
        """Write the sidecar file with that `suffix`. If that fails, there is no error and no file."""

    async def kept(self, suffix: str) -> bytes:
        """The content of the sidecar file with that `suffix`; empty if it is missing or damaged."""
