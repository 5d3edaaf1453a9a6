"""`livelog tail` of several logs, or with a filter: whole lines with their times, in one order.

The server sends each line with its time, by a search that follows the log. A thread reads each log, and another one the list of logs,
for logs that join. Only the main thread writes.
"""

import argparse
import json
import os
import queue
import threading
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from livelog.client.api.lookup import attempt_of, listing, locate, patiently, place_of, status_of
from livelog.client.api.search import Hit, Query, rfc3339, search
from livelog.client.settings import load
from livelog.client.transport.stream import Stream, events
from livelog.errors import LivelogError

from .choosing import Chosen, choose, fits, is_pattern, label_query, stem
from .console import EX_ABORTED, may_colour, note, write
from .filtering import plain
from .grepping import RESET as PLAIN
from .grepping import expression, marked
from .merging import Merger
from .moments import Stamps
from .terminal import RESET, Neutraliser

COLOURS = (36, 33, 32, 35, 34, 31, 96, 93, 92, 95, 94, 91)
"""The colours of the logs' names, in the order in which the logs join."""

MOST = 5000
"""The limit of lines that wait for their place."""

LISTED = 10_000
"""The limit of present logs that are compared with the pattern, the newest first."""

FEW = 10
"""The number of last lines with which each of several logs begins."""


class _Said(NamedTuple):
    """A message of a thread: a line, the end of a log with its error, or a log that joins."""

    log: Chosen
    hit: Hit | None = None
    error: LivelogError | None = None
    joins: bool = False
    whole: bool = False


def tail_lines(arguments: argparse.Namespace) -> int:
    """Show the lines, and return the exit code. Raises: LivelogError."""
    return _TailLines(arguments).show()


