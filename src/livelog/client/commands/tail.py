"""`livelog tail`: write a log to stdout, line by line, or into a file."""

import argparse
import contextlib
import json
import os
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from livelog.client.api.lookup import (
    FEW,
    Place,
    attempt_of,
    few_lines,
    last_lines,
    locate,
    patiently,
    place_of,
    status_of,
)
from livelog.client.api.reader import Reader
from livelog.client.settings import ClientSettings, load
from livelog.errors import LogAborted, LogReplaced, Refused

from .choosing import is_pattern
from .console import (
    EX_FAILED,
    EX_INTERRUPTED,
    EX_NOT_ENDED,
    EX_SETTING,
    EXIT_STATUS,
    FOLLOWING,
    MixedParser,
    add_attempt,
    add_exit_status,
    add_give_up,
    exit_codes,
    interval,
    lasting,
    natural,
    note,
    reference,
    write,
)
from .grep_options import add_look_options, add_pattern_options
from .moments import FORMS
from .output import Replacement, noticing_the_end_of, opened_for_writing
from .terminal import RESET, Neutraliser

T = TypeVar("T")

HELP = """\
Show the last lines of a log, then follow it to its end. Broken connections and restarts of the server are resumed: no
byte is lost, and none is shown twice.

  livelog tail http://localhost:60023/log/secretpuppy/nightly     by its link, or a link of the viewer
  livelog tail nightly                                            by its name
  livelog tail -n +1 --no-follow nightly | grep error             everything there is so far
  livelog tail --grep 'error|warning' -C 2 nightly                only lines that match, and those around them
  livelog tail --since 5m --timestamps=short 'builds/42/*'        several logs, merged by time; new ones join
  livelog tail -o nightly.log nightly                             into a file; the same command resumes a broken one
"""

EXITS = exit_codes(
    "0 the log is complete, or everything that was asked for was shown",
    EX_FAILED,
    *FOLLOWING,
    EX_NOT_ENDED,
    EX_SETTING,
    EX_INTERRUPTED,
    EXIT_STATUS,
)


class TailParser(MixedParser):
    """The parser of `livelog tail`. It takes `-5` for `-n 5`, as tail(1) does."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See `argparse.ArgumentParser`."""
        words: list[str] = []
        args = ["--timestamps=arrival" if word == "--timestamps" else word for word in args or ()]
        for index, word in enumerate(args or ()):
            if word == "--":
                words += (args or ())[index:]
                break
            match = re.fullmatch("-([0-9]+)(f?)", word)
            wanted = self._option_string_actions.get(words[-1]) if words else None
            if match is None or (wanted is not None and wanted.nargs is None):  # it is the value of an option
                words.append(word)
            else:
                words += ["-n", match[1]]
        return super().parse_known_args(words, namespace)


def parser() -> argparse.ArgumentParser:
    """The parser of `livelog tail`."""
    parser = TailParser("tail", HELP, EXITS)
    parser.add_argument(
        "logs",
        metavar="URL|NAME|PATTERN",
        type=reference,
        nargs="*",
        help="links, names, prefixes such as builds/42/, or patterns such as 'builds/*'; several logs are merged by the times of their lines",
    )
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument(
        "-n",
        "--lines",
        metavar="N",
        type=lines,
        help="start with the last N lines (default 100), or with line N if written +N; -N is short for -n N",
    )
    begin.add_argument("--from-line", metavar="N", type=natural, help="start with line N, counted from 1")
    begin.add_argument(
        "--bytes",
        metavar="A-B",
        type=interval,
        help="bytes A to B, counted from 0, both included; A-: from byte A to the end",
    )
    add_attempt(parser)
    follow = parser.add_mutually_exclusive_group()
    follow.add_argument("-f", "--follow", action="store_true", default=True, help="follow the log to its end (default)")
    follow.add_argument("--no-follow", dest="follow", action="store_false", help="stop at the end of what there is now")
    parser.add_argument(
        "--wait", metavar="TIME", type=lasting, default="0", help="wait this long for the log to begin (default 0)"
    )
    add_give_up(parser)
    parser.add_argument(
        "--timestamps",
        metavar="FORM",
        choices=("arrival", *FORMS),
        help="print before each line its time: iso, short (the time of day), relative (seconds since the first line), delta (since the line before); alone, of one log: the time at which it arrived at this command",
    )
    chosen = parser.add_argument_group("whole lines, with their times")
    chosen.add_argument("--grep", metavar="RE", help="show only lines that match this pattern of Python's re")
    add_pattern_options(chosen)
    add_look_options(chosen)
    chosen.add_argument(
        "--label",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        help="of logs that fit a pattern, only those that have this label; may be repeated",
    )
    chosen.add_argument(
        "--max-logs", metavar="N", type=natural, default=50, help="follow at most N logs at a time (default 50)"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object for each line")
    add_exit_status(parser)
    parser.add_argument("--raw", action="store_true", help="do not filter control sequences, even on a terminal")
    parser.add_argument("--quiet", "-q", action="store_true", help="do not report broken connections")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write the whole log, or --bytes, to FILE; if FILE has a part already, resume there. FILE may be a pipe, a device, or - for stdout",
    )
    return parser


