"""The commands that talk to a server: what they take, what they say on stderr, and what they exit with.

On stdout is what was asked for and nothing else. Refuses to show a token: links are secrets, and shown only where a link
is what the command is for.
"""

import argparse
import contextlib
import json
import math
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlencode, urlsplit

from livelog.access import Access, is_name
from livelog.config import seconds
from livelog.errors import ClientError, ConfigError, GaveUp, LivelogError, LogAborted, LogReplaced, Refused

from . import process
from .reader import Reader
from .sender import Sender
from .settings import ClientSettings, load
from .terminal import RESET, Neutraliser, size
from .wire import Wire, connect
from .writer import DRAIN, Writer, header_fields, new_name, push_spool

EX_FAILED, EX_ABORTED, EX_NOT_FOUND, EX_UNAUTHORISED, EX_GAVE_UP, EX_REPLACED = 1, 3, 4, 5, 6, 7
EX_OWN_FAILURE = 125
"""Exit code of `livelog run` for what is not the command's."""

PUSH_PATIENCE = 300.0
"""Seconds without progress after which `livelog push` gives up on a file."""

START = 3.0
"""Seconds that the server of a machine that has none may take to start."""

LOOK = 0.2
"""Seconds between looks at a file that grows, and between the figures of progress."""

RUN = """\
Run a command, show its output as it would be anyway, and have others follow it in a log. The log server is never
waited for, and its failures are never the command's: what it does not take is kept on disk, and sent later.

  livelog run -- make -j8                      with a server of its own, if none is configured
  livelog run --keep 1h -- ./train.py          which stays for an hour after the end
  livelog run --name nightly/linux -- make     under a name that is known before

The command gets a terminal if stdout is one. Exit codes: the command's own, or its signal; 127 and 126 as in a shell
for a command that is not there or not executable; 125 if livelog itself fails before it starts.
"""

PUSH = """\
Send a log: standard input, a file, or what a `livelog run` had to leave on disk.

  make 2>&1 | livelog push --name nightly/linux
  livelog push build.log
  livelog push --follow /var/log/app.log       until Ctrl-C, also what is appended

Exit codes: 0 sent, 2 usage, 6 the server has not taken all of it (what is left is told), 78 a wrong setting.
"""

TAIL = """\
Show a log: its last lines, then what comes, to its end, through broken connections and restarts of the server.

  livelog tail http://localhost:60023/log/secretpuppy/nightly     by its link, or a viewer's
  livelog tail nightly                                            by its name
  livelog tail --from-line 1 --no-follow nightly | grep error     all that there is by now
  livelog tail -o nightly.log nightly                             into a file; goes on where it broke off

Exit codes: 0 the log is complete (or all was shown that was asked for), 3 it was aborted, 4 there is no such log,
5 wrong token, 6 the server cannot be reached, 7 it was replaced by another log, 130 Ctrl-C.
"""

LS = """\
List the logs of a server, those that began last first. Needs ACCESS_TOKEN.

  livelog ls
  livelog ls --state live
  livelog ls --json | jq -r .name
"""

STATUS = """\
Show what is known of a log: as lines for people, or with --json as the server tells it.

  livelog status nightly
"""

OPEN = """\
Open a log in the browser.

  livelog open nightly
"""

Run = Callable[[argparse.Namespace], int]


def main(command: str, words: Sequence[str]) -> int:
    """Run `command` with `words`. Returns the exit code."""
    make_parser, run = COMMANDS[command]
    process.hold_closed_streams()
    try:
        return run(make_parser().parse_args(words))
    except BrokenPipeError:
        return process.end_as(-signal.SIGPIPE)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except LivelogError as error:
        _note(str(error))
        return EX_OWN_FAILURE if command == "run" else _exit_code(error)
    except OSError as error:  # the other ones are told of where they come from
        _note(f"{error.filename or 'reading or writing'}: {error.strerror or error}")
    return EX_OWN_FAILURE if command == "run" else EX_FAILED


# run


