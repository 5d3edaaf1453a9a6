"""The decision which lines belong to a problem of several lines, such as a stack trace. No I/O.

For each line behind the first, a function of the problem's *mode* says whether the line belongs to the problem, does not, or may: it does
if a later line does. A problem has a bounded number of lines, and what is kept of it has a bounded size.

The first line is recognised by `beginnings`. Line numbers and prefixes are the business of `problems`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from .forms import MAX_MESSAGE, Problem, placed

MAX_LINES = 5000
"""The limit of lines of one problem."""

MAX_MAYBE = 12
"""The limit of lines that may belong to a problem while this is not known."""


class Part(Enum):
    """Whether a line belongs to the problem before it."""

    YES = "it belongs to it"
    LAST = "it belongs to it, and is its last line"
    MAYBE = "it belongs to it if a later one does"
    NO = "it does not, and the problem has ended"


@dataclass(slots=True)
class Trace:
    """A problem that may have more lines. `mode`: a key of `_MODES`; `state`, `lead`: what the function of this mode remembers."""

    problem: Problem
    mode: str
    state: str = ""
    lead: str = ""
    count: int = field(default=1)
    """The number of lines that were examined."""

    def part(self, text: str) -> Part:
        """Whether the next line belongs to the problem. `text`: the line without its prefixes."""
        self.count += 1
        return Part.NO if self.count > MAX_LINES else _MODES[self.mode](self, text)

    def set_message(self, message: str) -> None:
        """Replace the message by that of a later line."""
        if message := message.strip():
            self.problem.message = message[:MAX_MESSAGE]

    def set_place(self, file: str, row: str, column: str | None = None) -> None:
        """Set the place in the sources to that in a later line."""
        self.problem.file, self.problem.row = file[:MAX_MESSAGE], int(row)
        self.problem.column = int(column) if column else None


EXCEPTION = re.compile(
    r"(?P<before>\s{0,40}(?:Exception in thread \".{0,200}?\" |Unhandled [eE]xception(?:\.|:) {0,2}|Uncaught (?:\(in promise\) )?|\[?(?:\w{1,20}\] )|"
    r"\(node:\d{1,9}\) )?)(?P<text>(?:[A-Za-z_$][\w$]{0,100}[./:\\]{1,2}){0,20}(?:[A-Z][\w$]{0,100})?(?:Exception|Error|Throwable|Failure|Panic)(?: \[\w{1,60}\])?(?::(?: .*)?|\s{0,3}))$",
    re.DOTALL,
)
_NUMBER = r"(\d{1,9})"
_FRAME = re.compile(
    r"\s{1,80}at (?:\S.{0,500})|\s{0,80}\.\.\. \d{1,9} (?:more|common frames omitted)|\s{0,40}(?:Caused by|Suppressed): .*|\s{1,40}---> .*|\s{1,40}--- End of .*"
    r"|\s{1,40}from \S.{0,500}:\d{1,9}:in .*|\s{0,40}[\w./\-]{1,300}\.rb:\d{1,9}:in ['`].*"
    r"|(?:PHP )?\s{0,20}(?:Stack trace:|#\d{1,5} (?:\S{1,300}\(\d{1,9}\)|\{main\}|\[internal function\]).*|thrown in .*|\d{1,5}\. [\w\\{].{0,300}:\d{1,9})$"
    r"|\s{1,40}(?:\([\w.\- ]{1,80}\) )?[\w./\-]{1,300}\.exs?:\d{1,9}: .*|\s{0,20}\[?(?:stacktrace|Stack trace|STACKTRACE):?\]?\s{0,9}$"
    r"|\s{1,40}(?:errno|code|syscall|path|generatedMessage|actual|expected|operator|cause|address|port|diff|\[cause\]|requireStack): .{0,2000}|\}\s{0,3}$|Node\.js v\d.{0,40}$",
    re.DOTALL,
)  # fmt: skip
_FRAME_PLACE = re.compile(
    r"\s{1,80}at (?:.{0,300}?\()?(?:file://)?((?:[A-Za-z]:)?[^\s():]{1,300}\.(?:java|kt|scala|groovy|[cm]?[jt]sx?|vue|clj))" + rf":{_NUMBER}(?::{_NUMBER})?\)?"
    r"|\s{1,80}at .{0,500}? in ((?:[A-Za-z]:)?[^\s:]{1,300}):line " + _NUMBER
    + r"|\s{1,40}(?:from )?([\w./\-]{1,300}\.(?:rb|exs?))" + rf":{_NUMBER}:"
    + r"|(?:PHP )?\s{0,20}thrown in (\S{1,300}) on line " + _NUMBER
)  # fmt: skip
_FOREIGN = re.compile(
    r"node:|node_modules|internal/|site-packages|dist-packages|/lib/python\d|<frozen|<string>|/runtime/|/src/testing/|/rustc/|\.cargo/registry"
)
_ELSEWHERE = re.compile(
    r"\s{1,80}at (?:java\.|javax\.|jdk\.|sun\.|org\.junit|org\.gradle|org\.apache\.maven|org\.hamcrest|org\.assertj|kotlin\.|scala\.|junit\.)"
)


def _frames(trace: Trace, text: str) -> Part:
    """Java's, JavaScript's, .NET's, Ruby's, PHP's: of the frames those tell where it was that are not of a library."""
    if _FRAME.match(text) is None:
        if (
            trace.state == "head"
            and trace.mode == "exception"
            and EXCEPTION.match(text) is None
            and len(text) < MAX_MESSAGE
        ):
            return Part.MAYBE  # the message has several lines
        return Part.MAYBE if not text.strip() and trace.state == "frames" and trace.mode == "exception" else Part.NO
    if text.startswith(("}", "Node.js")) and (trace.state != "frames" or trace.lead != "{"):
        return Part.NO
    trace.state = "frames"
    if trace.problem.kind in ("text", "log"):
        trace.problem.kind = "exception"
    if text.rstrip().endswith("{"):
        trace.lead = "{"
    place = _FRAME_PLACE.match(text)
    if place is not None and trace.problem.row is None and not _FOREIGN.search(text) and not _ELSEWHERE.match(text):
        file, row = next((place[n], n) for n in (1, 4, 6, 8) if place[n] is not None)
        trace.set_place(file, place[row + 1], place[3] if row == 1 else None)
    return Part.YES