def lines(text: str) -> tuple[bool, int]:
    """Parse an option's number of lines: whether it is the number of the first line (`+N`), and the number."""
    return text.startswith("+"), natural(text[1:] if text[:1] in ("+", "-") else text)


def tail(arguments: argparse.Namespace) -> int:
    """Run `livelog tail`, and return the exit code. Raises: LivelogError."""
    several = len(arguments.logs) != 1 or is_pattern(arguments.logs[0])
    if not arguments.logs and not arguments.label:
        parser().error("which log? Name it by its link or name; 'builds/42/*': all whose names fit")
    if arguments.timezone is not None and arguments.timestamps == "arrival":
        arguments.timestamps = "iso"
    if arguments.timezone is not None and arguments.timestamps not in ("short", "iso"):
        parser().error("argument --timezone: it needs --timestamps, or --timestamps=short or --timestamps=iso")
    by_line = (
        "grep",
        "invert_match",
        "since",
        "until",
        "before_context",
        "after_context",
        "context",
        "ignore_case",
        "fixed_strings",
        "exclude",
        "highlight",
    )
    if several or any(getattr(arguments, name) for name in by_line) or arguments.timestamps not in (None, "arrival"):
        return _lines(arguments)
    arguments.log = arguments.logs[0]
    if arguments.lines is not None and arguments.lines[0]:
        arguments.from_line, arguments.lines = arguments.lines[1], None
    if arguments.output is not None and (
        arguments.lines is not None or arguments.from_line is not None or arguments.json or arguments.timestamps
    ):
        parser().error("argument -o/--output: a file gets the bytes as they are: all of them, or --bytes")
    fd = 1 if arguments.output is None else opened_for_writing(arguments.output)
    with noticing_the_end_of(fd) if fd is not None else contextlib.nullcontext():
        return _Tail(arguments, load()).show(fd)


def _lines(arguments: argparse.Namespace) -> int:
    """Show whole lines of one log or several. Returns the exit code. Raises: LivelogError."""
    if arguments.bytes is not None or arguments.output is not None or arguments.exit_status:
        parser().error(
            "--bytes, -o and --exit-status are for one log as it is: not with patterns, times, or several logs"
        )
    if arguments.generation is not None and len(arguments.logs) != 1:
        parser().error("argument --generation: it is of one log")
    if arguments.attempt and arguments.follow and (not arguments.logs or any(map(is_pattern, arguments.logs))):
        parser().error("argument --attempt: with a prefix or a pattern also --no-follow: an older log does not grow")
    if arguments.grep is None and (arguments.invert_match or arguments.ignore_case or arguments.fixed_strings):
        parser().error("-v, -i and -F say how --grep is meant")
    if arguments.from_line is not None:
        arguments.lines = (True, arguments.from_line)
    from .tail_lines import tail_lines  # noqa: PLC0415  # one log as it is need not wait for it

    try:
        with noticing_the_end_of(1):
            return tail_lines(arguments)
    except ValueError as error:
        parser().error(f"argument --grep: {error}")


