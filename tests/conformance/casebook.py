"""The cases: TOML files read into values. No sockets; nothing is run here.

It refuses what it does not know: an unknown key, a missing one or an unknown `{variable}` is an error, because
a misspelt expectation would otherwise pass for ever.
1. `vary` makes one case of each of its rows, putting the row's values into every string.
2. `{text*N}` in any string is N times that text, so that long inputs stay readable.
3. `json`, `ndjson` and `events` are JSON text, since TOML has no null.
4. Only the runner knows `{token}`, `{etag}` and the values saved by earlier answers; they stay as they are.
"""

import base64
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, TypeAlias

CASES = Path(__file__).parent / "cases"

LOGS = ("none", "live", "complete", "aborted")
FRAMINGS = ("content-length", "chunked", "close-delimited", "none")
ENDINGS = ("clean", "cut", "open", "any")
BREAKS = ("reset", "fin")
NEEDS = ("", "loopback", "attempts", "write token")

RUN_TIME = frozenset({"token", "etag", "put_host", "write_token", "prefix_write_token", "put_port", "get_host"})

_REPEAT = re.compile(r"\{([^{}*]+)\*([0-9]+)\}")
_VARIABLE = re.compile(r"\{([a-z][a-z_]*)\}")
_VERSION = re.compile(r".* HTTP/([0-9]\.[0-9])", re.DOTALL)


class CaseError(Exception):
    """A case file says something the suite does not understand."""


@dataclass(frozen=True, slots=True)
class Piece:
    """An expected part of a multipart/byteranges body."""

    content_range: str
    body: bytes
    content_type: str | None


@dataclass(frozen=True, slots=True)
class Expect:
    """What an answer has to be."""

    status: tuple[int, ...]
    headers: Mapping[str, str]
    """Fields with exactly this value."""
    match: Mapping[str, tuple[str, ...]]
    """Fields in which each of the regular expressions is found."""
    absent: tuple[str, ...]
    differ: Mapping[str, str]
    """Fields that are there with another value than this."""
    save: Mapping[str, str]
    """Variable -> field whose value later steps use as `{variable}`; or the field, a blank, and the expression whose group that is."""
    body: bytes | None
    body_match: str | None
    parts: tuple[Piece, ...] | None
    any_order: bool
    json: object
    """What the body has to be as JSON, see `checks.mismatch`; None: it need not be JSON."""
    ndjson: list[object] | None
    """The same of each of its lines, but for those that tell of progress."""
    events: list[object] | None
    """The same of each of its server-sent events, see `checks.events_in`."""
    keep: Mapping[str, str]
    """Variable -> where in the JSON of the body its value is, such as `logs.0.generation`, for later steps."""
    framing: str | None
    ending: str
    reusable: bool | None
    """True: a follow-up request must be answered. False: the server must close. None: either."""


@dataclass(frozen=True, slots=True)
class Request:
    """Send a request; with `expect`, also read its answer."""

    on: str
    port: str
    line: str
    headers: tuple[str, ...]
    body: bytes | None
    host: bool
    unfinished: bool
    """The body is not all sent: the connection is not used again."""
    byte_by_byte: bool
    """Every byte in a packet of its own."""
    expect: Expect | None

    @property
    def method(self) -> str:
        """The request's method."""
        return self.line.partition(" ")[0]

    @property
    def version(self) -> str:
        """The HTTP version that the answer has to suit."""
        return "1.0" if self.line.endswith(" HTTP/1.0") else "1.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """Read the answer to a request sent before."""

    on: str
    expect: Expect


@dataclass(frozen=True, slots=True)
class More:
    """Read on in an answer that was left open."""

    on: str
    body: bytes
    ending: str


@dataclass(frozen=True, slots=True)
class MoreEvents:
    """Read on in an answer of server-sent events that was left open, until it has these; it stays open."""

    on: str
    events: list[object]


@dataclass(frozen=True, slots=True)
class AwaitHead:
    """Wait for the first head of an answer, interim or final; what follows it is read by a later step."""

    on: str
    status: int


@dataclass(frozen=True, slots=True)
class Produce:
    """Begin a log; the step ends when readers see it live."""

    on: str
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Append:
    """The producer sends bytes; the step ends when a reader has seen them."""

    on: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Finish:
    """The producer ends the body and reads its answer; the step ends when a reader has seen the end."""

    on: str
    expect: Expect | None


@dataclass(frozen=True, slots=True)
class Break:
    """The producer's connection breaks; the step ends when a reader has been told."""

    on: str
    how: str


@dataclass(frozen=True, slots=True)
class Send:
    """Bytes as they are on a connection."""

    on: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Leave:
    """A client goes away."""

    on: str


Step: TypeAlias = Request | Answer | More | MoreEvents | AwaitHead | Produce | Append | Finish | Break | Send | Leave


