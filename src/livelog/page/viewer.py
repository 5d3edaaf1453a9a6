"""The page that shows a log to people, for any browser: `viewer.html`, the same for every log.

It asks this server for what it shows, so that getting it takes no token. Refuses to change it: it is built from `viewer/`.
"""

import base64
import hashlib
import pkgutil
from collections.abc import Mapping

from livelog.wire import problem
from livelog.wire.fields import accepts_gzip, precondition
from livelog.wire.request import Request
from livelog.wire.response import Response

POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html"
)
"""What the page may do: run the script and use the style that are in it, named by their hashes, and ask this server."""


class Viewer:
    """The page, as it was when the server started. `headers`: fields of every answer."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._page, self._packed = (_content(name) for name in ("viewer.html", "viewer.html.gz"))
        digest = hashlib.sha256(self._page).hexdigest()[:32]
        hashes = {name: _hash_of(name, self._page) for name in ("script", "style")}
        self._headers = {
            **headers,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": POLICY.format(**hashes),
            "ETag": f'"{digest}"',
            "Vary": "Accept-Encoding",
        }
        self._packed_headers = {**self._headers, "Content-Encoding": "gzip", "ETag": f'"{digest}-gzip"'}

    def answer(self, request: Request) -> Response:
        """The page, compressed for whom that suits. Raises: RequestError."""
        page, headers = (self._packed, self._packed_headers) if accepts_gzip(request) else (self._page, self._headers)
        if (status := precondition(request, headers["ETag"])) is not None:
            if status == 412:
                raise problem.NOT_THIS_PAGE.error()
            return Response(304, headers)
        return Response(200, {**headers, "Content-Type": "text/html; charset=utf-8"}, page)


def _hash_of(element: str, page: bytes) -> str:
    """The source expression of what is in this element of the page (Content Security Policy 3, section 2.3.1)."""
    content = page.partition(f"<{element}>".encode())[2].rpartition(f"</{element}>".encode())[0]
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


def _content(name: str) -> bytes:
    content = pkgutil.get_data(__package__, name)  # also from an archive
    assert content is not None
    return content
