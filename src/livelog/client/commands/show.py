"""`livelog show`: the most important parts of a log, in a limited number of bytes, for a program, an agent or a person in a hurry.

First the state of the log; with `--problems` the last errors and warnings with the lines around them; then as much of the end of the log as
fits; last, what was left out, and how to get it. It does not follow the log, and transfers little more than it prints.
"""

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from livelog.client.api.lookup import Target, attempt_of, fetch, locate, status_of
from livelog.client.settings import load
from livelog.errors import Refused

from .console import (
    EX_FAILED,
    EX_GAVE_UP,
    EX_NOT_FOUND,
    EX_SETTING,
    EX_UNAUTHORISED,
    EX_USAGE,
    Parser,
    add_attempt,
    exit_codes,
    natural,
    reference,
    write,
)
from .terminal import RESET, Neutraliser, size

LEAST = 1000
"""Bytes for the line about the log's state, and for the note about what was left out."""

NOTE = 300
"""Bytes kept free for the note about what was left out."""

CONTEXT = 3
"""Lines of context before and after a problem."""

MOST_PROBLEMS = 50
"""The limit of problems that are shown: the last ones."""

MOST_LINES = 24
"""The limit of lines of one problem, with its context."""

LONGEST = 500
"""The limit of one line, in bytes. Of a longer line, the beginning is shown."""

TITLE = 80
"""Bytes for the title above the new lines."""

SHARE = 0.6
"""The part of the space that problems may take. The end of the log gets the rest."""

SEARCHING = 30.0
"""Seconds to wait for problems if the server has not scanned the log yet."""

LEFT_OUT = "…"
"""The line that stands for lines that were left out."""

EXITS = exit_codes(
    "0 shown, whatever state the log has", EX_FAILED, EX_USAGE, EX_NOT_FOUND, EX_UNAUTHORISED, EX_GAVE_UP, EX_SETTING
)

HELP = """\
Show a log in a few thousand bytes: its state, with --problems its last errors and warnings with the lines around them, and its
end. The lines have their numbers in front. What is left out is said at the end, and how to get it. For a program, or an agent, that must not
read too much.

  livelog show nightly
  livelog show nightly --problems --max-bytes 8000
"""


def parser() -> argparse.ArgumentParser:
    """The parser of `livelog show`."""
    parser = Parser("show", HELP, EXITS)
    parser.add_argument("log", metavar="URL|NAME", type=reference, help="a link, or a name on the configured server")
    add_attempt(parser)
    parser.add_argument(
        "--problems", action="store_true", help="show the last errors and warnings, with the lines around them, first"
    )
    parser.add_argument(
        "--new",
        action="store_true",
        help="show the lines that the last log of this name with exit code 0 does not have; numbers, times and hashes make no difference",
    )
    parser.add_argument(
        "--plain",
        action="store_true",
        help="without colours, and progress bars as they ended, also on a terminal; elsewhere it is always so",
    )
    parser.add_argument(
        "--max-bytes",
        metavar="N",
        type=natural,
        default=16_000,
        help=f"print N bytes at most (default 16000, at least {LEAST})",
    )
    return parser


def show(arguments: argparse.Namespace) -> int:
    """Show a log. Returns the exit code. Raises: LivelogError."""
    if arguments.max_bytes < LEAST:
        parser().error(f"argument --max-bytes: at least {LEAST}")
    settings = load()
    log = attempt_of(locate(arguments.log, settings), arguments.attempt, arguments.generation)
    known = status_of(log)
    name = arguments.log if "://" not in arguments.log else known["name"] or "-"
    seen = _Seen(log, known, plain=arguments.plain or not os.isatty(1))
    room = arguments.max_bytes - NOTE
    texts = [cut(headline(known), LONGEST)]
    room -= _bytes(texts)
    if arguments.problems:
        seen.end(int(room * (1 - SHARE)))  # what is there need not be shown twice
        texts += seen.problems(int(room * SHARE))
        room -= _bytes(texts[1:])
    if arguments.new:
        new = seen.new(int(room * SHARE))
        texts += new
        room -= _bytes(new)
    texts += seen.end(room)
    left = seen.left_out(name, arguments.max_bytes)
    data = "".join(f"{text}\n" for text in [*texts, *left]).encode(errors="replace")
    if not seen.plain:
        neutralise = Neutraliser()
        data = neutralise(data, last=True) + RESET * neutralise.coloured
    write(data)
    return 0


