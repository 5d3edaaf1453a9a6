"""Which logs a server has, as they are and as they change: the list, filtered by the server, through broken connections.

    for log in livelog.logs(prefix="builds/42/", state="live"):
        print(log.name, log.size)

    for event in livelog.watch(labels={"branch": "main"}):
        print(event.kind, event.log.name)

Refuses to filter: the server does. After a broken connection the list goes on behind the log that came last, and nothing is told twice.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypedDict, Unpack, cast
from urllib.parse import quote, urlencode

from livelog.client.settings import ClientSettings, load
from livelog.client.transport.stream import Stream, document, events
from livelog.errors import Refused
from livelog.tokens import Access, is_of_prefix

from .in_thread import each
from .lookup import Target, fetch, listing, patiently
from .reader import GIVE_UP, parse
from .search import moment, told
from .watching import Watched

WATCHED = 10_000
"""Logs of a live list that are told of at its beginning, by default."""

State = Literal["live", "interrupted", "complete", "aborted"]
Kind = Literal["log", "begun", "grew", "changed", "ended", "removed"]


class ListOptions(TypedDict, total=False):
    """Which logs are meant, and how they are asked for."""

    url: str | None
    """The link of a list, such as `livelog link --prefix` makes it; None: the list of the server in the settings."""
    token: str | None
    """What opens the list, if it is not in the link."""
    prefix: str
    """What their names begin with."""
    labels: Mapping[str, str | None]
    """Labels that they have, all of them, with these values; None: whatever the value is."""
    state: State | None
    """The state in which they are."""
    since: datetime | None
    """They began then or later. A time without a zone is local."""
    until: datetime | None
    """They began before that."""
    text: str
    """What is in their name or title, in upper or lower case."""
    limit: int | None
    """So many at most, the newest; None: all, of a live list 10,000 at its beginning."""
    give_up: float
    """Seconds for which a server that does not answer is tried."""
    notice: Callable[[str], None] | None
    """Is called with a line of text when that begins."""
    settings: ClientSettings | None
    """Where the server is; None: what the environment says."""


@dataclass(frozen=True, kw_only=True)
class LogStatus:
    """What a server tells of a log."""

    name: str
    """Empty: the log without a name."""
    generation: str
    """Which log of that name it is."""
    state: State
    size: int
    """Bytes so far."""
    began: datetime
    changed: datetime
    """When its last byte came."""
    ended: datetime | None
    """None: it has not ended."""
    reason: str
    """Why it ended; empty before that."""
    title: str
    exit_code: int | None
    """That of the job; None: it is not known."""
    labels: Mapping[str, str]
    content_type: str
    readers: int
    """How many follow it."""
    attempts: int | None
    """How many logs of that name are kept; None: the server does not tell."""
    link: str = field(repr=False)
    """Where it can be read, as for `Reader`: a secret."""


class LogEvent(NamedTuple):
    """What has happened to a log."""

    kind: Kind
    """`log`: it was there at the beginning. `begun`, `grew` (at most about once per second), `changed` (state, title, labels), `ended`, `removed`."""
    log: LogStatus
    """How it stands since then; of one that was removed, how it stood."""


def logs(**options: Unpack[ListOptions]) -> Iterator[LogStatus]:
    """The logs that there are, newest first; all of them without `options`, which `ListOptions` explains.

    Raises: ConfigError; while iterating, Refused (status 401: the token), GaveUp.
    """
    return LogList(**options).logs()


def alogs(**options: Unpack[ListOptions]) -> AsyncIterator[LogStatus]:
    """The same as `logs`, for asyncio."""
    found = LogList(**options)
    return each(found.logs(), found.close)


def watch(**options: Unpack[ListOptions]) -> Iterator[LogEvent]:
    """The logs that there are, and then what happens to them, and which begin. It does not end by itself. Otherwise as `logs`.

    After a broken connection it goes on with what has happened meanwhile: nothing is told twice, and no end is missed.
    """
    return LogList(**options).events()


def awatch(**options: Unpack[ListOptions]) -> AsyncIterator[LogEvent]:
    """The same as `watch`, for asyncio."""
    found = LogList(**options)
    return each(found.events(), found.close)


class LogList:
    """A list of logs. For its arguments see `ListOptions`."""

    def __init__(
        self,
        *,
        url: str | None = None,
        token: str | None = None,
        prefix: str = "",
        labels: Mapping[str, str | None] | None = None,
        state: State | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str = "",
        limit: int | None = None,
        give_up: float = GIVE_UP,
        notice: Callable[[str], None] | None = None,
        settings: ClientSettings | None = None,
    ) -> None:
        self._settings = load() if settings is None else settings
        self._url, self._token, self._limit = url, token, limit
        self._give_up, self._notice = give_up, notice or (lambda _text: None)
        self._state = state
        if url is not None:
            parse(url)
        query = {
            "prefix": prefix, "state": state, "since": told(since), "until": told(until), "q": text,
            "label": [name if value is None else f"{name}:{value}" for name, value in (labels or {}).items()],
        }  # fmt: skip
        self._query = {name: value for name, value in query.items() if value}
        self._stream: Stream | None = None
        self._closed = False

    def close(self) -> None:
        """End the iteration, from whatever thread."""
        self._closed = True
        if self._stream is not None:
            self._stream.close()

    def logs(self) -> Iterator[LogStatus]:
        """See `logs`."""
        if self._limit == 0:
            return
        target, left, before = self._target(), self._limit, ""

        def asked() -> str:
            return self._asked({"as": "ndjson", "before": before, "limit": left})

        for line in self._lines(target, asked, "application/x-ndjson", endless=False):
            found = document(line)
            if "error" in found:
                raise Refused(str(found["error"]))
            if "name" in found:
                before, left = found["generation"], None if left is None else left - 1
                yield _status(found, target)
                if left == 0:
                    return

    def events(self) -> Iterator[LogEvent]:
        """See `watch`."""
        target = self._target()
        for kind, log in self.changes():
            if kind != "listed":
                yield LogEvent(cast("Kind", kind), _status(log, target))

    def changes(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The same, as the server tells it; and `listed` behind what there was at the beginning."""
        target, watched = self._target(), Watched()

        def asked() -> str:
            watched.begin()
            return self._asked({"as": "events", "limit": WATCHED if self._limit is None else self._limit})

        for kind, _, data in events(self._lines(target, asked, "text/event-stream", endless=True)):
            for change, log in watched.take(kind, data):
                yield (change, log) if change != "missing" else self._gone(target, log)

    def _gone(self, target: Target, log: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """What has happened to a log that is not listed any more. Where states are selected, it may only have another one."""
        if self._state is not None:
            url = f"{_resource(target, 'status', log['name'])}?generation={log['generation']}"
            asked = target._replace(url=url)
            try:
                known = patiently(lambda wait, patience: fetch(asked, wait, patience), 0, self._give_up, self._notice)
            except Refused as error:
                if error.status not in (404, 412):
                    raise
            else:
                return "ended" if known["ended"] else "changed", known
        return "removed", log

    def _target(self) -> Target:
        if self._url is None:
            return listing(self._settings)
        url = self._url.partition("#")[0].partition("?")[0]
        parts = parse(url)
        path = parts.path if re.search("/logs(?=/|$)", parts.path) else f"{parts.path.rstrip('/')}/logs"
        return Target(parts._replace(path=path).geturl(), self._token, self._settings)

    def _lines(self, target: Target, asked: Callable[[], str], accept: str, *, endless: bool) -> Iterator[bytes]:
        self._stream = target.stream(self._give_up, self._notice, endless=endless)
        if self._closed:
            self._stream.close()
        return self._stream.lines(asked, accept)

    def _asked(self, more: Mapping[str, object]) -> str:
        return "?" + urlencode(
            self._query | {name: value for name, value in more.items() if value not in (None, "")}, doseq=True
        )


def _resource(target: Target, resource: str, name: str) -> str:
    """The address of something of a log in a list; with the token in it if it is in the list's."""
    base, *rest = _parts(target)
    token = "" if target.token is not None else "/".join(["", *rest[:1]])
    return f"{base}/{resource}{token}{'/' if name else ''}{quote(name)}"


def _parts(target: Target) -> list[str]:
    """Where the server of a list is, and what follows `/logs` in its address: the token, if it is there, and the prefix."""
    base, *rest = re.split("/logs(?=/|$)", target.url.rstrip("/"), maxsplit=1)
    return [base, *"".join(rest).strip("/").split("/")]


def _link(target: Target, name: str) -> str:
    """A link of a log in a list: one that opens this log alone, if the token of the list can make it."""
    base, *rest = _parts(target)
    token = target.token or "".join(rest[:1])
    if is_of_prefix(token):
        return f"{base}/log/{token}{'/' if name else ''}{quote(name)}"
    return Access(token).link(base, name, None, "log")


def _status(log: Mapping[str, Any], target: Target) -> LogStatus:
    attempts = log.get("attempts")
    return LogStatus(
        name=log["name"],
        generation=log["generation"],
        state=log["state"],
        size=log["size"],
        began=_time(log["began"]),
        changed=_time(log["changed"]),
        ended=None if log["ended"] is None else _time(log["ended"]),
        reason=log["reason"],
        title=log["title"],
        exit_code=log["exit_code"],
        labels=log["labels"],
        content_type=log["content_type"],
        readers=log["readers"],
        attempts=len(attempts) if isinstance(attempts, list) else attempts,
        link=_link(target, log["name"]),
    )


def _time(text: str) -> datetime:
    found = moment(text)
    assert found is not None
    return found
