"""Searches of a text that is in memory, as the process that searches makes them."""

import json
from collections.abc import Callable
from typing import Any

from livelog.lines.hits import Hit, Hits
from livelog.lines.pieces import Newlines, aligned, returned
from livelog.lines.query import PLACE, Query
from livelog.lines.search_output import parts
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


def output(asked: Query, content: bytes) -> list[tuple[Query, bytes]]:
    """The output of a search in its parts; with each, the query that continues behind it."""
    found: list[tuple[Query, bytes]] = []
    for part in parts(asked, reader(content), Times(0)):
        if part is not None:
            _, _, size = PLACE.unpack_from(part)
            left = asked._replace(**json.loads(part[PLACE.size : PLACE.size + size]))
            found.append((left, part[PLACE.size + size :]))
    return found


def answer(asked: Query, content: bytes) -> bytes:
    """The whole output of a search."""
    return b"".join(text for _, text in output(asked, content))


def documents(asked: Query, content: bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The documents in the output of a search, without its progress; and the last one."""
    *found, last = [json.loads(line) for line in answer(asked, content).splitlines()]
    return [one for one in found if "scanned" not in one], last
