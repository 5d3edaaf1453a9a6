"""A test whether a line of a log reports an error: by the words and levels that programs, compilers and test runners use. No I/O.

1. A line that only says that there was no error (`0 failed`, `"error": null`), or that a test has passed, reports none.
2. A line with a lower level (INFO, `level=warn`) reports an error only if it contains what never occurs without one: a traceback, an
   exception with its message, a signal.
3. Each pattern matches text of bounded length, so the time is linear in the length of the line.
"""

import re
import sys
from collections.abc import Iterator

_WORDS = ("err", "fail", "exception", "fatal", "panic", "traceback", "crash", "crit", "severe", "emerg", "alert")

_SURE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("traceback",), r"Traceback \(most recent"),
    (("panic",), r"\bpanicked at\b|^panic:|(?i:\bkernel panic\b)"),
    (("sigsegv", "sigabrt", "sigbus", "sigill", "sigfpe"), r"\bSIG(?:SEGV|ABRT|BUS|ILL|FPE)\b"),
    (("test-unexpected",), r"\bTEST-UNEXPECTED-"),
    (("segmentation", "segfault", "bus error"), r"(?i:\bsegmentation fault|\bsegfault\b|\bbus error\b)"),
    (("dumped", "illegal ins", "smashing", "double free"), r"(?i:core dumped|illegal instruction|stack smashing|double free)"),
    (("out of memory", "oom"), r"(?i:\bout of memory\b|\boom-?kill)"),
    (("terminate called", "rejection"), r"(?i:\bterminate called after|\bunhandled \w{0,20} ?rejection)"),
    (("npm err", "err_pnpm", "[error]", "::error", "sanitizer"),
     r"(?i:\bnpm (?:err!|error\b)|\berr_pnpm_|##\[error\]|^\s{0,20}::error\b|\b(?:address|thread|memory|undefinedbehavior)sanitizer:(?! ?(?:true|false|[01]$|no\b|yes\b)))"),
    (("assertion fail",), r"\bAssertion fail(?:ure|ed): \S"),
    (("access violation",), r"(?i:\baccess violation\b)"),
    (("error", "exception"), r"\b[A-Z]\w{0,80}(?:Error|Exception)(?: \[\w{1,40}\])?: |\b[A-Z]\w{0,60}::(?:[A-Z]\w{0,60}::){0,9}(?:Error|Exception): "),
    (_WORDS, r"(?<![\w\-/.])(?:ERRORS?|FATAL|CRITICAL|SEVERE|PANIC|EMERG(?:ENCY)?|FAIL|FAILED|FAILURES?)(?![\w\-/=]|\.\w)"),
)  # fmt: skip
"""Patterns that prove an error whatever else the line contains. Each match contains one of the pattern's texts, in lower case."""

_LEVELS = (
    (("level", "lvl", "severity", "@l"),
     (r"(?i:(?<![\w.\-])\"?(?:log[._]?)?(?:level|lvl|levelname|level_name|severity|@l)\"?\s{0,3}[:=]\s{0,3}[\"']?"
     r"(?:err(?:or)?|eror|fatal|d?panic|crit(?:ical)?|emerg(?:ency)?|alert|severe|[56]0)(?![\w.]))")),
    (('"priority"',), r"\"PRIORITY\"\s{0,3}:\s{0,3}\"[0-3]\""),
    ((*_WORDS, "(ee)"),
     r"(?i:[\[<(]\s{0,9}(?:err(?:or)?|fatal|crit(?:ical)?|alert|emerg|panic|severe|ee)\s{0,9}[\])>])"),
    (("[e]", "[f]", "[e ", "[f "), r"\[[EF](?:\]| \d)"),
)  # fmt: skip
"""Patterns of log levels: as key and value, and in brackets."""

