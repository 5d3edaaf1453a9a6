"""Compare an answer with what a case expects. Pure: no sockets, no waiting.

It checks only what the case says; an expectation left out is a free choice of the server.
"""

import re
from collections.abc import Callable

from .casebook import Expect
from .wire import AnswerParser, Head, multipart_parts

Fill = Callable[[str], str]


class Failure(Exception):
    """The server did not do what the case expects."""


def check_framing(answer: AnswerParser, expect: Expect) -> None:
    """Raises: Failure."""
    got = answer.framing.value if answer.framing is not None else "none yet"
    if expect.framing not in (None, got):
        raise Failure(f"framing is {got}, expected {expect.framing}")


def check_status(answer: AnswerParser, head: Head, expect: Expect) -> None:
    """Raises: Failure, showing the body, which often says why."""
    if head.status not in expect.status:
        wanted = " or ".join(map(str, expect.status))
        body = bytes(answer.body[:200])
        raise Failure(f"status {head.status}, expected {wanted}; body {body!r}")


def check_fields(head: Head, expect: Expect, fill: Fill) -> None:
    """Check the fields; `fill` puts run-time values into an expected one. Raises: Failure."""
    for name, value in expect.headers.items():
        if head.get(name) != fill(value):
            raise Failure(f"{name} is {_brief(head.get(name))}, expected {_brief(fill(value))}")
    for name, patterns in expect.match.items():
        for pattern in patterns:
            if re.search(pattern, head.get(name) or "") is None:
                raise Failure(f"{name} is {_brief(head.get(name))}, expected to match {pattern!r}")
    for name in expect.absent:
        if head.get(name) is not None:
            raise Failure(f"{name} is {_brief(head.get(name))}, expected none")
    for name, value in expect.differ.items():
        if head.get(name) in (None, fill(value)):
            raise Failure(f"{name} is {_brief(head.get(name))}, expected another value")


def check_body(answer: AnswerParser, head: Head, expect: Expect) -> None:
    """Raises: Failure, and WireFault if a multipart body is malformed."""
    body = bytes(answer.body)
    if expect.body is not None:
        compare("body", body, expect.body)
    if expect.body_match is not None and not re.fullmatch(
        expect.body_match, body.decode("utf-8", "replace"), re.DOTALL
    ):
        raise Failure(f"body {body[:200]!r}, expected to match {expect.body_match!r}")
    if expect.parts is not None:
        _check_parts(body, head, expect)


def _check_parts(body: bytes, head: Head, expect: Expect) -> None:
    wanted = list(expect.parts or ())
    kind = head.get("content-type") or ""
    if len(wanted) == 1 and not kind.startswith("multipart/"):
        # RFC 9110 §15.3.7.2: one range left after coalescing may be sent as a single part.
        compare("body", body, wanted[0].body)
        if head.get("content-range") != wanted[0].content_range:
            raise Failure(f"Content-Range is {head.get('content-range')}, expected {wanted[0].content_range}")
        return
    if head.get("content-range") is not None:
        raise Failure("Content-Range beside multipart/byteranges (RFC 9110 §15.3.7.2)")
    got = multipart_parts(kind, body)
    if expect.any_order:
        got.sort(key=lambda part: part.content_range)
        wanted.sort(key=lambda piece: piece.content_range)
    ranges = [part.content_range for part in got], [piece.content_range for piece in wanted]
    if ranges[0] != ranges[1]:
        raise Failure(f"parts {ranges[0]}, expected {ranges[1]}")
    for part, piece in zip(got, wanted, strict=True):
        compare(f"part {part.content_range}", part.body, piece.body)
        if piece.content_type is not None and part.content_type != piece.content_type:
            raise Failure(f"a part's Content-Type is {part.content_type!r}, expected {piece.content_type!r}")


def compare(what: str, got: bytes, wanted: bytes) -> None:
    """Raises: Failure, with the place where the bytes begin to differ."""
    if got == wanted:
        return
    pairs = enumerate(zip(got, wanted, strict=False))
    same = next((place for place, (one, other) in pairs if one != other), min(len(got), len(wanted)))
    around = slice(max(0, same - 20), same + 60)
    raise Failure(
        f"{what} is {len(got)} bytes, expected {len(wanted)}; first difference at {same}: "
        f"{got[around]!r} instead of {wanted[around]!r}"
    )


def _brief(value: str | None) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:150]}… ({len(value or '')} characters)"
