"""Problems of one line that have a known form: annotations of CI services, messages of compilers and tools, failed tests, exit codes. No I/O.

Each pattern starts at the beginning of the line's text, behind its prefixes (see `prefixes`), and has parts of bounded length, so the time is
linear in the length of the line. Levels are in `levels`, and lines with words only in `failures`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from .collecting import ERROR, NOTICE, WARNING

MAX_MESSAGE = 500
"""The limit of a message, and of a file's name, in characters."""


@dataclass(slots=True)
class Problem:
    """A problem. `level`: one of `collecting.LEVELS`; `kind`: one of `KINDS`. `file`, `row`, `column` (counted from 1): the place in the sources, if known."""

    level: str
    message: str
    kind: str
    file: str | None = None
    row: int | None = None
    column: int | None = None


KINDS = ("annotation", "compiler", "exception", "crash", "log", "test", "tool", "exit", "text")
"""The kinds. `tool`: a program says that it has failed; `text`: words only."""

_PATH = r"(?P<file>(?:[A-Za-z]:)?(?:file://)?[^\s:()\[\]'\"<>|,=][^:()\[\]'\"<>|=\t]{0,300}?)"
_SEVERITY = r"(?P<level>(?i:fatal error|internal compiler error|catastrophic error|error|warning|fatal|warn|hint|info|note|remark|message|style|performance|portability))"

_WARNING_WORDS = ("warning", "warn", "w", "deprecated", "r", "c", "⚠", "style", "performance", "portability")
_NO_PROBLEM = ("note", "info", "hint", "remark", "message", "information")


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None


def _level(word: str) -> str | None:
    word = word.lower()
    return None if word in _NO_PROBLEM else WARNING if word in _WARNING_WORDS else ERROR  # `w`: Kotlin's


def _annotation(match: re.Match[str]) -> Problem:
    """A workflow command of GitHub, such as `::error file=a.c::text`."""
    options = {
        key.strip().lower(): unquote(value) for key, _, value in (part.partition("=") for part in (match["options"] or "").split(","))
    }  # fmt: skip
    level = {"warning": WARNING, "notice": NOTICE}.get(match["level"], ERROR)
    message = (
        unquote(match["text"].replace("%0A", " ").replace("%0D", "")) if match["text"] else options.get("title", "")
    )
    file = options.get("file") or None
    return Problem(
        level, message or match["level"], "annotation", file, _number(options.get("line")),
        _number(options.get("col") or options.get("column")),
    )  # fmt: skip


def _issue(match: re.Match[str]) -> Problem | None:
    """A logging command of Azure, such as `##vso[task.logissue type=error]text`."""
    options = {
        key.strip().lower(): value.strip() for key, _, value in (part.partition("=") for part in match["options"].split(";"))
    }  # fmt: skip
    if match["command"] == "task.complete":
        if options.get("result", "").lower() not in ("failed", "succeededwithissues"):
            return None
        return Problem(
            ERROR if options["result"].lower() == "failed" else WARNING,
            match["text"] or "the task failed",
            "annotation",
        )
    level = WARNING if options.get("type", "").lower() == "warning" else ERROR
    return Problem(
        level, match["text"], "annotation", options.get("sourcepath") or None, _number(options.get("linenumber")),
        _number(options.get("columnnumber")),
    )  # fmt: skip


def _logged(match: re.Match[str]) -> Problem | None:
    """A line with `##[error]`; its text may have a form with more details."""
    text = match["text"]
    level = {"warning": WARNING, "notice": NOTICE}.get(match["level"], ERROR)
    inner = find(text) if text and "##[" not in text[:20] else None
    if inner is not None and inner.kind != "annotation":
        return Problem(
            level, inner.message, "exit" if inner.kind == "exit" else "annotation", inner.file, inner.row, inner.column
        )
    return Problem(level, text or match["level"], "annotation")


