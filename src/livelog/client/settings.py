"""Where the server is and what opens it: from environment variables, and from one small file for what they leave out.

    LIVELOG_SERVER        the producers' port, as a URL, also with user:password@; none: http://localhost and LIVELOG_PUT_PORT
    LIVELOG_PUBLIC_URL    where readers reach the server; none: http://localhost and LIVELOG_GET_PORT
    LIVELOG_WRITE_TOKEN   the producers' secret, if the server has one
    ACCESS_TOKEN          the readers' secret, for those who have it
    LIVELOG_LINK_EXPIRES  for how long links open a log: 90, 10m, 2h, 7d, never; none: for ever, in CI (CI=true) a week
    LIVELOG_CA_FILE       certificates that are trusted for https, PEM; none: the system's
    LIVELOG_SPOOL_DIR     where bytes wait that a server has not acknowledged; none: the user's state directory

The file is `livelog.toml` in the user's configuration directory; its keys are the variables in lower case, without
`LIVELOG_`. Refuses to take a token from the command line, or from a file that others may read.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from livelog.config import EX_CONFIG, seconds
from livelog.errors import ConfigError

from .transport.origin import is_loopback, shown

KEYS = ("server", "public_url", "write_token", "access_token", "link_expires", "ca_file", "spool_dir")

_VARIABLES = {key: "ACCESS_TOKEN" if key == "access_token" else f"LIVELOG_{key.upper()}" for key in KEYS}

_URL = re.compile(r"https?://(?:[^\s/?#]*@)?[^\s/?#@]+(?:/[^\s?#]*)?", re.ASCII)

EXPIRES_IN_CI = 7 * 86400.0
"""Seconds for which links open a log if they are made in CI, whose own log may be public."""


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """How a client reaches its server."""

    server: str
    """The producers' side, as a URL without a slash at its end."""
    public_url: str
    """The readers' side, likewise."""
    spool_dir: Path
    write_token: str | None = None
    access_token: str | None = None
    ca_file: str | None = None
    chosen: bool = True
    """Whether anybody said where the server is; else `server` is that of a server with default ports on this machine."""
    public_chosen: bool = True
    """Whether anybody said where readers reach it; else `public_url` is that of such a server."""
    link_expires: float | None = None
    """Seconds from now for which a link opens its log; None: for ever."""

    def is_default(self, url: str) -> bool:
        """Whether `url` is on this machine because nobody said where else: a proxy has nothing to do with it."""
        return (not self.chosen and url.startswith(self.server)) or (
            not self.public_chosen and url.startswith(self.public_url)
        )

    def link_for_readers(self, link: str, name: str) -> str:
        """`link`, which the server gives to the log `name`, as readers can use it who are not on the server's machine.

        It begins with LIVELOG_PUBLIC_URL where that is set; and a server that knows no name of its own has the one by which it
        is known here.
        """
        if self.public_chosen:
            match = re.search(rf"/(?:logs?|view)/[^/]+{re.escape(name and f'/{name}')}$", link)
            return shown(self.public_url) + match[0] if match is not None else link
        parts, host = urlsplit(link), urlsplit(self.server).hostname or ""
        if not is_loopback(parts.hostname or "") or is_loopback(host):
            return link
        port = "" if parts.port is None else f":{parts.port}"
        return parts._replace(netloc=f"[{host}]{port}" if ":" in host else host + port).geturl()


def load(environ: Mapping[str, str] | None = None) -> ClientSettings:
    """The settings from `environ` (by default the process's), and from the file. Raises: ConfigError."""
    environ = os.environ if environ is None else environ
    found = in_file(environ)
    for key, variable in _VARIABLES.items():
        if environ.get(variable):
            found[key] = environ[variable]
    for key in ("server", "public_url"):
        if key in found and not _is_url(found[key]):
            raise ConfigError(f"{_VARIABLES[key]} is not a URL such as http://logs.example.org:60022", EX_CONFIG)
    for key in ("write_token", "access_token"):
        if not re.fullmatch("[!-~]*", found.get(key, "")):
            raise ConfigError(f"{_VARIABLES[key]} has a character in it that no token has", EX_CONFIG)
    state = environ.get("XDG_STATE_HOME") or Path(_home(environ), ".local", "state")
    return ClientSettings(
        server=found.get("server", f"http://localhost:{environ.get('LIVELOG_PUT_PORT') or 60022}").rstrip("/"),
        public_url=found.get("public_url", f"http://localhost:{environ.get('LIVELOG_GET_PORT') or 60023}").rstrip("/"),
        write_token=found.get("write_token"),
        access_token=found.get("access_token"),
        ca_file=found.get("ca_file"),
        spool_dir=Path(found.get("spool_dir") or Path(state, "livelog")),
        chosen="server" in found,
        public_chosen="public_url" in found,
        link_expires=_link_expires(found.get("link_expires", ""), environ),
    )


def expiry(name: str, text: str) -> float | None:
    """For how many seconds a link opens its log: a duration, or `never` (None). Raises: ConfigError."""
    return None if text == "never" else seconds(name, text)


def _link_expires(text: str, environ: Mapping[str, str]) -> float | None:
    if text:
        return expiry("LIVELOG_LINK_EXPIRES", text)
    return EXPIRES_IN_CI if environ.get("CI", "").lower() in ("true", "1", "yes") else None


def in_file(environ: Mapping[str, str]) -> dict[str, str]:
    """What the file says. Raises: ConfigError."""
    return _read(Path(environ.get("XDG_CONFIG_HOME") or Path(_home(environ), ".config"), "livelog.toml"))


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        (parts.hostname or "").encode("idna")
        return _URL.fullmatch(text) is not None and parts.port != 0
    except ValueError:  # a host or a port that cannot be one
        return False


def _read(file: Path) -> dict[str, str]:
    try:
        with file.open("rb") as opened:
            mode, content = os.fstat(opened.fileno()).st_mode, opened.read()
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # or not meant for this user
        return {}
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}", EX_CONFIG) from error
    import tomllib  # noqa: PLC0415  # only those who have the file need it

    try:
        found = tomllib.loads(content.decode())
    except ValueError as error:
        raise ConfigError(f"{file} is not TOML in UTF-8: {error}", EX_CONFIG) from error
    for key, value in found.items():
        if key not in KEYS or not isinstance(value, str):
            raise ConfigError(f"{file}: {key} is not one of {', '.join(KEYS)}, or its value is not a text", EX_CONFIG)
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and any(key.endswith("_token") for key in found):
        raise ConfigError(f"{file} holds a token, and others may read it: chmod 600 {file}", EX_CONFIG)
    return found
