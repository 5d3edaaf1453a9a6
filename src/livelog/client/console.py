"""What the commands share: how they take their words, and how they speak.

On stdout is what was asked for and nothing else; what a person may want to know besides is on stderr. Refuses to show a
token: links are secrets, and shown only where a link is what the command is for.
"""

import argparse
import contextlib
import logging
import os
import re
import select
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from livelog.access import valid_name
from livelog.config import seconds
from livelog.errors import Refused
from livelog.metadata import MAX_LABELS, valid_label_name

from .sender import Sender
from .writer import Writer, new_name

EX_FAILED, EX_ABORTED, EX_NOT_FOUND, EX_UNAUTHORISED, EX_GAVE_UP, EX_REPLACED = 1, 3, 4, 5, 6, 7
EX_OWN_FAILURE = 125
"""Exit code of `livelog run` for what is not the command's."""


class Parser(argparse.ArgumentParser):
    """A command's parser, whose errors are told like all others. `usage_error`: what it then exits with."""

    def __init__(self, name: str, description: str, usage_error: int = 2) -> None:
        super().__init__(
            prog=f"livelog {name}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._usage_error = usage_error

    def error(self, message: str) -> NoReturn:
        """See `argparse.ArgumentParser`."""
        self.exit(self._usage_error, f"livelog: {message}\n{self.format_usage()}")


def duration(name: str, text: str) -> float:
    """Seconds, also none at all. Raises: ConfigError."""
    return 0.0 if text == "0" else seconds(name, text)


def told(title: str) -> str:
    """`title` in the form in which a server takes it: one printable line of at most 256 bytes."""
    printable = "".join(character if character.isprintable() else " " for character in title)
    return printable.encode(errors="ignore")[:256].decode(errors="ignore").strip()


def add_description(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options that tell of a log."""
    parser.add_argument("--name", metavar="NAME", help="the log's name, made valid if it is none (default: a new one)")
    parser.add_argument("--title", metavar="TEXT", help="what readers are told that it is")
    parser.add_argument("--label", metavar="NAME=VALUE", action="append", default=[], help="what else they are told")


def labels(arguments: argparse.Namespace) -> dict[str, str]:
    """The labels that were given. What cannot be one is said, and left out: no job fails because of it."""
    found: dict[str, str] = {}
    for text in arguments.label:
        given, equals, value = text.partition("=")
        name = valid_label_name(given)
        if not name or not equals:
            note(f"the label {text!r} is left out: it is not NAME=VALUE")
        elif name not in found and len(found) == MAX_LABELS:
            note(f"the label {name} is left out: a log has at most {MAX_LABELS}")
        elif value := told(value):
            found[name] = value
            if name != given:
                note(f"the label {given!r} is called {name}")
    return found


def log_name(arguments: argparse.Namespace, hint: str) -> str:
    """The name that was given, made valid, which is said; else a new one, made of `hint`."""
    if arguments.name is None:
        return new_name(hint)
    name = valid_name(arguments.name) if arguments.name else ""
    if name != arguments.name:
        note(f"the log is called {name}, since {arguments.name!r} is not the name of a log")
    return name


def natural(text: str) -> int:
    """An option's whole number."""
    if not re.fullmatch("[0-9]{1,15}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def interval(text: str) -> tuple[int, int | None]:
    """An option's inclusive `A-B`, as a half-open interval."""
    match = re.fullmatch("([0-9]{1,15})-([0-9]{1,15})?", text, re.ASCII)
    if match is None or (match[2] and int(match[2]) < int(match[1])):
        raise argparse.ArgumentTypeError(f"{text!r} is not A-B or A-, such as 100-199")
    return int(match[1]), int(match[2]) + 1 if match[2] else None


def write(data: bytes) -> None:
    """To stdout, unbuffered. Raises: BrokenPipeError."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(1, view) :]
        except BlockingIOError:
            select.select([], [1], [])


def note(text: str) -> None:
    """Say something on stderr."""
    with contextlib.suppress(OSError):  # nobody listens
        shown = "".join(
            character if character.isprintable() else " " for character in text
        )  # a server may have said it
        os.write(2, f"livelog: {shown}{_line_end()}".encode(errors="replace"))


def _line_end() -> str:
    """What ends a line on stderr: on a terminal that is raw, the cursor must be brought back, too."""
    try:
        return "\n" if termios.tcgetattr(2)[1] & termios.OPOST else "\r\n"
    except termios.error:
        return "\n"


def note_links(log: Writer | Sender) -> None:
    """Say where readers find a log."""
    if not log.link:
        later = "it gets the log later" if log.refused is None else "the log stays on this machine"
        note(f"{reason(log.problem, log.refused, 'has not answered yet')}; {later}")
        return
    note(f"readers: {log.link}")
    if log.view:
        note(f"browser: {log.view}")


def note_rest(log: Writer) -> None:
    """Say what of a log that has ended did not get to the server."""
    if log.failure is not None:
        note(f"the log lacks all after its first {log.size} bytes: {log.failure.strerror}")
    if log.spool is not None:
        note(f"{reason(log.problem, log.refused)}; {what_is_left(log.refused, log.spool, log.name)}")
    elif not log.delivered:
        note(f"{reason(log.problem, log.refused)}; nothing is kept")


def reason(
    problem: str, refused: Refused | None = None, otherwise: str = "has not taken all of the log in time"
) -> str:
    """Why a server does not have all of a log."""
    if refused is not None:
        return f"the server will not take the log ({problem})"
    return f"the server cannot take the log ({problem})" if problem else f"the server {otherwise}"


def what_is_left(refused: Refused | None, folder: Path, name: str) -> str:
    """What can be done with what a server has not got, which is in `folder`: only what can succeed."""
    kept = "what it has not got is kept"
    start = min((int(file.name) for file in folder.glob("[0-9]" * 20)), default=0)
    match 0 if refused is None else refused.status:
        case 0 if refused is None:
            return f"{kept}: livelog push {folder}"
        case 401:
            return f"{kept}; with the right LIVELOG_WRITE_TOKEN: livelog push {folder}"
        case 410 | 404 | 413 if start:
            rest = valid_name(f"{name or 'log'}-rest")
            return f"{kept}, from byte {start} on; to send it as another log: livelog push --name {rest} {folder}"
        case 413:
            return f"{kept}; when the server takes larger logs (LIVELOG_MAX_LOG_SIZE): livelog push {folder}"
        case 412:
            return f"{kept}; under another name: livelog push --name OTHER {folder}"
    return f"{kept}; when LIVELOG_SERVER names a server of logs: livelog push {folder}"


@contextlib.contextmanager
def own_warnings() -> Iterator[None]:
    """What a writer warns of is told by the command itself."""
    logging.getLogger("livelog").disabled = True
    yield
