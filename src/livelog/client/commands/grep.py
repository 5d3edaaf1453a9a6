"""`livelog grep`: print the lines of logs that match a pattern. The server searches, so that only matching lines are transferred."""

import argparse
import os
import re
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlencode

from livelog.client.api.lookup import attempt_of, patiently, place_of
from livelog.client.api.search import rfc3339
from livelog.client.settings import load
from livelog.errors import LivelogError, LogReplaced, Refused

from .choosing import Chosen, choose
from .console import (
    EX_INTERRUPTED,
    MixedParser,
    add_attempt,
    add_give_up,
    exit_codes,
    may_colour,
    natural,
    note,
    reference,
    write,
)
from .grep_options import add_pattern_options
from .grepping import Asked, Form, Found, expression, found
from .terminal import Neutraliser

FOUND, NONE, TROUBLE = 0, 1, 2
"""The exit codes of grep."""

MOST = 10_000
"""The largest limit of lines that is sent to the server; beyond it, the command counts."""

HELP = """\
Print the lines of logs that match a pattern, as grep does. The server searches: what does not match is not transferred, however large
the log is. A log that grows is searched up to where it is; livelog tail --grep goes on.

  livelog grep error nightly
  livelog grep -i -n -C 3 'assertion|panic' builds/42/linux builds/42/mac
  livelog grep -c 'FAILED' 'builds/42/*'              of all logs whose names fit; builds/42/ is the same
  livelog grep --since 1h -l 'out of memory' --label branch=main 'builds/*'
"""

EXITS = exit_codes(
    f"{FOUND} a line was found", f"{NONE} none was", f"{TROUBLE} usage, or something went wrong", EX_INTERRUPTED
)


def parser() -> argparse.ArgumentParser:
    """The parser of `livelog grep`."""
    parser = MixedParser("grep", HELP, EXITS)
    parser.add_argument(
        "words",
        metavar="[RE] URL|NAME|PATTERN",
        nargs="*",
        help="a pattern of Python's re, unless -e has one; then logs: links, names, prefixes such as builds/42/, or patterns such as 'builds/*'",
    )
    parser.add_argument(
        "-e", "--regexp", metavar="RE", action="append", help="a pattern; may be repeated: one of them must match"
    )
    add_pattern_options(parser)
    parser.add_argument("-w", "--word-regexp", action="store_true", help="the pattern must match whole words")
    parser.add_argument("-x", "--line-regexp", action="store_true", help="the pattern must match whole lines")
    parser.add_argument("-n", "--line-number", action="store_true", help="print the number of each line")
    parser.add_argument("-m", "--max-count", metavar="N", type=natural, help="stop after N matching lines of each log")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("-c", "--count", action="store_true", help="print only how many lines match")
    form.add_argument(
        "-l", "--files-with-matches", action="store_true", help="print only the names of logs that have a match"
    )
    form.add_argument("-o", "--only-matching", action="store_true", help="print only what matches")
    form.add_argument("-q", "--quiet", action="store_true", help="print nothing, and end at the first match")
    name = parser.add_mutually_exclusive_group()
    name.add_argument(
        "-H",
        "--with-filename",
        action="store_true",
        help="print the name of the log before each line (default, if several are searched)",
    )
    name.add_argument("--no-filename", action="store_true", help="print no names")
    add_attempt(parser)
    parser.add_argument(
        "--label",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        help="of logs that fit a pattern, only those that have this label; may be repeated",
    )
    parser.add_argument(
        "--color",
        "--colour",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours: only on a terminal (auto)",
    )
    add_give_up(parser)
    return parser


def grep(arguments: argparse.Namespace) -> int:
    """Run `livelog grep`, and return the exit code."""
    words = list(arguments.words)
    if arguments.regexp is None and not words:
        parser().error("a pattern is needed")
    patterns = arguments.regexp or [words.pop(0)]
    if not words and not arguments.label:
        parser().error("which log? Name it by its link or name; 'builds/42/*': all whose names fit")
    if arguments.generation is not None and len(words) != 1:
        parser().error("argument --generation: it is of one log")
    try:
        for word in words:
            reference(word)
        asked = expression(
            patterns, fixed=arguments.fixed_strings, word=arguments.word_regexp, line=arguments.line_regexp
        )
    except (argparse.ArgumentTypeError, ValueError) as error:
        parser().error(str(error))
    try:
        return _Grep(arguments, words, asked).run()
    except LivelogError as error:
        note(str(error))
        return TROUBLE


