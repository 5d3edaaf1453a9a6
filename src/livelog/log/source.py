"""The seam: what readers may ask of a log, whoever writes it.

`Journal` is a log that this process writes; `Follower` is one that another process writes. Readers' code (fan-out, answers,
lines) is written against `Source` alone. One suite, `tests/seam`, runs over both.

What an implementation owes its readers:

1. Every byte below `length` can be read at any time, and never changes. `length` only grows.
2. `watchers` are called, on the event loop, after each change of `length`, `state`, `at_end` or `info`: never before it.
3. COMPLETE is told only of a log of which all bytes are below `length`. If whoever writes the log is lost before it has told
   the end, `at_end` is true and the state is not COMPLETE: readers are broken off, and none takes the log for whole.
4. Nothing but what is a coroutine here waits for the disk, and no method waits for the writer.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from livelog.times import Cursor, Times

from .info import LogInfo, State

T = TypeVar("T")


class Source(Protocol):
    """A log, for readers."""

    watchers: set[Callable[[], None]]
    """Functions to call after a change. A watcher may add or remove watchers, itself too."""

    tag_confirms: bool
    """Whether everybody who was told `etag` got the whole log, so that a 304 tells the truth. Readers clear it; nobody sets it."""

    readers: int
    """How many responses of this process follow the log: whoever sends one counts it."""

    # What is known of the log.

    @property
    def info(self) -> LogInfo:
        """Everything that is known of the log besides its bytes."""

    @property
    def length(self) -> int:
        """Bytes that can be read. Below a length that was told once, bytes never change and never go."""

    @property
    def acknowledged(self) -> int:
        """Bytes that the death of the writer's process cannot take away: what a producer may be told. At most `length`."""

    @property
    def state(self) -> State:
        """LIVE and INTERRUPTED alternate; COMPLETE or ABORTED comes once, after the last change of `length`."""

    @property
    def at_end(self) -> bool:
        """Whether `length` grows no more here: the log has ended, or this process will hear nothing more of it."""

    @property
    def changed(self) -> int:
        """When the last byte came, in microseconds since the epoch."""

    @property
    def etag(self) -> str:
        """The entity-tag (RFC 9110 section 8.8.3) of this generation of the log: the same while it grows and after its end."""

    # Its file: whoever needs it holds it open.

    async def open(self) -> None:
        """Hold the file open until `release`. Raises: DiskError."""

    def acquire(self) -> None:
        """Hold the file, which is open, open until `release`."""

    def release(self) -> None:
        """Let go of the file."""

    def fileno(self) -> int:
        """The descriptor of the file, for `sendfile` and for the scanner's process. The file must be open."""

    # Its bytes. `[start, stop)` is below `length`, and the file is open.

    def is_cached(self, start: int, stop: int) -> bool:
        """Whether `read` of `[start, stop)` does, as far as can be told, not wait for the disk."""

    def read(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`. Waits for the disk unless `is_cached`; may be called in any thread. Raises: DiskError."""

    async def fetch(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`, read in a thread; after that they are cached. Raises: DiskError."""

    async def run(self, job: Callable[[], T]) -> T:
        """The result of `job`, which may `read`, from a thread. The file stays open for it, even if the caller is cancelled."""

    # When its bytes came.

    async def open_times(self) -> None:
        """Have the notes of when its bytes came open for as long as the file is, which is open; until then all came when it began.

        What cannot be opened or read is not known: no error tells.
        """

    def times_fileno(self) -> int | None:
        """The descriptor of these notes, in the form of `livelog.times`; None: they are not open, or all bytes came when the log began.

        The notes of all bytes below `length` are there. A log that grows may get a descriptor later.
        """

    def times_from(self, start: int) -> Cursor:
        """When the bytes from `start` on came, as the log grows. Neither this nor its `take` waits for the disk: BlockingIOError, if it would."""

    def times(self) -> Times:
        """When the bytes below `length` came. Its methods wait for the disk: they are for a thread, see `run`."""

    # Its sidecar files: what was found out about it, and is made again if it is lost.

    async def keep(self, suffix: str, data: bytes) -> None:
        """Keep `data` beside the log, under `suffix`. What cannot be kept is not: no error tells."""

    async def kept(self, suffix: str) -> bytes:
        """What was kept under `suffix`; empty if that is nothing, or damaged."""
