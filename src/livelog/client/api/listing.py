"""The list of a server's logs, once or as it changes, through broken connections.

    for log in livelog.logs(prefix="builds/42/", state="live"):
        print(log.name, log.size)

    for event in livelog.watch(labels={"branch": "main"}):
        print(event.kind, event.log.name)

The server filters. After a broken connection the list continues behind the log that was received last, and nothing is reported twice.
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
from .links import parse
from .lookup import Target, fetch, listing, patiently
from .reader import GIVE_UP
from .search import moment, rfc3339
from .watching import Watched

WATCHED = 10_000
"""Default of `limit` of a live list: the number of present logs that it begins with."""

State = Literal["live", "interrupted", "complete", "aborted"]
Kind = Literal["log", "begun", "grew", "changed", "ended", "removed"]


class ListOptions(TypedDict, total=False):
    """Which logs are listed, and how the server is asked. All filters must match."""

    url: str | None
    """The link of a list, such as `livelog link --prefix` prints; None: the list of the server in the settings."""
    token: str | None
    """The token, if the link has none."""
    prefix: str
    """Only logs whose names begin with this text."""
    labels: Mapping[str, str | None]
    """Only logs that have all of these labels with these values; the value None: with any value."""
    state: State | None
    """Only logs in this state."""
    since: datetime | None
    """Only logs that began at this time or later. A time without a zone is local."""
    until: datetime | None
    """Only logs that began before this time."""
    text: str
    """Only logs with this text in their name or title; upper and lower case are the same."""
    limit: int | None
    """At most this many logs, the newest; None: all, or for a live list the newest 10,000."""
    give_up: float
    """Seconds for which an unreachable server is tried."""
    notice: Callable[[str], None] | None
    """Called with a line of text for people when a server is being tried again."""
    settings: ClientSettings | None
    """Where the server is; None: the environment and the configuration file say it."""


@dataclass(frozen=True, kw_only=True)
class LogStatus:
    """The status of a log, as the server reports it."""

    name: str
    """The name; empty: the log without a name."""
    generation: str
    """Identifies this log among the logs of its name."""
    state: State
    size: int
    """Bytes so far."""
    began: datetime
    changed: datetime
    """When its last byte arrived."""
    ended: datetime | None
    """When it ended; None: it has not ended."""
    reason: str
    """Why it ended, in words; empty before the end."""
    title: str
    exit_code: int | None
    """The exit code of the job; None: unknown."""
    labels: Mapping[str, str]
    content_type: str
    readers: int
    """The number of responses that follow it."""
    attempts: int | None
    """The number of logs of this name that are kept; None: the server does not report it."""
    link: str = field(repr=False)
    """A link for `Reader`. It is a secret."""


class LogEvent(NamedTuple):
    """A change of a log in a live list."""

    kind: Kind
    """`log`: the log was there at the beginning. `begun`, `grew` (about once per second), `changed` (state, title, labels), `ended`, `removed`."""
    log: LogStatus
    """The status after the change; for `removed`, the last status."""


def logs(**options: Unpack[ListOptions]) -> Iterator[LogStatus]:
    """The logs of a server, newest first. `options`: see `ListOptions`; without options, all logs.

    Raises: ConfigError; while iterating, Refused (status 401: wrong token), GaveUp.
    """
    return LogList(**options).logs()


def alogs(**options: Unpack[ListOptions]) -> AsyncIterator[LogStatus]:
    """Like `logs`, for asyncio."""
    found = LogList(**options)
    return each(found.logs(), found.close)


def watch(**options: Unpack[ListOptions]) -> Iterator[LogEvent]:
    """The present logs, and then each change, without an end. Arguments and errors are those of `logs`.

    After a broken connection, it reports what has changed meanwhile: nothing is reported twice, and no end of a log is missed.
    """
    return LogList(**options).events()


def awatch(**options: Unpack[ListOptions]) -> AsyncIterator[LogEvent]:
    """Like `watch`, for asyncio."""
    found = LogList(**options)
    return each(found.events(), found.close)


class LogList:
    """A list of logs. Arguments: see `ListOptions`."""

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
            "prefix": prefix, "state": state, "since": rfc3339(since), "until": rfc3339(until), "q": text,
            "label": [name if value is None else f"{name}:{value}" for name, value in (labels or {}).items()],
        }  # fmt: skip
        self._query = {name: value for name, value in query.items() if value}
        self._stream: Stream | None = None
        self._closed = False

    def close(self) -> None:
        """End the iteration. May be called from any thread."""
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
