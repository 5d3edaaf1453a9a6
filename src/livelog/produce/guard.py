"""What a producers' port refuses before it looks at a request, and which content types of logs no browser runs. No I/O.

A page of another site, which a browser lets send requests to this machine, must not write logs: it is refused by Sec-Fetch-Site,
and by the Host field if the port is on loopback (DNS rebinding). Refuses to know of logs.
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
    """Refuse what a browser sends on behalf of a page from elsewhere. Raises: RequestError.

    `private`: the port is on loopback, where only a name of this machine can be meant (DNS rebinding).
    """
    if request.fields.get("Sec-Fetch-Site") == "cross-site":
        raise problems.OTHER_SITE.error()
    host = request.fields.get("Host", "")
    if private and host and not is_loopback(host):
        raise problems.FOREIGN_HOST.error()


def passive_type(header: str | None) -> str:
    """The content type a log is served with: the producer's, if browsers only show it and never run it."""
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
