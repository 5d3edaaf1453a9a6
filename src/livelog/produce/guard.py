"""Protection against browsers: cross-site requests to the producers' port, and content types that a browser would run. No I/O.

A browser lets a page of any site send requests to this machine. Such requests are refused by their Sec-Fetch-Site field, and by
their Host field if the port is on loopback (DNS rebinding).
"""

import ipaddress
import re

from livelog.log.info import DEFAULT_TYPE
from livelog.wire.request import Request

from . import problems

_PASSIVE_TYPE = re.compile(
    r"(?:text/(?!html\b|css\b|xml|xsl|[a-z0-9.+-]*script)[a-z0-9.+-]+|application/json|application/octet-stream)"
    r"(?:[ \t]*;[ \t]*[a-z0-9.+-]{1,50}=(?:[a-z0-9.+_-]{1,100}|\"[a-z0-9.+_-]{1,100}\"))*",  # no commas: browsers read a list's last type
    re.ASCII | re.IGNORECASE,
)


def refuse_foreign(request: Request, *, private: bool) -> None:
    """Refuse a request that a browser sends for a page of another site. Raises: RequestError (403).

    `private`: the port is on loopback, so that Host must name this machine.
    """
    if request.fields.get("Sec-Fetch-Site") == "cross-site":
        raise problems.OTHER_SITE.error()
    host = request.fields.get("Host", "")
    if private and host and not is_loopback(host):
        raise problems.FOREIGN_HOST.error()


def passive_type(header: str | None) -> str:
    """The content type with which a log is served: the producer's if browsers only show it, else `text/plain`."""
    return header.strip() if header is not None and _PASSIVE_TYPE.fullmatch(header.strip()) else DEFAULT_TYPE


def is_loopback(host: str) -> bool:
    """Whether a Host header (RFC 9110 section 7.2) names this machine."""
    name = host.rpartition(":")[0] if re.search(r":[0-9]*$", host) and not host.endswith("]") else host
    name = name.lower().strip("[]").rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
