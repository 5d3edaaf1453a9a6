"""Who waits for a log to begin, by its name, and who is told of all that begin and go. Nothing is kept for a name that nobody waits for."""

import asyncio
from typing import Protocol
from weakref import WeakValueDictionary

from .source import Source


class Observer(Protocol):
    """Is told of all logs that begin and go, on the event loop. It may cease to observe thereby."""

    def begun(self, log: Source) -> None:
        """`log` has begun, or was found where others write it."""

    def changed(self, log: Source) -> None:
        """Something else is known of `log`, which has ended: who watches only logs that grow is not told by their `watchers`."""

    def removed(self, log: Source) -> None:
        """`log` is not found any more: it was replaced, removed or retired."""

    def closed(self) -> None:
        """No log will begin or go any more."""


class Arrivals:
    """Those who wait for logs, and `observers`."""

    def __init__(self) -> None:
        self.observers: set[Observer] = set()
        # Kept by those who wait, and gone with the last of them.
        self._awaited: WeakValueDictionary[str, asyncio.Future[Source]] = WeakValueDictionary()

    async def wait(self, name: str, timeout: float) -> Source | None:
        """The log of that name that begins within `timeout` seconds; None: none did, or `close` was called."""
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
        """`log` has begun: all who wait for its name get it."""
        if (begun := self._awaited.pop(log.info.name, None)) is not None:
            begun.set_result(log)
        for observer in tuple(self.observers):
            observer.begun(log)

    def tell_changed(self, log: Source) -> None:
        """Something else is known of `log`, which has ended."""
        for observer in tuple(self.observers):
            observer.changed(log)

    def tell_removed(self, log: Source) -> None:
        """`log` is not found any more."""
        for observer in tuple(self.observers):
            observer.removed(log)

    def close(self) -> None:
        """No log will begin any more: all who wait are told."""
        for begun in tuple(self._awaited.values()):
            begun.cancel()
        for observer in tuple(self.observers):
            observer.closed()
