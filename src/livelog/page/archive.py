"""`livelog.pyz`: the client in one file, for a machine that has Python and nothing else (PEP 441), and the answer that hands it out.

It is made of the sources of the installed package, with the standard library alone, always the same from the same sources. It is public
code: getting it takes no token, and it holds none. Refuses to hold the server, which needs other libraries.
"""

import asyncio
import base64
import hashlib
import io
import pkgutil
import sys
from collections.abc import Iterator, Mapping

from livelog.wire import problem
from livelog.wire.fields import precondition
from livelog.wire.request import Request
from livelog.wire.response import Response

NAME = "livelog.pyz"

FILES = (
    "__init__.py", "__main__.py", "ansi.py", "cli.py", "config.py", "errors.py", "names.py", "own_process.py", "tokens.py",
    "log/__init__.py", "log/attributes.py", "operate/__init__.py", "operate/health.py",
)  # fmt: skip
"""What the client needs besides all of `livelog.client`."""

MAIN = """\
import sys

if sys.version_info < (3, 11):
    sys.exit("livelog.pyz needs Python 3.11 or newer; this is Python %d.%d" % sys.version_info[:2])

from livelog.cli import main

sys.exit(main())
"""
"""What runs first. Older Pythons can read it, and are told what is wrong."""


def build() -> bytes:
    """The archive. Takes some tenths of a second. Raises: OSError."""
    try:
        return pkgutil.get_data(__package__, NAME) or b""  # the standalone program has no sources, but this
    except OSError:
        pass
    import zipfile  # noqa: PLC0415  # 2 MB with what it imports, which a server has no use for until somebody asks

    content = io.BytesIO()
    content.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, source in sorted(_sources()):
            entry = zipfile.ZipInfo(name)  # its time is that of the first of all archives
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, source, zipfile.ZIP_DEFLATED, 9)
    return content.getvalue()


def digest(archive: bytes) -> str:
    """The SHA-256 of the archive in hex, as `sha256sum` prints it."""
    return hashlib.sha256(archive).hexdigest()


def _sources() -> Iterator[tuple[str, bytes]]:
    """The names of files in the archive, and their contents."""
    yield "__main__.py", MAIN.encode()
    from importlib import resources  # noqa: PLC0415  # as above

    package = resources.files("livelog")
    for name in FILES:
        yield f"livelog/{name}", package.joinpath(name).read_bytes()
    folders = [("livelog/client", package.joinpath("client"))]
    while folders:
        above, folder = folders.pop()
        for one in folder.iterdir():
            name = f"{above}/{one.name}"
            if one.name.endswith(".py"):
                yield name, one.read_bytes()
            elif one.is_dir() and one.name != "__pycache__":
                folders.append((name, one))


class ClientArchive:
    """Hands the archive out, which is made when somebody asks for it first. `headers`: fields of every answer."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._common = headers
        self._making: asyncio.Task[bytes] | None = None
        self._headers: Mapping[str, str] = {}

    async def answer(self, request: Request) -> Response:
        """The archive. Raises: RequestError, OSError."""
        archive = await self._archive()
        if (status := precondition(request, self._headers["ETag"])) is not None:
            if status == 412:
                raise problem.NOT_THIS_PAGE.error()
            return Response(304, self._headers)
        return Response(200, {**self._headers, "Content-Type": "application/zip"}, archive)

    async def _archive(self) -> bytes:
        if self._making is None or (self._making.done() and self._making.exception() is not None):
            self._making = asyncio.create_task(asyncio.to_thread(build))
        archive = await asyncio.shield(self._making)  # whoever has asked may leave; others wait for it, too
        if not self._headers:
            text = digest(archive)
            coded = base64.b64encode(bytes.fromhex(text)).decode()
            self._headers = {
                **self._common,
                "Cache-Control": "no-cache",
                "Content-Disposition": f'attachment; filename="{NAME}"',
                "ETag": f'"{text[:32]}"',
                "Livelog-Digest": text,
                "Repr-Digest": f"sha-256=:{coded}:",  # RFC 9530
            }
        return archive


def main() -> None:
    """Write the archive into the file that is named by the command line: `python -m livelog.page.archive FILE`."""
    with open(sys.argv[1], "wb") as file:
        file.write(build())


if __name__ == "__main__":
    main()
