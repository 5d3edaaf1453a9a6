"""What the server does again and again, beside its requests. Refuses to know what that is.

Invariant: a chore that fails takes nothing else down. It is told of, and begun again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

PAUSE = 1.0
"""Seconds after which a chore that failed is begun again."""

logger = logging.getLogger(__name__)


async def keep_doing(name: str, chore: Callable[[], Awaitable[None]], pause: float = PAUSE) -> None:
    """Do a chore until it returns, or until this is cancelled. `name` is what the server's log calls it."""
    while True:
        try:
            await chore()
            return
        except Exception:
            logger.exception("%s failed: it is begun again in %g s", name, pause)
        await asyncio.sleep(pause)