_FILE = re.compile(r"\s{0,80}(?:\|\s{1,9})?File \"(.{1,400}?)\", line " + _NUMBER)
_RAISED = re.compile(
    r"(?:[A-Za-z_][\w]{0,100}\.){0,20}(?:[A-Za-z_]\w{0,100}:(?: .*|$)|[A-Z]\w{0,100}\s{0,3}$|(?:exit|quit)$)", re.DOTALL
)


def _python(trace: Trace, text: str) -> Part:
    """Frames, the exception, and what it was raised in the handling of, or because of."""
    lead = trace.lead.rstrip()
    if lead and text.startswith(lead):
        text = text[len(trace.lead) :]
    elif lead.startswith("|") or not lead:
        text = text.removeprefix(trace.lead)
    bare = text.strip()
    if trace.state == "frames":
        if (place := _FILE.match(text)) is not None:
            if trace.problem.row is None or not _FOREIGN.search(place[1]):
                trace.set_place(place[1], place[2])
            return Part.YES
        if text[:1] in (" ", "\t") or bare == "^" or not bare:
            return Part.YES if bare else Part.MAYBE
        if _RAISED.match(text) is None:
            return Part.MAYBE
        trace.set_message(text)
        trace.state = "raised"
        return Part.YES
    if bare.startswith(("During handling of the above", "The above exception was the direct cause")):
        trace.state = "chain"
        return Part.YES
    if trace.state == "chain" and "Traceback (most recent call last)" in bare:
        trace.state, trace.problem.row = "frames", None
        return Part.YES
    return Part.NO if bare else Part.MAYBE


