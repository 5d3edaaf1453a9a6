"""`livelog wait`: wait until a log ends, or has a line that matches. The server answers when that happens; there is no polling."""

import argparse
import contextlib
import math
import os
import signal
from collections.abc import Iterator
from functools import partial

from livelog.client.api.lookup import Target, attempt_of, fetch, locate, patiently, place_of, status_of
from livelog.client.api.reader import Reader
from livelog.client.api.search import Query, search
from livelog.client.settings import load
from livelog.errors import LogReplaced

from .console import (
    EX_ABORTED,
    EX_FAILED,
    EX_INTERRUPTED,
    EX_SETTING,
    EXIT_STATUS,
    FOLLOWING,
    Parser,
    add_attempt,
    add_exit_status,
    add_give_up,
    exit_codes,
    note,
    period,
    reference,
    write,
)
from .filtering import LineFilter, Wanted
from .grep_options import add_matching_options
from .terminal import RESET, Neutraliser

EX_TIMED_OUT = 124
"""The exit code of timeout(1) of the GNU coreutils."""

HELP = """\
Wait until a log ends, or, with --for, until it has a line that matches, which is printed; one that it has already counts. A log that
has not begun is waited for, too. The server is asked once, and answers when it is so; broken connections are resumed.

  livelog wait nightly && echo "it is complete"
  livelog wait nightly --exit-status                            exit with the exit code of the job
  livelog wait nightly --for 'listening on port [0-9]+' --timeout 30
"""

EXITS = exit_codes(
    "0 the log is complete, or has such a line",
    "1 with --for: it ended without such a line; else another failure",
    *FOLLOWING,
    EX_SETTING,
    f"{EX_TIMED_OUT} not within --timeout",
    EX_INTERRUPTED,
    EXIT_STATUS,
)


class _TimedOut(BaseException):
    """The time of --timeout is over. It is no `Exception`, so that it is not retried."""


def parser() -> argparse.ArgumentParser:
    """The parser of `livelog wait`."""
    parser = Parser("wait", HELP, EXITS)
    parser.add_argument("log", metavar="URL|NAME", type=reference, help="a link, or a name on the configured server")
    add_attempt(parser)
    parser.add_argument(
        "--for", dest="pattern", metavar="RE", help="wait for a line that matches this pattern of Python's re"
    )
    add_matching_options(parser)
    parser.add_argument(
        "--timeout", metavar="TIME", type=period, help="wait this long at most, e.g. 90 (seconds), 10m, 2h"
    )
    add_give_up(parser)
    add_exit_status(parser)
    parser.add_argument("--quiet", "-q", action="store_true", help="print neither the line nor how the log ended")
    return parser


def wait(arguments: argparse.Namespace) -> int:
    """Run `livelog wait`, and return the exit code. Raises: LivelogError."""
    if arguments.pattern is None and (arguments.fixed_strings or arguments.ignore_case):
        parser().error("-F and -i say how --for is meant")
    if arguments.pattern is not None and arguments.exit_status:
        parser().error("argument --exit-status: not allowed with argument --for")
    wanted = Wanted(arguments.pattern or "", arguments.fixed_strings, arguments.ignore_case)
    try:
        chosen = LineFilter(wanted)
    except ValueError as error:
        parser().error(f"argument --for: {error}")
    waiting = _Wait(arguments)
    try:
        with _within(arguments.timeout):
            return waiting.for_end() if arguments.pattern is None else waiting.for_line(wanted, chosen)
    except _TimedOut:
        what = "it has not ended" if arguments.pattern is None else "no such line"
        waiting.say(f"{what} within {arguments.timeout:g} s")
        return EX_TIMED_OUT


class _Wait:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._settings = load()
        self.say = (lambda _text: None) if arguments.quiet else note

    def _find(self) -> Target:
        give_up = self._arguments.give_up
        log = patiently(
            lambda _wait, patience: locate(self._arguments.log, self._settings, patience), 0, give_up, self.say
        )
        which = partial(attempt_of, log, self._arguments.attempt, self._arguments.generation)
        return patiently(which, math.inf, give_up, self.say)

    def for_end(self) -> int:
        """Wait until the log ends. Raises: LivelogError."""
        log, give_up, generation, state = self._find(), self._arguments.give_up, None, ""
        while True:
            known = patiently(partial(_poll, log, state), math.inf, give_up, self.say)
            if generation not in (None, known["generation"]):
                raise LogReplaced("the log was replaced by another one before it had ended")
            generation, state = known["generation"], str(known["state"])
            if state in ("complete", "aborted"):
                break
        code = known["exit_code"]
        reason = f": {known['reason']}" if state == "aborted" and known["reason"] else ""
        self.say(f"{known['name'] or 'the log'} is {state}{reason}" + ("" if code is None else f", exit code {code}"))
        if state == "aborted":
            return EX_ABORTED
        return int(code) & 0xFF if self._arguments.exit_status and isinstance(code, int) else 0

    def for_line(self, wanted: Wanted, chosen: LineFilter) -> int:
        """Wait until a line matches. Raises: LivelogError."""
        log, give_up = self._find(), self._arguments.give_up
        direct = self._settings.is_default(log.url)
        known = patiently(partial(status_of, log), math.inf, give_up, self.say)
        # What there is by now, the server looks through; what comes is looked at here, from the line on that may be unfinished.
        place = patiently(partial(place_of, "tail=1", log), 0, give_up, self.say)
        if place.generation != known["generation"]:
            raise LogReplaced("the log was replaced by another one")
        asked = Query(wanted.text, regex=not wanted.fixed, case=not wanted.ignore_case, limit=1)
        if wanted.text and place.offset:
            stream = log.other("search").stream(give_up, self.say)
            for hit in search(stream, asked, place.generation):
                return self._found(hit.text)
        reader = Reader(
            log.url, token=log.token, give_up=give_up, ca_file=self._settings.ca_file, direct=direct, notice=self.say
        )
        reader.resume(place.generation, place.offset if wanted.text else 0)
        for line in reader.lines():
            if chosen.matches(line.text):
                return self._found(line.text)
        self.say("the log ended without such a line")
        return EX_FAILED

    def _found(self, text: str) -> int:
        if not self._arguments.quiet:
            data = f"{text}\n".encode(errors="replace")
            if os.isatty(1):
                neutralise = Neutraliser()
                data = neutralise(data, last=True) + RESET * neutralise.coloured
            write(data)
        return 0


def _poll(log: Target, state: str, wait: float, patience: float) -> dict[str, object]:
    """The status of a log once its state is not `state`; empty: at once."""
    known = f"&state={state}" if state else ""
    return fetch(log.other("status", f"?wait={math.ceil(wait)}{known}"), wait, patience)


@contextlib.contextmanager
def _within(seconds: float | None) -> Iterator[None]:
    """Raise `_TimedOut` in this thread, the main one, after so many seconds (None: never)."""

    def over(*_: object) -> None:
        raise _TimedOut

    before = signal.signal(signal.SIGALRM, over)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds or 0)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
