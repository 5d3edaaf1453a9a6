"""What a server is asked in one question: where a log can be read, what is known of it, which logs there are.

Refuses to try again: whoever asks is a person, who can.
"""

import contextlib
import json
import math
import re
import time
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlsplit

from livelog.access import Access, is_name
from livelog.errors import GaveUp, Refused

from .settings import ClientSettings
from .wire import Wire, connect


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
        return text.partition("#")[0], None
    name = name_of(text)
    if settings.access_token is not None:
        return f"{settings.public_url}/log{'/' if name else ''}{quote(name)}", settings.access_token
    return make_link(name, None, settings), None


def name_of(text: str) -> str:
    """The name that `text` is; `-`: that of the log without one. Raises: Refused."""
    if text == "-":
        return ""
    if not is_name(text):
        raise Refused(f"{text!r} is neither a link nor the name of a log, such as builds/42; -: the log without a name")
    return text


def status_of(url: str, token: str | None, settings: ClientSettings) -> dict[str, Any]:
    """What is known of the log at `url`. Raises: ClientError."""
    parts = urlsplit(url)
    path = re.sub("/(?:log|view)(?=/|$)", "/status", parts.path, count=1)
    return fetch(parts._replace(path=path).geturl(), token, settings)


def fetch(url: str, token: str | None, settings: ClientSettings) -> dict[str, Any]:
    """A JSON document. Raises: ClientError."""
    parts = urlsplit(url)
    try:
        with contextlib.closing(connect(parts, settings.ca_file)) as connection:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"Authorization": f"Bearer {token}"} if token else {})
            response = connection.getresponse()
            content = response.read()
            document: dict[str, Any] = json.loads(content) if response.status == 200 else {}
    except (OSError, HTTPException, ValueError) as error:
        raise GaveUp(f"{parts.scheme}://{parts.netloc} cannot be reached: {error}") from error
    if response.status != 200:
        raise Refused(content.decode(errors="replace").strip() or str(response.status), response.status)
    return document
