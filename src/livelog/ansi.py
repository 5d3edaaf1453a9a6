"""The grammar of terminal sequences (ECMA-48) as regular expressions. The server, the commands and the viewer all follow it. No I/O.

The viewer has the same grammar in `viewer/src/ansi.ts`. The cases in `viewer/test/sequences.json` test both.

1. A control sequence (CSI) need not have a final byte: what is there of it is a sequence.
2. A string (OSC, DCS, SOS, PM, APC) ends at BEL, ST, CAN or SUB, or before the next escape. If it does not end within its
   line, only its escape character counts as a sequence, so that no text is lost.
3. An escape character that starts nothing is a sequence by itself. No sequence contains a newline. The eight-bit controls (U+0080 to U+009F)
   start no sequence.
"""

STRING_END = "\x07\x18\x1a"
"""The characters that end a string: BEL, CAN and SUB."""

SEQUENCE = (
    r"\x1b(?:"
    r"\[(?P<parameters>[0-?]*+)(?P<intermediate>[ -/]*+)(?P<final>[@-~]?)"  # CSI: colours, erasing, moving
    rf"|[\]PX^_][^{STRING_END}\x1b\n]*+(?:[{STRING_END}]|\x1b\\|(?=\x1b))"  # links, titles, pictures
    r"|[ -/]++[0-~]?"  # other functions: of three bytes or more, and of two
    r"|[0-OQ-WYZ\\`-~]"
    r")?"
)
"""A pattern for one sequence; it can be compiled for text and for bytes. The group `final` is empty if a control sequence has no final byte."""

BEGUN = rf"\x1b(?:\[[0-?]*+[ -/]*+|[\]PX^_][^{STRING_END}\x1b\n]*+\x1b?|[ -/]*+)\Z"
"""A pattern for a sequence at the end of the input that further input may continue."""
