"""What many producers of one log cost that come at once: time in proportion to their number."""

import asyncio
import contextlib
from collections.abc import Callable

from livelog.errors import LeaseTaken
from livelog.log.leases import LocalLeases
from tests.seam.test_leases import Holder

from .meter import is_linear

PRODUCERS = 40


async def storm(count: int, holder: Callable[[], Holder]) -> None:
    """So many producers want the lease of one log while somebody begins or ends it; who gets it gives it back in a later turn of the loop."""
    leases = LocalLeases()

    async def produce() -> None:
        with contextlib.suppress(LeaseTaken):
            lease = await leases.grant("log")
            lease.hold(holder())
            for _ in range(3):
                await asyncio.sleep(0)
            leases.release(lease)

    first = await leases.grant("log")
    producers = [asyncio.create_task(produce()) for _ in range(count)]
    await asyncio.sleep(0)
    leases.release(first)
    await asyncio.gather(*producers)
    assert not leases.held


def costs(holder: Callable[[], Holder]) -> bool:
    return is_linear(lambda count: asyncio.run(storm(count, holder)), lambda n: n, PRODUCERS)


def test_producers_that_have_left_again_cost_in_proportion() -> None:
    """Each gets the lease, settles that nothing came, and gives it back."""
    assert costs(lambda: Holder(is_lost=True))


def test_producers_that_are_refused_cost_in_proportion() -> None:
    """One gets the lease, and the others learn that the log is being received."""
    assert costs(Holder)