def _run_parser() -> argparse.ArgumentParser:
    parser = _Parser("run", RUN, usage_error=EX_OWN_FAILURE)
    _add_description(parser)
    parser.add_argument("--quiet", "-q", action="store_true", help="print no link")
    parser.add_argument(
        "--keep",
        metavar="TIME",
        default="0",
        help="without a configured server: let readers in for so long after the end",
    )
    parser.add_argument(
        "--drain", metavar="TIME", default=str(DRAIN), help="wait so long for the server at the end (default 10)"
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--pty", action="store_true", default=None, help="give the command a terminal in any case")
    group.add_argument("--no-pty", dest="pty", action="store_false", help="give it pipes in any case")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        _run_parser().error("which command is to be run? For instance: livelog run -- make")
    keep = 0.0 if arguments.keep == "0" else seconds("--keep", arguments.keep)
    drain, settings = seconds("--drain", arguments.drain), load()
    terminal = process.has_terminal(arguments.pty)
    with contextlib.ExitStack() as stack:
        if not settings.chosen:
            settings = stack.enter_context(_own_server(settings, keep))
        mask = process.block_signals(terminal=terminal)
        name = new_name(command[0]) if arguments.name is None else arguments.name
        title = os.path.basename(command[0]) if arguments.title is None else arguments.title
        log = Writer(name, title=told(title), labels=_labels(arguments), drain=drain, settings=settings)
        if not arguments.quiet:
            _note_link(log)
        child = process.Process(command, log.write, terminal=terminal, late=log.hurry)
        try:
            code = child.run(mask)
        except OSError as error:
            _note(f"{command[0]}: {error.strerror}")
            code = process.exit_code(error)
        log.exit_code = code if code >= 0 else 128 - code
        with _own_warnings():
            log.close()
        _note_rest(log)
        if log.delivered and not arguments.quiet and log.link:
            _note(f"readers: {log.link}")
    return process.end_as(code)


@contextlib.contextmanager
def _own_server(settings: ClientSettings, keep: float) -> Iterator[ClientSettings]:
    """A server for this log only, on this machine, which ends `keep` seconds after this block."""
    command = [sys.executable, "-P", "-m", "livelog.embedded", str(keep)]  # -P: modules of the folder are not ours
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            ready = select.select([server.stdout], [], [], START)[0]
            address = re.search(rb"PUT (http://\S+)/log", server.stdout.readline() if ready else b"")
            yield replace(settings, server=address[1].decode()) if address is not None else settings
        finally:
            server.stdin.close()
            server.returncode = 0  # it is on its own from here on: not waited for


# push


def _push_parser() -> argparse.ArgumentParser:
    parser = _Parser("push", PUSH)
    _add_description(parser)
    parser.add_argument("--follow", "-f", action="store_true", help="go on as the file grows, until Ctrl-C")
    parser.add_argument("--content-type", metavar="TYPE", default="", help="what the log is (default text/plain)")
    parser.add_argument("--exit-code", metavar="N", type=int, help="how the job ended")
    parser.add_argument(
        "--drain", metavar="TIME", help="wait so long for the server at the end (default 10; a file: 5m)"
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="print neither link nor progress")
    parser.add_argument("file", nargs="?", default="-", help="what is sent; -: standard input (default)")
    return parser


def _push(arguments: argparse.Namespace) -> int:
    settings = load()
    if arguments.file == "-":
        return _push_input(arguments, settings)
    path = Path(arguments.file)
    if path.is_dir():
        code = _progress(push_spool(path, settings), None, arguments, path)
        if code == 0:
            shutil.rmtree(path, ignore_errors=True)
        return code
    name = new_name(arguments.file) if arguments.name is None else arguments.name
    try:
        file = _File(path, follow=arguments.follow)
    except OSError as error:
        raise ClientError(f"{path}: {error.strerror}") from error
    sender = Sender(
        settings, name, file, header_fields(told(arguments.title or ""), _labels(arguments), arguments.content_type)
    )
    if arguments.exit_code is not None:
        sender.final_fields["Livelog-Exit-Code"] = str(arguments.exit_code)
    with contextlib.closing(file):
        sender.start()
        return _progress(sender, file, arguments, path)


def _push_input(arguments: argparse.Namespace, settings: ClientSettings) -> int:
    name = new_name("log") if arguments.name is None else arguments.name
    title = told(arguments.title or "")
    drain = DRAIN if arguments.drain is None else seconds("--drain", arguments.drain)
    log = Writer(
        name,
        title=title,
        labels=_labels(arguments),
        content_type=arguments.content_type,
        drain=drain,
        settings=settings,
    )
    log.exit_code = arguments.exit_code
    if not arguments.quiet:
        _note_link(log)
    # Who presses Ctrl-C means whatever writes into the pipe: its last words belong to the log.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while data := os.read(0, process.BLOCK):
        log.write(data)
    with _own_warnings():
        log.close()
    _note_rest(log)
    return 0 if log.delivered else EX_GAVE_UP


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
    patience = PUSH_PATIENCE if arguments.drain is None else seconds("--drain", arguments.drain)
    began, moved, shown = time.monotonic(), (time.monotonic(), -1), sys.stderr.isatty() and not arguments.quiet
    if not arguments.quiet and sender.begun.wait(0.5) and sender.link:
        _note(f"readers: {sender.link}")
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
    if file is not None and file.failure is not None:
        _note(f"{path}: {file.failure}: the log was aborted there")
        return EX_ABORTED
    sender.stop()
    if sender.delivered:
        if not arguments.quiet:
            _note(f"sent {size(sender.sent)} in {time.monotonic() - began:.1f} s")
        return 0
    _note(f"{_reason(sender.problem)}; send it again later: livelog push {path}")
    return EX_UNAUTHORISED if sender.refused is not None and sender.refused.status == 401 else EX_GAVE_UP


def _figures(sender: Sender, file: _File | None, elapsed: float) -> str:
    rate = sender.sent / max(elapsed, 0.001)
    figures = f"{size(sender.sent)}  {size(rate)}/s"
    if file is not None and file.ended and rate:
        left = int((file.end - sender.sent) / rate)
        figures += f"  of {size(file.end)}  {left // 60}:{left % 60:02} left"
    return f"{figures}  {sender.problem}" if sender.problem else figures


# tail


def _tail_parser() -> argparse.ArgumentParser:
    parser = _Parser("tail", TAIL)
    parser.add_argument("log", metavar="URL|NAME", help="a link, or a name on the configured server")
    parser.add_argument("-n", "--lines", metavar="N", type=_natural, help="begin with the last N lines (default 100)")
    parser.add_argument("--from-line", metavar="N", type=_natural, help="begin with line N; 1: everything")
    parser.add_argument(
        "--bytes", metavar="A-B", type=_interval, help="bytes A to B, from 0, inclusive; A-: all from A"
    )
    parser.add_argument("--no-follow", dest="follow", action="store_false", help="end at what there is by now")
    parser.add_argument("--wait", metavar="TIME", help="wait so long for a log that has not begun")
    parser.add_argument("--give-up", metavar="TIME", default="5m", help="try so long to reach the server (default 5m)")
    parser.add_argument("--timestamps", action="store_true", help="before each line the time at which it arrived here")
    parser.add_argument("--json", action="store_true", help="a JSON object for each line")
    parser.add_argument(
        "--exit-status", action="store_true", help="exit with the job's exit code, if the log is complete"
    )
    parser.add_argument("--raw", action="store_true", help="to a terminal, too, exactly the log's bytes")
    parser.add_argument("--quiet", "-q", action="store_true", help="say nothing of broken connections")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write all of it into FILE, going on where that broke off"
    )
    return parser


