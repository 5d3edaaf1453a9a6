"""The decision whether a line of a log is a problem, or begins one. No I/O.

1. An echoed command is no problem, whatever words it contains; nor is a line of source code, or of a table of figures.
2. A line with a lower level, such as INFO, is a problem only if it has a known form, or contains what never occurs without an error (see `failures`).
"""

import re

from . import beginnings, failures, forms, levels
from .collecting import ERROR, NOTICE, WARNING
from .forms import Problem
from .traces import Trace

_ECHO = re.compile(
    r"\+{1,5} \S|\+{1,5}(?:(?:export|local|echo|eval|cd|set|exit|exec|source) |[A-Z_][A-Z0-9_]{1,40}=)|\$ |\[command\]|##\[(?:command|debug|section|group|endgroup|add-matcher|remove-matcher)\]|::(?:group|endgroup|debug|set-output|add-matcher"
    r"|remove-matcher|add-mask|add-path|set-env|save-state|stop-commands)\b|> (?:git|\S{1,100}@\S{1,40} )|\s{1,20}> git |\s{0,40}echo "
    r"|(?:env|shell|with): |\s{0,12}(?!(?:WARNINGS?|WARN|ERROR|FATAL|CRITICAL|SEVERE|DEPRECATED|DEPRECATION|FAILED|FAILURE|FAIL): )[A-Z][A-Z0-9_]{2,60}: \S{0,300}$|\[\w{1,20}\] \$ |Run "
)
"""An echoed command, not its output."""

_BOILERPLATE = re.compile(
    r"(?i:\[ERROR\]\s{0,9}(?:$|-{5,300}\s{0,3}$|urls\[\d{1,9}\] = |realm = |strategy = |number of foreign imports: |import: Entry\[|-> \[Help|To see the full stack|Re-run Maven|For more information|\[Help \d|After correcting|  mvn <|Please refer to|BUILD FAILURE)"
    r"|not ok\b.{0,400}# ?(?:todo|skip)\b|npm ERR!\s{0,9}$|\s{0,20}(?!(?-i:WARNING):?\s{0,3}$)(?:\d{1,9} )?(?:errors?|warnings?)(?: generated| and \d{1,9}\b.{0,40})?[.:]?\s{0,3}$|Error:?\s{0,3}$"
    # what compilers add to a message, tables of figures, settings
    r"|\s{0,20}\S{1,300}?(?::\d{1,9}(?::\d{1,9})?|\(\d{1,9}(?:,\d{1,9})?\)): (?:note|info|remark): |[A-Z][\w ()+/\-.]{1,60}\s{4,60}\d[\d.,]{0,20}\s{0,3}%?$|\s{1,20}[\w\-]{1,40}: error\s{0,3}$"
    r"|\s{0,20}[✖✗✘✕\u00d7❌] 0 problems\b|failures:\s{0,3}$|={3,200} (?:failures|errors) ={3,200}\s{0,3}$|FAILED - RETRYING: |some errors have detailed explanations: |for more information about (?:an|this) error, try |\s{1,9}\+ (?:CategoryInfo|FullyQualifiedErrorId) {1,20}: |\s{0,6}\d{1,6} {1,6}\| |(?:total )?number of \w{1,20}(?: \w{1,20}){0,3}: 0\s{0,3}$)"
)
"""Lines that accompany problems, and are none themselves."""

_WARNING_SIGN = re.compile(
    r"warn|deprecat|obsolete|outdated|abandoned|will be removed in|uninitialized value|⚠|\(!\)|\[!\]"
)
_WARNED = re.compile(
    r"(?i:\s{0,20}(?:[\w./\-]{1,60}: )?warnings?(?: \[[\w\-]{1,60}\]|\(s\))?: \S|.{0,200}?\bwarning: \S)|.{0,300}?\b[A-Z]\w{0,80}Warning: \S"
    r"|\s{0,20}(?:[*!#=>~\-:|+]{1,12} ?WARN(?:ING)?\b|WARNING!|Warning in \S.{0,200}? ?:|\(!\) \S|\[!\] \S|Use of uninitialized value)"
    r"|(?i:\s{0,20}(?:warn(?:ing)?(?: :|[ ]{1,9}[\-\u2013•]|[ ]{2,9}(?!\d{1,9}\s{0,3}$))[ ]?\S|⚠|(?:npm|lerna|yarn) warn\b|\[?deprecat(?:ed|ion)\]?(?:[:!]|(?<=\]))|deprecated [\w ]{1,60} (?:used|detected)\b"
    r"|.{0,200}?\b(?:is|are|was|were|been|being|now) (?:now |being )?(?:deprecated|abandoned|outdated|obsolete)\b|(?!\s{0,20}It ).{0,200}?\bwill be removed in (?:an?|the|v?\d|version|future|next)\b"
    r"|.{0,200}?\b(?:compiled|completed|finished|succeeded|built|done|passed) with (?:\d{1,9} )?warnings?\b))",
    re.DOTALL,
)
_WARNING_FIRST = re.compile(
    r"\s{0,20}(?:(?:[\w./\-+]{1,60}: )?[Ww]arning(?: \[[\w\-]{1,60}\]|\(s\))?: \S|Warning in \S.{0,200}? ?:|WARNING! |⚠|\(!\) \S|(?:\(node:\d{1,9}\) )?(?:\[\w{1,20}\] )?[A-Z]\w{0,60}Warning: \S)"
)
"""A line that begins with the word warning, or a sign for it. It is a warning, whatever words follow (`Warning: failed to load x`)."""