def _group(trace: Trace, text: str) -> Part:
    """An exception group of Python's: its lines are all in a box."""
    bare = text.strip()
    if not bare.startswith(("|", "+")):
        return Part.NO
    if (place := _FILE.match(text)) is not None and trace.problem.row is None:
        trace.set_place(place[1], place[2])
    if trace.state == "" and re.match(r"\| [\w.]{1,200}(?:Group|Error|Exception)\b", bare):
        trace.state = "message"
        trace.set_message(bare[2:])
    return Part.YES


_GO_FRAME = re.compile(r"\t([^\s:]{1,300}\.go):" + _NUMBER)
_GO_LINE = re.compile(
    r"goroutine \d{1,12} \[|\s{0,9}\[signal |[\w./*()\-\[\]{}·%,~]{1,300}\(.*\)(?: \+0x[0-9a-f]{1,16})?$|created by |\tpanic: |\s{1,9}panic: |\.\.\.additional frames|runtime stack:|main\.main\(\)$"
    r"|(?:r\w{1,3}|e?flags|[cdefgs]s|trap|error|pc|sp|lr|cr|x\d{1,2}|fault)\s{1,9}0x[0-9a-f]{1,16}"
)  # fmt: skip


def _go(trace: Trace, text: str) -> Part:
    """A panic of Go: all goroutines."""
    if (place := _GO_FRAME.match(text)) is not None:
        if trace.problem.row is None and not _FOREIGN.search(text) and not re.search(r"/(?:go|libexec)/src/", text):
            trace.set_place(place[1], place[2])
        return Part.YES
    if not text.strip():
        return Part.MAYBE
    if _GO_LINE.match(text) is not None:
        trace.state = "frames"
        return Part.YES
    if text.startswith("exit status ") and trace.state:
        return Part.LAST
    return Part.NO if trace.state else Part.MAYBE  # the message has several lines


def _rust(trace: Trace, text: str) -> Part:
    """A panic of Rust: its message, and its frames."""
    if trace.state == "head":
        trace.set_message(text)
        trace.state = "message"
        return Part.YES
    if text.startswith("note: ") or re.match(r"stack backtrace:|\s{1,9}\d{1,5}: |\s{4,40}at ", text):
        return Part.YES
    return Part.NO if not re.match(r"\s{0,3}(?:left|right): ", text) else Part.YES


_CODE = re.compile(
    r"\s{0,20}(?:\d{1,9}\s{0,3})?[|│](?:\s|$)|\s{0,20}\d{0,9}\s{0,3}(?:\^|~)[\^~\-]{0,300}\s{0,9}(?:\S.{0,200})?$|\s{1,20}= (?:note|help): |\s{0,9}\.\.\.$|\s{1,20}::: "
)


def _code(trace: Trace, text: str) -> Part:
    """What a compiler shows of the sources: lines of them, and marks below. `lead`: the level that is in front of each of them."""
    if trace.lead:
        if not text.startswith(trace.lead):
            return Part.NO
        text = text[len(trace.lead) :]
        if text[:1] == " " and text.strip():
            return Part.YES
        if placed(text, trace.problem.level) is not None:
            return Part.NO  # the next message
        if trace.state == "" and text.strip() and _CODE.match(text) is None:
            trace.state = "code"  # the line of the source, of which a mark tells where
            return Part.MAYBE
    if trace.problem.row is None and (
        place := re.match(r"\s{0,20}(?:--> |╭─\[|┌─ |,-\[)(.{1,300}?):(\d{1,9})(?::(\d{1,9}))?", text)
    ):
        trace.set_place(place[1], place[2], place[3])
        trace.state, trace.problem.kind = "placed", "compiler"
        return Part.YES
    if _CODE.match(text) is not None or (trace.state == "note" and text.startswith("        ") and text.strip()):
        trace.state = "note" if text.lstrip(" ").startswith("= note: ") or trace.state == "note" else "placed"
        return Part.YES
    if trace.problem.kind == "compiler" and trace.state == "" and text[:1] in (" ", "\t") and text.strip():
        trace.state = "code"  # the line of the source, of which a mark tells where
        return Part.MAYBE
    return Part.NO