def _tail(arguments: argparse.Namespace) -> int:
    settings = load()
    url, token = _log(arguments.log, settings)
    start, stop = arguments.bytes or (0, None)
    whole = arguments.bytes is not None or arguments.from_line is not None or arguments.output is not None
    reader = Reader(
        url,
        token=token,
        start=start,
        stop=stop,
        tail=None if whole else 100 if arguments.lines is None else arguments.lines,
        follow=arguments.follow,
        wait=0 if arguments.wait is None else seconds("--wait", arguments.wait),
        give_up=seconds("--give-up", arguments.give_up),
        ca_file=settings.ca_file,
        notice=(lambda _text: None) if arguments.quiet else _note,
    )
    if arguments.output is not None:
        _download(reader, Path(arguments.output), url, token, settings)
    elif arguments.json or arguments.timestamps:
        _print_lines(reader, arguments)
    else:
        _print_bytes(reader, arguments)
    if arguments.exit_status and reader.state == "complete":
        code = _status_of(url, token, settings)["exit_code"]
        return 0 if code is None else int(code) & 0xFF
    return 0


def _print_bytes(reader: Reader, arguments: argparse.Namespace) -> None:
    neutralise = Neutraliser() if os.isatty(1) and not arguments.raw else None
    skip = (arguments.from_line or 1) - 1
    try:
        for block in reader:
            data = block
            while skip and data:
                _line, newline, data = data.partition(b"\n")
                skip -= len(newline)
            _write(data if neutralise is None else neutralise(data))
    finally:
        if neutralise is not None:
            _write(neutralise(b"", last=True) + (RESET if neutralise.coloured else b""))


