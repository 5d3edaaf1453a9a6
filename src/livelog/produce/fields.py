"""The header fields of answers to producers: links to the log, and the offset of an upload. No I/O.

"section" is one of draft-ietf-httpbis-resumable-upload.
"""

import math
import time

from livelog import __version__, config
from livelog.errors import ConfigError
from livelog.log.info import LogInfo, State
from livelog.log.source import Source
from livelog.tokens import Access
from livelog.wire.request import Request
from livelog.wire.response import Response

from . import problems

PRODUCERS_HEADERS = {"Server": f"livelog/{__version__}"}
"""The header fields of every answer of the producers' port, also of errors."""


class ProducerFields:
    """Makes the header fields of answers to producers.

    `readers_url`: the beginning of all links to logs. `limits`: the value of Upload-Limit.
    """

    def __init__(self, access: Access, readers_url: str, limits: str) -> None:
        self._access = access
        self._readers_url = readers_url
        self.limits = limits

    def of_upload(self, request: Request, journal: Source) -> dict[str, str]:
        """The fields of every answer about an upload."""
        headers = {
            "Location": self.location(request, journal.info),
            "Upload-Complete": "?1" if journal.state is State.COMPLETE else "?0",
            "Upload-Offset": str(journal.acknowledged),
            "Upload-Limit": self.limits,
        }
        length = journal.length if journal.state is State.COMPLETE else journal.info.upload.length
        return headers if length is None else {**headers, "Upload-Length": str(length)}

    def location(self, request: Request, info: LogInfo) -> str:
        """The address of an upload, relative to the address of `request` (RFC 9110 section 10.2.2), since a proxy may have added a prefix."""
        up = "../" * (request.path.count("/") - 1)
        return f"{up}upload/{self._access.upload_key(info.generation)}{'/' if info.name else ''}{info.name}"

    def links(self, request: Request, name: str) -> dict[str, str]:
        """The links of a log, or of the list of a prefix's logs, which expire as `request` asks. Raises: RequestError, as `lifetime`."""
        expires = _expires(request)
        return {
            f"Livelog-{field}": self._access.link(self._readers_url, name, expires, resource)
            for field, resource in (("Link", "log"), ("View", "view"))
        }


def response(status: int, fields: dict[str, str]) -> Response:
    """An answer without content. `fields`: its header fields, besides those that all answers have."""
    return Response(status, {**PRODUCERS_HEADERS, **fields})


def lifetime(request: Request) -> float | None:
    """The lifetime of links in seconds, `?expires=` of a request; None: links do not expire. Raises: RequestError."""
    try:
        return config.seconds("expires", request.query["expires"]) if "expires" in request.query else None
    except ConfigError as error:
        # The value is not quoted: parts of a URL may be secret, and errors are logged.
        raise problems.NOT_A_DURATION.error() from error


def _expires(request: Request) -> int | None:
    """When the links of an answer expire, in seconds since the epoch; None: never. Raises: RequestError."""
    seconds = lifetime(request)
    return None if seconds is None else math.ceil(time.time() + seconds)
