"""`/logs` as an event stream: the present logs, then each change of the list.

    log       a log that existed when the stream began, the newest first; `listed` follows the last one
    begun     a log has begun, or was adopted
    grew      a log has more bytes
    changed   a log has another state, other attributes, or one older log of its name less
    ended     a log is complete or aborted
    removed   a log was removed or replaced
    reset     the watcher was too slow: `log` events and `listed` follow again

Each event has the log's status at the time of the event. Invariants:

1. Changes are noted once for all watchers, and sent in passes; each event is made once. Passes are at least `PAUSE` seconds apart, those with
   `grew` events `GROWTH_PAUSE`, and `SHARE` times the duration of the last pass.
2. A watcher whose socket is full is sent nothing; its missed changes are noted. When there is room, it is sent one event for each log that
   it missed, with the status then. After more than `most_missed` logs it is sent `reset`.
3. A watcher that was sent a log is told when the log is not selected any more.
4. While there is no watcher, nothing is noted, and the list watches no log.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from functools import partial
from itertools import islice

from livelog.errors import STOPPED
from livelog.log.attributes import Attributes
from livelog.log.catalogue import Catalogue
from livelog.log.info import State
from livelog.log.source import Source
from livelog.log.status import describe_in_list
from livelog.wire.body_writer import BodyWriter
from livelog.wire.link import unless_lost

from .event_fanout import COMMENT, KEEP_ALIVE
from .fanout import MEMBERS_PER_TURN, SHARE
from .selection import Selection
from .sse import event

PAUSE = 0.1
"""Seconds between two passes, at least."""

GROWTH_PAUSE = 1.0
"""Seconds between two passes with `grew` events, at least."""

AT_ONCE = 32
"""Logs whose events are made in one turn of the event loop."""

PASS_TURN = 0.002
"""Seconds after which a pass gives the event loop to others, while it compares logs with selections."""

MOST_MISSED = 10_000
"""The largest number of logs whose changes are noted for one slow watcher."""

BEGUN, GREW, CHANGED, ENDED, REMOVED = "begun", "grew", "changed", "ended", "removed"

Snapshot = Callable[[list[Source]], AsyncGenerator[tuple[str, object], None]]
"""Makes the first events of a stream, as (kind, data), from the present logs."""

logger = logging.getLogger(__name__)


class ListEvents:
    """The watchers of the list of a catalogue's logs. `most_missed`: the largest number of logs whose changes are noted for one slow watcher."""

    def __init__(self, catalogue: Catalogue, most_missed: int = MOST_MISSED) -> None:
        self._catalogue = catalogue
        self._most_missed = most_missed
        self._groups: dict[Selection, _Group] = {}
        self._known: dict[Source, _Known] = {}  # the logs that may still change
        self._changes: dict[Source, str] = {}  # what the next pass sends
        self._grown: dict[Source, None] = {}
        self._noted = asyncio.Event()
        self._passes: asyncio.Task[None] | None = None
        self._closed = False

    async def watch(self, writer: BodyWriter, selection: Selection, snapshot: Snapshot) -> None:
        """Send the events of the selected logs until the peer leaves. Raises: ConnectionError."""
        if writer.ended:
            raise ConnectionResetError("the peer has left")
        writer.endless = True
        with self._member(writer, selection) as member:
            async with unless_lost(writer):
                while not self._closed:
                    member.missed.clear()
                    member.is_lost = False
                    async with contextlib.aclosing(snapshot(self._catalogue.known())) as events:
                        await _send(writer, (event(kind, None, data) async for kind, data in events))
                    while not member.is_lost and not self._closed:
                        if member.missed:
                            some = [(log, member.missed.pop(log)) for log in list(islice(member.missed, AT_ONCE))]
                            await _send(writer, _each(frame for log, kind in some for frame in self._frames(log, kind)))
                        elif writer.blocked:
                            await writer.drained()
                        else:
                            await member.keep_up(writer)
                    if not self._closed:
                        await _send(writer, _each([event("reset", None, {})]))
        raise ConnectionAbortedError(STOPPED)

    @contextlib.contextmanager
    def _member(self, writer: BodyWriter, selection: Selection) -> Iterator["_Member"]:
        """A watcher, for which changes are sent or noted within the block."""
        if not self._groups and not self._closed:
            self._start()
        group = self._groups.get(selection)
        if group is None:
            group = self._groups[selection] = _Group(selection)
        member = group.members[writer] = _Member(self._most_missed)
        try:
            yield member
        finally:
            del group.members[writer]
            if not group.members:
                del self._groups[selection]
            if not self._groups:
                self._stop()

    def _start(self) -> None:
        self._catalogue.arrivals.observers.add(self)
        for log in self._catalogue.known():
            self._track(log)
        self._passes = asyncio.create_task(self._run())

    def _stop(self) -> None:
        self._catalogue.arrivals.observers.discard(self)
        for log in tuple(self._known):
            self._untrack(log)
        self._changes.clear()
        self._grown.clear()
        if self._passes is not None:
            self._passes.cancel()
            self._passes = None

    # Called by the catalogue and its logs.

    def begun(self, log: Source) -> None:
        """See `Observer.begun`."""
        self._track(log)
        self._note(log, BEGUN)

    def changed(self, log: Source) -> None:
        """See `Observer.changed`."""
        self._note(log, CHANGED)

    def removed(self, log: Source) -> None:
        """See `Observer.removed`."""
        self._grown.pop(log, None)
        self._note(log, REMOVED)

    def closed(self) -> None:
        """See `Observer.closed`. All streams are broken off."""
        self._closed = True
        for group in self._groups.values():
            for member in group.members.values():
                member.leave()

    def _track(self, log: Source) -> None:
        if log not in self._known and not log.at_end:
            known = self._known[log] = _Known(log, partial(self._changed, log))
            log.watchers.add(known.watcher)

    def _untrack(self, log: Source) -> None:
        if (known := self._known.pop(log, None)) is not None:
            log.watchers.discard(known.watcher)

    def _changed(self, log: Source) -> None:
        if (known := self._known.get(log)) is None:
            return  # the watcher was removed after this round of calls began
        if log.at_end:
            log.watchers.discard(known.watcher)  # retention does not select a log that has watchers
        if log.state.ended:
            self._note(log, ENDED)
        elif log.at_end or log.state is not known.state or log.info.attributes is not known.attributes:
            self._note(log, CHANGED)
        else:
            if not self._grown:
                self._noted.set()
            self._grown[log] = None

    def _note(self, log: Source, kind: str) -> None:
        _add(self._changes, log, kind)
        self._noted.set()

    # Passes.

    async def _run(self) -> None:
        """Make a pass whenever there are changes, and send comments after a time without events."""
        loop = asyncio.get_running_loop()
        growth_at = 0.0
        try:
            while True:
                until = min(group.heard + KEEP_ALIVE for group in self._groups.values())
                if self._grown:
                    until = min(until, growth_at)
                if not self._changes:
                    self._noted.clear()
                    if not self._grown or loop.time() < growth_at:
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout_at(until):
                                await self._noted.wait()
                started = loop.time()
                changes, self._changes = self._changes, {}
                grown: dict[Source, None] = {}
                if started >= growth_at:
                    grown, self._grown = self._grown, {}
                spent = await self._send([*changes.items(), *((log, GREW) for log in grown if log not in changes)])
                for group in tuple(self._groups.values()):
                    if loop.time() >= group.heard + KEEP_ALIVE:
                        await _deliver(group, [], COMMENT)
                if grown:
                    growth_at = started + max(GROWTH_PAUSE, SHARE * spent)
                if changes or grown:
                    await asyncio.sleep(max(0.0, started + max(PAUSE, SHARE * spent) - loop.time()))
        except Exception:
            logger.exception("no event of the list of logs is sent any more")
            self.closed()

    async def _send(self, changes: list[tuple[Source, str]]) -> float:
        """Send these changes to all watchers. Returns the processor's time that it took, in seconds."""
        spent = 0.0
        for place in range(0, len(changes), AT_ONCE):
            began = time.perf_counter()
            sent: dict[_Group, list[tuple[Source, str]]] = {}
            frames: dict[Source, bytes] = {}
            for log, noted in changes[place : place + AT_ONCE]:
                kind, before = self._what(log, noted)
                if kind is None:
                    continue
                for group in tuple(self._groups.values()):
                    if group.selection.takes(log.info, log.state, log.info.attributes) or (
                        before is not None and group.selection.takes(log.info, *before)
                    ):
                        if log not in frames:
                            frames[log] = b"".join(self._frames(log, kind))
                        sent.setdefault(group, []).append((log, kind))
                    if time.perf_counter() - began > PASS_TURN:
                        spent += time.perf_counter() - began
                        await asyncio.sleep(0)
                        began = time.perf_counter()
            spent += time.perf_counter() - began
            for group, some in sent.items():
                spent += await _deliver(group, some, b"".join(frames[log] for log, _ in some))
            await asyncio.sleep(0)
        return spent

    def _what(self, log: Source, noted: str) -> tuple[str | None, tuple[State, Attributes] | None]:
        """The kind of event to send of a log, None: none; and its state and attributes in the last event, if they were others."""
        known = self._known.get(log)
        before = None
        if known is not None:
            is_other = known.state is not log.state or known.attributes is not log.info.attributes
            if noted == GREW and (is_other or log.length == known.length):
                return None, None  # it was sent already, or a further change is noted for the next pass
            if noted == CHANGED and log.state.ended:
                return None, None  # likewise
            if is_other:
                before = known.state, known.attributes
            known.update(log)
        if noted == BEGUN and self._changes.get(log) == ENDED:
            del self._changes[log]  # it is sent with this event
        if noted == REMOVED or log.at_end:
            self._untrack(log)
        return noted, before

    def _frames(self, log: Source, kind: str) -> Iterator[bytes]:
        """The event, or the events, of a change."""
        kept = self._catalogue.count(log.info.name)
        status = describe_in_list(log, kept if kind == REMOVED else max(1, kept))
        yield event(kind, None, status)
        if kind == BEGUN and log.state.ended:
            yield event(ENDED, None, status)


