"""Which logs a list is asked for: what the parameters of /logs say, held against a log. No I/O.

Refuses to know which logs there are, and who may ask.
"""

import re
from dataclasses import dataclass

from livelog.log.attributes import Attributes
from livelog.log.info import LogInfo, State, microseconds
from livelog.wire.request import Request

from . import problems

_LABEL = re.compile(r"([a-z0-9][a-z0-9._-]{0,62})(?:[:=](.*))?", re.ASCII | re.DOTALL)

_SECONDS = re.compile(r"[0-9]{1,11}(?:\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Selection:
    """Some logs: those for which everything holds that is said here. None, and an empty text: nothing is said."""

    prefixes: tuple[str, ...] = ()
    """What the name begins with, with each of them."""
    labels: tuple[tuple[str, str | None], ...] = ()
    """Labels that the log has, and their values; None: whatever the value is."""
    state: State | None = None
    since: int | None = None
    until: int | None = None
    """The log began at `since` or later, and before `until`: in microseconds since the epoch."""
    text: str = ""
    """What is in the name or in the title, in whatever case: this is in lower case."""

    @classmethod
    def of(cls, request: Request, prefix: str) -> "Selection":
        """What a request asks for, below the prefix that its path names. Raises: RequestError."""
        query = request.query
        return cls(
            prefixes=tuple(dict.fromkeys(each for each in (prefix, query.get("prefix", "")) if each)),
            labels=tuple(_label(text) for text in request.query_values("label")),
            state=None if "state" not in query else state_named(query["state"]),
            since=_moment("since", query["since"]) if "since" in query else None,
            until=_moment("until", query["until"]) if "until" in query else None,
            text=query.get("q", "").casefold(),
        )

    @classmethod
    def below(cls, request: Request, prefix: str) -> "Selection":
        """As `of`, by prefix, label and state alone: of a search of logs, the other parameters mean lines. Raises: RequestError."""
        found = cls.of(request, prefix)
        return cls(found.prefixes, found.labels, found.state)

    def takes(self, info: LogInfo, state: State, attributes: Attributes) -> bool:
        """Whether a log is one of them that is known so, with that state and these attributes."""
        return (
            (self.state is None or self.state is state)
            and all(info.name.startswith(prefix) for prefix in self.prefixes)
            and (self.since is None or self.since <= info.began)
            and (self.until is None or info.began < self.until)
            and all(
                name in attributes.labels and value in (None, attributes.labels[name]) for name, value in self.labels
            )
            and (not self.text or self.text in info.name.casefold() or self.text in attributes.title.casefold())
        )


def state_named(text: str) -> State:
    """The state that a parameter names. Raises: RequestError."""
    try:
        return State(text)
    except ValueError as error:
        raise problems.NOT_A_STATE.error() from error


def _label(text: str) -> tuple[str, str | None]:
    match = _LABEL.fullmatch(text)
    if match is None:
        raise problems.NOT_A_LABEL.error()
    return match[1], match[2]


def _moment(parameter: str, text: str) -> int:
    """A time in microseconds since the epoch. Raises: RequestError."""
    if _SECONDS.fullmatch(text):
        return int(float(text) * 1_000_000)
    try:
        # Refuses what has no zone. The + of a zone is a space in a query, unless it is escaped.
        return microseconds(re.sub(r" (?=[0-9]{2}:?[0-9]{2}$)", "+", text))
    except (ValueError, TypeError) as error:
        raise problems.NOT_A_BEGIN.error(parameter=parameter) from error
