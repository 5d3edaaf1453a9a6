"""`livelog push`: send a pipe, a file, or a spool that is left on disk."""

import argparse
import contextlib
import os
import shlex
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Self

from livelog.client.api.writer import DRAIN, Writer, header_fields, push_spool
from livelog.client.settings import ClientSettings, load
from livelog.client.transport.sender import Sender
from livelog.client.transport.streams import READ_SIZE
from livelog.client.transport.waiting import readable
from livelog.errors import ClientError, Refused

from .console import (
    EX_ABORTED,
    EX_FAILED,
    EX_GAVE_UP,
    EX_SETTING,
    EX_UNAUTHORISED,
    EX_USAGE,
    Parser,
    add_description,
    duration,
    exit_codes,
    labels,
    log_name,
    note,
    note_links,
    note_rest,
    own_warnings,
    printable,
    reason,
    what_is_left,
    with_expiry,
)
from .files import LOOK, File, followed, has_its_size
from .spools import discard
from .terminal import size

STUCK_AFTER = 300.0
"""Seconds without progress after which the sending of a file is given up."""

AHEAD = 4 * 1024 * 1024
"""The limit of bytes that are read from a pipe and were not sent yet. While the server is unreachable, there is no limit: all are kept."""

AGAIN = 0.5
"""Seconds after a signal in which the same signal again is ignored: some programs send it to a process and then to its group."""

FOLLOWED_UNTIL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end the following of a file, and complete its log."""

HELP = """\
Send a log: standard input, a file, or a folder in which `livelog run` or `livelog push` left what the server had not taken.

  make 2>&1 | livelog push --name nightly/linux
  livelog push build.log
  livelog push --follow /var/log/app.log       follow what is appended, until Ctrl-C or SIGTERM
  livelog push -F /var/log/app.log             the same, through rotations; it need not exist yet
"""

EXITS = exit_codes(
    "0 sent",
    EX_FAILED,
    EX_USAGE,
    f"{EX_ABORTED} the file was cut short",
    f"{EX_UNAUTHORISED} wrong write token",
    f"{EX_GAVE_UP} the server has not taken all of it (the message names the folder with the rest)",
    EX_SETTING,
    f"{128 + signal.SIGTERM} ended by SIGTERM before the end of the input",
)


def parser() -> argparse.ArgumentParser:
    """The parser of `livelog push`."""
    parser = Parser("push", HELP, EXITS)
    add_description(parser)
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--follow", "-f", action="store_true", help="follow the file as it grows, until Ctrl-C or SIGTERM"
    )
    group.add_argument(
        "--follow-name",
        "-F",
        action="store_true",
        help="follow whatever file has that name: wait for it, and go on after a rotation",
    )
    parser.add_argument(
        "--content-type", metavar="TYPE", default="", help="the Content-Type of the log (default text/plain)"
    )
    parser.add_argument("--exit-code", metavar="N", type=int, help="the exit code of the job, for readers")
    parser.add_argument(
        "--drain",
        metavar="TIME",
        help="at the end, wait at most this long for the server (default 10; 1 if it was never reached; a file: 5m without progress)",
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="print neither links nor progress")
    parser.add_argument("file", nargs="?", default="-", help="the file to send; -: standard input (default)")
    return parser


def push(arguments: argparse.Namespace) -> int:
    """Send a log. Returns the exit code. Raises: LivelogError."""
    settings = with_expiry(load(), arguments)
    if arguments.file == "-":
        return _push_stream(0, arguments, settings)
    path = Path(arguments.file)
    if path.is_dir():
        with _Ending() as ending:
            code = _progress(push_spool(path, arguments.name, settings), None, ending, arguments, path)
        if code == 0:
            discard(path)
        return code
    if arguments.follow_name and (path.is_file() or not path.exists()):
        return _push_name(path, arguments, settings)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if not path.is_file() or not has_its_size(fd):  # a named pipe, <(a command), a device, a file of /proc
            return _push_stream(fd, arguments, settings)
        file = File(fd, follow=arguments.follow)
    except OSError as error:
        raise ClientError(f"{path}: {error.strerror}") from error
    sender = Sender(
        settings,
        log_name(arguments, arguments.file),
        file,
        header_fields(printable(arguments.title or ""), labels(arguments), arguments.content_type),
    )
    if arguments.exit_code is not None:
        sender.final_fields["Livelog-Exit-Code"] = str(arguments.exit_code)
    # Before anything is sent: who sees the log may send a signal at once.
    with contextlib.closing(file), _Ending(*(() if file.ended else FOLLOWED_UNTIL)) as ending:
        sender.start()
        return _progress(sender, file, ending, arguments, path)


def _push_stream(source: int, arguments: argparse.Namespace, settings: ClientSettings) -> int:
    """Send what can be read from the descriptor `source`, such as a pipe, only once."""
    # Who presses Ctrl-C, or closes the terminal, means whatever writes into the pipe: its last words belong to the log.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with _Ending(signal.SIGTERM) as ending:
        log = _writer("log", arguments, settings)
        while ending.wait_for(source, DRAIN if (drain := _drain(arguments)) is None else drain):
            if not (data := os.read(source, READ_SIZE)):
                return _end(log)
            log.write(data)
    note("ended by SIGTERM before its input was at its end: the log is aborted there")
    with own_warnings():
        log.abort()
    note_rest(log)
    return 128 + signal.SIGTERM


def _push_name(path: Path, arguments: argparse.Namespace, settings: ClientSettings) -> int:
    """Send the file that has the name `path`, through rotations, until a signal: then the log is complete."""
    with _Ending(*FOLLOWED_UNTIL) as ending:
        log = _writer(arguments.file, arguments, settings)
        for data in followed(path, ending.asked, note):
            log.write(data)
            if log.refused is not None:
                break
            while log.size - log.sent > AHEAD and not log.problem and not ending.asked.wait(LOOK / 10):
                pass
        return _end(log)


def _writer(hint: str, arguments: argparse.Namespace, settings: ClientSettings) -> Writer:
    log = Writer(
        log_name(arguments, hint),
        title=printable(arguments.title or ""),
        labels=labels(arguments),
        content_type=arguments.content_type,
        drain=_drain(arguments),
        settings=settings,
    )
    log.exit_code = arguments.exit_code
    if not arguments.quiet:
        note_links(log)
    return log


def _drain(arguments: argparse.Namespace) -> float | None:
    return None if arguments.drain is None else duration("--drain", arguments.drain)


def _end(log: Writer) -> int:
    """Complete the log. Returns the exit code."""
    with own_warnings():
        log.close()
    note_rest(log)
    return 0 if log.delivered else _exit_code(log.refused)


class _Ending:
    """Whether a signal has asked for the end, within the `with` block. `numbers`: these signals, unless they are ignored."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self.asked = threading.Event()
        self.again = threading.Event()
        """Whether a signal came again later than `AGAIN`: its sender does not want to wait."""
        self._since = 0.0
        self._before = {one: signal.getsignal(one) for one in numbers if signal.getsignal(one) != signal.SIG_IGN}
        self._woken, self._wake = os.pipe()

    def __enter__(self) -> Self:
        for number in self._before:
            signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._woken)
        os.close(self._wake)

    def wait_for(self, source: int, patience: float) -> bool:
        """Wait until `source` can be read. Returns False `patience` seconds after a signal has asked for the end."""
        while True:
            left = max(0.0, self._since + patience - time.monotonic()) if self.asked.is_set() else None
            ready = readable([source, self._woken], left)
            if self._woken in ready:
                os.read(self._woken, 1)
            if left == 0.0 or self.again.is_set() or (not ready and left is not None):
                return False
            if source in ready:
                return True

    def _note(self, *_: object) -> None:
        now = time.monotonic()
        if not self.asked.is_set():
            self._since = now
            self.asked.set()
        elif now > self._since + AGAIN:
            self.again.set()
        else:
            return
        os.write(self._wake, b"!")