def _indented(trace: Trace, text: str) -> Part:
    """A message that stands in the lines below, further to the right."""
    bare = text.strip()
    if not bare:
        return Part.MAYBE
    if text[:1] not in (" ", "\t", "|"):
        return Part.NO
    if not trace.state:
        trace.state = "message"
        trace.set_message(bare.lstrip("•* "))
    return Part.YES


def _next(trace: Trace, text: str) -> Part:
    """A message in the next line."""
    trace.set_message(text)
    if (
        (place := re.search(r"\((\d{1,9}):(\d{1,9})\)", text)) is not None
        and trace.problem.row is None
        and trace.problem.file
    ):
        trace.set_place(trace.problem.file, place[1], place[2])
    return Part.LAST if text.strip() else Part.NO


_BLOCK_FRAME = re.compile(
    r"\s{1,40}(?:at (?:.{0,300}?\()?|\u276f (?:[\w.<>$ ]{1,200} )?)(?:file://)?((?:[A-Za-z]:)?[^\s():]{1,300}):"
    rf"{_NUMBER}:{_NUMBER}\)?"
)


def _block(trace: Trace, text: str) -> Part:
    """A failed test as jest and vitest show it: a message, some lines of the source, frames."""
    bare = text.strip()
    if re.match(r"\s{0,4}● |(?:PASS|FAIL) |Test Suites:|Tests:|\s{0,2}(?:Test Files|FAIL) |⎯{3}", text):
        return Part.LAST if bare.startswith("⎯") and not bare.strip("⎯").strip() else Part.NO
    if not bare:
        return Part.MAYBE
    if (place := _BLOCK_FRAME.match(text)) is not None and (trace.problem.row is None) and not _FOREIGN.search(text):
        trace.set_place(place[1], place[2], place[3])
    if text[:1] not in (" ", "\t", "-", "+") and (trace.mode == "jest" or trace.problem.row is not None):
        return Part.NO
    if not trace.state:
        trace.state = "message"
        trace.set_message(f"{trace.problem.message}: {bare}")
    return Part.YES


def _pytest(trace: Trace, text: str) -> Part:
    """Lines in which pytest tells what did not hold, and the place below."""
    if re.match(r"E(?: |$)", text):
        return Part.YES
    if not text.strip():
        return Part.MAYBE
    if (place := re.match(r"([^\s:]{1,300}\.py\w?):" + _NUMBER + r": ?(?:[\w.]{0,100})$", text)) is not None:
        trace.set_place(place[1], place[2])
        return Part.LAST
    return Part.NO


def _go_test(trace: Trace, text: str) -> Part:
    """What a test of Go has printed."""
    if not re.match(r"\s{4,40}\S", text) or re.match(r"\s{0,40}--- ", text):
        return Part.NO
    if (
        place := re.match(r"\s{4,40}([\w.\-]{1,200}\.go):" + _NUMBER + r": ?(.*)", text, re.DOTALL)
    ) and trace.problem.row is None:
        trace.set_place(place[1], place[2])
        trace.set_message(f"{trace.problem.message}: {place[3]}" if place[3] else trace.problem.message)
    return Part.YES


def _tap(trace: Trace, text: str) -> Part:
    """The YAML below a test of TAP."""
    bare = text.strip()
    if trace.state == "":
        trace.state = "yaml"
        return Part.YES if bare == "---" else Part.NO
    if bare == "...":
        return Part.LAST
    if match := re.match(
        r"\s{1,40}(?:at|location|file): ['\"]?(?:.{0,200}?\()?(?:file://)?([^\s'\"():]{1,300}):"
        rf"{_NUMBER}(?::{_NUMBER})?",
        text,
    ):
        trace.set_place(match[1], match[2], match[3])
    return Part.YES if text[:1] in (" ", "\t") or not bare else Part.NO


