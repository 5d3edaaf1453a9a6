"""Single requests to a server: the link of a log, its status, the place of a line, the list of logs.

A request is sent once; only `patiently` repeats one.
"""

import contextlib
import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import replace
from http.client import HTTPException
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

from livelog.client.api.links import parse, which
from livelog.client.settings import ClientSettings
from livelog.client.transport.connection import TIMEOUT, connect
from livelog.client.transport.origin import Origin, is_loopback, shown
from livelog.client.transport.patient import FIRST_PAUSE, LAST_PAUSE, LONGEST_WAIT, has_waited
from livelog.client.transport.stream import Stream, with_query
from livelog.client.transport.wire import Answer, Wire, explain, message_of
from livelog.config import EX_CONFIG
from livelog.errors import ConfigError, GaveUp, Refused
from livelog.names import valid_name
from livelog.tokens import Access, is_of_prefix

INDEXING = 300.0
"""Seconds that a server may take to count the lines of a log."""

FEW = 1000
"""The limit of lines that the server is asked to find from the end of the log. For more, line numbers are used."""

WINDOW = 4 * 1024 * 1024
"""The limit of bytes in an answer of `/lines`."""

T = TypeVar("T")


class Target(NamedTuple):
    """The address of a log or of another resource, the token, if the address has none, and the settings to be used."""

    url: str
    token: str | None
    settings: ClientSettings

    def other(self, resource: str, query: str = "") -> "Target":
        """The address of another resource of the same log, such as its `status`."""
        return self._replace(url=with_query(_other(self.url, resource, self.settings), query))

    def stream(
        self,
        give_up: float,
        notice: Callable[[str], None] | None = None,
        *,
        breaks: int | None = None,
        endless: bool = False,
    ) -> Stream:
        """The lines of the answers at this address: see `Stream`."""
        return Stream.at(
            self.url, token=self.token, give_up=give_up, ca_file=self.settings.ca_file,
            direct=self.settings.is_default(self.url), notice=notice, breaks=breaks, endless=endless,
        )  # fmt: skip


def make_link(
    name: str, expires: float | None, settings: ClientSettings, *, view: bool = False, patience: float = TIMEOUT
) -> str:
    """A link that opens one log, which expires after `expires` seconds (None: never). `view`: the link to the viewer.

    `name` may be a prefix, which ends in `/`. The link then opens the list of the logs whose names begin with it, and each of these logs.

    The link is made here if `ACCESS_TOKEN` and the readers' address are known; else the server is asked, for `patience` seconds.
    Raises: ClientError.
    """
    mints = settings.access_token is not None and not is_of_prefix(settings.access_token)
    if settings.access_token is not None and mints and (settings.public_chosen or not settings.chosen):
        moment = None if expires is None else math.ceil(time.time() + expires)
        url = shown(settings.public_url)
        return Access(settings.access_token).link(url, name, moment, "view" if view else "log")
    query = "" if expires is None else f"?expires={expires:.0f}"
    path = f"/logs/{quote(name)}" if name.endswith("/") else f"/log{'/' if name else ''}{quote(name)}"
    try:
        answer = ask_producers("HEAD", path + query, settings, patience)
    except GaveUp:
        if not mints or not is_loopback(urlsplit(settings.server).hostname or ""):
            raise
        # It does not run, and is of this machine: as if nobody had said where it is.
        return make_link(name, expires, replace(settings, public_chosen=True), view=view)
    if link := answer.field("Livelog-View" if view else "Livelog-Link"):
        return settings.link_for_readers(link, name)
    raise Refused(f"{shown(settings.server)} is not a livelog server: it answers {answer}", answer.status)


def list_page(prefix: str, settings: ClientSettings) -> str:
    """The address of the page that lists the logs whose names begin with `prefix`; empty: all logs. Raises: ClientError.

    What opens it is in it, if that is known; else the page asks for it.
    """
    token = settings.access_token
    if token is not None and is_of_prefix(token) != (prefix == ""):
        return f"{shown(readers_url(settings))}/view/{token}/{prefix}"
    return make_link(prefix, None, settings, view=True) if prefix else f"{shown(readers_url(settings))}/view/"


def ask_producers(method: str, path: str, settings: ClientSettings, patience: float = TIMEOUT) -> Answer:
    """The answer of the producers' port to a request. Raises: ClientError, also for 401."""
    guard = {"Authorization": f"Bearer {settings.write_token}"} if settings.write_token else {}
    direct = settings.is_default(settings.server)
    try:
        with Wire(settings.server, settings.ca_file, direct=direct, timeout=min(patience, TIMEOUT)) as wire:
            wire.head(method, wire.prefix + path, guard)
            answer = wire.answer()
    except (OSError, HTTPException) as error:
        raise GaveUp(explain(error, Origin.of(settings.server, direct=direct))) from error
    if answer.status == 401:
        known = "the user and password in LIVELOG_SERVER" if wire.origin.login else "this LIVELOG_WRITE_TOKEN"
        advice = f"it does not take {known}" if wire.origin.login or settings.write_token else "set LIVELOG_WRITE_TOKEN"
        raise Refused(f"{shown(settings.server)}: Access denied: {advice}", answer.status)
    return answer