def _print_lines(reader: Reader, arguments: argparse.Namespace) -> None:
    counted = arguments.from_line is not None or (arguments.bytes is not None and arguments.bytes[0] == 0)
    neutralise = Neutraliser() if os.isatty(1) and not arguments.raw and not arguments.json else None
    for number, line in enumerate(reader.lines(), 1):
        if number < (arguments.from_line or 1):
            continue
        moment = time.time()
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(moment))}.{int(moment * 1000) % 1000:03}Z"
        if arguments.json:
            text = line.data.rstrip(b"\n").decode(errors="replace")
            told_of = {"line": number if counted else None, "byte": line.offset, "time": stamp, "text": text}
            _write(json.dumps(told_of).encode() + b"\n")
        else:
            data = line.data if line.data.endswith(b"\n") else line.data + b"\n"
            _write(
                f"{stamp} ".encode() + (data if neutralise is None else neutralise(data) + RESET * neutralise.coloured)
            )


def _download(reader: Reader, file: Path, url: str, token: str | None, settings: ClientSettings) -> None:
    """Into a file beside `file`, which says in its name which log it is of; at the end it gets its own name."""
    generation = _status_of(url, token, settings)["generation"]
    part = file.with_name(f"{file.name}.{generation}.part")
    with part.open("ab") as opened:
        reader.resume(generation, opened.tell())
        try:
            for data in reader:
                opened.write(data)
                opened.flush()
        except LogAborted:
            part.replace(file)
            raise
    part.replace(file)


# ls, status, open


def _ls_parser() -> argparse.ArgumentParser:
    parser = _Parser("ls", LS)
    parser.add_argument(
        "--state", choices=("live", "interrupted", "complete", "aborted"), help="only those in that state"
    )
    parser.add_argument("-n", "--limit", metavar="N", type=_natural, default=50, help="at most so many (default 50)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object for each log")
    form.add_argument("--names", action="store_true", help="their names only")
    return parser


def _ls(arguments: argparse.Namespace) -> int:
    settings, left, before = load(), arguments.limit, None
    if settings.access_token is None:
        raise ConfigError("ACCESS_TOKEN must be set: only who has it may list logs", 78)
    if not (arguments.json or arguments.names):
        _write(f"{'STATE':11} {'SIZE':>8}  {'BEGAN':20} {'EXIT':>4}  NAME\n".encode())
    while left > 0:
        query = {"limit": min(left, 1000), "before": before, "state": arguments.state}
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        page = _fetch(f"{settings.public_url}/logs?{asked}", settings.access_token, settings)
        for log in page["logs"]:
            if arguments.json or arguments.names:
                _write(f"{log['name'] or '-' if arguments.names else json.dumps(log)}\n".encode())
                continue
            code = "" if log["exit_code"] is None else log["exit_code"]
            title = f"  {log['title']}" if log["title"] else ""
            began = log["began"][:19] + "Z"
            _write(
                f"{log['state']:11} {size(log['size']):>8}  {began:20} {code:>4}  {log['name'] or '-'}{title}\n".encode()
            )
        left, before = left - len(page["logs"]), page["next"]
        if before is None:
            break
    return 0


