"""The origin of a URL: the host or the proxy to which its requests go, and the credentials that it contains. No I/O.

    http_proxy, https_proxy   the proxy for URLs of that scheme, such as http://user:password@proxy.example.org:3128
    no_proxy                  hosts without a proxy, separated by commas: names with all names below them, addresses, networks, *

Names in lower case win over those in upper case. HTTP_PROXY is ignored in a CGI program, where a client could set it by a header
field. Passwords are never shown: see `shown`.
"""

import base64
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from livelog.errors import Refused

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """The scheme, host and port of a URL (RFC 9110 section 4.3.1), and the `proxy` through which it is asked, if any."""

    scheme: str
    host: str
    port: int
    authority: str
    """The host and the port as in the URL, for the Host field."""
    login: str
    """`user:password` of the URL; empty: there is none."""
    proxy: SplitResult | None

    @classmethod
    def of(cls, url: str | SplitResult, *, direct: bool = False, environ: Mapping[str, str] | None = None) -> "Origin":
        """The origin of `url`, with the proxy that `environ` (default: the environment) names. `direct`: without a proxy.

        Raises: Refused, if the proxy's URL is not valid.
        """
        parts = urlsplit(url) if isinstance(url, str) else url
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
        proxy = None if direct else _proxy(parts.scheme, host, port, os.environ if environ is None else environ)
        return cls(parts.scheme, host, port, parts.netloc.rpartition("@")[2], _login(parts), proxy)

    def __str__(self) -> str:
        address = f"{self.scheme}://{self.authority}"
        return address if self.proxy is None else f"{address} (by the proxy {shown(self.proxy.geturl())})"

    @property
    def forwarded(self) -> bool:
        """Whether a proxy forwards each request (http). For https a proxy only forwards bytes (CONNECT)."""
        return self.proxy is not None and self.scheme == "http"

    def target(self, path: str) -> str:
        """The request target for `path` (RFC 9112 section 3.2)."""
        return f"http://{self.authority}{path}" if self.forwarded else path

    def fields(self) -> dict[str, str]:
        """Header fields that each request has: Authorization, from the URL; Proxy-Authorization, from the proxy's."""
        found = {"Authorization": basic(self.login)} if self.login else {}
        return found | (self.proxy_fields() if self.forwarded else {})

    def proxy_fields(self) -> dict[str, str]:
        """Header fields for the proxy."""
        login = _login(self.proxy) if self.proxy is not None else ""
        return {"Proxy-Authorization": basic(login)} if login else {}


def basic(login: str) -> str:
    """The credentials of a `user:password` (RFC 7617)."""
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def shown(url: str) -> str:
    """`url` without user and password, so that it may be shown."""
    return re.sub(r"(?<=://)[^/?#]*@", "", url, count=1)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost")


def _login(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    return f"{unquote(parts.username)}:{unquote(parts.password or '')}"


def _proxy(scheme: str, host: str, port: int, environ: Mapping[str, str]) -> SplitResult | None:
    name = f"{scheme}_proxy"
    text = environ.get(name)
    if text is None and not (scheme == "http" and "REQUEST_METHOD" in environ):
        name = name.upper()
        text = environ.get(name)
    if not text or is_excepted(host, port, environ.get("no_proxy", environ.get("NO_PROXY", ""))):
        return None
    try:
        proxy = urlsplit(text if "://" in text else f"http://{text}")
        if proxy.scheme == "http" and proxy.hostname and proxy.port != 0:
            return proxy
    except ValueError:  # a host or a port that cannot be one
        pass
    raise Refused(f"{name} is not the URL of a proxy such as http://proxy.example.org:3128")  # it may hold a password


def is_excepted(host: str, port: int, text: str) -> bool:
    """Whether `text`, a value of no_proxy, names the host."""
    host = host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    for entry in re.split(r"[\s,]+", text.lower()):
        if entry == "*":
            return True
        match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^:]*)(?::([0-9]{1,5}))?", entry)
        name, wanted = (match[1], match[2]) if match else (entry, None)
        if not entry or (wanted is not None and int(wanted) != port):
            continue
        if address is not None:
            try:
                if address in ipaddress.ip_network(name.strip("[]"), strict=False):
                    return True
            except ValueError:
                pass
            continue
        name = name.removeprefix("*").strip(".")
        if name and (host == name or host.endswith(f".{name}")):
            return True
    return False
