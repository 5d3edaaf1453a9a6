"""The filter of a list of logs: the parameters of /logs, parsed and compared with a log. No I/O."""

import re
from typing import NamedTuple

from livelog.log.attributes import Attributes
from livelog.log.info import LogInfo, State, microseconds
from livelog.wire.request import Request

from . import problems

_LABEL = re.compile(r"([a-z0-9][a-z0-9._-]{0,62})(?:[:=](.*))?", re.ASCII | re.DOTALL)

_SECONDS = re.compile(r"[0-9]{1,11}(?:\.[0-9]+)?", re.ASCII)


class Selection(NamedTuple):
    """A filter of logs: all its conditions must hold. None, or an empty text or tuple, is no condition."""

    prefixes: tuple[str, ...] = ()
    """The name begins with each of these."""
    labels: tuple[tuple[str, str | None], ...] = ()
    """The log has these labels with these values; None: with any value."""
    state: State | None = None
    since: int | None = None
    until: int | None = None
    """The log began in `[since, until)`, in microseconds since the epoch."""
    text: str = ""
    """A text in lower case that the name or the title contains, ignoring case."""

    @classmethod
    def of(cls, request: Request, prefix: str) -> "Selection":
        """The filter of a request, with the prefix in its path. Raises: RequestError."""
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
        """As `of`, with prefix, label and state only: in a search of logs, the other parameters are about lines. Raises: RequestError."""
        found = cls.of(request, prefix)
        return cls(found.prefixes, found.labels, found.state)

    def takes(self, info: LogInfo, state: State, attributes: Attributes) -> bool:
        """Whether a log with these facts, that state and these attributes is selected."""
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
    """The state with that name. Raises: RequestError."""
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
        # A time without a zone is an error. The + of a zone is a space in a query, unless it is escaped.
        return microseconds(re.sub(r" (?=[0-9]{2}:?[0-9]{2}$)", "+", text))
    except (ValueError, TypeError) as error:
        raise problems.NOT_A_BEGIN.error(parameter=parameter) from error