def _status_parser() -> argparse.ArgumentParser:
    parser = _Parser("status", STATUS)
    parser.add_argument("log", metavar="URL|NAME", help="a link, or a name on the configured server")
    parser.add_argument("--json", action="store_true", help="as the server tells it")
    return parser


def _status(arguments: argparse.Namespace) -> int:
    settings = load()
    known = _status_of(*_log(arguments.log, settings), settings)
    if arguments.json:
        _write(json.dumps(known).encode() + b"\n")
        return 0
    for name, value in known.items():
        text = ", ".join(map("=".join, value.items())) if isinstance(value, dict) else value
        if text not in (None, ""):
            _write(f"{name.replace('_', ' ') + ':':14} {text}\n".encode())
    return 0


def _open_parser() -> argparse.ArgumentParser:
    parser = _Parser("open", OPEN)
    parser.add_argument("log", metavar="URL|NAME", help="a link, or a name on the configured server")
    return parser


def _open(arguments: argparse.Namespace) -> int:
    import webbrowser  # noqa: PLC0415  # only here

    link = arguments.log if "://" in arguments.log else make_link(_name(arguments.log), None, load())
    if webbrowser.open(link):
        return 0
    _note("no browser was found: BROWSER names one")
    return EX_FAILED


def make_link(name: str, expires: float | None, settings: ClientSettings) -> str:
    """A link that opens one log, for ever or for so many seconds from now. Raises: ClientError."""
    if settings.access_token is not None:
        moment = None if expires is None else math.ceil(time.time() + expires)
        return Access(settings.access_token).link(settings.public_url, name, moment)
    path = f"/log{'/' if name else ''}{quote(name)}{'' if expires is None else f'?expires={expires}'}"
    guard = {"Authorization": f"Bearer {settings.write_token}"} if settings.write_token else {}
    try:
        with Wire(settings.server, settings.ca_file) as wire:
            wire.head("HEAD", wire.prefix + path, guard)
            answer = wire.answer()
    except (OSError, HTTPException) as error:
        raise GaveUp(f"{settings.server} cannot be reached: {error}") from error
    if link := answer.field("Livelog-Link"):
        return link
    raise Refused("Access denied: set LIVELOG_WRITE_TOKEN" if answer.status == 401 else str(answer), answer.status)


# What they share.


def told(title: str) -> str:
    """`title` in the form in which a server takes it: one printable line of at most 256 bytes."""
    printable = "".join(character if character.isprintable() else " " for character in title)
    return printable.encode(errors="ignore")[:256].decode(errors="ignore").strip()


def _log(text: str, settings: ClientSettings) -> tuple[str, str | None]:
    """The address of a log and what opens it, from a link or a name."""
    if "://" in text:
        return text.partition("#")[0], None
    name = _name(text)
    if settings.access_token is not None:
        return f"{settings.public_url}/log{'/' if name else ''}{quote(name)}", settings.access_token
    return make_link(name, None, settings), None


def _name(text: str) -> str:
    if text == "-":
        return ""
    if not is_name(text):
        raise Refused(f"{text!r} is neither a link nor the name of a log, such as builds/42; -: the log without a name")
    return text


def _status_of(url: str, token: str | None, settings: ClientSettings) -> dict[str, Any]:
    parts = urlsplit(url)
    path = re.sub("/(?:log|view)(?=/|$)", "/status", parts.path, count=1)
    return _fetch(parts._replace(path=path).geturl(), token, settings)


