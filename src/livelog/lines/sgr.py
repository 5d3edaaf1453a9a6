"""Terminal sequences in a log's bytes: the style in force at an offset, and the text without sequences. No I/O.

A *style* is the parameters of one SGR sequence (ECMA-48 section 8.3.117) with the effect of all SGR sequences before an offset, such as
`1;38;5;200`; empty: no attribute is in force. Movements of the cursor are not interpreted: text that a terminal would have
overwritten stays.

1. A style names each attribute once, in a fixed order, so that equal styles are equal texts.
2. Applying the last sequences of a text once more changes nothing.
3. An invalid colour, such as 38;5;256, changes nothing.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import count

from livelog import ansi

MAX_SEQUENCE = 64
"""The longest sequence, in bytes, that changes a style."""

SEQUENCE = re.compile(ansi.SEQUENCE.encode())
"""A sequence, which a terminal does not print."""

_RESETS = (b"\x1b[0m", b"\x1b[m", b"\x1bc", b"\x1b[!p")
"""Sequences that end all attributes. The last two (RIS, DECSTR) reset the whole terminal."""

_SGR = re.compile(rb"\x1b\[([0-9;:]{0,%d})m" % (MAX_SEQUENCE - 3))

_ATTRIBUTES = (
    "bold", "faint", "italic", "underline", "blink", "inverse", "hidden", "struck", "colour", "background", "overline",
    "line colour",
)  # fmt: skip

_EXTENDED = (38, 48, 58)
"""The parameters that are followed by a colour: of the palette (5), or red, green and blue (2)."""

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
    """The style at the end of `data[start:stop]`. `style`: the style in force at its start."""
    if data.find(b"\x1b", start, stop) < 0:
        return style
    reset = max(data.rfind(sequence, start, stop) for sequence in _RESETS)
    if reset >= 0:
        style, start = "", reset
    # Of all sequences that set an attribute only the last one counts, so they are read from the end.
    last = dict(zip(_SGR.findall(data, start, stop), count(), strict=False))
    state: dict[str, str] = {}
    for parameters in (*sorted(last, key=last.__getitem__, reverse=True), style.encode("ascii")):
        state = _effect(parameters) | state
        if len(state) == len(_ATTRIBUTES):
            break
    return ";".join(text for name in _ATTRIBUTES if (text := state.get(name)))


@lru_cache(4096)
def _effect(parameters: bytes) -> dict[str, str]:
    """The attributes that an SGR sequence changes, each with the parameter that sets it; an empty text: the attribute ends."""
    effect: dict[str, str] = {}
    for text in _split(parameters.decode("ascii")):
        code = int(text.partition(";")[0].partition(":")[0] or 0)  # the first number selects the attribute
        if ends := ("underline",) if text == "4:0" else _ENDS.get(code, ()):
            effect.update(dict.fromkeys(ends, ""))
        elif (name := _SETS.get(code)) is not None and (code not in _EXTENDED or _is_colour(text)):
            effect[name] = text
    return effect


def _split(parameters: str) -> Iterator[str]:
    """Yields the parameters one by one. A colour with its numbers, such as `38;5;200`, is one."""
    parts, place = parameters.split(";"), 0
    while place < len(parts):
        count = 1
        if parts[place].isdigit() and int(parts[place]) in _EXTENDED:
            count = {"5": 3, "2": 5}.get("".join(parts[place + 1 : place + 2]), len(parts) + 1)
            if place + count > len(parts):
                return  # an incomplete colour: the rest is no parameter
        yield ";".join(parts[place : place + count])
        place += count


def _is_colour(text: str) -> bool:
    """Whether a parameter such as 38;5;200, 48:2::1:2:3 or 58;2;1;2;3 is a valid colour."""
    _, kind, *numbers = re.split("[;:]", text) if text[2:] else ("", "")
    if kind == "2" and ":" in text and len(numbers) > 3:
        del numbers[0]  # the colour space
    count = {"5": 1, "2": 3}.get(kind, 0)
    return 0 < count <= len(numbers) and all(int(number or 0) <= 255 for number in numbers[:count])
