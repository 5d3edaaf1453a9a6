"""The filter for terminals: text, colours, and effects within a line pass. No I/O.

Strangers write logs. A log must not set titles, answer queries, write to the clipboard of its reader, or
draw over other lines. So each sequence that is no colour (ECMA-48 section 8.3.117, SGR) is reduced to its effect within its line, such as
erasing or moving to a column, or removed.
"""

import codecs
import re

from livelog import ansi

MAX_SEQUENCE = 4096
"""Characters after which an unfinished control sequence counts as text."""

MAX_COUNT = 500
"""The limit of columns that one sequence moves the cursor over, and of characters that it repeats."""

_SEQUENCE = re.compile(
    ansi.SEQUENCE + r"|[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"  # single controls, but for \b \t \n \r
)

_BEGUN = re.compile(ansi.BEGUN)

_LAST = re.compile(r".?[\u0300-\u036f]*\Z", re.DOTALL)
"""The last character of a text, with its combining marks."""

_IN_LINE = "@CDGIPXZ`a"
"""The final bytes of CSI sequences that only affect their own line: inserting, moving within the line, deleting and erasing."""

_RESETS = {"\x1bc": "\x1b[m\r\x1b[2K", "\x1b[!p": "\x1b[m"}
"""The sequences that reset a terminal (RIS, DECSTR), and their effect on a line."""

RESET = b"\x1b[0m"
"""The sequence that restores the terminal's own colours."""


class Neutraliser:
    """Makes a stream of bytes harmless for a terminal. Pass each part in order to get what may be shown."""

    def __init__(self) -> None:
        self.coloured = False
        """Whether a colour was passed on, so that `RESET` is needed at the end."""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._last = ""
        self._saved = self._away = False

    def __call__(self, data: bytes, *, last: bool = False) -> bytes:
        """The part of `data` that may be shown. An unfinished sequence waits for the next part, unless this is the `last` one."""
        text = self._rest + self._decode(data, last)
        begun = None if last else _BEGUN.search(text, max(0, len(text) - MAX_SEQUENCE))
        stop = len(text) if begun is None else begun.start()
        self._rest = text[stop:]
        shown: list[str] = []
        place = 0
        for match in _SEQUENCE.finditer(text):  # all of it: a string may end where the next sequence begins
            if match.start() >= stop:
                break
            shown += self._text(text[place : match.start()]), self._let_through(match)
            place = match.end()
        shown.append(self._text(text[place:stop]))
        return "".join(shown).encode()

    def _text(self, text: str) -> str:
        """Text that is shown. A sequence behind it may repeat its last character."""
        if "\n" in text:
            text = text[text.index("\n") :] if self._away else text
            self._saved = self._away = False  # another line is another place
        elif self._away:
            text = ""
        self._last = _LAST.search(text[-9:])[0] or self._last  # type: ignore[index]  # it matches anything
        return text

    def _let_through(self, match: "re.Match[str]") -> str:
        """The replacement of a sequence."""
        before, self._last = self._last, ""
        parameters, final = match["parameters"], match["final"]
        if match[0] in ("\x1b7", "\x1b[s"):
            self._saved = True
            return "\x1b7"
        if match[0] in ("\x1b8", "\x1b[u"):
            self._away = False
            return "\x1b8" if self._saved else "\r"
        if match[0] in _RESETS:
            self.coloured = True
            return _RESETS[match[0]]
        if not final or match["intermediate"]:
            return ""
        if final == "m" and re.fullmatch("[0-9:;]*", parameters):
            self.coloured = True
            return match[0]
        if not re.fullmatch("[0-9;]*", parameters):
            return ""
        first, second, *_ = (min(int(number[:9] or 0), MAX_COUNT) for number in f"{parameters};".split(";"))
        self._away |= self._saved and final in "Hf" and first > 1  # a line of the screen, to come back from
        if self._away:
            return ""
        if final in _IN_LINE:
            return f"\x1b[{first or 1}{final}"
        if final in "JK" and first < 3:
            return f"\x1b[{first}K"  # of the screen only this line is the log's
        if final in "Hf":
            return f"\x1b[{second or 1}G"
        if final in "EF":
            return "\r"
        return before * (first or 1) if final == "b" and before.isprintable() else ""


def size(count: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.4g} TB"
