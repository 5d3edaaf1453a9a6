"""The options that `livelog grep` and `livelog tail` share: what matches, what around it is shown, and since when."""

import argparse
from datetime import datetime

from .console import natural
from .moments import EXAMPLES, moment


def time(text: str) -> datetime:
    """An option's time."""
    try:
        return moment(text, datetime.now().astimezone())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_pattern_options(parser: "argparse._ActionsContainer") -> None:
    """Give `parser` the options that say what around a match is shown, and since when."""
    parser.add_argument("-i", "--ignore-case", action="store_true", help="upper and lower case are the same")
    parser.add_argument("-v", "--invert-match", action="store_true", help="show the lines that do not match")
    parser.add_argument(
        "-F", "--fixed-strings", action="store_true", help="the pattern is a text, not an expression of Python's re"
    )
    parser.add_argument("-A", "--after-context", metavar="N", type=natural, help="show N lines after each match, too")
    parser.add_argument("-B", "--before-context", metavar="N", type=natural, help="show N lines before each match, too")
    parser.add_argument(
        "-C", "--context", metavar="N", type=natural, default=0, help="show N lines around each match, too"
    )
    parser.add_argument(
        "--since", metavar="TIME", type=time, help=f"only lines that came at this time or later, {EXAMPLES}"
    )
    parser.add_argument("--until", metavar="TIME", type=time, help="only lines that came before this time")
