"""`livelog ls`, `status`, `open` and `rm`: list logs, show the status of one, open it in the browser, remove logs."""

import argparse
import json
from itertools import chain
from urllib.parse import quote, urlsplit

from livelog.client.api.lookup import ask_producers, attempt_of, list_page, locate, make_link, name_of, status_of
from livelog.client.settings import load
from livelog.names import is_prefix

from .choosing import label_query, listed
from .console import (
    EX_FAILED,
    EX_GAVE_UP,
    EX_INTERRUPTED,
    EX_NOT_FOUND,
    EX_SETTING,
    EX_UNAUTHORISED,
    EX_USAGE,
    Parser,
    add_attempt,
    exit_codes,
    natural,
    note,
    reference,
    write,
)
from .rows import HEADING, row
from .terminal import size

BROWSER_TIMEOUT = 60.0
"""Seconds that a browser has to start and to request the page."""

EXITS = exit_codes("0 done", EX_FAILED, EX_USAGE, EX_NOT_FOUND, EX_UNAUTHORISED, EX_GAVE_UP, EX_SETTING)
LS_EXITS = exit_codes("0 done", EX_FAILED, EX_USAGE, EX_UNAUTHORISED, EX_GAVE_UP, EX_SETTING, EX_INTERRUPTED)

LS = """\
List the logs of a server, newest first. Needs ACCESS_TOKEN, or in its place the token of a prefix, with --prefix.

  livelog ls
  livelog ls --state live
  livelog ls --prefix builds/42/ --label branch=main
  livelog ls --watch --state live                 the list as it changes, until Ctrl-C
  livelog ls --json | jq -r .name

livelog open shows the list in a browser.
"""

STATUS = """\
Show the status of a log: its state, size, times, exit code, title and labels.

  livelog status nightly
"""

RM = """\
Remove logs that have ended, for good. Needs LIVELOG_SERVER, and LIVELOG_WRITE_TOKEN if the server has one.

  livelog rm nightly builds/42
"""

OPEN = """\
Open a log in the browser, or the list of all logs, or of those below a prefix.

  livelog open nightly
  livelog open nightly --attempt -1     the one before it
  livelog open                     the list of all logs: needs ACCESS_TOKEN, else the page asks for it
  livelog open builds/42/          the list of the logs whose names begin so
"""


