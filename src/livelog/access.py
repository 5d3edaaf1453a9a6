"""Tokens: what one may look like, whether a request shows the right one, and how to keep it out of sight.

Refuses to print a token. Comparison takes the same time whatever was sent.
"""

import hmac
import logging
import re

_URL_SAFE = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)


def is_url_safe(token: str) -> bool:
    """Whether `token` may stand in a URL as it is: RFC 3986 section 2.3, unreserved characters only."""
    return _URL_SAFE.fullmatch(token) is not None


def opens(presented: str, token: str) -> bool:
    """Whether `presented` is the `token`, compared in constant time."""
    return hmac.compare_digest(presented.encode("utf-8", "surrogatepass"), token.encode())


class RedactingFormatter(logging.Formatter):
    """Formats log records and then blots the secrets out, wherever in a message or traceback they are."""

    def __init__(self, pattern: str, secrets: list[str]) -> None:
        super().__init__(pattern)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The record as one text, without secrets."""
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text
