"""The server's own log: lines for its operator on stderr, as text or JSON, without secrets.

A record's `fields` (`extra={"fields": {...}}`) are members in JSON, and `name=value` behind the message in text. Invariants:

1. A secret that the formatter knows is never written, wherever in a message, field or traceback it occurs.
2. Only printable characters are written. The lines after the first one of a record are indented. So nothing that a client has sent can
   move a terminal's cursor or look like another record.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType

from livelog.errors import printable

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Formatter(logging.Formatter):
    """Formats a record as one line. In text, a traceback adds lines."""

    def __init__(self, form: str, secrets: Sequence[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._json = form == "json"
        self._secrets = sorted(secrets, key=len, reverse=True)  # the longest first: one may be a part of another

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        fields: Mapping[str, object] = getattr(record, "fields", {})
        text = self._as_json(record, fields) if self._json else super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name that logging calls it by
        """See `logging.Formatter`: the line in front of a traceback."""
        fields: Mapping[str, object] = getattr(record, "fields", {})
        words = (f"{name}={_word(value)}" for name, value in fields.items() if value is not None)
        message = super().formatMessage(record)
        # Messages of other libraries may have several lines. In livelog's, a line end was sent by a client.
        shown = printable(message) if record.name.startswith("livelog") else _indented(message)
        return " ".join((shown, *words))

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802  # the name that logging calls it by
        """See `logging.Formatter`: a traceback, whose lines are indented."""
        text = super().formatException(ei)
        return text if self._json else f"    {_indented(text)}"

    def formatStack(self, stack_info: str) -> str:  # noqa: N802  # the name that logging calls it by
        """See `logging.Formatter`: as `formatException`."""
        return stack_info if self._json else f"    {_indented(stack_info)}"

    def _as_json(self, record: logging.LogRecord, fields: Mapping[str, object]) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, default=str)


def _indented(text: str) -> str:
    """`text` without control characters except line ends, with all lines but the first indented."""
    return "\n    ".join(map(printable, text.split("\n")))


def _word(value: object) -> str:
    """`value` as one word, quoted as a JSON string if it is not one."""
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return (
        text
        if text and not any(character in text for character in ' "=\\') and text.isprintable()
        else json.dumps(text)
    )
