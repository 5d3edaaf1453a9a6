"""Header fields and query parameters that mean the same for several resources. No I/O."""

import re
from collections.abc import Mapping

from . import problem
from .request import Request

MAX_WAIT = 300
"""The longest time, in seconds, that a request is held until its log begins."""

_ENTITY_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")', re.ASCII)

_WAIT_PREFERENCE = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]+)", re.ASCII | re.IGNORECASE)

_HTML = re.compile(r"(?:^|,)\s*text/html\s*(?:,|$|;(?!\s*q=0(?:\.0*)?\s*(?:,|$)))", re.ASCII | re.IGNORECASE)

_GZIP = re.compile(r"\b(?:x-)?gzip\s*(?:,|$|;\s*q=(?!0(?:\.0*)?\s*(?:,|$)))")


def precondition(request: Request, etag: str, *, confirms: bool = True) -> int | None:
    """Evaluate the request's preconditions (RFC 9110 section 13.2.2). Returns the status to answer, 304 or 412; None: they hold.

    `confirms`: whether every client that knows `etag` has the whole present content. If not, a match in If-None-Match is
    answered with the content, since 304 would say that the client has all of it.
    """
    wanted, known = request.fields.joined("If-Match"), request.fields.joined("If-None-Match")
    if wanted and wanted.strip() != "*" and ("", etag) not in _entity_tags(wanted, etag):
        return 412  # compared strongly: weak tags never match
    if known and (known.strip() == "*" or (confirms and any(tag == etag for _, tag in _entity_tags(known, etag)))):
        return 304
    return None


def _entity_tags(field: str, etag: str) -> list[tuple[str, str]]:
    """The entity-tags in a field, as (`W/` or empty, tag). Empty, without parsing, if `etag` does not occur in the field."""
    return _ENTITY_TAG.findall(field) if etag in field else []


def wait_seconds(request: Request) -> float:
    """The seconds that the client waits for the log to begin: `?wait=N` or `Prefer: wait=N` (RFC 7240)."""
    text = request.query.get("wait")
    if text is None:
        preference = _WAIT_PREFERENCE.search(request.fields.joined("Prefer"))
        return min(int(preference[1][:9]), MAX_WAIT) if preference else 0
    return min(whole_number("wait", text), MAX_WAIT)


def whole_number(parameter: str, text: str) -> int:
    """The value of a query parameter as an integer, 0 or above. Raises: RequestError (400)."""
    if not re.fullmatch("[0-9]+", text, re.ASCII):
        raise problem.NOT_A_NUMBER.error(parameter=parameter)
    return int(text[:18])


def attempt_and_generation(query: Mapping[str, str]) -> tuple[int, str | None]:
    """Which log of a name a query means: attempt 0, the newest, or -1, the one before it, and so on; or that generation. Raises: RequestError."""
    generation, attempt = query.get("generation"), query.get("attempt")
    if attempt is None:
        return 0, generation
    if generation is not None or not re.fullmatch("0|-[0-9]{1,9}", attempt, re.ASCII):
        raise problem.NOT_AN_ATTEMPT.error()
    return int(attempt), None


def accepts_gzip(request: Request) -> bool:
    """Whether an answer may be compressed with gzip (RFC 9110 section 12.5.3)."""
    return _GZIP.search(request.fields.get("Accept-Encoding", "")) is not None


def accepts_html(request: Request) -> bool:
    """Whether the client asks for HTML by its name, as browsers do; `*/*` alone is not enough (RFC 9110 section 12.5.1)."""
    return _HTML.search(request.fields.joined("Accept")) is not None


def media_type(request: Request) -> str:
    """The type of the request's content, without parameters (RFC 9110 section 8.3)."""
    return request.fields.get("Content-Type", "").partition(";")[0].strip().lower()
