"""Links of logs: whether a URL may be one, and which log of its name it means."""

import contextlib
import re
from urllib.parse import SplitResult, urlsplit

from livelog.errors import Refused


def parse(url: str) -> SplitResult:
    """The parts of the URL of a link. Raises: Refused, if it is no link of a log."""
    with contextlib.suppress(ValueError):  # brackets, or a port, that are none
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and re.fullmatch("[!-~]+", url):
            return parts
    raise Refused("this is not the link of a log, such as http://logs.example.org/log/TOKEN/NAME")


def which(query: str) -> str:
    """The part of a link's query that names an attempt or a generation, or an empty text."""
    return "&".join(part for part in query.split("&") if re.fullmatch(r"(?:attempt|generation)=[A-Za-z0-9._~-]+", part))
