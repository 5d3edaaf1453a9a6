"""A log as server-sent events (HTML standard, section 9.2), with its text in JSON. No I/O.

Bytes that are not UTF-8 become U+FFFD. A character is never split: its first bytes wait for the others, so that the texts of all events
together are the text of all bytes.
"""

import json
from collections.abc import Sequence

from livelog.times import Note, timestamp

MAX_EVENT = 64 * 1024
"""Bytes of the log in one event, at most."""


def event(kind: str, identifier: str | None, document: object) -> bytes:
    """An event. `identifier`: its id, which a client sends when it reconnects; None: no id. `kind` empty: the default kind, `message`."""
    name = f"event: {kind}\n" if kind else ""
    if identifier is not None:
        name += f"id: {identifier}\n"
    return f"{name}data: {json.dumps(document)}\n\n".encode()


def text_event(start: int, data: bytes, notes: Sequence[Note]) -> bytes:
    """An event with the bytes `data`, which are at `start` in the log, and their arrival times. Its id is the offset behind them."""
    (_, began), *later = notes
    document: dict[str, object] = {"offset": start, "text": data.decode("utf-8", "replace"), "time": timestamp(began)}
    if later:
        document["times"] = [(offset, moment - began) for offset, moment in later]
    return event("", str(start + len(data)), document)


def end_event(state: str, size: int) -> bytes:
    """The `end` event of a log that ended with that state and size (bytes)."""
    return event("end", end_id(size), {"state": state, "size": size})


def end_id(size: int) -> str:
    """The id of the `end` event of a log of `size` bytes.

    It is the id of the last text event with a zero in front. So a client that has had the end differs from one that only has all bytes, and
    the id is still the right offset.
    """
    return f"0{size}"


def whole_characters(data: bytes) -> int:
    """The length of `data` without the bytes of an incomplete character at its end."""
    for count in range(1, min(3, len(data)) + 1):
        byte = data[-count]
        if byte & 0xC0 != 0x80:  # not a continuation byte: a character begins here
            length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return len(data) - count if length > count and byte <= 0xF4 else len(data)
    return len(data)
