"""Terminal sequences in the bytes of a log: how it is coloured at a place, and its text without them. No I/O.

A *style* is the parameters of one SGR sequence (ECMA-48 section 8.3.117) that makes what all before it have made, such as
`1;38;5;200`; empty: nothing is in force. Refuses to know of anything that moves a cursor: what a terminal would have
drawn over stays in the text.

1. A style names each attribute once, in a fixed order, so that equal styles are equal texts.
2. Applying the last sequences of a text once more changes nothing.
3. No sequence has a newline in it: what looks like one that never ends ends with its line.
"""

import re
from functools import lru_cache

MAX_SEQUENCE = 64
"""Bytes of the longest sequence that counts as one that sets a style."""

SEQUENCE = re.compile(
    rb"\x1b(?:"
    rb"\[[0-?]*[ -/]*[@-~]"  # CSI: colours, erasing, moving
    rb"|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC (links, titles) and other strings, to BEL or ST
    rb"|[ -/]*[0-OQ-WYZ\\`-~]"  # what has two or three bytes
    rb")"
)
"""What a terminal does not print. (A CSI of any length ends at once where its bytes do not go on.)"""

_SGR = re.compile(rb"\x1b\[([0-9;:]{0,%d})m" % (MAX_SEQUENCE - 3))

_ATTRIBUTES = (
    "bold", "faint", "italic", "underline", "blink", "inverse", "hidden", "struck", "colour", "background", "overline",
    "line colour",
)  # fmt: skip

_SETS = {
    1: "bold", 2: "faint", 3: "italic", 4: "underline", 21: "underline", 5: "blink", 6: "blink", 7: "inverse", 8: "hidden",
    9: "struck", 38: "colour", 48: "background", 53: "overline", 58: "line colour",
    **dict.fromkeys((*range(30, 38), *range(90, 98)), "colour"),
    **dict.fromkeys((*range(40, 48), *range(100, 108)), "background"),
}  # fmt: skip

_ENDS = {
    0: _ATTRIBUTES, 22: ("bold", "faint"), 23: ("italic",), 24: ("underline",), 25: ("blink",), 27: ("inverse",),
    28: ("hidden",), 29: ("struck",), 39: ("colour",), 49: ("background",), 55: ("overline",), 59: ("line colour",),
}  # fmt: skip


def plain(data: bytes) -> bytes:
    """`data` without its terminal sequences."""
    return SEQUENCE.sub(b"", data) if b"\x1b" in data else data


def style_after(style: str, data: bytes, start: int, stop: int) -> str:
    """The style behind `data[start:stop]`, if `style` is in force in front of it."""
    if data.find(b"\x1b", start, stop) < 0:
        return style
    reset = max(data.rfind(b"\x1b[0m", start, stop), data.rfind(b"\x1b[m", start, stop))
    for match in _SGR.finditer(data, max(start, reset), stop):
        style = _apply(style, match[1])
    return style


@lru_cache(4096)
def _apply(style: str, parameters: bytes) -> str:
    """The style that is in force when an SGR sequence with these parameters has come while `style` was."""
    state = {name: text for text in _split(style) if (name := _attribute(text))}
    for text in _split(parameters.decode("ascii")):
        ends = ("underline",) if text == "4:0" else _ENDS.get(_code(text), ())
        for ended in ends:
            state.pop(ended, None)
        if not ends and (name := _attribute(text)):
            state[name] = text
    return ";".join(state[name] for name in _ATTRIBUTES if name in state)


def _attribute(text: str) -> str | None:
    """The attribute that a parameter sets; None: it sets none."""
    return _SETS.get(_code(text))


def _code(text: str) -> int:
    """The first number of a parameter: what it is about."""
    return int(re.split("[;:]", text, maxsplit=1)[0] or 0)


def _split(parameters: str) -> list[str]:
    """Parameters one by one, a colour with what belongs to it: `38;5;200` is one."""
    parts, whole = parameters.split(";"), []
    while parts:
        count = {"5": 3, "2": 5}.get(parts[1], 1) if len(parts) > 1 and parts[0] in ("38", "48", "58") else 1
        if count > len(parts) or (count == 1 and parts[0] in ("38", "48", "58")):
            break  # a colour that is not whole: what follows is no parameter of its own
        whole.append(";".join(parts[:count]))
        del parts[:count]
    return whole
