r"""Lines reduced to what two runs of the same job have in common: numbers, times, hashes and temporary names become one character. No I/O.

`fold` takes many lines at once, since that costs a tenth of a call for each. What it does with a line, in this order:

| what | becomes |
|---|---|
| terminal sequences | nothing |
| text that is followed by a carriage return and more text | nothing |
| the first name in a temporary folder (`/tmp/x`, `/var/folders/x/y/T/x`, `\Temp\x`); `tmp.` and 6 letters or more, `tmp` and 8 or more | 1 |
| days of the week and months in front of a number, as in `Sat Nov 28` | nothing |
| runs of 7 hexadecimal digits or more; UUIDs | 1 |
| numbers, with the `. , : / _ + - T` among and behind their digits, the digits after `0x`, and a unit: `1,024 kB`, `15:48:15.3`, `3 PM`, `1m 30s` | 1 |
| the number 0 by itself | 0, so that `0 failed` and `3 failed` differ |
| several spaces and tabs | one space |
| spaces and tabs at the ends of the line, and behind an opening bracket | nothing |

It takes time in proportion to the bytes, and looks at bytes: of encodings whose characters contain ASCII bytes (Shift_JIS, GBK), it folds some more characters.
"""

import re

from .sgr import plain

_OVERWRITTEN = re.compile(rb"^[^\n]*\r(?=[^\r\n])", re.MULTILINE)

_TEMPORARY = re.compile(
    rb"/(?:tmp|var/folders/[^\s/]{1,40}/[^\s/]{1,60}/T)/[^\s/\"'`:;,)\]}>]{1,255}+"
    rb"|[\\/]Temp[\\/][^\s\\/\"'`:;,)\]}>]{1,255}+|tmp(?:\.[A-Za-z0-9]{6,255}+|[a-z0-9_]{8,255}+)"
)

_DAY = re.compile(
    rb"[ADFJMNOSTW](?:(?<=M)(?:ar|ay|on)|(?<=J)(?:an|un|ul)|(?<=A)(?:pr|ug)|(?<=S)(?:ep|at|un)|(?<=T)(?:ue|hu)|(?<=F)(?:eb|ri)"
    rb"|(?<=O)ct|(?<=N)ov|(?<=D)ec|(?<=W)ed)[a-z]{0,6}(?:[ /-]|, )(?=[ ]?[0-9]|[ADFJMNOS][a-z]{2,8}[ ]{1,2}[0-9])"
)

_DIGITS = bytes.maketrans(b"23456789", b"1" * 8)
"""Digits but 0 as 1: the expressions below have no others."""

_HEXADECIMAL = re.compile(rb"[01a-fA-F]{7,}+(?:(?:-[01a-fA-F]{4}){3}-[01a-fA-F]{12})?")

_UNIT = (
    rb"[ ]?(?:[num]?s|\xc2\xb5s|\xce\xbcs|m(?:in(?:ute)?s?|s(?:ecs?)?|illiseconds?)?|h(?:ours?)?|d(?:ays?)?|sec(?:ond)?s?"
    rb"|[kKMGT]?i?B|[kKMGT]i?|bytes|[AP]M|%)(?![0-9A-Za-z])"
)

_NUMBER = re.compile(
    rb"(?:1|0(?:(?<=[A-Za-z_./-]0)|(?=[01x%]|[.,:/_+-][01]|" + _UNIT + rb")))[01.,:/_+T-]*+(?:x[01a-fA-F]++)?"
    rb"(?:" + _UNIT + rb"(?:,?[ ]?[01]++[.,]?[01]*+" + _UNIT + rb")*+)?"
)  # fmt: skip


def fold(data: bytes) -> list[bytes]:
    """The lines of `data`, folded: one for each newline, and one for what follows the last."""
    data = plain(data)
    if b"\r" in data:
        data = _OVERWRITTEN.sub(b"", data)
    if b"tmp" in data or b"Temp" in data or b"/folders/" in data:
        data = _TEMPORARY.sub(b"1", data)
    data = _DAY.sub(b"", data).translate(_DIGITS)
    data = _NUMBER.sub(b"1", _HEXADECIMAL.sub(b"1", data)).replace(b"\t", b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    data = data.replace(b"[ ", b"[").replace(b"( ", b"(")
    return [line.strip() for line in data.split(b"\n")]