def _compiled(match: re.Match[str]) -> Problem | None:
    """A compiler's message with a place in the sources; None: it is only a note."""
    groups = match.groupdict()
    level = groups.get("fixed") or _level(groups.get("level") or "error")
    if level is None:
        return None
    file = match["file"].removeprefix("file://").strip()
    code = groups.get("code")
    text = match["text"].strip()
    if "level" not in groups and code:
        level = WARNING if code[0] in "WCRNDIS" and not code.startswith(("SIM", "S1")) else ERROR
        text = f"{code} {text}"
    elif code and code not in text:
        text = f"{code}: {text}" if text else code
    return Problem(level, text, "compiler", file or None, _number(groups.get("row")), _number(groups.get("column")))


def _summed_up(match: re.Match[str]) -> Problem | None:
    """A linter's summary of its errors and warnings; None: it counts none."""
    errors, warnings = int(match["errors"]), int(match["warnings"])
    return Problem(ERROR if errors else WARNING, match["text"], "test") if errors or warnings else None


def _fixed(level: str, kind: str) -> Callable[[re.Match[str]], Problem]:
    def make(match: re.Match[str]) -> Problem:
        groups = match.groupdict()
        return Problem(
            level, (groups.get("text") or match[0]).strip(), kind, groups.get("file") or None, _number(groups.get("row")),
            _number(groups.get("column")),
        )  # fmt: skip

    return make


def _flagged(kind: str) -> Callable[[re.Match[str]], Problem | None]:
    def make(match: re.Match[str]) -> Problem | None:
        level = _level(match["level"])
        if level is None:
            return None
        groups = match.groupdict()
        text = match["text"].strip() or match[0].strip()
        return Problem(
            level, text, kind, groups.get("file") or None, _number(groups.get("row")), _number(groups.get("column"))
        )

    return make


_Make = Callable[[re.Match[str]], Problem | None]

_error_test, _error_tool, _error_exit, _error_crash = (
    _fixed(ERROR, kind) for kind in ("test", "tool", "exit", "crash")
)
_warning_tool = _fixed(WARNING, "tool")

