"""`livelog tail`: a log on stdout, line by line, or into a file."""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from livelog.config import seconds
from livelog.errors import LogAborted

from .console import Parser, duration, interval, natural, note, write
from .lookup import Place, locate, patiently, place_of, status_of
from .reader import Reader
from .settings import load
from .terminal import RESET, Neutraliser

FEW = 1000
"""Lines that the server finds from the end of a log. For more, of which it gives a part only, their numbers are asked for."""

T = TypeVar("T")

HELP = """\
Show a log: its last lines, then what comes, to its end, through broken connections and restarts of the server.

  livelog tail http://localhost:60023/log/secretpuppy/nightly     by its link, or a viewer's
  livelog tail nightly                                            by its name
  livelog tail --from-line 1 --no-follow nightly | grep error     all that there is by now
  livelog tail -o nightly.log nightly                             into a file; goes on where it broke off

Exit codes: 0 the log is complete (or all was shown that was asked for), 3 it was aborted, 4 there is no such log,
5 wrong token, 6 the server cannot be reached, 7 it was replaced by another log, 130 Ctrl-C.
"""


def parser() -> argparse.ArgumentParser:
    """What `livelog tail` takes."""
    parser = Parser("tail", HELP)
    parser.add_argument("log", metavar="URL|NAME", help="a link, or a name on the configured server")
    begin = parser.add_mutually_exclusive_group()
    begin.add_argument("-n", "--lines", metavar="N", type=natural, help="begin with the last N lines (default 100)")
    begin.add_argument("--from-line", metavar="N", type=natural, help="begin with line N; 1: everything")
    begin.add_argument("--bytes", metavar="A-B", type=interval, help="bytes A to B, from 0, inclusive; A-: all from A")
    parser.add_argument("--no-follow", dest="follow", action="store_false", help="end at what there is by now")
    parser.add_argument("--wait", metavar="TIME", default="0", help="wait so long for a log that has not begun")
    parser.add_argument("--give-up", metavar="TIME", default="5m", help="try so long to reach the server (default 5m)")
    parser.add_argument("--timestamps", action="store_true", help="before each line the time at which it arrived here")
    parser.add_argument("--json", action="store_true", help="a JSON object for each line")
    parser.add_argument(
        "--exit-status", action="store_true", help="exit with the job's exit code, if the log is complete"
    )
    parser.add_argument("--raw", action="store_true", help="to a terminal, too, exactly the log's bytes")
    parser.add_argument("--quiet", "-q", action="store_true", help="say nothing of broken connections")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write all of it, or --bytes, into FILE, going on where that broke off"
    )
    return parser


def tail(arguments: argparse.Namespace) -> int:
    """Show a log. Returns the exit code. Raises: LivelogError."""
    if arguments.output is not None and (
        arguments.lines is not None or arguments.from_line is not None or arguments.json or arguments.timestamps
    ):
        parser().error("argument -o/--output: a file gets the bytes as they are: all of them, or --bytes")
    settings, wait = load(), duration("--wait", arguments.wait)
    give_up, notice = seconds("--give-up", arguments.give_up), (lambda _text: None) if arguments.quiet else note

    def find(what: Callable[[float], T], wait: float = wait) -> T:
        return patiently(what, wait, give_up, notice)

    url, token = find(lambda _wait: locate(arguments.log, settings))
    start, stop = arguments.bytes or (0, None)
    count = 100 if arguments.lines is None else arguments.lines
    whole = arguments.bytes is not None or arguments.from_line is not None or arguments.output is not None
    place: Place | None = None
    if (arguments.from_line or 1) > 1:
        place = find(lambda wait: place_of(f"from={arguments.from_line}&count=0", url, token, settings, wait))
    elif not whole and count > FEW:
        end = find(lambda wait: place_of(f"from={10**17}&count=0", url, token, settings, wait))
        first = max(1, (end.line or 1) - count)
        place = find(lambda wait: place_of(f"from={first}&count=0", url, token, settings, wait))
    elif arguments.json and not whole and count:
        place = find(lambda wait: place_of(f"tail={count}", url, token, settings, wait))
    reader = Reader(
        url,
        token=token,
        start=start,
        stop=stop,
        tail=count if place is None and not whole else None,
        follow=arguments.follow,
        wait=wait,
        give_up=give_up,
        ca_file=settings.ca_file,
        notice=notice,
    )
    if place is not None:
        reader.resume(place.generation, place.offset)
    line = place.line if place is not None else 1 if whole and start == 0 else None
    skip = arguments.from_line - (line or 1) if arguments.from_line else 0  # lines that there are not yet
    if arguments.output is not None:
        generation = find(lambda wait: status_of(url, token, settings, wait))["generation"]
        _download(reader, Path(arguments.output), generation, start, stop)
    elif arguments.json or arguments.timestamps:
        _print_lines(reader, arguments, line, skip)
    else:
        _print_bytes(reader, arguments, skip)
    if arguments.exit_status and reader.state == "complete":
        code = find(lambda _wait: status_of(url, token, settings), 0)["exit_code"]
        return 0 if code is None else int(code) & 0xFF
    return 0


def _print_bytes(reader: Reader, arguments: argparse.Namespace, skip: int) -> None:
    """All but the first `skip` lines."""
    neutralise = Neutraliser() if os.isatty(1) and not arguments.raw else None
    try:
        for block in reader:
            data = block
            while skip and data:
                _line, newline, data = data.partition(b"\n")
                skip -= len(newline)
            write(data if neutralise is None else neutralise(data))
    finally:
        if neutralise is not None:
            write(neutralise(b"", last=True) + (RESET if neutralise.coloured else b""))


def _print_lines(reader: Reader, arguments: argparse.Namespace, first: int | None, skip: int) -> None:
    """The same, line by line. `first`: the number of the first one, if it is known."""
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


def _download(reader: Reader, file: Path, generation: str, start: int, stop: int | None) -> None:
    """Into a file beside `file`, which says in its name what it is a part of; at the end it gets its own name."""
    bounds = "" if start == 0 and stop is None else f".{start}-{'' if stop is None else stop - 1}"
    part = file.with_name(f"{file.name}.{generation}{bounds}.part")
    with part.open("ab") as opened:
        reader.resume(generation, start + opened.tell())
        try:
            for data in reader:
                opened.write(data)
                opened.flush()
        except LogAborted:
            part.replace(file)
            raise
    part.replace(file)
