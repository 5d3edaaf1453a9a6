"""Settings: every limit and timeout of the server, from environment variables and command-line flags.

Each field of `Settings` declares one setting: its variable, flag, default and meaning. The help text is generated from these
declarations, and a test compares the documents with them.

This module opens no port and no directory. It reads no file except one that a flag names for a token.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from .errors import ConfigError
from .names import is_url_safe

if TYPE_CHECKING:
    import argparse

EX_CONFIG = 78
"""Exit code for a setting that is missing or wrong (sysexits.h)."""

EX_UNAVAILABLE = 69
"""Exit code if a port or the data directory is in use by another process (sysexits.h)."""


def _setting(
    variable: str,
    meaning: str,
    read: Callable[[str, str], Any],
    default: Any = None,
    *,
    flag: str = "",
    metavar: str = "",
) -> Any:
    flag = flag or "--" + variable.lower().removeprefix("livelog_").replace("_", "-")
    metavar = metavar or _METAVARS.get(read, "TEXT")
    return field(
        default=default,
        metadata={"variable": variable, "flag": flag, "meaning": meaning, "read": read, "metavar": metavar},
    )


def _text(_name: str, text: str) -> str:
    return text


def _token(name: str, text: str) -> str:
    if not is_url_safe(text):
        raise ConfigError(f"{name} must be URL-safe: letters, digits and - . _ ~ only, at least one", EX_CONFIG)
    return text


def _port(not_a_number: int) -> Callable[[str, str], int]:
    """A parser of port numbers. `not_a_number`: the exit code for text that is no number; for a number out of range, one more.

    These are the exit codes of Taskcluster's livelog, which wrapper scripts may check.
    """

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


_DURATION_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def seconds(name: str, text: str) -> float:
    """The seconds of a duration such as `90`, `1.5` or `2h`. `name`: the setting's name for the error. Raises: ConfigError."""
    match = re.fullmatch(r"((?:[0-9]+\.?|[0-9]*\.[0-9]+)(?:e[0-9])?)([smhd]?)", text, re.ASCII)
    if match is None or not 0 < (value := float(match[1]) * _DURATION_UNITS[match[2]]) < 1e10:
        raise ConfigError(f"{name} is not a duration above 0, such as 90, 1.5, 10m, 2h or 7d: {text!r}", EX_CONFIG)
    return value


def _size(name: str, text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,30})([KMGT]?)", text.upper(), re.ASCII)
    if match is None or not int(match[1]):
        raise ConfigError(f"{name} is not a size above 0, such as 4096, 512M or 10G: {text!r}", EX_CONFIG)
    return int(match[1]) * _SIZE_UNITS[match[2]]


def _count(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,30}", text, re.ASCII) or not int(text):
        raise ConfigError(f"{name} is not a whole number above 0: {text!r}", EX_CONFIG)
    return int(text)


def _switch(name: str, text: str) -> bool:
    if text.lower() not in ("1", "yes", "true", "on", "0", "no", "false", "off"):
        raise ConfigError(f"{name} is not 1 or 0: {text!r}", EX_CONFIG)
    return text.lower() in ("1", "yes", "true", "on")


def _log_format(name: str, text: str) -> str:
    if text not in ("text", "json"):
        raise ConfigError(f"{name} is not text or json: {text!r}", EX_CONFIG)
    return text