@dataclass(frozen=True, slots=True)
class Case:
    """One case: a log in some state, then steps."""

    name: str
    log: str
    content: bytes
    producer: tuple[str, ...]
    """The header lines of the PUT that makes the log."""
    steps: tuple[Step, ...]
    rfc: str
    differs: Mapping[str, str]
    """Peer -> why it is known to answer otherwise."""
    needs: str
    row: int = 0
    """Which of the rows of `vary` it was made of."""

    @property
    def begins_log(self) -> bool:
        """Whether a server that never had a log may have one after this case."""
        return any(
            isinstance(step, Produce) or (isinstance(step, Request) and step.port == "put") for step in self.steps
        )


def load(folder: Path = CASES) -> list[Case]:
    """Every case of the folder.

    Raises: CaseError.
    """
    cases: list[Case] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            rows = _Table(tomllib.loads(path.read_text("utf-8"))).tables("case")
            for row in rows:
                cases.extend(_cases(row))
        except (CaseError, tomllib.TOMLDecodeError) as error:
            raise CaseError(f"{path.name}: {error}") from error
    names = Counter(case.name for case in cases)
    unreadable = [name for name in names if not name.isprintable()]
    if unreadable:
        raise CaseError(f"names with control characters: {unreadable}")
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise CaseError(f"several cases are named {twice}")
    return cases


