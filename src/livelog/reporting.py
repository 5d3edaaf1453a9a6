"""The server's own log: lines for its operator on stderr, as text or as JSON, without secrets.

A record's `fields` (`extra={"fields": {...}}`) are facts for machines: members in JSON, `name=value` behind the message in
text. Refuses to decide what is worth a line. Invariant: no secret that is known here ever leaves, wherever in a
message, field or traceback it is.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime


class Formatter(logging.Formatter):
    """Makes one line of a record (a traceback adds more in text, none in JSON)."""

    def __init__(self, form: str, secrets: Sequence[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._json = form == "json"
        self._secrets = sorted(secrets, key=len, reverse=True)  # one may be a part of another

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        fields: Mapping[str, object] = getattr(record, "fields", {})
        text = self._as_json(record, fields) if self._json else super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "[secret]")
        return text

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name that logging calls it by
        """See `logging.Formatter`: the line that a traceback follows."""
        fields: Mapping[str, object] = getattr(record, "fields", {})
        words = (f"{name}={_word(value)}" for name, value in fields.items() if value is not None)
        return " ".join((super().formatMessage(record), *words))

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


def _word(value: object) -> str:
    """A value in one word; anything that is none by itself is quoted as JSON does."""
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return (
        text
        if text and not any(character in text for character in ' "=\\') and text.isprintable()
        else json.dumps(text)
    )
