"""`livelog spools`: list, send or remove the spools that commands and writers left on disk.

Spools that another process still writes or sends, and files that do not belong to a spool, are not touched.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from livelog.client.api.writer import push_spool
from livelog.client.settings import load
from livelog.client.transport.spool import ABOUT, Spool
from livelog.errors import ClientError

from .console import (
    EX_FAILED,
    EX_GAVE_UP,
    EX_SETTING,
    EX_UNAUTHORISED,
    EX_USAGE,
    Parser,
    exit_codes,
    lasting,
    note,
    period,
    reason,
    what_is_left,
    write,
)
from .terminal import size

HELP = """\
Show, send or remove the folders in which `livelog run`, `livelog push` and Python programs left output that the server had not
taken. A folder that a running process still uses is left alone.

  livelog spools                      show them
  livelog spools --send               send all of them
  livelog spools --remove --older 30d
"""

EXITS = exit_codes("0 done", EX_FAILED, EX_USAGE, EX_UNAUTHORISED, EX_GAVE_UP, EX_SETTING)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A spool that no process uses."""

    folder: Path
    name: str
    size: int
    modified: float


def parser() -> argparse.ArgumentParser:
    """The parser of `livelog spools`."""
    parser = Parser("spools", HELP, EXITS)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--send", action="store_true", help="send them; a folder that was sent is removed")
    what.add_argument("--remove", action="store_true", help="remove them, with bytes that no server has")
    what.add_argument("--names", action="store_true", help="print their folders only")
    parser.add_argument("--older", metavar="TIME", type=period, default=0.0, help="only folders older than this")
    parser.add_argument(
        "--drain",
        metavar="TIME",
        type=lasting,
        default=300.0,
        help="for each folder, wait at most this long without progress (default 5m)",
    )
    return parser


def spools(arguments: argparse.Namespace) -> int:
    """Show, send or remove spools. Returns the exit code. Raises: LivelogError."""
    settings, code = load(), 0
    found = [one for one in _found(settings.spool_dir) if time.time() - one.modified >= arguments.older]
    for one in found:
        if arguments.remove:
            discard(one.folder)
        elif arguments.send:
            code = max(code, send(one.folder, None, arguments.drain))
        elif arguments.names:
            write(f"{one.folder}\n".encode())
        else:
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.modified))
            write(f"{size(one.size):>8}  {moment}  {one.name or '-'}  {one.folder}\n".encode())
    return code


def send(folder: Path, name: str | None, patience: float) -> int:
    """Send a spool, and remove it then. `patience`: seconds without progress. Returns the exit code. Raises: ClientError."""
    try:
        sender = push_spool(folder, name, load())
    except ClientError as error:
        note(str(error))
        return EX_FAILED
    moved = time.monotonic(), -1
    while not sender.done.wait(0.2) and time.monotonic() - moved[0] <= patience:
        if sender.sent != moved[1]:
            moved = time.monotonic(), sender.sent
    sender.stop()
    if sender.delivered:
        discard(folder)
        note(f"sent: {sender.link or folder}")
        return 0
    note(f"{reason(sender.problem, sender.refused)}; {what_is_left(sender.refused, folder, sender.log_name)}")
    return EX_UNAUTHORISED if sender.refused is not None and sender.refused.status == 401 else EX_GAVE_UP


def discard(folder: Path) -> None:
    """Remove a spool: its own files, and the folder if nothing else is in it. Raises: OSError."""
    for file in (*folder.glob("[0-9]" * 20), folder / ABOUT):
        file.unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        note(f"{folder} is kept, since there are other files in it")


def _found(directory: Path) -> Iterator[_Kept]:
    """The spools in `directory`, the oldest first."""
    found = []
    for about in directory.glob(f"*/{ABOUT}"):
        folder = about.parent
        try:
            spool = Spool.reopen(folder)
        except (OSError, ValueError):  # it is none, or in use
            continue
        name = str(json.loads(about.read_text(encoding="utf-8")).get("name", ""))
        found.append(_Kept(folder, name, spool.end - spool.start, os.stat(about).st_mtime))
        spool.close()
    yield from sorted(found, key=lambda one: one.modified)