def locate(text: str, settings: ClientSettings, patience: float = TIMEOUT) -> Target:
    """The log that a link or a name on the configured server means. Raises: ClientError."""
    if "://" in text:
        url = _other(parse(text.partition("#")[0]).geturl(), "log", settings)
        return Target(_logged_in(url, settings), None, settings)
    name = name_of(text)
    if settings.access_token is None:
        return Target(_logged_in(make_link(name, None, settings, patience=patience), settings), None, settings)
    readers = readers_url(settings, patience)
    if urlsplit(readers).username is not None:  # which takes the header field that the token would be in
        return Target(Access(settings.access_token).link(readers, name), None, settings)
    return Target(f"{readers}/log{'/' if name else ''}{quote(name)}", settings.access_token, settings)


def readers_url(settings: ClientSettings, patience: float = TIMEOUT) -> str:
    """The readers' address of the configured server. Raises: ClientError."""
    if settings.public_chosen or not settings.chosen:
        return settings.public_url
    return make_link("", None, settings, patience=patience).rpartition("/log/")[0]


def listing(settings: ClientSettings, query: str = "") -> Target:
    """The list of logs of the configured server. `query`: begins with `?`, or empty. Raises: ConfigError, ClientError."""
    if settings.access_token is None:
        raise ConfigError("ACCESS_TOKEN must be set: only who has it may list logs", EX_CONFIG)
    readers = readers_url(settings)
    # A user and a password in the URL take the header field that the token would be in.
    if urlsplit(readers).username:
        return Target(f"{readers}/logs/{settings.access_token}{query}", None, settings)
    return Target(f"{readers}/logs{query}", settings.access_token, settings)


def _logged_in(url: str, settings: ClientSettings) -> str:
    """`url` with the user and password of LIVELOG_PUBLIC_URL, if it belongs to that server and has none itself."""
    parts, known = urlsplit(url), urlsplit(settings.public_url)
    login, _, host = known.netloc.rpartition("@")
    if login and (parts.scheme, parts.netloc) == (known.scheme, host):
        return parts._replace(netloc=known.netloc).geturl()
    return url


def name_of(text: str) -> str:
    """The log name that a word of a command means, with the corrections of `livelog run --name`; `-`: the log without a name."""
    return "" if text == "-" else valid_name(text)


def status_of(log: Target, wait: float = 0, patience: float = TIMEOUT) -> dict[str, Any]:
    """The status of a log. `wait`: as in `place_of`. Raises: ClientError."""
    return fetch(log.other("status", f"?wait={math.ceil(wait)}"), wait, patience)


def attempt_of(
    log: Target, attempt: int | None, generation: str | None, wait: float = 0, patience: float = TIMEOUT
) -> Target:
    """The address of one generation of a log, so that it stays the same log when others begin. `attempt`: 0 is the newest; `wait`: as in `place_of`.

    If both are None, `log` itself. Raises: ClientError; Refused with status 412, if this log is not kept.
    """
    if attempt is None and generation is None:
        return log
    url = log.url.partition("?")[0]
    asked = f"?attempt={attempt}" if attempt is not None else f"?generation={generation}"
    try:
        known = status_of(log._replace(url=url + asked), wait, patience)
    except Refused as error:
        text = str(error)
        if error.status == 412:
            text = "no log of that generation is kept under this name"
        elif error.status != 404 or "attempt" not in text:
            raise
        raise Refused(f"{text}; livelog status lists those that are kept", 412) from error
    return log if attempt == 0 and url == log.url else log._replace(url=f"{url}?generation={known['generation']}")


class Place(NamedTuple):
    """The beginning of a line in the log with this `generation`: its `offset`, and its number, counted from 1, if it is known."""

    generation: str
    offset: int
    line: int | None


def place_of(asked: str, log: Target, wait: float, patience: float = INDEXING) -> Place:
    """The place that the query `asked` of `/lines` names, such as `from=5`. Raises: ClientError.

    `wait`: seconds to wait for the log to begin, at most `LONGEST_WAIT`. `patience`: seconds within which the server must answer then.
    """
    target = log.other("lines", f"?{asked}&wait={math.ceil(wait)}")
    headers = _ask("HEAD", target, wait + min(patience, INDEXING), patience).headers
    offset, line = headers.get("Livelog-Offset", ""), headers.get("Livelog-First-Line", "")
    if not offset.isdigit():
        raise Refused("this server cannot tell where lines begin")
    if asked.startswith("from=") and not line.isdigit():
        raise GaveUp("the server did not find that line: it has not counted the log's lines")
    return Place(headers.get("ETag", "").strip('"'), int(offset), int(line) if line.isdigit() else None)


