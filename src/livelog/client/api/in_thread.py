"""What blocks, for asyncio: a thread runs it."""

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


async def once(ask: Callable[[], T], close: Callable[[], None]) -> T:
    """The result of `ask`, which a thread runs. `close` is called at the end, also of a task that is cancelled; it must end a wait of `ask`."""
    import asyncio  # noqa: PLC0415  # as above

    thread = ThreadPoolExecutor(1, "livelog question")
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, ask)
    finally:
        close()
        thread.shutdown(wait=False)
