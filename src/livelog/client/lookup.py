"""What a server is asked in one question: where a log can be read, what is known of it, which logs there are.

Refuses to try again, but for `patiently`: whoever asks is a person, who can.
"""

import contextlib
import json
import math
import re
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

from livelog.access import Access, valid_name
from livelog.errors import GaveUp, Refused

from .reader import FIRST_PAUSE, LAST_PAUSE, LONGEST_WAIT, parse
from .settings import ClientSettings
from .wire import TIMEOUT, Answer, Wire, connect

T = TypeVar("T")


def make_link(name: str, expires: float | None, settings: ClientSettings, *, view: bool = False) -> str:
    """A link that opens one log, for ever or for so many seconds from now. `view`: for a browser. Raises: ClientError."""
    if settings.access_token is not None:
        moment = None if expires is None else math.ceil(time.time() + expires)
        return Access(settings.access_token).link(settings.public_url, name, moment, "view" if view else "log")
    path = f"/log{'/' if name else ''}{quote(name)}{'' if expires is None else f'?expires={expires}'}"
    guard = {"Authorization": f"Bearer {settings.write_token}"} if settings.write_token else {}
    try:
        with Wire(settings.server, settings.ca_file) as wire:
            wire.head("HEAD", wire.prefix + path, guard)
            answer = wire.answer()
    except (OSError, HTTPException) as error:
        raise GaveUp(f"{settings.server} cannot be reached: {error}") from error
    if link := answer.field("Livelog-View" if view else "Livelog-Link"):
        return link
    raise Refused("Access denied: set LIVELOG_WRITE_TOKEN" if answer.status == 401 else str(answer), answer.status)


def locate(text: str, settings: ClientSettings) -> tuple[str, str | None]:
    """The address of a log and what opens it, from a link or a name."""
    if "://" in text:
        return parse(text.partition("#")[0]).geturl(), None
    name = name_of(text)
    if settings.access_token is not None:
        return f"{settings.public_url}/log{'/' if name else ''}{quote(name)}", settings.access_token
    return make_link(name, None, settings), None


def name_of(text: str) -> str:
    """The name that `text` stands for, as `livelog run --name` makes it; `-`: that of the log without one. Raises: Refused."""
    if not text:
        raise Refused("'' is neither a link nor the name of a log, such as builds/42; -: the log without a name")
    return "" if text == "-" else valid_name(text)


def status_of(url: str, token: str | None, settings: ClientSettings, wait: float = 0) -> dict[str, Any]:
    """What is known of the log at `url`. `wait`: as in `place_of`. Raises: ClientError."""
    return fetch(f"{_other(url, 'status')}?wait={math.ceil(wait)}", token, settings, wait)


INDEXING = 300.0
"""Seconds that a server may take to count the lines of a log."""


class Place(NamedTuple):
    """Where a line begins, in a log of that `generation`: its `offset`, and its number from 1, if that is known."""

    generation: str
    offset: int
    line: int | None


def place_of(asked: str, url: str, token: str | None, settings: ClientSettings, wait: float) -> Place:
    """Where the lines of the log at `url` begin that `asked` names, such as `from=5`. Raises: ClientError.

    `wait`: seconds to wait for the log to begin, `LONGEST_WAIT` at most.
    """
    headers = _ask(
        "HEAD", f"{_other(url, 'lines')}?{asked}&wait={math.ceil(wait)}", token, settings, wait + INDEXING
    ).headers
    offset, line = headers.get("Livelog-Offset", ""), headers.get("Livelog-First-Line", "")
    if not offset.isdigit():
        raise Refused("this server cannot tell where lines begin")
    if asked.startswith("from=") and not line.isdigit():
        raise GaveUp("the server did not find that line: it has not counted the log's lines")
    return Place(headers.get("ETag", "").strip('"'), int(offset), int(line) if line.isdigit() else None)


def patiently(ask: Callable[[float], T], wait: float, give_up: float, notice: Callable[[str], None]) -> T:
    """What `ask` gives, of a log that may begin within `wait` seconds, while the server may be away for `give_up` seconds.

    `ask` is told for how many seconds the server shall wait. `notice`: see `Reader`. Raises: ClientError.
    """
    pause, heard = FIRST_PAUSE, time.monotonic()
    while True:
        try:
            return ask(min(wait, LONGEST_WAIT))
        except (GaveUp, Refused) as error:
            if isinstance(error, Refused) and error.status == 404 and wait > LONGEST_WAIT:
                wait, heard = wait - LONGEST_WAIT, time.monotonic()
                continue
            passing = isinstance(error, GaveUp) or error.status >= 500 or error.status in (408, 429)
            if not passing or time.monotonic() - heard + pause > give_up:
                raise
            notice(f"{error}: trying again")
            time.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)


def fetch(url: str, token: str | None, settings: ClientSettings, wait: float = 0) -> dict[str, Any]:
    """A JSON document, for which the server may `wait`. Raises: ClientError."""
    try:
        document: dict[str, Any] = json.loads(_ask("GET", url, token, settings, wait).body)
    except ValueError as error:
        raise Refused(f"{url.partition('/log')[0]} gives no such answers as livelog does: {error}") from error
    return document


def _other(url: str, resource: str) -> str:
    """The address of something else that there is of the log at `url`."""
    parts = urlsplit(url)
    return parts._replace(path=re.sub("/(?:log|view)(?=/|$)", f"/{resource}", parts.path, count=1), query="").geturl()


def _ask(method: str, url: str, token: str | None, settings: ClientSettings, wait: float = 0) -> Answer:
    """An answer that is no error, which may take `wait` seconds. Raises: ClientError."""
    parts = urlsplit(url)
    try:
        with contextlib.closing(connect(parts, settings.ca_file)) as connection:
            connection.sock.settimeout(TIMEOUT + wait)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, headers={"Authorization": f"Bearer {token}"} if token else {})
            response = connection.getresponse()
            content = response.read()
    except (OSError, HTTPException) as error:
        raise GaveUp(f"{parts.scheme}://{parts.netloc} cannot be reached: {error}") from error
    if response.status != 200:
        text = content.decode(errors="replace").strip()
        raise Refused(text or f"{response.status} {response.reason}", response.status)
    return Answer(response.status, response.headers, content)
