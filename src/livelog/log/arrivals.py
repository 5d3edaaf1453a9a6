"""Who waits for a log to begin, by its name. Nothing is kept for a name that nobody waits for."""

import asyncio
from weakref import WeakValueDictionary

from .source import Source


class Arrivals:
    """Those who wait for logs."""

    def __init__(self) -> None:
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

    def close(self) -> None:
        """No log will begin any more: all who wait are told."""
        for begun in tuple(self._awaited.values()):
            begun.cancel()