class _Seen:
    """The parts of the output for one log. `known`: its status."""

    def __init__(self, log: Target, known: Mapping[str, Any], *, plain: bool) -> None:
        self.plain = plain
        self._log = log
        self._known = known
        # An address that names a log, as that of an older attempt does, names this one.
        self._which = {} if "?" in log.url else {"generation": known["generation"]}
        self._problems = self._shown_problems = 0
        self._first = 1
        """The number of the line from which on the end of the log is shown."""
        self._looked = int(known["size"])

    def problems(self, room: int) -> list[str]:
        """The last problems, with the lines around them, in at most so many bytes: first those that are in front of the end that is shown anyway."""
        found = self._find()
        inside = [problem for problem in found if problem["line"] >= self._first]
        blocks, known = list[tuple[int, list[str]]](), set[str]()
        for problem in [*reversed(found[: len(found) - len(inside)]), *reversed(inside)]:
            block = self._block(problem)
            if (taken := _bytes([line for line in block if line not in known])) > room:
                break
            room -= taken
            known.update(block)
            blocks.append((problem["line"], block))
        blocks.sort(key=lambda block: block[0])
        self._shown_problems = len(inside) + sum(line < self._first for line, _ in blocks)
        which = f", the last {self._shown_problems}" if 0 < self._shown_problems < self._problems else ""
        title = f"problems: {self._counted}{which}"
        # Lines that are around two problems are shown once, with the first of them; as grep, this tells where lines are left out.
        lines, texts, before = set[str](), ["", title], ""
        for _, block in blocks:
            fresh = [line for line in block if line == LEFT_OUT or line not in lines]
            if before and fresh and fresh[0] != LEFT_OUT and _number(fresh[0]) > _number(before) + 1:
                texts.append(LEFT_OUT)
            texts += fresh
            lines.update(block)
            before = block[-1]
        return texts

    def _find(self) -> list[dict[str, Any]]:
        """The last errors and warnings that the server reports."""
        deadline, before = time.monotonic() + SEARCHING, -1
        while True:
            page = self._ask("problems", level="error,warning", limit=1)
            stuck, before = before == page["indexed"], page["indexed"]  # in front of a line that has not all come
            if stuck or not page["more"] or before >= self._known["size"] or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        self._looked = min(self._looked, page["indexed"])
        counts = {level: count for level, count in page["counts"].items() if count and level != "notice"}
        self._problems = sum(counts.values())
        self._counted = ", ".join(f"{count} {level}{'s' * (count > 1)}" for level, count in counts.items()) or "none"
        skip = max(0, sum(page["counts"].values()) - 4 * MOST_PROBLEMS)
        page = self._ask("problems", level="error,warning", skip=skip)
        if not page["problems"] and skip:  # more are counted than are kept
            page = self._ask("problems", level="error,warning")
        found: list[dict[str, Any]] = page["problems"]
        return found[-MOST_PROBLEMS:]

    def _block(self, problem: Mapping[str, Any]) -> list[str]:
        """A problem with the lines around it; of a long one, the first and the last lines."""
        first, last = problem["line"], problem["last"]
        lines = self._lines(
            **{"from": max(1, first - CONTEXT), "until": min(last, first + MOST_LINES // 2) + CONTEXT + 1}
        )
        if last > first + MOST_LINES // 2:
            lines = lines[: MOST_LINES // 2]
            tail = self._lines(
                **{"from": max(last - MOST_LINES // 3, lines[-1]["line"] + 1), "until": last + CONTEXT + 1}
            )
            return [*map(row, lines), LEFT_OUT, *map(row, tail)]
        return [*map(row, lines)]

    def new(self, room: int) -> list[str]:
        """The first lines that the last good log of this name does not have, in at most so many bytes."""
        try:
            found = self._ask("compare", wait=SEARCHING)
        except Refused as error:
            if error.status != 404:
                raise
            return ["", cut(f"new lines: {error}", LONGEST)]
        texts, left = list[str](), room - TITLE
        for line in found["lines"]:
            text = row(line) + f" ({line['count']} times)" * (line["count"] > 1)
            if (left := left - _bytes([text])) < 0:
                break
            texts.append(text)
        which = f", the first {len(texts)}" if len(texts) < found["new"] else ""
        return ["", f"new since the last good run: {found['new'] or 'none'}{which}", *texts]

    def end(self, room: int) -> list[str]:
        """The last lines of the log, as many as fit."""
        if not self._known["size"]:
            return []
        lines = self._lines(**{"from": f"byte:{max(0, self._known['size'] - 4 * room)}"})
        texts: list[str] = []
        title = ["", "the end of the log:"]
        room -= _bytes(title)
        for line in reversed(lines):
            text = row(line)
            if (room := room - _bytes([text])) < 0:
                break
            texts.append(text)
            self._first = line["line"]
        return [*title, *reversed(texts)] if texts else []

    def left_out(self, name: str, budget: int) -> list[str]:
        """The note about what was left out, and how to get it."""
        texts: list[str] = []
        if self._shown_problems < self._problems:
            texts.append(f"{self._problems - self._shown_problems} earlier problems")
        if self._first > 1:
            texts.append(f"lines 1 to {self._first - 1}" + (", but for those above" if self._shown_problems else ""))
        if self._looked < self._known["size"]:
            texts.append(f"problems behind byte {self._looked}, which were not looked for in time")
        if not texts:
            return []
        advice = f"more: livelog show --max-bytes {4 * budget}, livelog grep -n -C 3 RE, livelog tail -n +1 --no-follow"
        return ["", cut(f"left out of {name}: {'; '.join(texts)}", NOTE // 2 - 10), cut(advice, NOTE // 2 - 10)]

    def _lines(self, **query: object) -> list[dict[str, Any]]:
        """Lines of the log, with their numbers."""
        stream = self._log.other("lines").stream(SEARCHING)
        asked = {**query, "as": "ndjson", **self._which} | ({"plain": 1} if self.plain else {})
        lines: dict[int, dict[str, Any]] = {}  # after a break all of them come again
        for text in stream.lines(lambda: "?" + urlencode(asked), "application/x-ndjson"):
            line = json.loads(text)
            if "error" in line:
                raise Refused(f"the server could not read the lines: {line['error']}")
            lines[line["line"]] = line
        return [*lines.values()]

    def _ask(self, resource: str, wait: float = 0, **query: object) -> dict[str, Any]:
        """A document about the log, which may take the server `wait` seconds longer than others."""
        return fetch(self._log.other(resource, "?" + urlencode({**query, **self._which})), wait)


def headline(known: Mapping[str, Any]) -> str:
    """One line about the state of the log."""
    parts = [f"{known['name'] or 'the log without a name'}: {known['state']}"]
    if known["exit_code"] is not None:
        parts.append(f"exit code {known['exit_code']}")
    parts += [size(known["size"]), f"began {known['began'][:19]}Z"]
    if (seconds := known.get("elapsed")) is not None:
        parts.append(f"{'took' if known['ended'] else 'since'} {seconds:.0f} s")
    if known["title"]:
        parts.append(known["title"])
    if known["reason"] and known["state"] == "aborted":
        parts.append(f"aborted because {known['reason']}")
    return ", ".join(parts)


def row(line: Mapping[str, Any]) -> str:
    """A line with its number."""
    return cut(f"{line['line']}: {line['text']}", LONGEST)


def cut(text: str, most: int) -> str:
    """The beginning of a text, at most so many bytes in UTF-8. An ellipsis marks that it was shortened."""
    data = text.encode(errors="replace")
    return text if len(data) <= most else data[: most - 3].decode(errors="ignore") + "…"


def _number(text: str) -> int:
    return int(text.partition(":")[0])


def _bytes(texts: Sequence[str]) -> int:
    """The size of the lines in bytes, newlines included."""
    return sum(len(text.encode(errors="replace")) + 1 for text in texts)