class _Known:
    """What was last sent about a log, and the function that watches it for changes."""

    __slots__ = ("attributes", "length", "state", "watcher")

    def __init__(self, log: Source, watcher: Callable[[], None]) -> None:
        self.watcher = watcher
        self.update(log)

    def update(self, log: Source) -> None:
        """Remember the log's present facts as sent."""
        self.state, self.attributes, self.length = log.state, log.info.attributes, log.length


class _Group:
    """The watchers with the same selection. `heard`: the time of their last event, in seconds on the event loop's clock."""

    __slots__ = ("heard", "members", "selection")

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.members: dict[BodyWriter, _Member] = {}
        self.heard = asyncio.get_running_loop().time()


class _Member:
    """A watcher. It keeps up, or its missed changes are noted."""

    __slots__ = ("_left", "_most_missed", "is_lost", "missed")

    def __init__(self, most_missed: int) -> None:
        self._most_missed = most_missed
        self.missed: dict[Source, str] = {}
        self.is_lost = False
        """Whether it has missed more than `most_missed` logs, and must be sent `reset`."""
        self._left: asyncio.Future[None] | None = None

    @property
    def keeps_up(self) -> bool:
        """Whether events are written to it at once."""
        return self._left is not None and not self._left.done()

    async def keep_up(self, writer: BodyWriter) -> None:
        """Keep up until the socket is full. Raises: ConnectionError."""
        self._left = asyncio.get_running_loop().create_future()
        writer.on_blocked = lambda _: self.leave()
        try:
            await self._left
        finally:
            writer.on_blocked = None
            self._left = None
        writer.check()

    def leave(self) -> None:
        """Cease to keep up, if it does."""
        if self._left is not None and not self._left.done():
            self._left.set_result(None)

    def miss(self, changes: Iterable[tuple[Source, str]]) -> None:
        """Note changes that cannot be sent now."""
        if not self.is_lost:
            for log, kind in changes:
                _add(self.missed, log, kind)
            if len(self.missed) > self._most_missed:
                self.is_lost = True
                self.missed.clear()