_WEAK = (
    (_WORDS,
     (r"(?i:(?<![\w\-/.$@])(?<!::)(?:errors?|error\(s\)|fatal|failed|failures?|exceptions?|panic(?:ked)?|traceback|crashed|critical(?=:))"
     r"(?![\w\-/(]|\.\w|::))|\bERR\b")),
    (("error", "exception"), r"\b[A-Z]\w{0,80}(?:Error|Exception)\b(?![\w/(<$]|[.\-][\w<]|::)"),
    (("undefined", "unresolved"), r"(?i:\bundefined (?:reference|symbol)\b|\bunresolved external)"),
    (("not found", "no such", "denied", "refused", "no space", "too many"),
     (r"(?i:\b(?:command|module) not found\b|\bno such file or directory\b|\bpermission denied\b|\bconnection refused\b"
     r"|\bno space left on device\b|\btoo many open files\b)")),
    (("cannot", "could not", "unable"),
     (r"(?i:\bcannot (?:allocate memory|access|find (?:module|symbol|package))\b|\bcannot find -l|\bcould not (?:resolve|find|open|connect)\b"
     r"|\bunable to (?:connect|locate|find|open|resolve|access)\b)")),
    (("is currently not", "style issues", "at line"),
     (r"(?i:\bis currently not installed\b|\bcode style issues found in\b"
     r"|\b(?:found (?:character|undefined)|did not find expected|could not find expected|mapping values) .{1,200} at line \d{1,9} column \d)")),
    (("uncaught", "failing", "exit", "non-zero"),
     (r"(?i:\buncaught\b|(?<![\w.])[1-9]\d{0,9} failing\b|\bexit(?:ed)?(?: with)? (?:code|status)[ :=]{1,3}[1-9]"
     r"|\bnon-zero (?:exit|status|code))")),
    (("code=", "signal", "unreachable=", "timed out", "maximum execution"),
     (r"(?i:\bcode=(?:killed|dumped|exited, status=[1-9])|\bkilled by signal\b|\bsignal: (?:killed|aborted|segmentation)|\bunreachable=[1-9]"
     r"|\b(?:connection|operation|request|job|test|build|command|process) (?:has )?timed out\b|\bexceeded the maximum execution\b)")),
)  # fmt: skip
"""Patterns that report an error unless the line says that there is none."""

_FIRST = re.compile(
    r"[EF]\d{4} \d\d:\d\d:|[EF]/\w|\d\d-\d\d [\d:.]{1,20}\s{1,9}\d{1,9}\s{1,9}\d{1,9} [EF] "  # klog, Android
    r"|\s{0,20}(?:not ok \d|--- FAIL|[✖✗✘✕❌\u00d7\u2a2f]\s)|\w{1,20}(?:\[\d{1,9}\])?: \*\*\* |(?:Killed|Aborted|Alarm clock)\s{0,9}(?:\(|$)"
    r"|E {3,20}\S|CONFLICT \(|e: (?:file:/)?/|[\w./\-]{1,200}\.go:\d{1,9}:\d{1,9}: "
    # jest's; of what it shows in this form without a failure, and of systemd's units
    r"|(?: {2}● (?!(?:Console|Deprecation Warning|Validation Warning)\b|\S{1,100}\.\w{1,20}\b)|● .{1,200}? \u203a )\S"
)
"""Patterns of the beginning of a line that reports an error."""

_Table = tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]


def _compiled(*tables: tuple[tuple[tuple[str, ...], str], ...]) -> _Table:
    return tuple((signs, re.compile(pattern)) for table in tables for signs, pattern in table)


_TABLES = (_compiled(_SURE), _compiled(_LEVELS), _compiled(_WEAK))

SIGNS = tuple({sign for table in _TABLES for signs, _ in table for sign in signs})
"""Each line that reports an error contains one of these texts, in lower case, or matches `_FIRST`."""

