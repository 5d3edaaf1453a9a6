"""How problems of several lines begin. No I/O."""

import re
from collections.abc import Callable

from .collecting import ERROR, WARNING
from .forms import MAX_MESSAGE, Problem
from .traces import EXCEPTION, Trace

_Begin = Callable[[re.Match[str]], Trace]


def _begun(kind: str, mode: str, *, state: str = "", level: str = ERROR) -> _Begin:
    def begin(match: re.Match[str]) -> Trace:
        groups = match.groupdict()
        row, column = groups.get("row"), groups.get("column")
        severity = WARNING if (groups.get("level") or "").lower() in ("warning", "warn") else level
        problem = Problem(
            severity, (groups.get("text") or match[0]).strip()[:MAX_MESSAGE], kind, groups.get("file"), int(row) if row else None,
            int(column) if column else None,
        )  # fmt: skip
        return Trace(problem, mode, state, groups.get("lead") or "")

    return begin


_BEGINNINGS: tuple[tuple[str, _Begin, str], ...] = (
    # A text that the line contains, the problem and the mode of its further lines (see `traces`), and the pattern of the line.
    ("Traceback (most", _begun("exception", "group"), r"\s{0,40}\+ Exception Group Traceback \(most recent call last\)"),
    ("Traceback (most", _begun("exception", "python", state="frames"), r"(?P<lead>.{0,80}?)Traceback \(most recent call last\)"),
    ("panic: ", _begun("crash", "go"), r"(?:\s{0,9})(?P<text>panic: (?!\s{0,9}$).*)"),
    ("fatal error: ", _begun("crash", "go"), r"(?P<text>fatal error: (?:all goroutines|concurrent map|stack overflow|runtime|out of memory|unexpected signal|sync|index out).*)"),
    ("panicked at", _begun("crash", "rust"), r"\s{0,20}thread '.{0,100}?'(?: \(\d{1,9}\))? panicked at '(?P<text>.{0,1000}?)', (?P<file>[^\s:]{1,300}):(?P<row>\d{1,9})(?::(?P<column>\d{1,9}))?"),
    ("panicked at", _begun("crash", "rust", state="head"), r"\s{0,20}thread '.{0,100}?'(?: \(\d{1,9}\))? panicked at (?P<file>[^\s:]{1,300}):(?P<row>\d{1,9})(?::(?P<column>\d{1,9}))?:?\s{0,3}$"),
    ("Sanitizer", _begun("crash", "sanitizer"), r"==\d{1,9}==\s?(?:ERROR|WARNING): (?P<text>\w{1,30}Sanitizer: .*)"),
    ("Sanitizer", _begun("crash", "sanitizer"), r"WARNING: (?P<text>\w{1,30}Sanitizer: .*)"),
    ("DATA RACE", _begun("crash", "race"), r"WARNING: (?P<text>DATA RACE)"),
    (" (", _begun("exception", "frames", state="head"), r"(?P<file>[\w./\-]{1,300}\.\w{1,4}|-e):(?P<row>\d{1,9}):in ['`].{1,300}?': (?P<text>.* \((?:\w|::){1,100}\))$"),
    ("** (", _begun("exception", "frames", state="head"), r"\*\* (?P<text>\([\w.]{1,100}\) .*)"),
    ("error", _begun("text", "code"), r"error(?:\[(?P<code>[A-Z]{1,5}\d{1,6})\])?: (?P<text>.*)"),
    ("warning", _begun("text", "code", level=WARNING), r"warning(?:\[(?P<code>[\w\-:]{1,60})\])?: (?P<text>.*)"),
    ("CMake ", _begun("compiler", "indented"), r"CMake (?:Deprecation )?(?P<level>Error|Warning)(?: \(dev\))?(?: (?:at|in) (?P<file>[^\s:]{1,300})(?::(?P<row>\d{1,9}))?(?: \(.{0,200}\))?)?:\s{0,3}$"),
    (":", _begun("compiler", "indented"), r"(?P<file>[^\s:()]{1,300}):(?P<row>\d{1,9}):(?P<column>\d{1,9}): (?P<level>error|warning):(?: \[[^\]]{1,80}\]){0,3}\s{0,3}$"),
    (" in ", _begun("compiler", "next"), r"(?P<level>ERROR|WARNING) in (?P<file>\S{1,300})(?: (?P<row>\d{1,9}):(?P<column>\d{1,9})(?:-\S{1,20})?)?\s{0,3}$"),
    ("Warning: ", _begun("compiler", "source", level=WARNING), r"(?P<lead>\s{0,20})(?P<file>(?:[A-Za-z]:)?[^\s:]{1,300}\.pyx?|<[\w .]{1,60}>|sys):(?P<row>\d{1,9}): (?P<text>[\w.]{0,80}Warning: .*)"),
    ("fail: ", _begun("log", "indented"), r"fail: [A-Za-z][\w.`+<>,]{1,200}\[\d{1,9}\]\s{0,3}$"),
    ("warn: ", _begun("log", "indented"), r"(?P<level>warn): [A-Za-z][\w.`+<>,]{1,200}\[\d{1,9}\]\s{0,3}$"),
    ("WARNING: A", _begun("text", "jvm", level=WARNING), r"WARNING: (?P<text>(?:An illegal reflective access|A terminally deprecated method|A restricted method|A Java agent) .*)"),
    ("WARN", _begun("text", "next", level=WARNING), r"WARN(?:ING)?S?:?\s{0,3}$"),
    ("Warning message", _begun("text", "next", level=WARNING), r"(?P<text>Warning messages?:)\s{0,3}$"),
    ("console.", _begun("log", "console"), r"(?P<text>console\.(?P<level>error|warn):?)\s{0,3}$"),
    ("● ", _begun("test", "jest"), r" {0,4}● (?!(?:Console|Deprecation Warning|Validation Warning)\b|\S{1,100}\.\w{1,20}\b)(?P<text>\S.*)"),
    ("FAIL ", _begun("test", "vitest"), r"\s{0,2}FAIL {1,3}(?:\|?[\w ]{0,20}\|? )?(?P<text>(?P<file>[\w./\-@]{1,300}\.\w{1,5}) > .*)"),
    ("E  ", _begun("test", "pytest"), r"E {3,20}(?P<text>\S.*)"),
    ("--- FAIL: ", _begun("test", "gotest"), r"\s{0,40}--- FAIL: (?P<text>.{1,300}?)(?: \([\d.]{1,12}s\))?$"),
    ("not ok", _begun("test", "tap"), r"\s{0,40}not ok\b(?!.{0,400}# ?(?i:todo|skip)\b)(?: \d{1,9})?(?: -)? ?(?P<text>.*)"),
    ("npm ", _begun("tool", "npm"), r"npm (?:ERR!|error) (?P<text>\S.*)"),
    ("npm ", _begun("tool", "npm warning", level=WARNING), r"npm (?:WARN|warn) (?P<lead>E[A-Z]{3,20}|old lockfile)\b(?P<text>.*)"),
    ("┌ ", _begun("log", "box"), r"┌ (?P<level>Error|Warning): (?P<text>.*)"),
    ("Failure:", _begun("test", "next"), r"\s{0,9}(?:\d{1,5}\) )?(?P<text>Failure):\s{0,3}$"),
    ("Error:", _begun("test", "next"), r"\s{0,9}\d{1,5}\) (?P<text>Error):\s{0,3}$"),
    ("rake aborted!", _begun("tool", "next"), r"(?P<text>rake aborted!)\s{0,3}$"),
    ("FAILURE: Build failed", _begun("tool", "gradle"), r"FAILURE: Build failed with an exception"),
    ("│ ", _begun("tool", "box"), r"│ (?P<level>Error|Warning): (?P<text>.*)"),
    ("", _begun("exception", "exception", state="head"), EXCEPTION.pattern),
)  # fmt: skip

_TABLE = tuple((sign, begin, re.compile(pattern, re.DOTALL)) for sign, begin, pattern in _BEGINNINGS)


def begin(text: str) -> Trace | None:
    """The problem of several lines that begins with this line; None: none does. `text`: the line without its prefixes."""
    for sign, make, pattern in _TABLE:
        if sign in text and (match := pattern.match(text)) is not None:
            return make(match)
    return None