_FORMS: tuple[tuple[str, _Make, str], ...] = (
    # Each with what its text has in small letters, a pattern, and what becomes of it. The first that is one wins.
    ("::", _annotation, r"\s{0,20}::(?P<level>error|warning|notice)(?: (?P<options>[^\n]{0,1000}?))?::(?P<text>.*)"),
    ("##vso[task.", _issue, r".{0,40}?##vso\[(?P<command>task\.logissue|task\.complete) ?(?P<options>[^\]]{0,1000})\](?P<text>.*)"),
    ("[", _logged, r"\s{0,20}##\[(?P<level>error|warning|notice)\](?P<text>.*)"),
    # Compilers and linters.
    ("):", _compiled, (rf"\s{{0,20}}{_PATH}\((?P<row>\d{{1,9}})(?:[,:](?P<column>\d{{1,9}}))?(?:[,\-:][\d,\-]{{1,30}})?\)[ ]?: ?(?:[\w ]{{0,30}}? )?{_SEVERITY}"
      r"(?:(?: |\[)(?P<code>(?:[A-Za-z]{1,12}[\-_]?|#)\d{1,6}(?:-D)?)\]?)?[ ]?: ?(?P<text>.*)")),
    ("):", _compiled, rf"\s{{0,20}}{_PATH}\((?P<row>\d{{1,9}})(?:[,:](?P<column>\d{{1,9}}))?\)[ ]?: (?P<code>[A-Z]{{1,4}}\d{{3,5}})[: ]{{1,2}}(?P<text>.*)"),
    (": runtime error: ", _fixed(ERROR, "crash"), rf"{_PATH}:(?P<row>\d{{1,9}}):(?P<column>\d{{1,9}}): runtime error: (?P<text>.*)"),
    (":", _compiled, (rf"\s{{0,20}}{_PATH}:(?P<row>\d{{1,9}})(?:[:.](?P<column>\d{{1,9}}))?(?:-[\d:]{{1,20}})?(?::| -) ?(?:\[[\w\-]{{1,30}}\] ?)?(?:\w{{1,20}} )?\[?{_SEVERITY}\]?"
      r"(?:[ \[]{1,2}(?P<code>[A-Za-z\-]{1,20}\d{1,6})\]?)?[ ]?(?::|$| -|(?<=\]))[ ]?(?P<text>.*)")),
    (":", _compiled, r"(?P<level>e|w|error|warn|warning|Error|ERROR|WARN|WARNING):? (?P<file>(?:file://)?[^\s:\[\]()]{1,300}\.\w{1,8}):(?:\[|[ ]\()?(?P<row>\d{1,9})(?:[:,] ?(?P<column>\d{1,9}))?[\])]?:? (?P<text>.*)"),
    (":", _compiled, (r"\s{0,20}(?P<file>[\w./\\\-@+ ]{1,200}\.(?:py|pyi|ipynb|rb|js|jsx|ts|tsx|c|cc|cpp|h|hpp|go|sh|yml|yaml|sql|css|md|rst|tf|php|html|pl|lua|ex|exs)):(?P<row>\d{1,9})(?::(?P<column>\d{1,9}))?:? "
      r"(?P<code>[A-Z]{1,5}\d{2,5})(?:\[\w{1,20}\])?[: ]{1,2}(?P<text>.*)")),
    ("line ", _compiled, (rf"\s{{0,20}}[\"'](?P<file>[^\"']{{1,300}})[\"'], line (?P<row>\d{{1,9}})(?:\.(?P<column>\d{{1,9}}))?: (?:[\w#\-]{{1,20}}: )?(?:\{{\w\}} )?{_SEVERITY}"
      r"(?: (?P<code>#?[\w\-]{1,12}))? ?: {0,3}(?P<text>.*)")),
    (": line ", _flagged("compiler"), r"(?P<file>[^\s:]{1,300}): line (?P<row>\d{1,9}), col (?P<column>\d{1,9}), (?P<level>Error|Warning) - (?P<text>.*)"),
    ("[", _flagged("compiler"), r"(?P<file>[\w./\\\-@]{1,300}\.\w{1,8}):(?P<row>\d{1,9})(?::(?P<column>\d{1,9}))?:? \[(?P<level>[ECWRF])(?:\d{1,5}[^\]]{0,100})?\] (?P<text>.*)"),
    ("ing in ", _flagged("compiler"), r"\d{1,6}\. (?P<level>ERROR|WARNING) in (?P<text>(?P<file>\S{1,300}) \(at line (?P<row>\d{1,9})\))"),
    ("warning: ", _fixed(WARNING, "compiler"), r"\s{0,20}(?P<file>(?:[A-Za-z]:)?[^\s:]{1,300}\.(?:py|rb|pyx)):(?P<row>\d{1,9}): (?P<text>(?:[\w.]{1,80}Warning|warning): .*)"),
    (".go:", _fixed(ERROR, "compiler"), r"(?:vet: )?(?P<file>(?:[A-Za-z]:)?[\w./\\\-@+]{1,300}\.go):(?P<row>\d{1,9}):(?P<column>\d{1,9}): (?!\s)(?P<text>(?!.{0,200}\b(?:INFO|DEBUG)\b).+)"),
    ("rl:", _fixed(ERROR, "compiler"), r"(?P<file>[\w./\-]{1,300}\.[eh]rl):(?P<row>\d{1,9}):(?:(?P<column>\d{1,9}):)? (?!(?i:warning)\b)(?P<text>\S.*)"),
    (":", _fixed(ERROR, "compiler"), r"\s{2}(?P<file>(?:\.{0,2}/|[A-Za-z]:\\)[^\s:]{1,300}\.(?:[cm]?[jt]sx?|vue)):(?P<row>\d{1,9}):(?P<column>\d{1,9}): (?P<text>\S.*)"),
    ("(severity: ", _fixed(WARNING, "compiler"), r"(?P<text>.{1,2000}? at line \d{1,9}, column \d{1,9}\..{0,300}\(Severity: [1-5]\))\s{0,3}$"),
    (".rb:", _flagged("compiler"), r"(?P<file>[\w./\-]{1,200}\.\w{1,8}):(?P<row>\d{1,9}):(?P<column>\d{1,9}): (?P<level>[EFCWR]): (?P<text>.*)"),
    (" ", _flagged("compiler"), r"\s{1,20}(?P<row>\d{1,7}):(?P<column>\d{1,6})\s{1,9}(?P<level>error|warning|✖|⚠)\s{1,9}(?P<text>\S.*)"),
    ("warning: ", _flagged("compiler"), r"(?P<row>\d{1,7}):(?P<column>\d{1,6})\s{1,9}(?P<level>Warning): (?P<text>\S.*)"),
    ("error: ", _flagged("compiler"), r"(?P<row>\d{1,7}):(?P<column>\d{1,6})\s{1,9}(?P<level>Error): (?P<text>\S.*)"),
    (" • ", _flagged("compiler"), r"\s{0,20}(?P<level>error|warning|info|hint) • (?P<text>.{1,2000}?) • (?P<file>[^\s•:]{1,300}):(?P<row>\d{1,9}):(?P<column>\d{1,9})\b"),
    ("warning - ", _flagged("compiler"), r"\s{0,20}(?P<level>warning) - (?P<file>[^\s:]{1,300}\.\w{1,8}):(?P<row>\d{1,9}):(?P<column>\d{1,9}) - (?P<text>.*)"),
    ("error - ", _flagged("compiler"), r"\s{0,20}(?P<level>error) - (?P<file>[^\s:]{1,300}\.\w{1,8}):(?P<row>\d{1,9}):(?P<column>\d{1,9}) - (?P<text>.*)"),
    ("]: (", _flagged("compiler"), r"\[(?P<file>[^\s\]:]{1,300}):(?P<row>\d{1,9})(?::\d{1,9})?\]: \((?P<level>error|warning|style|performance|portability|information)\) (?P<text>.*)"),
    ("^-", _flagged("compiler"), r"\s{0,200}\^-{1,200} ?(?P<text>SC\d{1,6} \((?P<level>error|warning|info|style)\): .*)"),
    ("(line ", _fixed(WARNING, "compiler"), r"\s{0,4}- (?P<text>[A-Z]\w{3,60}: .{1,1000} \(line \d{1,9}\))\s{0,3}$"),
    ("%warning", _flagged("compiler"), r"%(?P<level>Warning)(?:-\w{1,40})?: (?:(?P<file>[^\s:]{1,300}):(?P<row>\d{1,9}):(?:(?P<column>\d{1,9}):)? )?(?P<text>.*)"),
    ("%error", _flagged("compiler"), r"%(?P<level>Error)(?:-\w{1,40})?: (?:(?P<file>[^\s:]{1,300}):(?P<row>\d{1,9}):(?:(?P<column>\d{1,9}):)? )?(?P<text>.*)"),
    ("warning", _fixed(WARNING, "compiler"), r"Warning(?:\[\w{1,20}\]| \(\d{1,9}\)| \d{1,4}(?: \[[\w\-]{1,60}\])?): (?P<text>.*)"),
    (": undefined ", _fixed(ERROR, "compiler"), r"(?:[\w./\-+]{0,100}ld(?:\.\w{2,5})?(?:\.exe)?: )?(?P<file>[\w./\-+]{1,300}?):(?:(?P<row>\d{1,9}):|\([\w.+$\-\[\]]{1,200}\):) ?(?P<text>undefined (?:reference|symbol).*)"),
    ("line ", _fixed(ERROR, "tool"), r"(?P<file>[\w./\-]{1,200}): line (?P<row>\d{1,9}): (?P<text>(?!\s{0,9}\d{1,9} (?:Killed|Aborted|Segm|Bus)).*(?:not found|No such file|denied|syntax error|unbound variable|unexpected|cannot|invalid|ambiguous|expected).*)"),
    (" : ", _flagged("compiler"), (r"\s{0,20}(?:MSBUILD|LINK|CSC|CVTRES|EXEC|VBC|cl|(?P<file>(?:[A-Za-z]:)?[^:*?\"<>|]{1,300}\.\w{1,10})) : (?:[Cc]ommand line )?(?P<level>fatal error|error|warning) "
      r"(?P<text>(?:: )?(?<=: )\S.*|[A-Z]{1,8}\d{1,6} ?: .*)")),
    ("warn", _flagged("compiler"), r"\s{0,20}(?P<level>warn|warning)(?: ?:)? (?P<text>[A-Z]{1,8}\d{3,6}: .*)"),
    (" line ", _flagged("compiler"), r"(?:PHP )?(?P<level>(?i:fatal|parse|recoverable fatal|catchable fatal) error|Warning|Deprecated): {1,2}(?P<text>.{1,2000}?) in (?P<file>\S{1,300}?)(?: on line |:)(?P<row>\d{1,9})"),
    # Tests.
    ("test-unexpected", _error_test, r"(?:REFTEST )?TEST-UNEXPECTED-[A-Z\-]{1,20} \| (?:(?P<file>[^|\s]{1,300}) \| )?(?P<text>.*)"),
    ("process-crash", _error_crash, r"(?:REFTEST )?PROCESS-CRASH \| (?:(?P<file>[^|\s]{1,300}) \| )?(?P<text>.*)"),
    ("::", _error_test, r"(?:FAILED|ERROR) (?P<text>(?P<file>[\w./\-\\]{1,300}\.py)::.*)"),
    ("failed", _error_test, r"(?P<text>(?P<file>[\w./\-]{1,300}\.py)::\S{1,500}) (?:FAILED|ERROR)\b"),
    ("error", _error_test, r"ERROR (?:collecting )?(?P<text>(?P<file>[\w./\-\\]{1,300}\.py)\b.*)"),
    ("[-] ", _error_test, r"\s{0,60}\[-\] (?P<text>\S.*)"),
    ("not ok", _error_test, r"\s{0,40}not ok\b(?!.{0,400}# ?(?i:todo|skip)\b)(?: \d{1,9})?(?: -)? ?(?P<text>.*)"),
    ("--- fail", _error_test, r"\s{0,40}--- FAIL: (?P<text>.*)"),
    ("fail", _error_test, r"FAIL\t(?P<text>.*)"),
    ("failed", _error_test, r"test (?P<text>\S{1,300}(?: - should panic)?) \.\.\. FAILED"),
    ("fail", _error_test, r"\s{0,4}FAIL\s{1,3}(?:\|?[\w ]{0,20}\|?\s)?(?P<text>(?P<file>[\w./\-@]{1,300}\.\w{1,5})\b.*)"),
    ("fail", _error_test, r"(?:FAIL|ERROR): (?P<text>\w{1,200} \([\w.<>: ]{1,300}\).{0,500})$"),
    (" problem", _summed_up, r"\s{0,20}[✖✗✘✕\u00d7❌] (?P<text>\d{1,9} problems? \((?P<errors>\d{1,9}) errors?, (?P<warnings>\d{1,9}) warnings?\).*)"),
    ("", _error_test, r"\s{0,20}[✖✗✘✕\u00d7❌] (?!\d{1,9} problems? \(0 errors)(?P<text>\S.*)"),
    # Tools that have failed.
    ("flag provided", _error_tool, r"(?P<text>flag provided but not defined: .*)"),
    ("***", _error_tool, r"\w{0,20}make(?:\.exe)?(?:\[\d{1,9}\])?: \*\*\* (?P<text>\[(?:(?P<file>[^\s:\]]{1,200}):(?P<row>\d{1,9}): )?.*)"),
    ("***", _error_tool, r"(?P<file>[\w./\-]{1,200}):(?P<row>\d{1,9}): \*\*\* (?P<text>.*)"),
    ("***", _error_tool, r"\w{0,20}make(?:\.exe)?(?:\[\d{1,9}\])?: \*\*\* (?P<text>.*)"),
    ("fatal:", _error_tool, r"(?:remote: )?fatal: (?P<text>.*)"),
    ("e: ", _error_tool, r"E: (?P<text>\S.*)"),
    ("w: ", _warning_tool, r"W: (?P<text>\S.*)"),
    ("npm ", _flagged("tool"), r"(?:\S{1,60} )?npm (?P<level>(?i:warn|error))(?= )(?P<text>.*)"),
    ("javascript error: ", _fixed(ERROR, "exception"), r"(?:[^|]{0,60}\| )?JavaScript error: (?P<file>[^\s,]{1,300}), line (?P<row>\d{1,9}): (?P<text>.*)"),
    ("javascript warning: ", _fixed(WARNING, "compiler"), r"(?:[^|]{0,60}\| )?JavaScript warning: (?P<file>[^\s,]{1,300}), line (?P<row>\d{1,9}): (?P<text>.*)"),
    ("=> not found", _error_tool, r"\s{1,20}(?P<text>\S{1,200}\.so[\w.]{0,40} => not found)\s{0,3}$"),
    ("box (", _fixed(WARNING, "compiler"), r"(?P<text>(?:Over|Under)full \\[hv]box \(.*)"),
    ("slf4j(w)", _warning_tool, r"SLF4J\(W\): (?P<text>.*)"),
    ("... warning", _warning_tool, r"\* (?P<text>checking .{1,200} \.\.\. (?:\[[\w/. ]{1,30}\] )?WARNING)\s{0,3}$"),
    ("npm err!", _error_tool, r"npm ERR! ?(?P<text>.*)"),
    ("err_pnpm", _error_tool, r".{0,40}?\bERR_PNPM_\w{1,60}\s{1,9}(?P<text>.*)"),
    ("", _flagged("tool"), r"(?P<level>error|warning) (?P<text>(?:Command failed|An unexpected error|Couldn't find|Your lockfile|No lockfile|Workspaces|package\.json|.{1,100} > |\[\d/\d\]|Found incompatible|The engine).*)"),
    # Ends.
    ("exit code", _error_exit, r"(?P<text>(?:Error: )?Process (?:completed|exited) with (?:exit )?code -?[1-9]\d{0,9}\.?)"),
    ("exited with", _error_exit, r".{0,20}?(?P<text>(?:Error: )?The command (?:\".{0,500}\" |failed and )?exited with (?:status |code )?-?[1-9]\d{0,9}\.?)"),
    ("job failed", _error_exit, r"(?:ERROR: )?(?P<text>Job failed(?: \(.{1,40}\))?(?:: .*)?)$"),
    ("finished: ", _error_exit, r"(?P<text>Finished: (?:FAILURE|ABORTED))\s{0,9}$"),
    ("finished: unstable", _fixed(WARNING, "exit"), r"(?P<text>Finished: UNSTABLE)\s{0,9}$"),
)  # fmt: skip