class _Table:
    """A TOML table that knows which of its keys have been read."""

    def __init__(self, raw: object, where: str = "") -> None:
        if not isinstance(raw, dict):
            raise CaseError(f"{where}: a table was expected, not {raw!r}")
        self.raw: dict[str, object] = raw
        self.where = where
        self._left = set(raw)

    def __contains__(self, key: str) -> bool:
        return key in self.raw

    def take(self, key: str, default: object = None) -> object:
        self._left.discard(key)
        return self.raw.get(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.take(key, default)
        if not isinstance(value, str):
            raise CaseError(f"{self.where}: {key} must be text, not {value!r}")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.text(key, default)
        if value not in allowed:
            raise CaseError(f"{self.where}: {key} is {value!r}, not one of {allowed}")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.take(key, default)
        if not isinstance(value, bool):
            raise CaseError(f"{self.where}: {key} must be true or false, not {value!r}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        return _texts(self.take(key, []), f"{self.where}: {key}")

    def data(self, key: str, default: str | None = None) -> bytes:
        """Text, or a table with `base64`."""
        value = self.take(key, default)
        if isinstance(value, dict):
            table = _Table(value, f"{self.where}: {key}")
            value = table.text("base64")
            table.done()
            return base64.b64decode(value, validate=True)
        if not isinstance(value, str):
            raise CaseError(f"{self.where}: {key} must be text or base64, not {value!r}")
        return value.encode()

    def document(self, key: str) -> object:
        """The value of JSON text, in which null and numbers are what they are; None if there is no such key."""
        if key not in self:
            return None
        try:
            return json.loads(self.text(key))
        except ValueError as error:
            raise CaseError(f"{self.where}: {key} is not JSON: {error}") from error

    def documents(self, key: str) -> list[object] | None:
        """A list of values, as JSON text."""
        value = self.document(key)
        if value is not None and not isinstance(value, list):
            raise CaseError(f"{self.where}: {key} must be a list in JSON")
        return value

    def mapping(self, key: str) -> dict[str, str]:
        table = _Table(self.take(key, {}), f"{self.where}: {key}")
        return {name: table.text(name) for name in table.raw}

    def tables(self, key: str) -> list[Self]:
        value = self.take(key, [])
        if not isinstance(value, list):
            raise CaseError(f"{self.where}: {key} must be a list, not {value!r}")
        return [type(self)(item, f"{self.where}: {key} {n}") for n, item in enumerate(value, 1)]

    def done(self) -> None:
        if self._left:
            raise CaseError(f"{self.where}: unknown keys {sorted(self._left)}")


def _texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise CaseError(f"{where} must be a list of texts, not {value!r}")
    return tuple(value)


def _cases(table: _Table) -> Iterator[Case]:
    rows = [row.raw for row in table.tables("vary")] or [{}]
    raw = {key: value for key, value in table.raw.items() if key != "vary"}
    for number, row in enumerate(rows):
        # The name keeps `{text*N}` as it is written: it is there to be read.
        name = _put(str(raw.get("name", "a case without a name")), row)
        values = {key: _expand(value, {}) for key, value in row.items()}
        yield replace(_case(_Table(_expand(raw, values), name), name), row=number)


def _expand(value: object, values: Mapping[str, object]) -> object:
    """Put a row's values, then repetitions, into every string below `value`."""
    if isinstance(value, dict):
        return {key: _expand(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, values) for item in value]
    if isinstance(value, str):
        for key, item in values.items():
            if value == "{" + key + "}":
                return item
        return _REPEAT.sub(lambda match: match[1] * int(match[2]), _put(value, values))
    return value


def _put(text: str, values: Mapping[str, object]) -> str:
    for key, item in values.items():
        text = text.replace("{" + key + "}", str(item))
    return text


def _case(table: _Table, name: str) -> Case:
    steps: list[Step] = []
    if "request" in table or "expect" in table:
        steps.append(_request(table))
    steps.extend(_step(step) for step in table.tables("then"))
    table.take("name")
    log = table.choice("log", LOGS, "")
    case = Case(
        name=name,
        log=log,
        content=b"" if log == "none" else table.data("content", "0123456789"),
        producer=table.texts("producer"),
        steps=tuple(steps),
        rfc=table.text("rfc", ""),
        differs=table.mapping("differs"),
        needs=table.choice("needs", NEEDS, ""),
    )
    table.done()
    _check_variables(table)
    return case


def _check_variables(table: _Table) -> None:
    unknown = set(_variables(table.raw)) - RUN_TIME - set(_saved(table.raw))
    if unknown:
        raise CaseError(f"{table.where}: unknown variables {sorted(unknown)}")


def _variables(value: object) -> Iterator[str]:
    """The variables that the texts in `value` have."""
    if isinstance(value, str):
        yield from _VARIABLE.findall(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _variables(key)
            yield from _variables(item)
    elif isinstance(value, list):
        for item in value:
            yield from _variables(item)


def _saved(value: object) -> Iterator[str]:
    """The variables that answers in `value` are saved under."""
    if isinstance(value, dict):
        yield from value.get("save", {})
        yield from value.get("keep", {})
        for item in value.values():
            yield from _saved(item)
    elif isinstance(value, list):
        for item in value:
            yield from _saved(item)


def _request(table: _Table) -> Request:
    line = table.text("request", "GET /log/{token}")
    return Request(
        on=table.text("on", "reader"),
        port=table.choice("port", ("get", "put"), "get"),
        line=line if _VERSION.fullmatch(line) else f"{line} HTTP/1.1",
        headers=table.texts("headers"),
        body=table.data("body") if "body" in table else None,
        host=table.flag("host", default=True),
        unfinished=table.flag("unfinished"),
        byte_by_byte=table.flag("byte_by_byte"),
        expect=_expect(_Table(table.take("expect"), table.where)) if "expect" in table else None,
    )


def _step(table: _Table) -> Step:
    for verb, build in _STEPS.items():
        if verb in table:
            step = build(table)
            table.done()
            return step
    raise CaseError(f"{table.where}: no known step in {table.raw!r}")


def _finish(table: _Table) -> Finish:
    expect = _expect(_Table(table.take("expect"), table.where)) if "expect" in table else None
    return Finish(table.text("finish"), expect)


def _more(table: _Table) -> More:
    return More(table.text("on", "reader"), table.data("more"), table.choice("ending", ENDINGS, "clean"))


def _answer(table: _Table) -> Answer:
    return Answer(table.text("on", "reader"), _expect(_Table(table.take("expect"), table.where)))


# The key that makes a table this step; `expect` last, since it belongs to other steps too.
_STEPS: Mapping[str, Callable[[_Table], Step]] = {
    "request": _request,
    "append": lambda table: Append(table.text("on", "producer"), table.data("append")),
    "more": _more,
    "events": lambda table: MoreEvents(table.text("on"), table.documents("events") or []),
    "head": lambda table: AwaitHead(table.text("on"), int(str(table.take("head")))),
    "produce": lambda table: Produce(table.text("on", "producer"), table.texts("produce")),
    "finish": _finish,
    "break": lambda table: Break(table.text("break"), table.choice("how", BREAKS, "reset")),
    "send": lambda table: Send(table.text("on"), table.data("send")),
    "leave": lambda table: Leave(table.text("leave")),
    "expect": _answer,
}


def _expect(table: _Table) -> Expect:
    match = _Table(table.take("match", {}), table.where)
    expect = Expect(
        status=_statuses(table.take("status"), table.where),
        headers=table.mapping("headers"),
        match={name: _patterns(match.take(name), table.where) for name in match.raw},
        absent=table.texts("absent"),
        differ=table.mapping("differ"),
        save=table.mapping("save"),
        body=table.data("body") if "body" in table else None,
        body_match=table.text("body_match") if "body_match" in table else None,
        parts=tuple(_piece(part) for part in table.tables("parts")) if "parts" in table else None,
        any_order=table.flag("any_order"),
        json=table.document("json"),
        ndjson=table.documents("ndjson"),
        events=table.documents("events"),
        keep=table.mapping("keep"),
        framing=table.choice("framing", FRAMINGS, "") if "framing" in table else None,
        ending=table.choice("ending", ENDINGS, "clean"),
        reusable=table.flag("reusable") if "reusable" in table else None,
    )
    table.done()
    return expect


def _statuses(value: object, where: str) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, int) for item in values):
        raise CaseError(f"{where}: status must be a number or a list of numbers, not {value!r}")
    return tuple(values)


def _patterns(value: object, where: str) -> tuple[str, ...]:
    return _texts(value if isinstance(value, list) else [value], where)


def _piece(table: _Table) -> Piece:
    piece = Piece(
        content_range=table.text("range"),
        body=table.data("body"),
        content_type=table.text("type") if "type" in table else None,
    )
    table.done()
    return piece