def _progress(sender: Sender, file: File | None, ending: _Ending, arguments: argparse.Namespace, path: Path) -> int:
    """Wait until `sender` is done, and show the progress."""
    patience = STUCK_AFTER if arguments.drain is None else duration("--drain", arguments.drain)
    began, moved, shown = time.monotonic(), (time.monotonic(), -1), sys.stderr.isatty() and not arguments.quiet
    if not arguments.quiet and sender.begun.wait(0.5) and sender.link:
        note_links(sender)
    try:
        while not sender.done.wait(LOOK):
            now = time.monotonic()
            if file is not None and file.look():
                sender.wake()
            if (ending.asked.is_set() or sender.refused is not None) and file is not None and not file.ended:
                patience, moved = DRAIN if arguments.drain is None else patience, (now, sender.sent)
                sender.finish()
            if sender.sent != moved[1] or not (sender.problem or ending.asked.is_set()):
                moved = now, sender.sent
            if now - moved[0] > patience or ending.again.is_set():
                break
            if shown:
                sys.stderr.write(f"\r{_figures(sender, file, now - began)}\x1b[K")
                sys.stderr.flush()
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
    left = what_is_left(sender.refused, path, sender.log_name) if path.is_dir() else _again(sender, arguments)
    note(f"{reason(sender.problem, sender.refused)}{left and '; '}{left}")
    return _exit_code(sender.refused)


def _again(sender: Sender, arguments: argparse.Namespace) -> str:
    """The advice on what to do with a file that the server has not taken; empty: nothing can succeed."""
    words = ["livelog", "push"]
    for option in ("name", "title", "content_type", "exit_code"):
        if (value := getattr(arguments, option)) not in (None, ""):
            words += [f"--{option.replace('_', '-')}", str(value)]
    for label in arguments.label:
        words += ["--label", label]
    command = shlex.join([*words, arguments.file])
    match sender.refused:
        case None:
            return f"send it again later: {command}"
        case Refused(status=401):
            return f"with the right LIVELOG_WRITE_TOKEN: {command}"
        case Refused(status=0 | 301 | 302 | 307 | 308 | 404 | 405 | 501):
            return f"when LIVELOG_SERVER names a server of logs: {command}"
    return ""


def _exit_code(refused: Refused | None) -> int:
    """The exit code if not all bytes were sent."""
    return EX_UNAUTHORISED if refused is not None and refused.status == 401 else EX_GAVE_UP


def _figures(sender: Sender, file: File | None, elapsed: float) -> str:
    rate = sender.sent / max(elapsed, 0.001)
    figures = f"{size(sender.sent)}  {size(rate)}/s"
    if file is not None and file.ended and rate:
        left = int((file.end - sender.sent) / rate)
        figures += f"  of {size(file.end)}  {left // 60}:{left % 60:02} left"
    return f"{figures}  {sender.problem}" if sender.problem else figures
