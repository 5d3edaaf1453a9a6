"""What is known of each log of a run: what was sent, what was promised, what was told. Everything told is held against it.

Pure but for the clock of its events. A log here is one incarnation of a name. Refuses to know how things are asked and sent.
Invariants that are checked, each by `Broken`:

1. A reader has exactly a prefix of one log's bytes, of those that were sent.
2. Nothing that was acknowledged, told or shown is missing later, as long as its server keeps logs.
3. A log is complete only if all of it was sent, and then has all of it; aborted only if there was a reason.
4. The end comes once: state and size told after it never differ.
5. A generation (ETag) belongs to one log.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .content import content, lines

ENOUGH = 24
"""Bytes by which a log is told from all others of its name."""

TRAIL = 400
"""Events that a failure shows."""


class Broken(AssertionError):
    """The server broke a promise. The text says which, and what happened before."""


@dataclass(eq=False)
class Log:
    """One incarnation of a name. `size`: bytes that it shall have; `resumable`: whether its producer may come back."""

    name: str
    key: int
    size: int
    resumable: bool
    etag: str = ""
    sent: int = 0
    """Bytes that were handed to a socket: the server may have so many."""
    kept: int = 0
    """Bytes that somebody was told of or shown: the server must have so many."""
    finished: bool = False
    """Whether the end of the body was handed to a socket: the log may be complete."""
    doubtful: bool = False
    """Whether something happened for which the log may be aborted."""
    removed: bool = False
    """Whether its removal was asked for, or another log of its name was begun."""
    lost: bool = False
    """Whether it went with a server that keeps nothing."""
    state: str = ""
    """How it ended, once somebody was told: `complete` or `aborted`."""

    def __str__(self) -> str:
        return f"{self.name}#{self.key}"


@dataclass(eq=False)
class Name:
    """A name, and its logs in the order in which they were begun."""

    name: str
    logs: list[Log] = field(default_factory=list)
    exists: bool = False
    """Whether there is a log of this name for certain."""
    changes: int = 0
    """How often that has changed, or begun to be uncertain."""

    def appear(self) -> None:
        """There is a log from now on."""
        self.exists = True

    def vanish(self) -> None:
        """There may be none from now on."""
        self.exists = False
        self.changes += 1


@dataclass(eq=False)
class Reading:
    """What one answer tells, and what was known when it was asked for."""

    name: Name
    who: str
    epoch: int
    offset: int = 0
    etag: str = ""
    log: Log | None = None
    known: dict[Log, tuple[int, str]] = field(default_factory=dict)
    """For each log of the name: what it had to have at that time, and how it had ended."""
    pending: bytearray = field(default_factory=bytearray)
    """Bytes whose log is not known yet; they end at `offset`."""


class Ledger:
    """All logs of a run.

    `durable`: whether the server keeps logs in a data directory. `patient`: whether it waits for producers that broke off for
    longer than a run takes.
    """

    def __init__(self, *, durable: bool, patient: bool) -> None:
        self.durable = durable
        self.patient = patient
        self.epoch = 1
        """How often the server has started and ended: an even number while it cannot be reached."""
        self.names: dict[str, Name] = {}
        self.checked = 0
        """Bytes that were compared."""
        self.answers = 0
        self._keys = 0
        self._by_etag: dict[str, Log] = {}
        self._trail: deque[str] = deque(maxlen=TRAIL)
        self._began = time.monotonic()
        self.more: Callable[[], str] = str
        """What else a failure shows."""

    def name(self, name: str) -> Name:
        """What is known of a name."""
        return self.names.setdefault(name, Name(name))

    def note(self, who: object, text: str) -> None:
        """An event, for whoever looks for the cause of a failure."""
        self._trail.append(f"{time.monotonic() - self._began:8.3f} {who}: {text}")

    def broken(self, who: object, text: str, log: Log | None = None) -> Broken:
        """The error that tells of a broken promise, with the events that led to it."""
        facts = "" if log is None else f"\n  the log: {log!r}"
        return Broken(f"{who}: {text}{facts}\nThe last events:\n" + "\n".join(self._trail) + self.more())

    def new_log(self, name: str, size: int, *, resumable: bool) -> Log:
        """A log that is about to be begun. Whatever log of that name there was may be replaced by it from now on."""
        self._keys += 1
        log = Log(name, self._keys, size, resumable, doubtful=resumable and not self.patient)
        logs = self.name(name).logs
        for older in logs:
            older.removed = True
            older.doubtful = older.doubtful or older.state != "complete"
        logs.append(log)
        return log

    def server_ends(self) -> None:
        """The server is about to be killed, or to stop."""
        self.epoch = self.epoch // 2 * 2 + 2
        for name in self.names.values():
            for log in name.logs:
                if not (log.resumable and self.durable):
                    log.doubtful = log.doubtful or log.state != "complete"
                if not self.durable:
                    log.lost = True
            if not self.durable:
                name.vanish()

    def server_begins(self) -> None:
        """The server can be reached."""
        self.epoch |= 1

    def excused(self, epoch: int) -> bool:
        """Whether what was begun then may have been broken off because the server was killed or stopped."""
        return epoch != self.epoch or not self.epoch % 2

    # What is told.

    def reading(self, name: str, who: str, offset: int = 0, etag: str = "") -> Reading:
        """To be called before anything is asked."""
        known = {log: (log.kept, log.state) for log in self.name(name).logs}
        return Reading(self.name(name), who, self.epoch, offset, etag, self._by_etag.get(etag), known)

    def identify(self, reading: Reading, etag: str) -> None:
        """An answer has told which log it is about."""
        if reading.etag and reading.etag != etag:
            raise self.broken(reading.who, f"another generation, {etag}, instead of {reading.etag}", reading.log)
        reading.etag = etag
        reading.log = self._by_etag.get(etag)
        self._check_is_there(reading)

    def bind(self, log: Log, etag: str, who: object) -> None:
        """That log has that generation."""
        other = self._by_etag.setdefault(etag, log)
        if other is not log or log.etag not in ("", etag):
            raise self.broken(who, f"generation {etag} is that of {other} and of {log}", log)
        log.etag = etag

    def give(self, reading: Reading, data: bytes) -> None:
        """Bytes have come, those from `reading.offset` on."""
        reading.pending += data
        reading.offset += len(data)
        if reading.log is None:
            reading.log = self._by_etag.get(reading.etag)
        start = reading.offset - len(reading.pending)
        if reading.log is None and len(reading.pending) >= ENOUGH:
            first = bytes(reading.pending[:ENOUGH])
            for log in reading.name.logs:
                if not log.etag and content(log.key, start, start + ENOUGH) == first:
                    self.bind(log, reading.etag, reading.who)
                    reading.log = log
                    self._check_is_there(reading)
                    break
            else:
                raise self.broken(reading.who, f"from byte {start} on, these are no log's bytes: {first!r}")
        if reading.log is not None:
            self._compare(reading, reading.log, start, bytes(reading.pending))
            reading.pending.clear()

    def _compare(self, reading: Reading, log: Log, start: int, data: bytes) -> None:
        wanted, stop = content(log.key, start, start + len(data)), start + len(data)
        self.checked += len(data)
        if data != wanted:
            wrong = next(place for place in range(len(data)) if data[place] != wanted[place])
            raise self.broken(
                reading.who,
                f"byte {start + wrong} of {log} is wrong: {data[wrong : wrong + 40]!r}, not {wanted[wrong : wrong + 40]!r}",
                log,
            )
        if stop > log.sent:
            raise self.broken(reading.who, f"{log} was given up to {stop}, but only {log.sent} bytes were sent", log)
        log.kept = max(log.kept, stop)

    def _check_is_there(self, reading: Reading) -> None:
        log = reading.log
        if log is not None and log.lost and not self.excused(reading.epoch) and log in reading.known:
            raise self.broken(reading.who, f"{log} was kept by a server that keeps nothing", log)

    def saw_state(self, reading: Reading, state: str, size: int | None) -> None:
        """An answer says that the log is in that state, with so many bytes; None: it does not say."""
        log = reading.log
        if log is None:
            return
        self._check_state(reading, log, state)
        ended = state in ("complete", "aborted")
        least, end = reading.known.get(log, (0, ""))
        if end and state != end:
            raise self.broken(reading.who, f"{log} had been told to be {end}, and is now said to be {state}", log)
        if ended and log.state not in ("", state):
            raise self.broken(reading.who, f"{log} is said to be {state}, but others were told {log.state}", log)
        if size is not None:
            if size < least:
                raise self.broken(reading.who, f"{log} has {size} bytes, but {least} had been promised", log)
            if size > log.sent:
                raise self.broken(reading.who, f"{log} has {size} bytes, but only {log.sent} were sent", log)
            if state == "complete" and size != log.size:
                raise self.broken(reading.who, f"{log} is complete with {size} of {log.size} bytes", log)
            if ended and size < log.kept:
                raise self.broken(reading.who, f"{log} is {state} with {size} bytes, but {log.kept} were promised", log)
            log.kept = max(log.kept, size)
            if ended:
                log.sent = size  # nobody is ever given more
        if ended:
            log.state = state

    def _check_state(self, reading: Reading, log: Log, state: str) -> None:
        if state == "complete" and not log.finished:
            raise self.broken(reading.who, f"{log} is complete, but its body has not ended", log)
        if state == "aborted" and not log.doubtful:
            raise self.broken(reading.who, f"{log} is aborted for no reason", log)
        if state == "interrupted" and not log.resumable:
            raise self.broken(reading.who, f"{log} is interrupted, but no producer can go on with it", log)

    def counted(self, reading: Reading, size: int, first: int | None, offset: int, count: int | None) -> None:
        """An answer says which number the line at `offset` has, and how many lines the first `size` bytes are."""
        log = reading.log
        if log is None:
            return
        if count is not None and count != (wanted := lines(log.key, size)):
            raise self.broken(reading.who, f"{size} bytes of {log} are {wanted} lines, not {count}", log)
        if first is not None and count is not None:
            wanted = count + 1 if offset == size else lines(log.key, offset) + 1
            if first != wanted:
                raise self.broken(reading.who, f"the line at {offset} of {log} is number {wanted}, not {first}", log)

    def missing(self, reading: Reading, changes: int, *, retry: bool) -> None:
        """404 was the answer; `changes`: those of the name when it was asked for; `retry`: it had Retry-After."""
        name = reading.name
        if name.exists and name.changes == changes and name.logs:
            raise self.broken(reading.who, f"404, but there was a log {name.name} all the time", name.logs[-1])
        if not retry:
            raise self.broken(reading.who, f"404 for {name.name} without Retry-After")