def _until(end: str, limit: int, message: str) -> Callable[[Trace, str], Part]:
    ends, begins = re.compile(end), re.compile(message)

    def part(trace: Trace, text: str) -> Part:
        if ends.match(text):
            return Part.LAST
        if trace.state == "next" and text.strip():
            trace.state = "message"
            trace.set_message(text.removeprefix("│").removeprefix(">"))
        if trace.state == "" and begins.match(text):
            trace.state = "next"
        if trace.problem.row is None and (
            place := re.match(
                r"\s{0,20}#\d{1,4} 0x[0-9a-f]{1,16} in .{0,300}? (/[^\s:]{1,300}):(\d{1,9})(?::(\d{1,9}))?", text
            )
            or re.match(r"\s{2,20}(/[^\s:]{1,300}\.go):(\d{1,9}) \+0x", text)
            or re.match(r"│\s{1,9}on (\S{1,300}) line (\d{1,9})", text)
        ):
            trace.set_place(place[1], place[2], place[3] if place.re.groups > 2 else None)
        return Part.YES if trace.count < limit else Part.NO

    return part


def _npm(trace: Trace, text: str) -> Part:
    """What npm tells of one failure."""
    match = re.match(r"npm (?:ERR!|error) ?(.*)", text, re.DOTALL)
    if match is None:
        return Part.NO
    if re.match(r"(?:code|errno|syscall|path|dest|command|lifecycle|workspace|location)\b", trace.problem.message):
        trace.set_message(match[1])
    return Part.YES


def _npm_warning(trace: Trace, text: str) -> Part:
    """What npm warns of in several lines: engines, peers, an old lock file."""
    match = re.match(r"npm (?:WARN|warn)\b ?(.*)", text, re.DOTALL)
    if match is None:
        return Part.NO
    rest = match[1]
    if rest.startswith(trace.lead):
        rest = rest[len(trace.lead) :]
        return Part.YES if trace.lead[0] != "E" or rest.startswith(("  ", " }")) else Part.NO
    peers = trace.lead == "ERESOLVE" and not re.match(r"deprecated |[A-Z]{3,20} |using |config ", rest)
    return Part.YES if peers else Part.NO


def _source(trace: Trace, text: str) -> Part:
    """The line of the source that Python shows below a warning, two spaces further to the right."""
    return Part.LAST if text.startswith(f"{trace.lead}  ") and text.strip() else Part.NO


_JVM = re.compile(
    r"WARNING: (?:Illegal|Please consider|Use --|All illegal|If a |Restricted methods|Dynamic loading|Hidden|[A-Za-z][\w.]{0,80}(?:\.|::)\w{1,80}(?:\(.{0,80}\))? (?:has been|will be|in module))"
)


def _jvm(_: Trace, text: str) -> Part:
    """What a Java virtual machine adds to a warning of its own: each line says again that it is one."""
    return Part.YES if _JVM.match(text) is not None else Part.NO


def _console(trace: Trace, text: str) -> Part:
    """What a page has written to its console: the lines below, further to the right."""
    return _indented(trace, text) if text.strip() else Part.NO


_box = _until(r"[╵└]", 200, r"(?!)")

_MODES: dict[str, Callable[[Trace, str], Part]] = {
    "frames": _frames, "exception": _frames, "python": _python, "group": _group, "go": _go, "rust": _rust, "code": _code, "indented": _indented,
    "next": _next, "jest": _block, "vitest": _block, "pytest": _pytest, "gotest": _go_test, "tap": _tap, "npm": _npm, "npm warning": _npm_warning,
    "console": _console, "source": _source, "jvm": _jvm, "box": _box,
    "sanitizer": _until(r"==\d{1,9}==ABORTING|={10,}\s{0,9}$", 400, r"(?!)"),
    "race": _until(r"={10,}\s{0,9}$", 400, r"(?!)"),
    "gradle": _until(r"BUILD FAILED", 100, r"\* What went wrong:"),
}  # fmt: skip
