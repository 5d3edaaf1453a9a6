"""The options that `livelog grep`, `tail` and `wait` share: the pattern, the context, and the time of lines."""

import argparse
import re
from datetime import UTC, datetime, tzinfo

from .console import natural
from .moments import EXAMPLES, moment


def time(text: str) -> datetime:
    """Parse an option's time."""
    try:
        return moment(text, datetime.now().astimezone())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_matching_options(parser: "argparse._ActionsContainer") -> None:
    """Add the options that say how a pattern is matched."""
    parser.add_argument("-i", "--ignore-case", action="store_true", help="upper and lower case are the same")
    parser.add_argument(
        "-F", "--fixed-strings", action="store_true", help="the pattern is a text, not an expression of Python's re"
    )


def add_pattern_options(parser: "argparse._ActionsContainer") -> None:
    """Add the options that say how a pattern is matched, which lines around a match are shown, and of which time."""
    add_matching_options(parser)
    parser.add_argument("-v", "--invert-match", action="store_true", help="show the lines that do not match")
    parser.add_argument("-A", "--after-context", metavar="N", type=natural, help="show N lines after each match, too")
    parser.add_argument("-B", "--before-context", metavar="N", type=natural, help="show N lines before each match, too")
    parser.add_argument(
        "-C", "--context", metavar="N", type=natural, default=0, help="show N lines around each match, too"
    )
    parser.add_argument(
        "--since", metavar="TIME", type=time, help=f"only lines that came at this time or later, {EXAMPLES}"
    )
    parser.add_argument("--until", metavar="TIME", type=time, help="only lines that came before this time")


def add_look_options(parser: "argparse._ActionsContainer") -> None:
    """Add the options that leave lines out, and that change how lines look."""
    parser.add_argument(
        "--exclude",
        metavar="RE",
        action="append",
        default=[],
        type=_pattern,
        help="leave out lines that match this pattern; may be repeated",
    )
    parser.add_argument(
        "--highlight",
        metavar="RE",
        action="append",
        default=[],
        type=_pattern,
        help="colour what matches this pattern, on a terminal; may be repeated",
    )
    parser.add_argument(
        "--timezone",
        metavar="ZONE",
        type=_zone,
        help="the time zone of --timestamps, --timestamps=short and --timestamps=iso, such as UTC or Europe/Berlin (default: UTC; of short, that of this machine)",
    )


def _pattern(text: str) -> "re.Pattern[str]":
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a pattern: {error}") from error


def _zone(text: str) -> tzinfo:
    from zoneinfo import ZoneInfo  # noqa: PLC0415  # only here

    try:
        return (
            UTC
            if text.upper() in ("UTC", "Z")
            else datetime.now().astimezone().tzinfo or UTC
            if text.lower() == "local"
            else ZoneInfo(text)
        )
    except (OSError, ValueError, KeyError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time zone, such as UTC or Europe/Berlin") from error
