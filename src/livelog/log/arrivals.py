"""Notices of logs that begin and are removed: for those who wait for a name, and for observers of all logs."""

import asyncio
from typing import Protocol
from weakref import WeakValueDictionary

from .source import Source


class Observer(Protocol):
    """Is called on the event loop for each log that begins or is removed. It may remove itself from the observers then."""

    def begun(self, log: Source) -> None:
        """`log` has begun, or was adopted."""

    def changed(self, log: Source) -> None:
        """The attributes of `log` have changed, which has ended, or an older log of its name was removed: its watchers are not called for that."""

    def removed(self, log: Source) -> None:
        """`log` was replaced, removed or retired."""

    def closed(self) -> None:
        """The server stops: no log will begin or be removed any more."""


class Arrivals:
    """Those who wait for logs, and the `observers`."""

    def __init__(self) -> None:
        self.observers: set[Observer] = set()
        # Weak: an entry is kept by those who wait, and vanishes with the last of them.
        self._awaited: WeakValueDictionary[str, asyncio.Future[Source]] = WeakValueDictionary()

    async def wait(self, name: str, timeout: float) -> Source | None:
        """Wait for a log of that name to begin, for `timeout` seconds at most. Returns None if none did, or `close` was called."""
        begun = self._awaited.get(name)
        if begun is None:
            begun = self._awaited[name] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(begun)
        except TimeoutError:
            return None
        except asyncio.CancelledError:
            if begun.cancelled():
                return None
            raise

    def announce(self, log: Source) -> None:
        """Give `log`, which has begun, to all who wait for its name, and to the observers."""
        if (begun := self._awaited.pop(log.info.name, None)) is not None:
            begun.set_result(log)
        for observer in tuple(self.observers):
            observer.begun(log)

    def notify_changed(self, log: Source) -> None:
        """Call `Observer.changed`."""
        for observer in tuple(self.observers):
            observer.changed(log)

    def notify_removed(self, log: Source) -> None:
        """Call `Observer.removed`."""
        for observer in tuple(self.observers):
            observer.removed(log)

    def close(self) -> None:
        """Release all who wait, with None, and call `Observer.closed`."""
        for begun in tuple(self._awaited.values()):
            begun.cancel()
        for observer in tuple(self.observers):
            observer.closed()
