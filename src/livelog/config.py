"""Settings: every limit and timeout of the server, from environment variables and command-line flags.

Each field of `Settings` is one setting: its variable, flag, default and meaning are declared beside it and
nowhere else; help text and documentation are made from, or checked against, these declarations.

Refuses to touch anything: reading files, opening ports and directories is the server's.
"""

import argparse
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from .access import is_url_safe
from .errors import ConfigError

EX_CONFIG = 78
"""Exit code for a setting that is missing or wrong (sysexits.h)."""


def _setting(
    variable: str,
    meaning: str,
    read: Callable[[str, str], Any],
    default: Any = None,
    flag: str = "",
) -> Any:
    flag = flag or "--" + variable.lower().removeprefix("livelog_").replace("_", "-")
    return field(default=default, metadata={"variable": variable, "flag": flag, "meaning": meaning, "read": read})


def _text(_name: str, text: str) -> str:
    return text


def _token(name: str, text: str) -> str:
    if not is_url_safe(text):
        raise ConfigError(f"{name} must be URL-safe: letters, digits and - . _ ~ only, at least one", EX_CONFIG)
    return text


def _port(not_a_number: int) -> Callable[[str, str], int]:
    """A reader of port numbers. The exit codes are the original livelog's, which wrappers may know."""

    def read(name: str, text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
            raise ConfigError(f"{name} is not a number: {text!r}; a port is 0 to 65535", not_a_number)
        if len(text) > 9 or not 0 <= int(text) <= 65535:
            raise ConfigError(f"{name} is not between 0 and 65535: {text}", not_a_number + 1)
        return int(text)

    return read


def _hosts(name: str, text: str) -> tuple[str, ...]:
    try:
        hosts = (host.strip().strip("[]") for host in text.replace("localhost", "127.0.0.1,::1").split(","))
        addresses = tuple(dict.fromkeys(str(ipaddress.ip_address(host)) for host in hosts if host))
    except ValueError as error:
        raise ConfigError(f"{name} is not a comma-separated list of IP addresses: {error}", EX_CONFIG) from error
    if not addresses:
        raise ConfigError(f"{name} names no IP address: {text!r}", EX_CONFIG)
    return addresses


def _seconds(name: str, text: str) -> float:
    if not re.fullmatch(r"(?:[0-9]+\.?|[0-9]*\.[0-9]+)(?:e[0-9])?", text, re.ASCII) or not 0 < float(text) < 1e9:
        raise ConfigError(f"{name} is not a number of seconds above 0: {text!r}", EX_CONFIG)
    return float(text)


def _count(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,30}", text, re.ASCII) or not int(text):
        raise ConfigError(f"{name} is not a whole number above 0: {text!r}", EX_CONFIG)
    return int(text)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one server. Durations are seconds, sizes bytes; None means that there is no limit."""

    access_token: str = _setting(
        "ACCESS_TOKEN",
        "the readers' secret, URL-safe (required); the flag names a file that holds it",
        _token,
        flag="--access-token-file",
    )
    put_port: int = _setting("LIVELOG_PUT_PORT", "the producers' port; 0: any free one, printed", _port(64), 60022)
    get_port: int = _setting("LIVELOG_GET_PORT", "the readers' port; 0: any free one, printed", _port(66), 60023)
    put_host: tuple[str, ...] = _setting(
        "LIVELOG_PUT_HOST", "addresses of the producers' port, by commas; none: loopback, IPv4 and IPv6", _hosts, ()
    )
    get_host: tuple[str, ...] = _setting(
        "LIVELOG_GET_HOST",
        "addresses of the readers' port, by commas; none: every interface, IPv4 and IPv6",
        _hosts,
        (),
    )
    server_crt_file: str | None = _setting(
        "SERVER_CRT_FILE", "certificate chain, PEM: readers are served https only; needs SERVER_KEY_FILE", _text
    )
    server_key_file: str | None = _setting("SERVER_KEY_FILE", "the certificate's private key, PEM", _text)
    temp_dir: str | None = _setting(
        "LIVELOG_TEMP_DIR", "directory for the bytes of logs; none: the system's; nothing is left there", _text
    )
    max_log_size: int | None = _setting("LIVELOG_MAX_LOG_SIZE", "largest log, in bytes; none: no limit", _count)
    max_readers: int | None = _setting(
        "LIVELOG_MAX_READERS", "connections of readers at a time; none: what the file descriptor limit allows", _count
    )
    stall_timeout: float = _setting(
        "LIVELOG_STALL_TIMEOUT", "seconds until a reader that accepts no byte is cut off", _seconds, 300.0
    )
    idle_timeout: float = _setting(
        "LIVELOG_IDLE_TIMEOUT", "seconds for a request's head to arrive, and between requests", _seconds, 30.0
    )
    shutdown_timeout: float = _setting(
        "LIVELOG_SHUTDOWN_TIMEOUT", "seconds that readers have to fetch the rest when the server stops", _seconds, 10.0
    )
    debug: str | None = _setting("DEBUG", "*: log more", _text)

    @property
    def put_is_loopback(self) -> bool:
        """Whether the producers' port can be reached from this machine only."""
        return all(ipaddress.ip_address(host).is_loopback for host in self.put_host)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give `parser` a flag for each setting."""
    for setting in fields(Settings):
        meta = setting.metadata
        default = f" (default {setting.default})" if setting.default not in (None, ()) else ""
        parser.add_argument(
            meta["flag"],
            dest=setting.name,
            metavar="FILE" if setting.name.endswith("token") else "VALUE",
            help=f"{meta['meaning']}{default}; variable {meta['variable']}",
        )


def load(environ: Mapping[str, str], flags: Mapping[str, str | None]) -> Settings:
    """The settings from `environ` and `flags`, which win. An empty variable is an unset one.

    Raises: ConfigError.
    """
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        name, text = _source(setting, environ, flags)
        if text:
            values[setting.name] = setting.metadata["read"](name, text)
    if "access_token" not in values:
        raise ConfigError("ACCESS_TOKEN must be set to the readers' secret: any URL-safe text", EX_CONFIG)
    settings = Settings(**values)
    if (settings.server_crt_file is None) != (settings.server_key_file is None):
        missing = "SERVER_KEY_FILE" if settings.server_key_file is None else "SERVER_CRT_FILE"
        raise ConfigError(f"{missing} is missing: https needs both the certificate and its key", EX_CONFIG)
    return settings


def _source(setting: Field[Any], environ: Mapping[str, str], flags: Mapping[str, str | None]) -> tuple[str, str]:
    """Where a setting comes from: the name to call it in an error, and its text."""
    flag = flags.get(setting.name)
    if flag is None:
        return setting.metadata["variable"], environ.get(setting.metadata["variable"], "")
    if setting.name != "access_token":
        return setting.metadata["flag"], flag
    try:
        # A secret on the command line could be read by every user of the machine, so the flag names a file.
        with open(flag, encoding="ascii") as file:
            return f"the content of {flag}", file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{setting.metadata['flag']} {flag} cannot be read: {error}", EX_CONFIG) from error
