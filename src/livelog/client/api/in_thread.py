"""What an iterator gives that waits for a server, for asyncio: a thread of its own asks it."""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


async def each(iterator: Iterator[T], close: Callable[[], None]) -> AsyncIterator[T]:
    """What `iterator` gives. When the iteration is left, `close` is called, from another thread, which has the iterator wait no longer."""
    import asyncio  # noqa: PLC0415  # whoever gets here has it

    loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, "livelog reader")
    try:
        while (item := await loop.run_in_executor(thread, next, iterator, None)) is not None:
            yield item
    finally:
        close()
        thread.shutdown(wait=False)
