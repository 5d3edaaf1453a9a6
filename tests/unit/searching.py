"""Searches of a text that is in memory, as the process that searches makes them."""

import json
from collections.abc import Callable
from typing import Any

from livelog.lines.hits import Hit, Hits
from livelog.lines.pieces import Newlines, aligned, returned
from livelog.lines.query import PLACE, Query
from livelog.lines.telling import tell
from livelog.times import Times

Read = Callable[[int, int], bytes]


def reader(content: bytes) -> Read:
    """What reads from `content`."""
    return lambda start, stop: content[start:stop]


def query(text: str, content: bytes, **options: Any) -> Query:
    """A search of all of the content, forwards."""
    return Query(text, len(content), 0, None, forward=True)._replace(**options)


def backwards(asked: Query, content: bytes, start: int | None = None) -> Query:
    """The same from `start` back."""
    return asked._replace(forward=False, start=len(content) if start is None else start)


def search(asked: Query, read: Read) -> list[Hit]:
    """All hits."""
    bounded = returned(aligned(asked, read))
    newlines = Newlines(read, bounded.counted, bounded.newlines)
    return [hit for hit in Hits(bounded, read, newlines).run() if hit is not None]


def told(asked: Query, content: bytes) -> list[tuple[Query, bytes]]:
    """What is told of a search, in the parts in which it is told; and for each what is left of the search."""
    parts: list[tuple[Query, bytes]] = []
    for part in tell(asked, reader(content), Times(0)):
        if part is not None:
            _, _, size = PLACE.unpack_from(part)
            left = asked._replace(**json.loads(part[PLACE.size : PLACE.size + size]))
            parts.append((left, part[PLACE.size + size :]))
    return parts


def answer(asked: Query, content: bytes) -> bytes:
    """All that is told of a search."""
    return b"".join(text for _, text in told(asked, content))


def documents(asked: Query, content: bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What is told of a search in JSON, but for its progress; and its last word."""
    *found, last = [json.loads(line) for line in answer(asked, content).splitlines()]
    return [one for one in found if "scanned" not in one], last
