"""`livelog push`: a pipe or a file into a log, and what a writer had to leave on disk."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from livelog.errors import ClientError, Refused

from .console import (
    EX_ABORTED,
    EX_GAVE_UP,
    EX_UNAUTHORISED,
    Parser,
    add_description,
    duration,
    labels,
    note,
    note_links,
    note_rest,
    own_warnings,
    reason,
    told,
)
from .process import BLOCK
from .sender import Sender
from .settings import ClientSettings, load
from .terminal import size
from .writer import DRAIN, Writer, header_fields, new_name, push_spool

PATIENCE = 300.0
"""Seconds without progress after which it gives up on a file."""

LOOK = 0.2
"""Seconds between looks at a file that grows, and between the figures of progress."""

HELP = """\
Send a log: standard input, a file, or what a `livelog run` had to leave on disk.

  make 2>&1 | livelog push --name nightly/linux
  livelog push build.log
  livelog push --follow /var/log/app.log       until Ctrl-C, also what is appended

Exit codes: 0 sent, 2 usage, 6 the server has not taken all of it (what is left is told), 78 a wrong setting.
"""


def parser() -> argparse.ArgumentParser:
    """What `livelog push` takes."""
    parser = Parser("push", HELP)
    add_description(parser)
    parser.add_argument("--follow", "-f", action="store_true", help="go on as the file grows, until Ctrl-C")
    parser.add_argument("--content-type", metavar="TYPE", default="", help="what the log is (default text/plain)")
    parser.add_argument("--exit-code", metavar="N", type=int, help="how the job ended")
    parser.add_argument(
        "--drain", metavar="TIME", help="wait so long for the server at the end (default 10; a file: 5m)"
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="print neither link nor progress")
    parser.add_argument("file", nargs="?", default="-", help="what is sent; -: standard input (default)")
    return parser


def push(arguments: argparse.Namespace) -> int:
    """Send a log. Returns the exit code. Raises: LivelogError."""
    settings = load()
    if arguments.file == "-":
        return _push_stream(0, arguments, settings)
    path = Path(arguments.file)
    if path.is_dir():
        code = _progress(push_spool(path, arguments.name, settings), None, arguments, path)
        if code == 0:
            shutil.rmtree(path, ignore_errors=True)
        return code
    name = new_name(arguments.file) if arguments.name is None else arguments.name
    try:
        if path.exists() and not path.is_file():  # a named pipe, or <(a command)
            return _push_stream(os.open(path, os.O_RDONLY), arguments, settings)
        file = _File(path, follow=arguments.follow)
    except OSError as error:
        raise ClientError(f"{path}: {error.strerror}") from error
    sender = Sender(
        settings, name, file, header_fields(told(arguments.title or ""), labels(arguments), arguments.content_type)
    )
    if arguments.exit_code is not None:
        sender.final_fields["Livelog-Exit-Code"] = str(arguments.exit_code)
    with contextlib.closing(file):
        sender.start()
        return _progress(sender, file, arguments, path)


def _push_stream(source: int, arguments: argparse.Namespace, settings: ClientSettings) -> int:
    """What comes from the descriptor `source`, which gives nothing twice."""
    name = new_name("log") if arguments.name is None else arguments.name
    title = told(arguments.title or "")
    drain = DRAIN if arguments.drain is None else duration("--drain", arguments.drain)
    log = Writer(
        name,
        title=title,
        labels=labels(arguments),
        content_type=arguments.content_type,
        drain=drain,
        settings=settings,
    )
    log.exit_code = arguments.exit_code
    if not arguments.quiet:
        note_links(log)
    # Who presses Ctrl-C, or closes the terminal, means whatever writes into the pipe: its last words belong to the log.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while data := os.read(source, BLOCK):
        log.write(data)
    with own_warnings():
        log.close()
    note_rest(log)
    return 0 if log.delivered else _exit_code(log.refused)


class _File:
    """A file that is there already, as a `Source`: nothing of it needs to be kept."""

    def __init__(self, path: Path, *, follow: bool) -> None:
        self._file = path.open("rb")
        self._end = 0
        self.start = 0
        self.ended = not follow
        self.about: dict[str, Any] = {}
        self.failure: OSError | None = None
        self.look()

    @property
    def end(self) -> int:
        return self._end

    def close(self) -> None:
        self._file.close()

    def look(self) -> bool:
        """Look how long it is. Returns whether that has changed."""
        before, size = self._end, os.fstat(self._file.fileno()).st_size
        if size < before and self.failure is None:
            self.failure, self.ended = OSError(f"the file has become shorter: {size} bytes, of {before}"), True
        elif self.failure is None:
            self._end = size
        return size != before

    def read(self, offset: int, count: int, /) -> bytes:
        data = os.pread(self._file.fileno(), min(count, self._end - offset), offset)
        if not data and offset < self._end:
            self.look()
            self._end = offset
        return data

    def release(self, offset: int, /) -> None:
        """Nothing to be done: should it be asked for again, it is there."""


def _progress(sender: Sender, file: _File | None, arguments: argparse.Namespace, path: Path) -> int:
    """Wait until `sender` is done, and show how far it is."""
    patience = PATIENCE if arguments.drain is None else duration("--drain", arguments.drain)
    began, moved, shown = time.monotonic(), (time.monotonic(), -1), sys.stderr.isatty() and not arguments.quiet
    if not arguments.quiet and sender.begun.wait(0.5) and sender.link:
        note_links(sender)
    try:
        while not sender.done.wait(LOOK):
            now = time.monotonic()
            if file is not None and file.look():
                sender.wake()
            if sender.sent != moved[1] or not sender.problem:
                moved = now, sender.sent
            if now - moved[0] > patience:
                break
            if shown:
                sys.stderr.write(f"\r{_figures(sender, file, now - began)}\x1b[K")
                sys.stderr.flush()
    except KeyboardInterrupt:
        if file is None or file.ended:
            raise
        file.look()
        sender.finish()
        sender.done.wait(DRAIN)
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
    sender.stop()
    if sender.delivered:
        if file is not None and file.failure is not None:
            note(f"{path}: {file.failure}: the log was aborted there")
            return EX_ABORTED
        if not arguments.quiet:
            note(f"sent {size(sender.sent)} in {time.monotonic() - began:.1f} s")
        return 0
    note(f"{reason(sender.problem)}; send it again later: livelog push {path}")
    return _exit_code(sender.refused)


def _exit_code(refused: Refused | None) -> int:
    """What to exit with if not all was sent."""
    return EX_UNAUTHORISED if refused is not None and refused.status == 401 else EX_GAVE_UP


def _figures(sender: Sender, file: _File | None, elapsed: float) -> str:
    rate = sender.sent / max(elapsed, 0.001)
    figures = f"{size(sender.sent)}  {size(rate)}/s"
    if file is not None and file.ended and rate:
        left = int((file.end - sender.sent) / rate)
        figures += f"  of {size(file.end)}  {left // 60}:{left % 60:02} left"
    return f"{figures}  {sender.problem}" if sender.problem else figures
