"""What one line of a log tells: the beginning of a problem, a whole one, or none. No I/O.

1. A command that is shown is no problem, whatever words are in it; nor is a line of a program's source, or a table of figures.
2. A line whose level is none of a problem tells of one only by its form, or by what nobody writes otherwise (`failures`).
"""

import re

from . import beginnings, failures, forms, levels
from .collecting import ERROR, NOTICE, WARNING
from .forms import Problem
from .traces import Trace

_ECHO = re.compile(
    r"\+{1,5} \S|\$ |\[command\]|##\[(?:command|debug|section|group|endgroup|add-matcher|remove-matcher)\]|::(?:group|endgroup|debug|set-output|add-matcher"
    r"|remove-matcher|add-mask|add-path|set-env|save-state|stop-commands)\b|> (?:git|\S{1,100}@\S{1,40} )|\s{1,20}> git |\s{0,40}echo "
    r"|(?:env|shell|with): |\s{0,12}[A-Z][A-Z0-9_]{2,60}: \S{0,300}$|\[\w{1,20}\] \$ |Run "
)
"""A command, not what it prints."""

_BOILERPLATE = re.compile(
    r"(?i:\[ERROR\]\s{0,9}(?:$|-> \[Help|To see the full stack|Re-run Maven|For more information|\[Help \d|After correcting|  mvn <|Please refer to|BUILD FAILURE)"
    r"|not ok\b.{0,400}# ?(?:todo|skip)\b|npm ERR!\s{0,9}$|\s{0,20}(?:\d{1,9} )?(?:errors?|warnings?)(?: generated| and \d{1,9}\b.{0,40})?[.:]?\s{0,3}$|Error:?\s{0,3}$"
    # what compilers add to a message, tables of figures, settings
    r"|\s{0,20}\S{1,300}?:\d{1,9}(?::\d{1,9})?: (?:note|info|remark): |[A-Z][\w ()+/\-.]{1,60}\s{4,60}\d[\d.,]{0,20}\s{0,3}%?$|\s{1,20}[\w\-]{1,40}: error\s{0,3}$"
    r"|(?:total )?number of \w{1,20}(?: \w{1,20}){0,3}: 0\s{0,3}$)"
)
"""What stands beside problems, and is none itself."""

_WARNED = re.compile(
    r"(?i:\s{0,20}(?:[\w./\-]{1,60}: )?warnings?(?: \[[\w\-]{1,60}\]|\(s\))?: \S|.{0,200}?\bwarning: \S)|.{0,300}?\b[A-Z]\w{0,80}Warning: \S"
    r"|(?i:\s{0,20}(?:⚠|(?:npm|lerna|yarn) warn\b|(?:the )?.{0,80}\b(?:is|are) deprecated\b))"
)
_NOT_WARNED = re.compile(r"(?i:\b(?:0|no|without) warnings?\b|warnings?: ?(?:0|none|false|off|no)\b)")
_SOURCE = re.compile(
    r"[\s+\-]{1,200}(?:.{0,7000}[;{},(]\s{0,3}$|(?:if|for|while|try|except|raise|throw|return|assert|def|func|public|private|import|from|case|catch|\}|//|\*|#)\b)|.{0,500}(?:throw new |\) (?:throws \S.{0,200})?\{$)|\}|\s{0,99}(?://|/\*|\* |#{1,3} |fi$|done$)",
    re.DOTALL,
)
"""A line of a program's source."""

_CRASHED = re.compile(
    r"(?i:segmentation fault|segfault|\bSIG(?:SEGV|ABRT|BUS|ILL|FPE|KILL)\b|core dumped|\bout of memory\b|oom-?kill|\bbus error\b|illegal instruction|"
    r"\bkilled\b|terminate called|kernel panic|stack smashing|double free|^aborted)"
)


_TESTED = re.compile(
    r"[=\s]{0,80}\d{1,9} (?:failed|errors?|failing)\b|test result: |Tests?(?: Suites| Files)?:? |FAILED \((?:failures|errors)|Tests run: |.{0,200}<<< (?:FAILURE|ERROR)!|Failed tests:|Tests in error:"
    r"|\s{0,9}Test Files |FAIL$|FAILED$|Failures: |failures:$|!{5,}"
)


def recognised(text: str, *, harmless: bool) -> Trace | None:
    """The problem that a line tells of, or begins to."""
    if _ECHO.match(text) is not None or _BOILERPLATE.match(text) is not None:
        return None
    trace = beginnings.begin(text)
    if trace is not None and trace.mode not in ("exception", "code"):
        return None if failures.passed(text) else trace
    problem = forms.find(text)
    if problem is None and trace is None:
        problem = _levelled(text, harmless=harmless)
        if problem is _NONE:
            return None
    if problem is not None:
        return Trace(
            problem,
            trace.mode if trace is not None else "code" if problem.kind == "compiler" else "frames",
            "" if problem.kind == "compiler" else "head",
        )
    if trace is not None:
        return None if failures.passed(text) or (trace.problem.level == ERROR and not failures.tells(text)) else trace
    return None


MAX_PLACE = 400
"""Characters in front of the words that tell of an error: what is further behind is a part of something larger that is shown."""

_NONE = Problem("", "", "")
"""A line that says that it is none."""


def _levelled(text: str, *, harmless: bool) -> Problem | None:
    """The problem that a line tells of by its level, or by words."""
    record = (
        levels.from_json(text)
        or levels.from_logfmt(text)
        or (None if harmless else levels.from_words(text.lstrip(" ")))
    )
    if record is not None and record.level != levels.NONE:
        if record.level == NOTICE:
            return _NONE
        inner = forms.find(record.message)
        if inner is not None and inner.kind != "text":
            inner.level = (
                record.level if record.level == ERROR else inner.level if inner.level != ERROR else record.level
            )
            return inner
        if (problem := forms.placed(record.message, record.level)) is not None:
            return problem
        if failures.says_none(record.message):
            return _NONE
        return Problem(record.level, record.message or text.strip(), "log", record.file, record.row, record.column)
    if not _SOURCE.match(text) and failures.tells(text if not harmless else f"INFO {text}", MAX_PLACE):
        return Problem(
            ERROR, text.strip(), "crash" if _CRASHED.search(text) else "test" if _TESTED.match(text) else "text"
        )
    if (
        record is None
        and not harmless
        and any(sign in text.lower() for sign in ("warn", "deprecat", "⚠"))
        and _WARNED.match(text)
        and not _NOT_WARNED.search(text)
        and not failures.passed(text)
    ):
        return Problem(WARNING, text.strip(), "text")
    return _NONE
