"""`livelog ls --watch`: the list of logs as it changes. On a terminal it is drawn again; elsewhere each change is a line.

A thread reads the events; the main thread writes.
"""

import argparse
import json
import os
import queue
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from livelog.client.api.listing import LogList
from livelog.client.settings import load
from livelog.errors import LivelogError

from .console import note, write
from .output import noticing_the_end_of
from .rows import Table, row


class _Heard(NamedTuple):
    """A message of the thread: an event of a log, a `notice`, or an `error`."""

    kind: str
    log: Mapping[str, Any] = {}
    notice: str = ""
    error: LivelogError | None = None


def watch_list(arguments: argparse.Namespace) -> int:
    """Show the list and its changes, until Ctrl-C. Raises: LivelogError."""
    drawn = os.isatty(1) and not (arguments.json or arguments.names)
    heard: queue.Queue[_Heard] = queue.Queue(1000)
    labels = {
        name: value if equals else None for name, equals, value in (text.partition("=") for text in arguments.label)
    }
    logs = LogList(
        prefix=arguments.prefix or "",
        labels=labels,
        state=arguments.state,
        limit=arguments.limit,
        notice=(lambda text: heard.put(_Heard("notice", notice=text))) if drawn else note,
        settings=load(),
    )

    def hear() -> None:
        try:
            for kind, log in logs.changes():
                heard.put(_Heard(kind, log))
        except LivelogError as error:
            heard.put(_Heard("error", error=error))

    threading.Thread(target=hear, daemon=True).start()
    with noticing_the_end_of(1):
        _draw(heard, Table(arguments.state, arguments.limit)) if drawn else _print(heard, arguments)
    return 0


def _print(heard: "queue.Queue[_Heard]", arguments: argparse.Namespace) -> None:
    """Print a line for each change, without an end. Raises: LivelogError."""
    while True:
        kind, log, _, error = heard.get()
        if error is not None:
            raise error
        if arguments.names:
            if kind in ("log", "begun"):
                write(f"{log['name'] or '-'}\n".encode())
        elif kind != "listed":
            text = json.dumps({"event": kind, **log}) if arguments.json else f"{kind:8} {row(log)}"
            write(f"{text}\n".encode(errors="replace"))


def _draw(heard: "queue.Queue[_Heard]", table: Table) -> None:
    """Draw the list again after each change, over the last drawing, without an end. Raises: LivelogError."""
    lines, below, listed = 0, "", False
    while True:
        some = [heard.get()]
        while not heard.empty() and len(some) < 1000:
            some.append(heard.get())
        for kind, log, text, error in some:
            if error is not None:
                raise error
            below = text
            listed |= kind == "listed"
            if log and kind != "listed":
                table.take(kind, log)
        if listed or below:
            columns, height = os.get_terminal_size(1)
            screen = table.screen(columns or 80, height or 24, below)
            back = f"\x1b[{lines}A" if lines else ""
            write("".join([back, "\r\x1b[J", *(f"{text}\r\n" for text in screen)]).encode(errors="replace"))
            lines = len(screen)