class _TailLines:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments, self._settings = arguments, load()
        self._notice = (lambda _text: None) if arguments.quiet else note
        self._patterns = [word for word in arguments.logs if is_pattern(word)] or (["*"] if not arguments.logs else [])
        self._several = len(arguments.logs) != 1 or bool(self._patterns)
        self._terminal = os.isatty(1) and not arguments.raw and not arguments.json
        self._coloured = self._terminal and may_colour()
        zone = datetime.now().astimezone()
        form = arguments.timestamps
        self._stamps = (
            None
            if form is None
            else Stamps(
                "iso" if form == "arrival" else form,
                arguments.timezone or zone.tzinfo,
                zone,
                zoned=arguments.timezone is not None,
            )
        )
        asked = expression([arguments.grep or ""], fixed=arguments.fixed_strings)
        around = arguments.context
        self._query = Query(
            asked.text, regex=asked.regex, case=not arguments.ignore_case, invert=arguments.invert_match,
            before=around if arguments.before_context is None else arguments.before_context,
            after=around if arguments.after_context is None else arguments.after_context,
            since=rfc3339(arguments.since), until=rfc3339(arguments.until), follow=arguments.follow,
        )  # fmt: skip
        self._said: queue.Queue[_Said] = queue.Queue(1000)
        self._merger: Merger[tuple[Chosen, Hit]] = Merger()
        self._open: dict[str, Chosen] = {}
        self._seen: dict[str, int] = {}
        self._refused = False
        self._code = 0

    def show(self) -> int:
        """See `tail_lines`."""
        named = [word for word in self._arguments.logs if not is_pattern(word)]
        watched = bool(self._patterns) and self._arguments.follow
        for log in (
            choose(named if watched else self._arguments.logs, self._arguments.label, self._settings)
            if named or not watched
            else ()
        ):
            self._join(log, whole=False)
        if watched:
            threading.Thread(target=self._watch, daemon=True).start()
        while self._open or watched or len(self._merger):
            try:
                said = self._said.get(timeout=0.05 if len(self._merger) else 60)
            except queue.Empty:
                said = None
            if said is not None:
                self._take(said)
            for log, hit in self._merger.take(
                time.monotonic(), all_of_it=len(self._merger) > MOST or not self._several
            ):
                if not any(pattern.search(plain(hit.text)) for pattern in self._arguments.exclude):
                    self._print(log, hit)
        return self._code

    def _take(self, said: _Said) -> None:
        now = time.monotonic()
        if said.joins:
            self._join(said.log, whole=said.whole)
        elif said.hit is not None:
            came = said.hit.time or datetime.now(UTC)
            self._merger.put(said.log.name, came.timestamp(), (said.log, said.hit), now)
        else:
            self._merger.leave(said.log.name)
            self._open.pop(said.log.name, None)
            if said.error is not None:
                if not self._several or not said.log.name:
                    raise said.error
                from .dispatch import exit_code_of  # noqa: PLC0415  # which imports this

                note(f"{said.log.name}: {said.error}")
                self._code = self._code or exit_code_of(said.error)

    def _join(self, log: Chosen, *, whole: bool) -> None:
        if log.name in self._open:
            return
        if len(self._open) >= self._arguments.max_logs:
            if not self._refused:
                self._refused = True
                note(f"there are more than {self._arguments.max_logs} logs: going on with these; --max-logs takes more")
            return
        self._open[log.name] = log
        self._seen.setdefault(log.name, len(self._seen))
        self._merger.join(log.name, time.monotonic())
        threading.Thread(target=self._follow, args=(log, whole), daemon=True).start()

    def _follow(self, log: Chosen, whole: bool) -> None:
        """Read the lines of a log, and report its end. Runs in a thread of its own."""
        try:
            which = partial(attempt_of, log.target, self._arguments.attempt, self._arguments.generation)
            target = patiently(which, self._arguments.wait, self._arguments.give_up, self._notice)
            log = log._replace(target=target)
            start = None if whole or self._query.since else self._start(log)
            for hit in search(self._stream(log), self._query._replace(start=start)):
                self._said.put(_Said(log, hit))
            if (
                patiently(partial(status_of, log.target), 0, self._arguments.give_up, self._notice)["state"]
                == "aborted"
            ):
                self._code = self._code or EX_ABORTED
                self._notice(f"{log.name}: the log was aborted")
            self._said.put(_Said(log))
        except LivelogError as error:
            self._said.put(_Said(log, error=error))

    def _start(self, log: Chosen) -> int | None:
        """The place of the last wanted lines; None: the beginning of the log."""
        wanted = (False, FEW if self._several else 100) if self._arguments.lines is None else self._arguments.lines
        if wanted[0]:
            asked = f"from={max(1, wanted[1])}&count=0"
            return patiently(
                partial(place_of, asked, log.target), self._arguments.wait, self._arguments.give_up, self._notice
            ).offset
        known = patiently(partial(status_of, log.target), self._arguments.wait, self._arguments.give_up, self._notice)
        if not wanted[1]:
            return int(known["size"])
        last = patiently(partial(place_of, "tail=1", log.target), 0, self._arguments.give_up, self._notice).offset
        asked_back = self._query._replace(follow=False, backwards=True, limit=wanted[1], after=0)
        return min((hit.start for hit in search(self._stream(log), asked_back)), default=last)

    def _stream(self, log: Chosen) -> Stream:
        return log.target.other("search").stream(self._arguments.give_up, self._notice)

    def _watch(self) -> None:
        """Report the logs that match, present ones and new ones. Runs in a thread of its own."""
        nobody = Chosen("", locate("-", self._settings))
        try:
            stems = {stem(word) for word in self._patterns}
            query = {
                "as": "events",
                "limit": LISTED,
                "prefix": stems.pop() if len(stems) == 1 else None,
                "label": label_query(self._arguments.label),
            }
            asked = "?" + urlencode({name: value for name, value in query.items() if value}, doseq=True)
            stream = listing(self._settings).stream(self._arguments.give_up, self._notice, endless=True)
            generations: set[str] = set()
            for kind, _, known in events(stream.lines(lambda: asked, "text/event-stream")):
                if (
                    kind in ("log", "begun")
                    and fits(known["name"], self._patterns)
                    and known["generation"] not in generations
                ):
                    generations.add(known["generation"])
                    name = known["name"] or "-"
                    self._said.put(_Said(Chosen(name, locate(name, self._settings)), joins=True, whole=kind == "begun"))
        except LivelogError as error:
            self._said.put(_Said(nobody, error=error))

    def _print(self, log: Chosen, hit: Hit) -> None:
        if self._arguments.json:
            came = None if hit.time is None else hit.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            document: dict[str, Any] = {"line": hit.line, "byte": hit.start, "time": came, "text": hit.text}
            write(json.dumps({"log": log.name, **document} if self._several else document).encode() + b"\n")
            return
        head = "" if self._stamps is None else self._stamps(hit.time)
        if self._several:
            colour = f"\x1b[{COLOURS[self._seen[log.name] % len(COLOURS)]}m" if self._coloured else ""
            head += f"{colour}{log.name} | {PLAIN if colour else ''}"
        data = hit.text.encode(errors="replace")
        if self._terminal:
            neutralise = Neutraliser()
            data = neutralise(self._marked(hit.text), last=True) + RESET * neutralise.coloured
        write(head.encode() + data + b"\n")

    def _marked(self, text: str) -> bytes:
        """A line with coloured matches. Its own colours are removed."""
        marks = self._arguments.highlight
        if any(pattern.search(plain(text)) for pattern in marks):
            text = marked(plain(text), marks)
        return text.encode(errors="replace")
