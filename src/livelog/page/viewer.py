"""The pages for browsers: `viewer.html` shows a log, `list.html` the list of logs, `several.html` several logs; and the scripts that a page loads when they are used.

Each is the same for every log and list. It asks this server for what it shows, so that getting it takes no token. Refuses to change it: all are built from `viewer/`.
"""

import base64
import hashlib
import pkgutil
from collections.abc import Mapping

from livelog.wire import problem
from livelog.wire.fields import accepts_gzip, precondition
from livelog.wire.request import Request
from livelog.wire.response import Response

LOG, LIST, SEVERAL = "viewer.html", "list.html", "several.html"

SCRIPTS: Mapping[str, tuple[str, ...]] = {
    LOG: ("cards", "finding", "copying", "timing", "help", "soon", "panel", "structure", "terminal"),
    LIST: (),
    SEVERAL: (),
}
"""The scripts that each page loads when they are used: the files `finding.js` and so on."""

POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html livelog"
)
"""What a page may do: run the script and use the style that are in it, run its SCRIPTS, all named by their hashes, and ask this server."""


class _File:
    """A file in both forms: as it is, and compressed. `headers`: the fields of each answer with it."""

    def __init__(self, name: str, headers: Mapping[str, str]) -> None:
        self.content, packed = (_content(each) for each in (name, f"{name}.gz"))
        self.digest = hashlib.sha256(self.content).hexdigest()
        tag = self.digest[:32]
        self._forms: Mapping[bool, tuple[Mapping[str, str], bytes]] = {
            False: ({**headers, "Vary": "Accept-Encoding", "ETag": f'"{tag}"'}, self.content),
            True: (
                {**headers, "Vary": "Accept-Encoding", "ETag": f'"{tag}-gzip"', "Content-Encoding": "gzip"},
                packed,
            ),
        }

    def answer(self, request: Request, media_type: str, more: Mapping[str, str]) -> Response:
        """The file, compressed for whom that suits. Raises: RequestError."""
        headers, content = self._forms[accepts_gzip(request)]
        if (status := precondition(request, headers["ETag"])) is not None:
            if status == 412:
                raise problem.NOT_THIS_PAGE.error()
            return Response(304, {**headers, **more})
        return Response(200, {**headers, **more, "Content-Type": f"{media_type}; charset=utf-8"}, content)


class Page:
    """A page and its scripts, as they were when the server started. `name`: LOG, LIST or SEVERAL. `headers`: fields of every answer."""

    def __init__(self, name: str, headers: Mapping[str, str]) -> None:
        self._page = _File(name, headers)
        scripts = {name: _File(f"{name}.js", headers) for name in SCRIPTS[name]}
        self._scripts = {f"{name}-{script.digest[:16]}.js": script for name, script in scripts.items()}
        inner = {name: _inner(name, self._page.content) for name in ("script", "style")}
        hashes = [_hash_of(content) for content in (inner["script"], *(script.content for script in scripts.values()))]
        policy = POLICY.format(script=" ".join(hashes), style=_hash_of(inner["style"]))
        self._policy = {"Cache-Control": "no-cache", "Content-Security-Policy": policy}

    def answer(self, request: Request) -> Response:
        """The page. Raises: RequestError."""
        return self._page.answer(request, "text/html", self._policy)

    def answer_script(self, request: Request, name: str) -> Response | None:
        """The script of that name, which holds its hash, so that it may be kept for ever; None: there is none. Raises: RequestError."""
        script = self._scripts.get(name)
        if script is None:
            return None
        return script.answer(request, "text/javascript", {"Cache-Control": "public, max-age=31536000, immutable"})


def _inner(element: str, page: bytes) -> bytes:
    """What is in this element of the page."""
    return page.partition(f"<{element}>".encode())[2].rpartition(f"</{element}>".encode())[0]


def _hash_of(content: bytes) -> str:
    """The source expression of a script or a style (Content Security Policy 3, section 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


def _content(name: str) -> bytes:
    content = pkgutil.get_data(__package__, name)  # also from an archive
    assert content is not None
    return content