_NOT_WARNED = re.compile(
    r"(?i:\b(?:0|no|without) warnings?\b|warnings?: ?(?:(?:0|none|false|off)\b|no\s{0,3}$)|\b(?:not|n't|never|if|whether|when) (?:\w{1,20} ){0,2}(?:deprecated|outdated|obsolete|abandoned)\b"
    r"|\b(?:warnings|console|log|logger|logging)\.warn(?:ing)?\()"
)

_WARNED_INSIDE = re.compile(
    r"(?:.{0,200}?[|\])>:\-] {0,3})?(?:\[WARNING\]|(?:WARNING|Warning|warning):|(?:\w{1,20} )?WARNING \|) (?P<text>\S.*)",
    re.DOTALL,
)
"""A warning inside a record of a lower level: another program has written it, and a logger has passed it on."""

_PROGRESS = re.compile(
    r"(?:Generating|Loading|Constructing|Building|Compiling|Copying|Downloading|Checking|Creating|Processing|Parsing|Reading|Writing) [^:]{1,300}\.\.\.\s{0,3}$"
    r"|Standard Doclet version |Javadoc Warnings\s{0,3}$|\d{1,9} (?:warnings?|errors?)\s{0,3}$|0\s{0,3}$|COMPILATION WARNING ?:|[\-=*#~]{3,300}\s{0,3}$"
)
"""Messages of progress that a logger calls warnings only because a program has written them to stderr."""
_SOURCE = re.compile(
    r"[\s+\-]{1,200}(?:.{0,7000}[;{},(]\s{0,3}$|(?:if|for|while|try|except|raise|throw|return|assert|def|func|public|private|import|from|case|catch|\}|//|\*|#)\b)|.{0,500}(?:throw new |\) (?:throws \S.{0,200})?\{$)|\}|\s{0,99}(?://|/\*|\* |#{1,3} |fi$|done$)"
    r"|\s{2,80}(?:fail|die|abort|panic|croak|flunk|fatal|error|warn) ?\(?[\"'$]",
    re.DOTALL,
)
"""A line of a program's source."""

_CRASHED = re.compile(
    r"(?i:segmentation fault|segfault|\bSIG(?:SEGV|ABRT|BUS|ILL|FPE|KILL)\b|core dumped|\bout of memory\b|oom-?kill|\bbus error\b|illegal instruction|"
    r"\bkilled\b|terminate called|access violation|kernel panic|stack smashing|double free|^aborted)"
)


_TESTED = re.compile(
    r"[=\s]{0,80}\d{1,9} (?:failed|errors?|failing)\b|test result: |Tests?(?: Suites| Files)?:? |FAILED \((?:failures|errors)|Tests run: |.{0,200}<<< (?:FAILURE|ERROR)!|Failed tests:|Tests in error:"
    r"|\s{0,9}Test Files |FAIL$|FAILED$|Failures: |failures:$|!{5,}"
)


def recognised(text: str, *, harmless: bool) -> Trace | None:
    """The problem that a line is or begins; None: it is none. `text`: the line without its prefixes; `harmless`: see `prefixes.Prefixed`."""
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
            lead[0] if problem.kind == "compiler" and (lead := _LEAD.match(text)) is not None else "",
        )
    assert trace is not None  # else there is a problem
    return (
        None if failures.passed(text) or (trace.problem.level == ERROR and not failures.reports_error(text)) else trace
    )


_LEAD = re.compile(r"\[(?:WARNING|ERROR|warn|error)\] ")
"""The level that Maven and sbt write before each line of a message."""

MAX_PLACE = 400
"""The last index at which words that report an error may begin. Further behind they are a part of a larger text that is shown."""

_NONE = Problem("", "", "")
"""The result for a line that is no problem."""


def _levelled(text: str, *, harmless: bool) -> Problem:
    """The problem that a line is by its level, or by words; `_NONE`: it is none."""
    record = (
        levels.from_json(text)
        or levels.from_logfmt(text)
        or (None if harmless else levels.from_words(text.lstrip(" ")))
    )
    if record is not None and record.level != levels.NONE:
        if record.level == NOTICE or (record.level == WARNING and _says_nothing(record.message)):
            return _NONE
        inner = forms.find(record.message)
        if inner is not None and inner.kind != "text":
            if inner.level != NOTICE and not (inner.level == ERROR and inner.kind in ("crash", "test")):
                inner.level = record.level  # what has crashed has, whatever the logger calls it
            return inner
        if (problem := forms.placed(record.message, record.level)) is not None:
            return problem
        if failures.says_none(record.message):
            return _NONE
        return Problem(record.level, record.message or text.strip(), "log", record.file, record.row, record.column)
    small = text.lower()
    warns = _WARNING_SIGN.search(small) is not None and not _NOT_WARNED.search(text)
    if warns and record is None and not harmless and _WARNING_FIRST.match(text):
        return Problem(WARNING, text.strip().removeprefix("Warning: "), "text")
    if failures.reports_error(text if not harmless else f"INFO {text}", MAX_PLACE) and not _SOURCE.match(text):
        return Problem(
            ERROR, text.strip(), "crash" if _CRASHED.search(text) else "test" if _TESTED.match(text) else "text"
        )
    if not warns or failures.passed(text):
        return _NONE
    if record is not None or harmless:
        inside = _WARNED_INSIDE.match(text if record is None else record.message)
        return _NONE if inside is None else Problem(WARNING, inside["text"], "log")
    return Problem(WARNING, text.strip(), "text") if _WARNED.match(text) else _NONE


def _says_nothing(message: str) -> bool:
    """Whether the message of a warning contains no warning: it is empty, or about progress."""
    return not message.strip() or _PROGRESS.match(message) is not None
