"""Compare an answer with what a case expects. Pure: no sockets, no waiting.

It checks only what the case says; an expectation left out is a free choice of the server.
"""

import json
import re
from collections.abc import Callable

from .casebook import Expect
from .wire import AnswerParser, Head, multipart_parts

Fill = Callable[[str], str]

PROGRESS = frozenset({"scanned", "searched"})
"""What a line of JSON has that tells how far a search is. When there are such lines is the server's choice."""


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


def check_body(answer: AnswerParser, head: Head, expect: Expect, fill: Fill) -> None:
    """Check the body; `fill` puts run-time values into an expected one. Raises: Failure, and WireFault if a multipart body is malformed."""
    body = bytes(answer.body)
    if expect.body is not None:
        compare("body", body, expect.body)
    if expect.body_match is not None and not re.fullmatch(
        expect.body_match, body.decode("utf-8", "replace"), re.DOTALL
    ):
        raise Failure(f"body {body[:200]!r}, expected to match {expect.body_match!r}")
    if expect.parts is not None:
        _check_parts(body, head, expect)
    if expect.json is not None:
        _agree("JSON", document_of(body), filled(expect.json, fill))
    if expect.ndjson is not None:
        lines = [document_of(line) for line in body.splitlines()]
        told = [line for line in lines if not isinstance(line, dict) or "done" in line or not PROGRESS & line.keys()]
        _agree("lines of JSON", told, filled(expect.ndjson, fill))
    if expect.events is not None:
        check_events(body, expect.events, fill)


def document_of(text: bytes) -> object:
    """Raises: Failure, if that is not JSON."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failure(f"{text[:200]!r} is not JSON: {error}") from error


def filled(value: object, fill: Fill) -> object:
    """An expected value with the run-time values in its texts."""
    if isinstance(value, dict):
        return {key: filled(item, fill) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, fill) for item in value]
    return fill(value) if isinstance(value, str) else value


def mismatch(got: object, wanted: object, where: str = "") -> str | None:
    """How a value of JSON differs from what is wanted; None: it is that.

    An object may have further members, and must not have one of which "!" is wanted. A list has exactly these items. A text that
    begins with ~ is a regular expression, for a text or, of any other value, for its JSON.
    """
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key, item in wanted.items():
            if (item == "!") == (key in got):
                return f"{where}.{key} is {'there' if key in got else 'missing'} in {json.dumps(got)[:200]}"
            if key in got and (why := mismatch(got[key], item, f"{where}.{key}")) is not None:
                return why
        return None
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        found = (
            mismatch(one, item, f"{where}[{place}]") for place, (one, item) in enumerate(zip(got, wanted, strict=True))
        )
        return next((why for why in found if why is not None), None)
    if isinstance(wanted, str) and wanted.startswith("~"):
        agrees = re.fullmatch(wanted[1:], got if isinstance(got, str) else json.dumps(got), re.DOTALL) is not None
    else:
        agrees = type(got) is type(wanted) and got == wanted
    return None if agrees else f"{where} is {json.dumps(got)[:300]}, expected {json.dumps(wanted)[:300]}"


def events_in(body: bytes) -> list[object]:
    """The whole events of a stream: of each its type, its data and, if it has one, its id.

    Messages that follow each other are joined into one, since it is the server's choice how it cuts a text. Comments are left out, and so are
    the events `readers` and `grew`, which may come at any time.
    """
    found: list[list[object]] = []
    for block in body.decode("utf-8", "replace").split("\n\n")[:-1]:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, colon, value = line.partition(": ")
            if colon and name:
                fields[name] = value
        kind = fields.get("event", "message")
        if "data" not in fields or kind in ("readers", "grew"):
            continue
        data = document_of(fields["data"].encode())
        last = found[-1] if found else None
        if kind == "message" and last is not None and last[0] == kind and isinstance(data, dict):
            joined = last[1]
            assert isinstance(joined, dict)
            last[1:] = [
                joined | {"text": joined["text"] + data["text"]},
                *[fields[name] for name in ("id",) if name in fields],
            ]
        else:
            found.append([kind, data, *[fields[name] for name in ("id",) if name in fields]])
    return [*found]


def check_events(body: bytes, wanted: list[object], fill: Fill) -> None:
    """That the events are these; of each that is wanted without an id, that may be any. Raises: Failure."""
    expected = filled(wanted, fill)
    assert isinstance(expected, list)
    got = events_in(body)
    told = [
        one[: len(item)] if isinstance(one, list) and isinstance(item, list) else one
        for one, item in zip(got, expected, strict=False)
    ]
    _agree("events", [*told, *got[len(told) :]], expected)


def _agree(what: str, got: object, wanted: object) -> None:
    if (why := mismatch(got, wanted)) is not None:
        raise Failure(f"{what}: {why}")


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