class _Tail:
    """The output of one log, as `arguments` ask for it."""

    def __init__(self, arguments: argparse.Namespace, settings: ClientSettings) -> None:
        self._arguments = arguments
        self._settings = settings
        self._notice = (lambda _text: None) if arguments.quiet else note
        log = self._find(lambda _wait, patience: locate(arguments.log, settings, patience))
        self._log = self._find(partial(attempt_of, log, arguments.attempt, arguments.generation))

    def show(self, fd: int | None) -> int:
        """Write the log to the descriptor `fd`, or into the file (None). Returns the exit code. Raises: LivelogError."""
        arguments = self._arguments
        start, stop = arguments.bytes or (0, None)
        count = 100 if arguments.lines is None else arguments.lines[1]
        whole = arguments.bytes is not None or arguments.from_line is not None or arguments.output is not None
        place: Place | None = None
        if (arguments.from_line or 1) > 1:
            place = self._find(partial(place_of, f"from={arguments.from_line}&count=0", self._log))
        elif not whole and (count > FEW or (arguments.json and count)):
            place = self._find(partial(last_lines, count, self._log))
        elif not whole and count:
            place = self._few(count)
        reader = Reader(
            self._log.url,
            token=self._log.token,
            start=start,
            stop=stop,
            tail=count if place is None and not whole else None,
            follow=arguments.follow,
            wait=arguments.wait,
            give_up=arguments.give_up,
            ca_file=self._settings.ca_file,
            direct=self._settings.is_default(self._log.url),
            notice=self._notice,
        )
        if place is not None:
            reader.resume(place.generation, place.offset)
        line = place.line if place is not None else 1 if whole and start == 0 else None
        skip = arguments.from_line - (line or 1) if arguments.from_line else 0  # lines that there are not yet
        if fd is None:
            bounds = "" if arguments.bytes is None else f".{start}-{'' if stop is None else stop - 1}"
            self._download(reader, "" if start == 0 and stop is None else bounds, start)
        elif arguments.json or arguments.timestamps:
            _print_lines(reader, arguments, line, skip)
        else:
            _print_bytes(reader, arguments, skip, fd)
        return self._exit_status(reader) if arguments.exit_status else 0

    def _few(self, count: int) -> Place | None:
        """The beginning of the last `count` lines; None: the reader must ask, because the log may not have begun, or the server has no `/lines`."""
        try:
            return self._find(partial(few_lines, count, self._log), 0) or self._find(
                partial(last_lines, count, self._log)
            )
        except Refused:
            return None

    def _find(self, ask: Callable[[float, float], T], wait: float | None = None) -> T:
        wait = self._arguments.wait if wait is None else wait
        return patiently(ask, wait, self._arguments.give_up, self._notice)

    def _status(self, wait: float | None = None) -> dict[str, object]:
        return self._find(partial(status_of, self._log), wait)

    def _exit_status(self, reader: Reader) -> int:
        """The job's exit code; if there is none, 0 for a complete log."""
        known = self._status(0)
        if known["generation"] != reader.generation:
            raise LogReplaced(f"the log was replaced by another one after {reader.offset} bytes were read")
        if known["state"] == "aborted":
            raise LogAborted("the log was aborted: how its job ended is not known")
        if known["state"] != "complete":
            self._notice("the log has not ended: how its job ends is not known yet")
            return EX_NOT_ENDED
        code = known["exit_code"]
        return int(code) & 0xFF if isinstance(code, int) else 0

    def _download(self, reader: Reader, bounds: str, start: int) -> None:
        generation = str(self._status()["generation"])
        with Replacement(self._arguments.output, generation, bounds) as file:
            reader.resume(generation, start + file.size)
            try:
                for data in reader:
                    file.write(data)
            except LogAborted:
                file.commit()
                raise
            file.commit()


def _print_bytes(reader: Reader, arguments: argparse.Namespace, skip: int, fd: int) -> None:
    """Yield the bytes without the first `skip` lines."""
    neutralise = Neutraliser() if os.isatty(fd) and not arguments.raw else None
    try:
        for block in reader:
            data = block
            while skip and data:
                _line, newline, data = data.partition(b"\n")
                skip -= len(newline)
            write(data if neutralise is None else neutralise(data), fd)
    finally:
        if neutralise is not None:
            write(neutralise(b"", last=True) + (RESET if neutralise.coloured else b""), fd)


def _print_lines(reader: Reader, arguments: argparse.Namespace, first: int | None, skip: int) -> None:
    """Yield the bytes line by line. `first`: the number of the first line, if it is known."""
    neutralise = Neutraliser() if os.isatty(1) and not arguments.raw and not arguments.json else None
    for index, line in enumerate(reader.lines()):
        if index < skip:
            continue
        moment = time.time()
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(moment))}.{int(moment * 1000) % 1000:03}Z"
        if arguments.json:
            number = None if first is None else first + index
            write(json.dumps({"line": number, "byte": line.offset, "time": stamp, "text": line.text}).encode() + b"\n")
        else:
            data = line.data if line.data.endswith(b"\n") else line.data + b"\n"
            shown = data if neutralise is None else neutralise(data) + RESET * neutralise.coloured
            write(f"{stamp} ".encode() + shown)