class _Grep:
    def __init__(self, arguments: argparse.Namespace, words: list[str], asked: Asked) -> None:
        self._arguments, self._words, self._asked = arguments, words, asked
        self._settings = load()
        colours = arguments.color == "always" or (arguments.color == "auto" and may_colour())
        pattern = re.compile(
            asked.text if asked.regex else re.escape(asked.text), re.IGNORECASE * arguments.ignore_case
        )
        self._form = Form(
            numbered=arguments.line_number,
            marked=pattern if colours else None,
            only=pattern if arguments.only_matching else None,
        )
        self._neutral = os.isatty(1)
        around = arguments.context
        self._before = around if arguments.before_context is None else arguments.before_context
        self._after = around if arguments.after_context is None else arguments.after_context
        if arguments.count or arguments.files_with_matches or arguments.quiet or arguments.only_matching:
            self._before = self._after = 0
        self._any = False  # whether lines were printed

    def run(self) -> int:
        """Search all logs. Returns the exit code. Raises: LivelogError."""
        arguments, code = self._arguments, NONE
        trouble = False
        logs = list(choose(self._words, arguments.label, self._settings))
        shown = arguments.with_filename or (
            not arguments.no_filename and (len(logs) > 1 or self._words != [logs[0].name])
        )
        if len(self._words) == 1 and not arguments.with_filename and "://" in self._words[0]:
            shown = False
        for log in logs:
            try:
                if self._one(log, log.name if shown else ""):
                    code = FOUND
                    if arguments.quiet:
                        return FOUND
            except LivelogError as error:
                note(f"{log.name}: {error}")
                trouble = True
        return TROUBLE if trouble else code

    def _one(self, log: Chosen, name: str) -> bool:
        """Search one log. Returns whether a line was found. Raises: ClientError."""
        arguments, count = self._arguments, 0
        only_whether = arguments.quiet or arguments.files_with_matches
        most = 1 if only_whether else arguments.max_count
        first = True
        for line in self._found(log, most):
            if not line.context:
                if most is not None and count == most:
                    break
                count += 1
            if only_whether:
                break
            if not arguments.count:
                if first and self._any and (self._before or self._after):
                    self._print(self._form.line("", Found(0, True, b"")))
                first, self._any = False, True
                self._print(self._form.line(name, line))
        if arguments.count:
            self._print(self._form.count(name, count))
        if arguments.files_with_matches and count:
            self._print(self._form.name(log.name))
        return count > 0

    def _found(self, log: Chosen, most: int | None) -> Iterator[Found]:
        """Yield the lines that the server finds, with their context, each once, through broken connections. Raises: ClientError."""
        arguments = self._arguments
        which = partial(attempt_of, log.target, arguments.attempt, arguments.generation)
        target = patiently(which, 0, arguments.give_up, note)
        if most == 0:
            return
        query: dict[str, object] = {"q": self._asked.text, "as": "text", "dir": "forward"}
        query |= {"before": self._before, "after": self._after} if self._before or self._after else {}
        query |= {} if arguments.since is None else {"since": rfc3339(arguments.since)}
        query |= {} if arguments.until is None else {"until": rfc3339(arguments.until)}
        query |= {"regex": 1} if self._asked.regex else {}
        query |= {} if arguments.ignore_case else {"case": 1}
        query |= {"invert": 1} if arguments.invert_match else {}
        query |= {"limit": most} if most is not None and most <= MOST else {}
        last = match = 0
        generation = ""

        def ask() -> str:
            offset = 0
            if match > 1:
                offset = patiently(
                    partial(place_of, f"from={match}&count=0", target), 0, arguments.give_up, note
                ).offset
            return "?" + urlencode(query | {"from": offset})

        stream = target.other("search").stream(arguments.give_up, note, breaks=3)
        for output in stream.lines(ask, "text/plain"):
            tag = stream.headers.get("ETag") or generation
            if generation not in ("", tag):
                raise LogReplaced("the log was replaced by another one while it was searched")
            generation = tag
            try:
                line = found(output)
            except ValueError as error:
                raise Refused("this server does not search as livelog grep needs it: it is an older one") from error
            if line.number and line.number <= last:
                continue  # it was received before the connection broke
            if line.number:
                last = line.number
                match = match if line.context else line.number
            yield line
        stream.close()

    def _print(self, data: bytes) -> None:
        if self._neutral and data:
            neutralise = Neutraliser()
            data = neutralise(data, last=True)
        write(data)
