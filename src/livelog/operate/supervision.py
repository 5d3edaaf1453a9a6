"""Supervision of background tasks, such as removing old logs.

Invariant: a task that fails is logged and started again. It stops nothing else.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

PAUSE = 1.0
"""Seconds until a task that failed is started again."""

logger = logging.getLogger(__name__)


async def keep_doing(name: str, chore: Callable[[], Awaitable[None]], pause: float = PAUSE) -> None:
    """Run `chore` until it returns or this is cancelled. `name`: its name in the server's log. `pause`: seconds until it is started again after a failure."""
    while True:
        try:
            await chore()
            return
        except Exception:
            logger.exception("%s failed: it is begun again in %g s", name, pause)
        await asyncio.sleep(pause)
