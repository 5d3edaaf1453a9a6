"""livelog: logs over HTTP while they are being written."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client.api.capture import run as run
    from .client.api.compare import Comparison as Comparison
    from .client.api.compare import NewLine as NewLine
    from .client.api.handler import Handler as Handler
    from .client.api.listing import LogEvent as LogEvent
    from .client.api.listing import LogStatus as LogStatus
    from .client.api.listing import alogs as alogs
    from .client.api.listing import awatch as awatch
    from .client.api.listing import logs as logs
    from .client.api.listing import watch as watch
    from .client.api.reader import Line as Line
    from .client.api.reader import Reader as Reader
    from .client.api.search import Hit as Hit
    from .client.api.search_many import asearch as asearch
    from .client.api.search_many import search as search
    from .client.api.text import TextWriter as TextWriter
    from .client.api.text import open as open  # noqa: A004  # the built-in one's counterpart, always said as livelog.open
    from .client.api.timed import TimedLine as TimedLine
    from .client.api.writer import Writer as Writer
    from .client.settings import ClientSettings as ClientSettings
    from .errors import ClientError as ClientError
    from .errors import ConfigError as ConfigError
    from .errors import GaveUp as GaveUp
    from .errors import LivelogError as LivelogError
    from .errors import LogAborted as LogAborted
    from .errors import LogReplaced as LogReplaced
    from .errors import Refused as Refused

__version__ = "0.2.0"

_HOMES = {
    "run": "client.api.capture",
    "Comparison": "client.api.compare",
    "NewLine": "client.api.compare",
    "Handler": "client.api.handler",
    "Hit": "client.api.search",
    "asearch": "client.api.search_many",
    "search": "client.api.search_many",
    "LogEvent": "client.api.listing",
    "LogStatus": "client.api.listing",
    "alogs": "client.api.listing",
    "awatch": "client.api.listing",
    "logs": "client.api.listing",
    "watch": "client.api.listing",
    "Line": "client.api.reader",
    "Reader": "client.api.reader",
    "ClientSettings": "client.settings",
    "TextWriter": "client.api.text",
    "open": "client.api.text",
    "TimedLine": "client.api.timed",
    "Writer": "client.api.writer",
    "ClientError": "errors",
    "ConfigError": "errors",
    "GaveUp": "errors",
    "LivelogError": "errors",
    "LogAborted": "errors",
    "LogReplaced": "errors",
    "Refused": "errors",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
