"""What clients are told of logs, as JSON: one log's status, and a page of the list. No I/O.

Refuses to know who asks. What is told of a log is what `About` knows, its state and size, `changed`: the time of the
last byte, and `lines`: how many there are, if somebody has asked for lines before. All of it is as of one moment.
"""

from collections.abc import Iterable
from itertools import islice
from typing import TypedDict

from .about import State, timestamp
from .journal import Journal

PAGE_SIZE = 100
"""Logs on a page of the list, if the client does not say how many it wants."""

MAX_PAGE_SIZE = 1000


class Page(TypedDict):
    """A part of the list of logs."""

    logs: list[dict[str, object]]
    next: str | None
    """What to give as `before` to get the next page; None: there is none."""


def describe(journal: Journal) -> dict[str, object]:
    """One log's status, with `lines` unknown."""
    about = journal.about.to_json(journal.state, journal.length)
    if not journal.state.ended:  # it may be about to: the end's time and reason are kept before it is one
        about |= {"ended": None, "reason": ""}
    return {**about, "changed": timestamp(journal.changed), "lines": None}


def page(newest_first: Iterable[Journal], *, size: int, before: str | None, state: State | None) -> Page:
    """The first `size` logs that are older than the generation `before` and have that `state`; None: no such condition."""
    matching = (
        journal
        for journal in newest_first
        if (before is None or journal.about.generation < before) and (state is None or journal.state is state)
    )
    found = list(islice(matching, size + 1))
    logs = found[:size]
    return {
        "logs": [describe(journal) for journal in logs],
        "next": logs[-1].about.generation if len(found) > size else None,
    }