def _fetch(url: str, token: str | None, settings: ClientSettings) -> dict[str, Any]:
    """A JSON document. Raises: ClientError."""
    parts = urlsplit(url)
    try:
        with contextlib.closing(connect(parts, settings.ca_file)) as connection:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers={"Authorization": f"Bearer {token}"} if token else {})
            response = connection.getresponse()
            content = response.read()
            document: dict[str, Any] = json.loads(content) if response.status == 200 else {}
    except (OSError, HTTPException, ValueError) as error:
        raise GaveUp(f"{parts.scheme}://{parts.netloc} cannot be reached: {error}") from error
    if response.status != 200:
        raise Refused(content.decode(errors="replace").strip() or str(response.status), response.status)
    return document


def _add_description(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", metavar="NAME", type=_log_name, help="the log's name (default: a new one)")
    parser.add_argument("--title", metavar="TEXT", help="what readers are told that it is")
    parser.add_argument(
        "--label", metavar="NAME=VALUE", action="append", default=[], type=_label, help="what else they are told"
    )


def _labels(arguments: argparse.Namespace) -> dict[str, str]:
    return dict(arguments.label)


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _log_name(text: str) -> str:
    if text and not is_name(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a log, such as builds/42")
    return text


def _natural(text: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def _interval(text: str) -> tuple[int, int | None]:
    match = re.fullmatch("([0-9]{1,15})-([0-9]{1,15})?", text, re.ASCII)
    if match is None or (match[2] and int(match[2]) < int(match[1])):
        raise argparse.ArgumentTypeError(f"{text!r} is not A-B or A-, such as 100-199")
    return int(match[1]), int(match[2]) + 1 if match[2] else None


def _write(data: bytes) -> None:
    """To stdout, unbuffered. Raises: BrokenPipeError."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(1, view) :]
        except BlockingIOError:
            select.select([], [1], [])


def _note(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens
        shown = "".join(
            character if character.isprintable() else " " for character in text
        )  # a server may have said it
        os.write(2, f"livelog: {shown}\n".encode(errors="replace"))


def _note_link(log: Writer) -> None:
    link = log.link
    _note(f"readers: {link}" if link else f"{_reason(log.problem, 'has not answered yet')}; it gets the log later")


def _note_rest(log: Writer) -> None:
    """Say what of a log that has ended did not get to the server."""
    if log.failure is not None:
        _note(f"the log lacks all after its first {log.size} bytes: {log.failure.strerror}")
    if log.spool is not None:
        _note(f"{_reason(log.problem)}; what it has not got is kept: livelog push {log.spool}")
    elif not log.delivered:
        _note(f"{_reason(log.problem)}; nothing is kept")


def _reason(problem: str, otherwise: str = "has not taken all of the log in time") -> str:
    return f"the server cannot take the log ({problem})" if problem else f"the server {otherwise}"


@contextlib.contextmanager
def _own_warnings() -> Iterator[None]:
    """What a writer warns of is told by the command itself."""
    import logging  # noqa: PLC0415  # the writer has it

    logging.getLogger("livelog").disabled = True
    yield


def _exit_code(error: LivelogError) -> int:
    match error:
        case ConfigError():
            return error.exit_code
        case LogAborted():
            return EX_ABORTED
        case LogReplaced():
            return EX_REPLACED
        case GaveUp():
            return EX_GAVE_UP
        case Refused(status=404):
            return EX_NOT_FOUND
        case Refused(status=401):
            return EX_UNAUTHORISED
    return EX_FAILED


class _Parser(argparse.ArgumentParser):
    def __init__(self, name: str, description: str, usage_error: int = 2) -> None:
        super().__init__(
            prog=f"livelog {name}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._usage_error = usage_error

    def error(self, message: str) -> NoReturn:
        self.exit(self._usage_error, f"livelog: {message}\n{self.format_usage()}")


COMMANDS: dict[str, tuple[Callable[[], argparse.ArgumentParser], Run]] = {
    "run": (_run_parser, _run),
    "push": (_push_parser, _push),
    "tail": (_tail_parser, _tail),
    "ls": (_ls_parser, _ls),
    "status": (_status_parser, _status),
    "open": (_open_parser, _open),
}