_NONE = re.compile(
    r"(?i:(?<![\w.,=:])(?:0|no|zero|without|not|any)(?:[ \t]{1,3}(?:an?|any))?(?:[ \t]{1,3}[\w\-]{1,40}){0,2}?[ \t]{1,3}"
    r"(?:errors?|failed|fail|failures?|failing|exceptions?|panics?|fatal|crashed|critical)\b(?:\(s\))?(?:[ \t]{1,3}(?:errors?|failures?|exceptions?)\b)?"
    r"|\b(?:errors?|fail|failed|failures?|failing|exceptions?|fatal|panics?|crashed|critical)(?:\(s\))?[\"')\]]{0,2}\s{0,5}[:=(]?\s{0,5}"
    r"[\"'\[{(]{0,2}(?<=[:=(\s\"'])(?:0+|none|null|<?nil|false|no|undefined)(?![\w.\-]|[ \t]{1,3}[a-z]|,\d)"
    r"|\b(?:errors?|fail|failed|failures?|exceptions?)=0(?![\w.,\-])|\blicense exceptions?\b"
    r"|\b(?:errors?|failed|failures?)[:=]\s{0,9}0 (?:tests?|errors?|failures?|specs?|examples?|cases?)\b"
    r"|\b(?:errors?|fail|failed|failures?|exceptions?|crashed)[ \t]{1,3}(?:counts?|found|tests?|total|detected|reported|messages?|cases?|jobs?|steps?"
    r"|checks?|requests?|rows?|files?|items?|records?|tasks?|so far|logged|encountered|per \w{1,10})[ \t]{0,3}(?:[:=]|is|are)?[ \t]{0,3}"
    r"(?:0+|none)(?![\w.\-]|,\d)"
    r"|^\s{0,20}(?:compiling|checking|download(?:ing|ed)|documenting|fresh|adding|collecting|installing|fetch(?:ing|ed)) \S{1,80} v?\d"
    r"|\b(?:errors?|fail|failed|failures?|exceptions?)[\"']?\s{0,5}[:=]\s{0,5}(?:\"\"|''|\[\]|\{\}|-?\d{0,9}\.\d{1,20}(?:e[+\-]?\d{1,3})?(?=[\s,;)\]}%]|$))"
    r"|\b(?:errors?|failed|failures?|passed|skipped|crashed)[ \t]{1,40}0\b(?!\.)"
    r"|\b(?:if|when|on|in case of|ignor\w{0,9}|handl\w{0,9}|report\w{0,9}|check\w{0,9}(?: for)?|for|possible|potential|expected|catch\w{0,9}"
    r"|suppress\w{0,9}|recover\w{0,9} from)[ \t]{1,3}(?:an?[ \t]{1,3}|the[ \t]{1,3}|any[ \t]{1,3})?(?:errors?|exceptions?|failures?)\b(?![:\]])"
    r"|\bwarnings?[ \t]{1,3}(?:(?:are[ \t]{1,3}|being[ \t]{1,3})?treated[ \t]{1,3})?(?:as|into|to)[ \t]{1,3}errors?\b"
    r"|\b(?:errors?|exceptions?|failures?)[ \t]{1,3}(?:handl\w{0,9}|report\w{0,9}|messages\b(?!:)|check\w{0,9}|correct\w{0,9}|log(?:s|ging|file)?|rates?|pages?"
    r"|budgets?|tolerance|margin|codes?[ :=]{1,3}0\b)"
    r"|\blog[_ \-]?level\b[\"']?\s{0,3}(?:[:=]|set to|is|to)?\s{0,3}[\"']?(?:error|fatal|critical|panic)(?=[\"']?$)"
    r"|\b(?:class|import|extends|implements|throws|except|catch)\b[ \t({]{1,3}[\w., ]{1,80}(?:\([\w., ]{1,80}\))?)"
)
"""Phrases that say that there is no error, or that only mention errors."""

_PASSED = re.compile(
    r"\b(?:PASSED|SKIPPED|XFAIL|XPASS)\b(?:\s{0,40}\[\s{0,3}\d{1,3}%\])?\s{0,9}$|\.\.\. {0,3}(?:ok|skipped|ignored)\b"
    r"|\bms OK\s{0,9}$|^\s{0,40}(?:[✓✔√]|\[\+\] |\[ (?:RUN|      OK|  SKIPPED) {1,9}\] |ok \d|--- (?:PASS|SKIP)|PASS\b)"
)
"""A test that has passed, whatever its name."""

_HARMLESS = re.compile(
    r"(?i:(?:level|lvl|levelname|severity|@l)\"?\s{0,3}[:=]\s{0,3}[\"']?(?:trace|debug|info(?:rmation)?|notice|warn(?:ing)?|[1-4]0)\b"
    r"|\[\s{0,9}(?:trace|debug|info|notice|warn(?:ing)?)\s{0,9}\])|^info \S|^.{0,80}?\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING)\b"
)
"""A level below that of an error."""


def passed(line: str) -> bool:
    """Whether a line says that a test has passed."""
    return _PASSED.search(line) is not None


def says_none(line: str) -> bool:
    """Whether the message of an error record only says that there is no error (`0 failed`)."""
    return _NONE.match(line) is not None and not reports_error(line)


def reports_error(line: str, before: int = sys.maxsize) -> bool:
    """Whether a line reports an error, in words that begin before the index `before`."""
    match = next(find(line), None)
    return match is not None and match.start() < before


def find(line: str) -> Iterator[re.Match[str]]:
    """Yield the first match of the words that report an error; nothing, if the line reports none."""
    first, small = _FIRST.match(line), line.lower()
    if first is None:
        for sign in SIGNS:  # most lines have none
            if sign in small:
                break
        else:
            return
    if _PASSED.search(line):
        return
    if first is not None:
        yield first
        return
    sure, levels, weak = (
        [pattern for signs, pattern in table if any(sign in small for sign in signs)] for table in _TABLES
    )
    wanted = sure + levels
    if not _HARMLESS.search(line) or any(pattern.search(line) for pattern in levels):
        wanted += weak
    said = _NONE.sub(lambda none: " " * len(none[0]), line) if any(pattern.search(line) for pattern in wanted) else ""
    if matches := [match for pattern in wanted if (match := pattern.search(said))]:
        yield min(matches, key=lambda match: match.start())
