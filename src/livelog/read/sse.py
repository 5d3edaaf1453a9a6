"""A log as a stream of events (server-sent events, as HTML's standard has them): text of a log in JSON. No I/O.

Any bytes become text: what is no UTF-8 becomes U+FFFD. Refuses to split: a character whose bytes have not all come waits
for them, so that the texts one after the other are the text of all bytes.
"""

import json
from collections.abc import Sequence

from livelog.times import Note, timestamp

MAX_EVENT = 64 * 1024
"""Bytes of the log in one event."""


def event(kind: str, identifier: str | None, document: object) -> bytes:
    """An event; `identifier`: what a client that has got it says when it comes back; None: nothing. No kind: a message."""
    name = f"event: {kind}\n" if kind else ""
    if identifier is not None:
        name += f"id: {identifier}\n"
    return f"{name}data: {json.dumps(document)}\n\n".encode()


def text_event(start: int, data: bytes, notes: Sequence[Note]) -> bytes:
    """An event with the bytes of a log from `start` on, and when they came. Its id is how many bytes a client has that has got it."""
    (_, began), *later = notes
    document: dict[str, object] = {"offset": start, "text": data.decode("utf-8", "replace"), "time": timestamp(began)}
    if later:
        document["times"] = [(offset, moment - began) for offset, moment in later]
    return event("", str(start + len(data)), document)


def end_event(state: str, size: int) -> bytes:
    """The last event of a log that ended with that state and size (bytes)."""
    return event("end", end_id(size), {"state": state, "size": size})


def end_id(size: int) -> str:
    """The id of the end of a log of so many bytes.

    It is the number that the last text has, with a zero in front: so one that was told of the end can be told from one that only
    has all bytes, and still goes on from the right one if the log was replaced.
    """
    return f"0{size}"


def whole_characters(data: bytes) -> int:
    """How many bytes `data` has without a character at its end that may go on."""
    for count in range(1, min(3, len(data)) + 1):
        byte = data[-count]
        if byte & 0xC0 != 0x80:  # no byte in the middle of a character
            length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return len(data) - count if length > count and byte <= 0xF4 else len(data)
    return len(data)
