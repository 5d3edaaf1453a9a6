"""The page that shows a log to people, for any browser: `viewer.html`, the same for every log.

It asks this server for what it shows, so that getting it takes no token. Refuses to change it: it is built from `viewer/`.
"""

import base64
import hashlib
import os
import re

from aiohttp import web

from .answers import COMMON_HEADERS, precondition
from .wire import problem

POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html"
)
"""What the page may do: run the script and use the style that are in it, named by their hashes, and ask this server."""

_FOLDER = os.path.dirname(__file__)


class Viewer:
    """The page, as it was when the server started."""

    def __init__(self) -> None:
        self._page, self._packed = (_content(name) for name in ("viewer.html", "viewer.html.gz"))
        digest = hashlib.sha256(self._page).hexdigest()[:32]
        hashes = {name: _hash_of(name, self._page) for name in ("script", "style")}
        self._headers = {
            **COMMON_HEADERS,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": POLICY.format(**hashes),
            "ETag": f'"{digest}"',
            "Vary": "Accept-Encoding",
        }
        self._packed_headers = {**self._headers, "Content-Encoding": "gzip", "ETag": f'"{digest}-gzip"'}

    def answer(self, request: web.BaseRequest) -> web.Response:
        """The page, compressed for whom that suits. Raises: RequestError."""
        suits = re.search(
            r"\b(?:x-)?gzip\s*(?:,|$|;\s*q=(?!0(?:\.0*)?\s*(?:,|$)))", request.headers.get("Accept-Encoding", "")
        )
        page, headers = (self._packed, self._packed_headers) if suits else (self._page, self._headers)
        if (status := precondition(request, headers["ETag"])) is not None:
            if status == 412:
                raise problem.NOT_THIS_PAGE.error()
            return web.Response(status=304, headers=headers)
        return web.Response(body=page, headers=headers, content_type="text/html", charset="utf-8")


def _hash_of(element: str, page: bytes) -> str:
    """The source expression of what is in this element of the page (Content Security Policy 3, section 2.3.1)."""
    content = page.partition(f"<{element}>".encode())[2].rpartition(f"</{element}>".encode())[0]
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


def _content(name: str) -> bytes:
    with open(os.path.join(_FOLDER, name), "rb") as file:
        return file.read()
