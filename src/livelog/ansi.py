"""The grammar of terminal sequences (ECMA-48), as livelog reads it everywhere: on the server, on a terminal, on the page. No I/O.

The page has the same grammar in `viewer/src/ansi.ts`; `viewer/test/sequences.json` is a table of tests that holds all to it.

1. A control sequence (CSI) is one also if what follows is no end of it.
2. A string (OSC, DCS, SOS, PM, APC) ends at BEL, ST, CAN or SUB, or in front of the next escape. One that does not end in its
   line is none: only its escape is left out, so that no text is lost.
3. An escape that begins nothing is left out. No sequence has a newline in it. Eight-bit controls (U+0080 to U+009F) begin none.
"""

STRING_END = "\x07\x18\x1a"
"""What ends a string, beside an escape."""

SEQUENCE = (
    r"\x1b(?:"
    r"\[(?P<parameters>[0-?]*+)(?P<intermediate>[ -/]*+)(?P<final>[@-~]?)"  # CSI: colours, erasing, moving
    rf"|[\]PX^_][^{STRING_END}\x1b\n]*+(?:[{STRING_END}]|\x1b\\|(?=\x1b))"  # links, titles, pictures
    r"|[ -/]++[0-~]?"  # other functions: of three bytes or more, and of two
    r"|[0-OQ-WYZ\\`-~]"
    r")?"
)
"""A pattern that matches one sequence, in text and in bytes; `final` is empty in one that is not whole."""

BEGUN = rf"\x1b(?:\[[0-?]*+[ -/]*+|[\]PX^_][^{STRING_END}\x1b\n]*+\x1b?|[ -/]*+)\Z"
"""A pattern that matches a sequence that may go on in what follows."""
