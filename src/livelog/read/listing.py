"""A page of the list of logs, as JSON. Refuses to know who asks. What is told of each is in `log.status`."""

import asyncio
import json
from bisect import bisect_right
from collections.abc import Sequence

from livelog.log.info import State, began
from livelog.log.source import Source
from livelog.log.status import describe

PAGE_SIZE = 100
"""Logs on a page of the list, if the client does not say how many it wants."""

MAX_PAGE_SIZE = 1000

AT_ONCE = 32
"""Logs that are told of in one turn of the event loop: a few milliseconds."""


async def page(newest_first: Sequence[Source], *, size: int, before: str | None, state: State | None) -> str:
    """A part of the list of logs, as JSON: the first `size` that are older than the generation `before` and have that `state`.

    None: no such condition. `next` in it is what to give as `before` to get the next page; null: there is none. What is told
    of one log is as of one moment, but not of all together: others have their turns between them.
    """
    place = 0 if before is None else _place_behind(newest_first, before)
    logs: list[str] = []
    last: Source | None = None
    more = False
    while place < len(newest_first) and not more:
        for journal in newest_first[place : place + AT_ONCE]:
            if state is None or journal.state is state:
                if more := len(logs) == size:
                    break
                logs.append(json.dumps(describe(journal)))
                last = journal
        place += AT_ONCE
        await asyncio.sleep(0)
    following = last.info.generation if more and last is not None else None
    return f'{{"logs": [{", ".join(logs)}], "next": {json.dumps(following)}}}\n'


def _place_behind(newest_first: Sequence[Source], generation: str) -> int:
    """Where in the list the logs begin that are older than that one; if it is gone, by the time that its generation tells."""
    for place, journal in enumerate(newest_first):
        if journal.info.generation == generation:
            return place + 1
    moment = began(generation)
    return bisect_right(newest_first, -moment, key=lambda journal: -journal.info.order)