def _url(name: str, text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+(?:/[A-Za-z0-9._~/-]*)?", text, re.ASCII):
        raise ConfigError(f"{name} is not a URL such as https://logs.example.org: {text!r}", EX_CONFIG)
    return text.rstrip("/")


_METAVARS: dict[Callable[[str, str], Any], str] = {
    _token: "FILE", _switch: "1|0", _hosts: "ADDRESSES", seconds: "TIME", _size: "SIZE", _count: "N", _log_format: "FORMAT", _url: "URL",
}  # fmt: skip
"""The placeholder of a setting's value in the help text, by the function that parses the value."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one server. Durations are in seconds, sizes in bytes. None: there is no limit, or the setting is unset."""

    access_token: str = _setting(
        "ACCESS_TOKEN",
        "the secret of the readers, URL-safe (required); the flag names a file that holds it",
        _token,
        flag="--access-token-file",
    )
    put_port: int = _setting(
        "LIVELOG_PUT_PORT", "port for producers; 0: any free port, which is printed", _port(64), 60022, metavar="PORT"
    )
    get_port: int = _setting(
        "LIVELOG_GET_PORT", "port for readers; 0: any free port, which is printed", _port(66), 60023, metavar="PORT"
    )
    put_host: tuple[str, ...] = _setting(
        "LIVELOG_PUT_HOST",
        "IP addresses of the producers' port, separated by commas; unset: loopback only, IPv4 and IPv6",
        _hosts,
        (),
    )
    get_host: tuple[str, ...] = _setting(
        "LIVELOG_GET_HOST",
        "IP addresses of the readers' port, separated by commas; unset: all interfaces, IPv4 and IPv6",
        _hosts,
        (),
    )
    write_token: str | None = _setting(
        "LIVELOG_WRITE_TOKEN",
        "the secret of the producers, URL-safe, sent as Authorization: Bearer; the flag names a file that holds it",
        _token,
        flag="--write-token-file",
    )
    put_unguarded: bool = _setting(
        "LIVELOG_PUT_UNGUARDED",
        "1: anybody who reaches the producers' port may write, also from other machines and without a write token",
        _switch,
        False,
    )
    public_url: str | None = _setting(
        "LIVELOG_PUBLIC_URL",
        "the URL at which readers reach this server: links begin with it; unset: http(s)://localhost and the port",
        _url,
    )
    server_crt_file: str | None = _setting(
        "SERVER_CRT_FILE",
        "certificate chain, PEM: the readers' port then speaks https only; needs SERVER_KEY_FILE",
        _text,
        metavar="FILE",
    )
    server_key_file: str | None = _setting(
        "SERVER_KEY_FILE", "private key of the certificate, PEM, without a passphrase", _text, metavar="FILE"
    )
    data_dir: str | None = _setting(
        "LIVELOG_DATA_DIR",
        "directory in which logs are kept across restarts; unset: logs end with the process",
        _text,
        metavar="DIR",
    )
    temp_dir: str | None = _setting(
        "LIVELOG_TEMP_DIR",
        "directory for the bytes of logs if there is no data directory; unset: that of the system; nothing is left there",
        _text,
        metavar="DIR",
    )
    resume_grace: float = _setting(
        "LIVELOG_RESUME_GRACE", "time that a producer has to come back and resume its log", seconds, 60.0
    )
    max_log_size: int | None = _setting("LIVELOG_MAX_LOG_SIZE", "size limit of one log; unset: no limit", _size)
    max_logs: int | None = _setting(
        "LIVELOG_MAX_LOGS",
        "limit of the number of logs, ended ones included; unset: no limit, but without a data directory "
        "what the limit of file descriptors allows",
        _count,
    )
    keep_attempts: int = _setting(
        "LIVELOG_KEEP_ATTEMPTS",
        "how many logs of one name are kept, the newest included; older ones make room first",
        _count,
        1,
    )
    max_total_size: int | None = _setting(
        "LIVELOG_MAX_TOTAL_SIZE", "size limit of all logs together; unset: no limit", _size
    )
    max_age: float | None = _setting("LIVELOG_MAX_AGE", "remove a log this long after its end; unset: keep it", seconds)
    disk_reserve: int | None = _setting(
        "LIVELOG_DISK_RESERVE", "leave this much of the disk free; unset: use all of it", _size
    )
    max_readers: int | None = _setting(
        "LIVELOG_MAX_READERS", "limit of readers' connections; unset: what the limit of file descriptors allows", _count
    )
    stall_timeout: float = _setting(
        "LIVELOG_STALL_TIMEOUT", "cut off a reader that has accepted no byte for this long", seconds, 300.0
    )
    idle_timeout: float = _setting(
        "LIVELOG_IDLE_TIMEOUT", "time limit for the head of a request, and for an idle connection", seconds, 30.0
    )
    shutdown_timeout: float = _setting(
        "LIVELOG_SHUTDOWN_TIMEOUT",
        "time that producers and readers have to finish when the server stops",
        seconds,
        10.0,
    )
    log_format: str = _setting(
        "LIVELOG_LOG_FORMAT", "format of the server's own log: text or json", _log_format, "text"
    )
    debug: str | None = _setting("DEBUG", "*: log more; any other value: nothing", _text)

    @property
    def put_is_loopback(self) -> bool:
        """Whether only this machine can reach the producers' port."""
        return all(ipaddress.ip_address(host).is_loopback for host in self.put_host)

    def readers_url(self, port: int) -> str:
        """The beginning of links for readers, without a slash at its end. `port`: the port on which readers are served."""
        if self.public_url is not None:
            return self.public_url
        hosts = [host for host in self.get_host if not ipaddress.ip_address(host).is_unspecified]
        host = f"[{hosts[0]}]" if hosts and ":" in hosts[0] else hosts[0] if hosts else "localhost"
        return f"{'https' if self.server_crt_file else 'http'}://{host}:{port}"


def add_flags(parser: "argparse.ArgumentParser", names: Collection[str] | None = None) -> None:
    """Add a flag to `parser` for each setting. `names`: only for these fields of `Settings`."""
    for setting in fields(Settings):
        meta = setting.metadata
        if names is not None and setting.name not in names:
            continue
        default = f" (default {setting.default:g})" if isinstance(setting.default, float) else ""
        if isinstance(setting.default, (int, str)) and not isinstance(setting.default, bool):
            default = f" (default {setting.default})"
        switch: dict[str, Any] = {"nargs": "?", "const": "1"} if setting.default is False else {}
        parser.add_argument(
            meta["flag"],
            **switch,
            dest=setting.name,
            metavar=meta["metavar"],
            help=f"{meta['meaning']}{default}; variable {meta['variable']}",
        )


def load(environ: Mapping[str, str], flags: Mapping[str, str | None]) -> Settings:
    """The settings from `environ` and `flags`; flags take precedence. An empty variable counts as unset.

    Raises: ConfigError.
    """
    values = given(environ, flags)
    if "access_token" not in values:
        raise ConfigError("ACCESS_TOKEN must be set to the readers' secret: any URL-safe text", EX_CONFIG)
    settings = Settings(**values)
    if settings.write_token == settings.access_token:
        raise ConfigError(
            "LIVELOG_WRITE_TOKEN is the same as ACCESS_TOKEN: readers must not be able to write", EX_CONFIG
        )
    if (settings.server_crt_file is None) != (settings.server_key_file is None):
        missing = "SERVER_KEY_FILE" if settings.server_key_file is None else "SERVER_CRT_FILE"
        raise ConfigError(f"{missing} is missing: https needs both the certificate and its key", EX_CONFIG)
    if not (settings.put_is_loopback or settings.write_token or settings.put_unguarded):
        raise ConfigError(
            "LIVELOG_PUT_HOST lets other machines reach the producers' port: set LIVELOG_WRITE_TOKEN to a secret that "
            "producers must send, or LIVELOG_PUT_UNGUARDED=1 if whoever reaches it may write",
            EX_CONFIG,
        )
    return settings


def given(
    environ: Mapping[str, str], flags: Mapping[str, str | None], names: Collection[str] | None = None
) -> dict[str, Any]:
    """The values of all settings that are set, by field name. Each is checked by itself. `names`: only these fields of `Settings`.

    Raises: ConfigError.
    """
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        if names is not None and setting.name not in names:
            continue
        name, text = _source(setting, environ, flags)
        if text:
            values[setting.name] = setting.metadata["read"](name, text)
    return values


def _source(setting: Field[Any], environ: Mapping[str, str], flags: Mapping[str, str | None]) -> tuple[str, str]:
    """The text of a setting, empty if it is unset, and in front of it the name of its source for errors. Raises: ConfigError."""
    flag = flags.get(setting.name)
    if flag is None:
        return setting.metadata["variable"], environ.get(setting.metadata["variable"], "")
    if not setting.name.endswith("_token"):
        return setting.metadata["flag"], flag
    try:
        # A secret on the command line could be read by every user of the machine, so the flag names a file.
        with open(flag, encoding="ascii") as file:
            return f"the content of {flag}", file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{setting.metadata['flag']} {flag} cannot be read: {error}", EX_CONFIG) from error
