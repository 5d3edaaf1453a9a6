"""The settings of the client: the server's addresses and tokens, from environment variables and from a configuration file.

    LIVELOG_SERVER        the producers' port, as a URL, also with user:password@; none: http://localhost and LIVELOG_PUT_PORT
    LIVELOG_PUBLIC_URL    where readers reach the server; none: http://localhost and LIVELOG_GET_PORT
    LIVELOG_WRITE_TOKEN   the producers' secret, if the server has one
    ACCESS_TOKEN          the readers' secret, for those who have it
    LIVELOG_LINK_EXPIRES  for how long links open a log: 90, 10m, 2h, 7d, never; none: for ever, in CI (CI=true) a week
    LIVELOG_CA_FILE       certificates that are trusted for https, PEM; none: the system's
    LIVELOG_SPOOL_DIR     where bytes wait that a server has not acknowledged; none: the user's state directory

The file is `livelog.toml` in the user's configuration directory; its keys are the variables in lower case, without
`LIVELOG_`. A variable takes precedence over the file. Tokens are never taken from the command line, or from a file that others may read.
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
"""Seconds after which a link expires if it is made in CI: the log of the CI system, which shows it, may be public."""


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """The settings with which a client reaches its server."""

    server: str
    """The URL of the producers' port, without a slash at its end."""
    public_url: str
    """The URL of the readers' port, without a slash at its end."""
    spool_dir: Path
    write_token: str | None = None
    access_token: str | None = None
    ca_file: str | None = None
    chosen: bool = True
    """Whether `server` was set; else it is the default, a server on this machine."""
    public_chosen: bool = True
    """Whether `public_url` was set; else it is the default, a server on this machine."""
    link_expires: float | None = None
    """Seconds after which a new link expires; None: never."""

    def is_default(self, url: str) -> bool:
        """Whether `url` belongs to the default server on this machine. Such requests do not use a proxy."""
        return (not self.chosen and url.startswith(self.server)) or (
            not self.public_chosen and url.startswith(self.public_url)
        )

    def link_for_readers(self, link: str, name: str) -> str:
        """The server's `link` of the log `name`, changed so that it also works on other machines.

        If LIVELOG_PUBLIC_URL is set, the link begins with it. Else, if the server calls itself localhost but is on another machine, its
        host name in LIVELOG_SERVER is used.
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
    """The seconds after which a link expires: `text` is a duration, or `never` (None). `name`: for the error. Raises: ConfigError."""
    return None if text == "never" else seconds(name, text)


def _link_expires(text: str, environ: Mapping[str, str]) -> float | None:
    if text:
        return expiry("LIVELOG_LINK_EXPIRES", text)
    return EXPIRES_IN_CI if environ.get("CI", "").lower() in ("true", "1", "yes") else None


def in_file(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings in the configuration file, as text. Raises: ConfigError."""
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