def few_lines(count: int, log: Target, wait: float, patience: float = INDEXING) -> Place | None:
    """The beginning of the last `count` lines; None: the server has not found all of them from the end. Arguments and errors are those of `place_of`."""
    target = log.other("lines", f"?tail={count}&wait={math.ceil(wait)}")
    answer = _ask("GET", target, wait + min(patience, INDEXING), patience)
    offset, body = answer.headers.get("Livelog-Offset", ""), answer.body
    found = body.count(b"\n") + (body[-1:] not in (b"", b"\n"))
    if not offset.isdigit() or (offset != "0" and (found < count or len(body) >= WINDOW)):
        return None
    return Place(answer.headers.get("ETag", "").strip('"'), int(offset), None)


def last_lines(count: int, log: Target, wait: float, patience: float = INDEXING) -> Place:
    """The beginning of the last `count` lines, however many and long they are. Arguments and errors are those of `place_of`."""
    # The server finds a part of them only, if they are many or long; numbers it knows of all.
    end = place_of(f"from={10**17}&count=0", log, wait, patience)
    return place_of(f"from={max(1, (end.line or 1) - count)}&count=0", log, 0, patience)


def patiently(ask: Callable[[float, float], T], wait: float, give_up: float, notice: Callable[[str], None]) -> T:
    """The result of `ask`, which is repeated while the log has not begun (for `wait` seconds) or the server cannot be reached (for `give_up` seconds).

    The arguments of `ask` are the seconds that the server shall wait, and the further seconds within which it must answer. `notice`: see `Reader`.
    Raises: ClientError.
    """
    pause, heard, noticed = FIRST_PAUSE, time.monotonic(), ""
    while True:
        asked = time.monotonic()
        try:
            return ask(min(wait, LONGEST_WAIT), max(0.05, heard + give_up - asked))
        except (GaveUp, Refused) as error:
            if isinstance(error, Refused) and error.status == 404 and wait > LONGEST_WAIT and has_waited(asked):
                wait, heard = wait - LONGEST_WAIT, time.monotonic()
                continue
            passing = isinstance(error, GaveUp) or error.status >= 500 or error.status in (408, 429)
            if not passing or time.monotonic() - heard + pause > give_up:
                raise
            if str(error) != noticed:
                noticed = str(error)
                notice(f"{noticed}: trying again")
            time.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)


def fetch(asked: Target, wait: float = 0, patience: float = TIMEOUT) -> dict[str, Any]:
    """A JSON document from the server, which may take `wait` seconds longer. Raises: ClientError."""
    try:
        document: dict[str, Any] = json.loads(_ask("GET", asked, wait + min(patience, TIMEOUT), patience).body)
    except ValueError as error:
        raise Refused(f"{Origin.of(asked.url)} gives no such answers as livelog does: {error}") from error
    return document


def _other(url: str, resource: str, settings: ClientSettings) -> str:
    """The address of another `resource` of the log at `url`."""
    parts, known = urlsplit(url), urlsplit(settings.public_url)
    prefix = known.path if shown(url).startswith(f"{shown(settings.public_url)}/") else ""
    below = parts.path.removeprefix(prefix).rstrip("/")
    path = prefix + re.sub("/(?:log|view)(?=/|$)", f"/{resource}", below, count=1)
    return parts._replace(path=path, query=which(parts.query)).geturl()


def _ask(method: str, asked: Target, longest: float, patience: float) -> Answer:
    """An answer that is no error. `longest`: seconds that it may take; `patience`: seconds for the connection to be made.

    Raises: ClientError.
    """
    parts, settings = urlsplit(asked.url), asked.settings
    origin = Origin.of(parts, direct=settings.is_default(asked.url))
    guard = {"Authorization": f"Bearer {asked.token}"} if asked.token else {}
    try:
        with contextlib.closing(connect(origin, settings.ca_file, min(patience, TIMEOUT))) as connection:
            connection.sock.settimeout(longest)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, origin.target(target), headers={**origin.fields(), **guard})
            response = connection.getresponse()
            content = response.read()
    except (OSError, HTTPException) as error:
        raise GaveUp(explain(error, origin)) from error
    if response.status != 200:
        raise Refused(message_of(response, content), response.status)
    return Answer(response.status, response.headers, content)
