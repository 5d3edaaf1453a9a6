"""What may be shown on a terminal: text and colours, and nothing that makes it do something else. No I/O.

A log is written by strangers: it must not set titles, move the cursor, answer questions or write to the clipboard of
whoever looks at it. Refuses to interpret: what is not a colour (ECMA-48 section 8.3.117, SGR) is left out.
"""

import codecs
import re

MAX_SEQUENCE = 4096
"""Characters after which something that begins like a control sequence, and does not end, is taken for text."""

_SEQUENCE = re.compile(
    r"\x1b\[(?P<parameters>[0-?]*)(?P<intermediate>[ -/]*)(?P<final>[@-~])"  # CSI: colours are among these
    r"|\x1b[\]PX^_][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC: strings
    r"|\x1b[ -/]*[0-Z\\^-~]"  # other functions
    r"|[\x00-\x07\x0b\x0c\x0e-\x1a\x1b-\x1f\x7f-\x9f]"  # single controls, but for \b \t \n \r
)

_INCOMPLETE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\x9c\n]*\x1b?|[ -/]*)\Z")

RESET = b"\x1b[0m"
"""Back to the terminal's own colours."""


class Neutraliser:
    """Makes a stream of bytes harmless: call it with each part, in order, to get what may be shown of it."""

    def __init__(self) -> None:
        self.coloured = False
        """Whether a colour was let through: then `RESET` is due at the end."""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def __call__(self, data: bytes, *, last: bool = False) -> bytes:
        """What may be shown of `data`; a sequence that may go on in the next part waits, unless this is the `last`."""
        text = self._rest + self._decode(data, last)
        incomplete = None if last else _INCOMPLETE.search(text, max(0, len(text) - MAX_SEQUENCE))
        stop = len(text) if incomplete is None else incomplete.start()
        self._rest = text[stop:]
        return _SEQUENCE.sub(self._let_through, text[:stop]).encode()

    def _let_through(self, match: "re.Match[str]") -> str:
        colour = match["final"] == "m" and not match["intermediate"] and not re.search("[<=>?]", match["parameters"])
        self.coloured |= colour
        return match[0] if colour else ""


def size(count: float) -> str:
    """A number of bytes as people read it."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.4g} TB"