_PLACED = re.compile(
    r"(?:(?P<path>(?:[A-Za-z]:)?[^:\[\]]{1,300}\.\w{1,8}):(?: \(|\[)(?P<line>\d{1,9})(?:, ?(?P<character>\d{1,9}))?[\])]:?"
    r"|(?P<file>(?:[A-Za-z]:)?[^\s:()\[\]'\"]{1,300}\.\w{1,8})(?::\[?|\()(?P<row>\d{1,9})(?:[:,](?P<column>\d{1,9}))?[\])]?:?) {0,2}(?P<text>\S.*)",
    re.DOTALL,
)


def placed(text: str, level: str) -> Problem | None:
    """A problem of `level` whose message begins with a place in the sources; None: the text does not begin so."""
    match = _PLACED.match(text)
    if match is None:
        return None
    file, row, column = (
        match.group("path", "line", "character") if match["path"] else match.group("file", "row", "column")
    )
    return Problem(level, match["text"].strip(), "compiler", file, _number(row), _number(column))


_TABLE = tuple((sign, make, re.compile(pattern, re.DOTALL)) for sign, make, pattern in _FORMS)


def find(text: str) -> Problem | None:
    """The problem whose form the text of a line has; None: it has no known form."""
    small = text.lower()
    for sign, make, pattern in _TABLE:
        if sign in small and (match := pattern.match(text)) is not None and (problem := make(match)) is not None:
            return problem
    return None
