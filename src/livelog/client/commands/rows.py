"""The lines of a list of logs, and a list that fits on a terminal. No I/O."""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from .terminal import size

HEADING = f"{'STATE':11} {'SIZE':>8}  {'BEGAN':20} {'EXIT':>4}  NAME"
"""The heading of the list."""

Status = Mapping[str, Any]
"""The status of a log: see `/status` in docs/protocol/readers.md."""


def row(log: Status) -> str:
    """The line of a log in the list."""
    code = "" if log["exit_code"] is None else log["exit_code"]
    count = log.get("attempts") or 1
    attempts = f"  ({count} attempts)" if count > 1 else ""
    title = f"  {log['title']}" if log["title"] else ""
    began = log["began"][:19] + "Z"
    return f"{log['state']:11} {size(log['size']):>8}  {began:20} {code:>4}  {log['name'] or '-'}{attempts}{title}"


class Table:
    """The logs of a list that changes. `state`: only logs in this state; None: all."""

    def __init__(self, state: str | None, limit: int) -> None:
        self._state, self._limit = state, limit
        self._logs: dict[str, Status] = {}

    def take(self, kind: str, log: Status) -> None:
        """Apply an event: see `LogEvent`."""
        if kind == "removed" or (self._state is not None and log["state"] != self._state):
            self._logs.pop(log["generation"], None)
        else:
            self._logs[log["generation"]] = log

    def screen(self, columns: int, lines: int, below: str = "") -> list[str]:
        """The heading and the newest logs, as many as there is room for, and `below` them a line of text, if it is one."""
        room = max(1, lines - 2 - bool(below))
        newest = sorted(self._logs.values(), key=lambda log: (log["began"], log["generation"]), reverse=True)
        shown = newest[: min(room, self._limit)]
        texts = [HEADING, *map(row, shown), *([below] if below else [])]
        return [fit(text, columns) for text in texts]


def fit(text: str, columns: int) -> str:
    """The beginning of a text, in at most so many columns, without control characters."""
    return "".join(_fitting(text, columns))


def _fitting(text: str, columns: int) -> Iterable[str]:
    for character in text:
        shown = character if character.isprintable() else " "
        width = 0 if unicodedata.combining(shown) else 2 if unicodedata.east_asian_width(shown) in "WF" else 1
        columns -= width
        if columns < 0:
            return
        yield shown