def _add(noted: dict[Source, str], log: Source, kind: str) -> None:
    """Add a change of a log to `noted`. If one is noted already, the one that says more is kept."""
    order = (GREW, CHANGED, ENDED, BEGUN, REMOVED)
    noted[log] = max(noted.get(log, GREW), kind, key=order.index)


async def _deliver(group: _Group, changes: list[tuple[Source, str]], frame: bytes) -> float:
    """Write `frame`, the events of these changes, to the watchers that keep up, and note the changes for the others. Returns the duration in seconds."""
    group.heard = asyncio.get_running_loop().time()
    chunk = b"%x\r\n%b\r\n" % (len(frame), frame)
    began = time.perf_counter()
    due = []
    for writer, member in group.members.items():
        if member.keeps_up:
            due.append((writer, member))
        else:
            member.miss(changes)
    spent = time.perf_counter() - began
    for place in range(0, len(due), MEMBERS_PER_TURN):
        began = time.perf_counter()
        for writer, member in due[place : place + MEMBERS_PER_TURN]:
            if member.keeps_up:
                writer.write(chunk if writer.chunked else frame)
            else:
                member.miss(changes)
        spent += time.perf_counter() - began
        await asyncio.sleep(0)
    return spent


async def _each(frames: Iterable[bytes]) -> AsyncGenerator[bytes, None]:
    for frame in frames:
        yield frame


async def _send(writer: BodyWriter, frames: AsyncGenerator[bytes, None]) -> None:
    """Send events, each when the socket has room. Raises: ConnectionError."""
    async with contextlib.aclosing(frames):
        async for frame in frames:
            writer.write(b"%x\r\n%b\r\n" % (len(frame), frame) if writer.chunked else frame)
            await writer.drained()
    await asyncio.sleep(0)
