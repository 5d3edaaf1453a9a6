"""Blocking iterators for asyncio: a thread runs the iterator."""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


async def each(iterator: Iterator[T], close: Callable[[], None]) -> AsyncIterator[T]:
    """Yield the items of `iterator`, which a thread runs. `close` is called at the end, from another thread; it must end a wait of the iterator."""
    import asyncio  # noqa: PLC0415  # whoever gets here has it

    loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, "livelog reader")
    try:
        while (item := await loop.run_in_executor(thread, next, iterator, None)) is not None:
            yield item
    finally:
        close()
        thread.shutdown(wait=False)