def ls_parser() -> argparse.ArgumentParser:
    """The parser of `livelog ls`."""
    parser = Parser("ls", LS, LS_EXITS)
    parser.add_argument(
        "--state", choices=("live", "interrupted", "complete", "aborted"), help="list only logs in this state"
    )
    parser.add_argument("--prefix", metavar="P", help="list only logs whose names begin with P, such as builds/42/")
    parser.add_argument(
        "--label",
        metavar="NAME[=VALUE]",
        action="append",
        default=[],
        help="list only logs that have this label, with this value; may be repeated: all must hold",
    )
    parser.add_argument("-n", "--limit", metavar="N", type=natural, default=50, help="list at most N logs (default 50)")
    parser.add_argument(
        "-w",
        "--watch",
        action="store_true",
        help="go on as the list changes, until Ctrl-C: on a terminal the list is drawn anew, elsewhere each change is a line",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON object for each log")
    form.add_argument("--names", action="store_true", help="print names only")
    return parser


def ls(arguments: argparse.Namespace) -> int:
    """List logs. Returns the exit code. Raises: LivelogError."""
    if arguments.watch:
        from .live_list import watch_list  # noqa: PLC0415  # only here

        return watch_list(arguments)
    query = {"state": arguments.state, "prefix": arguments.prefix, "label": label_query(arguments.label)}
    logs = listed(load(), query, arguments.limit)
    first = next(logs, None)  # what goes wrong is told in place of a list
    if not (arguments.json or arguments.names):
        write(f"{HEADING}\n".encode())
    for log in chain([] if first is None else [first], logs):
        if arguments.json or arguments.names:
            write(f"{log['name'] or '-' if arguments.names else json.dumps(log)}\n".encode())
        else:
            write(f"{row(log)}\n".encode())
    return 0


def status_parser() -> argparse.ArgumentParser:
    """The parser of `livelog status`."""
    parser = Parser("status", STATUS, EXITS)
    parser.add_argument("log", metavar="URL|NAME", type=reference, help="a link, or a name on the configured server")
    add_attempt(parser)
    parser.add_argument("--json", action="store_true", help="print the JSON of the server")
    return parser


def status(arguments: argparse.Namespace) -> int:
    """Show a log's status. Returns the exit code. Raises: LivelogError."""
    settings = load()
    known = status_of(attempt_of(locate(arguments.log, settings), arguments.attempt, arguments.generation))
    if arguments.json:
        write(json.dumps(known).encode() + b"\n")
        return 0
    attempts = known.pop("attempts", [])
    for name, value in known.items():
        text = ", ".join(map("=".join, value.items())) if isinstance(value, dict) else value
        if text not in (None, ""):
            write(f"{name.replace('_', ' ') + ':':14} {text}\n".encode())
    for one in attempts if len(attempts) > 1 else []:
        title = f"attempt {one['attempt']}:"
        code = "" if one["exit_code"] is None else f", exit code {one['exit_code']}"
        write(f"{title:14} {one['state']}, {size(one['size'])}, began {one['began'][:19]}Z{code}\n".encode())
    return 0


def open_parser() -> argparse.ArgumentParser:
    """The parser of `livelog open`."""
    parser = Parser("open", OPEN, EXITS)
    parser.add_argument(
        "log",
        metavar="URL|NAME",
        nargs="?",
        type=reference,
        help="a link, a name on the configured server, or a prefix that ends in /; none: the list of all logs",
    )
    add_attempt(parser)
    return parser


def open_in_browser(arguments: argparse.Namespace) -> int:
    """Open a log or a list of logs in the browser. Returns the exit code. Raises: LivelogError."""
    import webbrowser  # noqa: PLC0415  # only here

    from .handover import Handover, is_link  # noqa: PLC0415  # only here

    link: str = arguments.log or ""
    is_attempt = arguments.attempt is not None or arguments.generation is not None
    if is_attempt and (not link or is_prefix(link)):
        open_parser().error("--attempt and --generation are of one log: name it")
    if not link or is_prefix(link):
        link = list_page(link, load())
    elif "://" not in link:
        link = make_link(name_of(link), None, load(), view=True)
    if not is_link(link):
        note("this is not a link that a browser can open: it begins with http:// or https://")
        return EX_FAILED
    if is_attempt:
        log = attempt_of(locate(arguments.log, load()), arguments.attempt, arguments.generation)
        link = urlsplit(link)._replace(query=urlsplit(log.url).query).geturl()
    with Handover(link) as handover:
        if not webbrowser.open(handover.address):
            note("no browser was found: set BROWSER to the command that starts one")
            return EX_FAILED
        if handover.wait(BROWSER_TIMEOUT):
            return 0
    note("the browser did not ask for the page: livelog link --view prints the link, for you to open")
    return EX_FAILED


def rm_parser() -> argparse.ArgumentParser:
    """The parser of `livelog rm`."""
    parser = Parser("rm", RM, EXITS)
    parser.add_argument(
        "names", metavar="NAME", nargs="+", type=reference, help="the name of a log; -: the log without a name"
    )
    return parser


def rm(arguments: argparse.Namespace) -> int:
    """Remove as many of the logs as possible. Returns the exit code. Raises: LivelogError."""
    settings, code = load(), 0
    for text in arguments.names:
        name = name_of(text)
        if "://" in text:
            rm_parser().error(
                f"{text.partition('/log/')[0]}: a link is for readers; which log is to go is told by its name"
            )
        if name not in (text, ""):
            note(f"{text!r} is the log {name}")
        answer = ask_producers("DELETE", f"/log{'/' if name else ''}{quote(name)}", settings)
        if answer.status >= 300:
            note(f"{text}: {str(answer).partition(' ')[2] or answer}")
            code = code or (EX_NOT_FOUND if answer.status == 404 else EX_FAILED)
    return code
