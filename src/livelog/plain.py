"""The text that a terminal shows of one line, without escape sequences. Of a progress bar that is its last state. No I/O.

If a line does not move the cursor, its sequences and control characters are removed. Any other line is drawn on a row of cells, as a
terminal does it: a carriage return moves the cursor to the first column, and further text overwrites what is there. Spaces at the end of
such a row are removed. The viewer draws lines in the same way (`viewer/src/cells.ts`); one table of cases tests both.

This module ignores colours. It sees one line at a time: what a line writes into other rows of the screen is not put into the lines that are there, but
stands in front of its own text, or behind it. The time is linear in the length of the line, but for the order of these rows.
"""

import re
import unicodedata

from . import ansi

WIDE = 500
"""The width of the assumed terminal, in columns. Sequences move the cursor and shift characters no farther; text may be longer."""

TAB = 8
"""The distance between tab stops, in columns."""

_SEQUENCE = re.compile(ansi.SEQUENCE + r"|(?P<control>[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f])")

_MOVES = re.compile(r"\r|\x08|\x1b(?:[78c]|\[[0-9;]*[@A-KPXZ`abdfsu])")
"""The controls and sequences that do more than append text: with one of these, a line has to be drawn."""

_ROWS = {"A": -1, "F": -1, "B": 1, "E": 1}
"""The final bytes of the sequences that move the cursor to another row, with the direction."""

_ANY = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_NUMBERS = re.compile("[0-9;]*")

_LAST = re.compile(r"[^\t]?[\u0300-\u036f]*\Z", re.DOTALL)
"""The last character of a text, with its combining marks."""

Cell = str | list[str] | None
"""The content of one column: a character; a list of a character and its combining marks; an empty text for a further column of the wide
character or tab on its left; or None for a blank."""


def shown(line: str) -> str:
    """The text that a terminal shows of `line`. Newlines and carriage returns at its end are removed first."""
    line = line.rstrip("\r\n")
    if not _ANY.search(line):
        return line
    if not _MOVES.search(line):
        return _SEQUENCE.sub("", line)
    return _draw(line)


def _draw(line: str) -> str:
    place, number = 0, 0
    rows = {0: (row := Row())}
    last = ""
    away = saved = False
    for match in _SEQUENCE.finditer(line):
        if text := line[place : match.start()]:
            if not away:
                row.put(text)
            last = _LAST.search(text[-9:])[0]  # type: ignore[index]  # it matches anything
        place = match.end()
        before, last = last, ""
        whole, final = match[0], match["final"]
        if whole == "\r":
            row.to(0)
        elif whole == "\b":
            row.to(row.cursor - 1)
        elif whole == "\x1bc":
            row.erase(2)
            row.to(0)
        elif whole in ("\x1b7", "\x1b[s"):
            row.saved, saved = row.cursor, True
        elif whole in ("\x1b8", "\x1b[u"):
            row.to(row.saved)
            away = False
        elif final and not match["intermediate"] and _NUMBERS.fullmatch(parameters := match["parameters"]):
            first, second, *_ = (min(int(number[:9] or 0), 1 << 20) for number in f"{parameters};".split(";", 2))
            away = away or (saved and final in "Hf" and first > 1)  # a line of the screen, to come back from
            if final == "b" and not away:
                row.put(before * max(0, min(first or 1, WIDE - row.cursor)))
            elif final in _ROWS and not away:
                number += _ROWS[final] * min(first or 1, WIDE)
                column = 0 if final in "EF" else row.cursor
                row = rows.setdefault(number, Row())
                row.to(column)
            elif not away:
                row.control(final, first, second)
    if not away:
        row.put(line[place:])
    texts = (rows[other].text() for other in sorted(rows))
    return "  ".join(text for text in texts if text)


class Row:
    """One row of a terminal, with a cell for each column, and a cursor. It is as long as its text: nothing wraps."""

    def __init__(self) -> None:
        self.cursor = 0
        """The column of the next character, counted from 0."""
        self.saved = 0
        """The column that was saved last (DECSC)."""
        self._cells: list[Cell] = []
        self._left = 0  # what is on the left of this column is blank

    def put(self, text: str) -> None:
        """Write `text` at the cursor, over what is there, and move the cursor behind it."""
        if text.isascii() and "\t" not in text:
            self._write(list(text))
            return
        for character in text:
            code = ord(character)
            if character == "\t":
                width = TAB - self.cursor % TAB
                if self.cursor < len(self._cells):  # over text it only moves
                    self.cursor += width
                else:
                    self._write([character, *[""] * (width - 1)])
            elif code >= 0x300 and self.cursor and _is_combining(character, code):
                self._combine(character)
            else:
                self._write([character, ""] if code >= 0x1100 and _is_wide(character) else [character])

    def control(self, final: str, first: int, second: int) -> None:
        """Apply a control sequence (CSI) to this row. `final`: its final byte; `first`, `second`: its parameters, 0 if absent."""
        count = first or 1
        if final in "Ca":
            self.to(self.cursor + count)
        elif final == "D":
            self.to(self.cursor - count)
        elif final in "G`":
            self.to(count - 1)
        elif final in "Hf":
            self.to((second or 1) - 1)
        elif final == "I":
            self.to((self.cursor // TAB + count) * TAB)
        elif final == "Z":
            self.to((-(-self.cursor // TAB) - count) * TAB)
        elif final in "JK" and first < 3:
            self.erase(first)
        elif final == "X":
            self._blank(count)
        elif final == "P":
            self._shift(count)
        elif final == "@":
            self._shift(-count)

    def to(self, column: int) -> None:
        """Move the cursor to `column`, but not beyond the terminal's edges."""
        self.cursor = max(0, min(column, max(self.cursor, WIDE)))

    def erase(self, what: int) -> None:
        """Erase from the cursor to the end (`what` is 0), from the beginning to the cursor, inclusive (1), or everything (2)."""
        cells = self._cells
        if what == 2:
            cells.clear()
        elif what == 0:
            self._dissolve(self.cursor)
            del cells[self.cursor :]
        else:
            self._dissolve(self.cursor + 1)
            stop = min(self.cursor + 1, len(cells))
            if self._left < stop:
                cells[self._left : stop] = [None] * (stop - self._left)
            self._left = self.cursor + 1

    def text(self) -> str:
        """The text of the row, without spaces at its end."""
        return "".join(
            " " if cell is None else cell if isinstance(cell, str) else "".join(cell) for cell in self._cells
        ).rstrip(" ")

    def _write(self, written: list[Cell] | list[str]) -> None:
        cells, start = self._cells, self.cursor
        stop = start + len(written)
        if start > len(cells):
            cells += [None] * (start - len(cells))
        self._dissolve(start)
        self._dissolve(stop)
        cells[start:stop] = written
        self._left = min(self._left, start)
        self.cursor = stop

    def _combine(self, mark: str) -> None:
        cells, head = self._cells, self.cursor - 1
        if head >= len(cells):
            cells += [None] * (head + 1 - len(cells))
        head = self._head(head)
        cell = cells[head]
        if isinstance(cell, list):
            cell.append(mark)
        else:
            cells[head] = [cell or " ", mark]
            self._left = min(self._left, head)

    def _head(self, column: int) -> int:
        """The first column of the character or tab that occupies `column`."""
        while column and self._cells[column] == "":
            column -= 1
        return column

    def _dissolve(self, column: int) -> None:
        """If a wide character or a tab lies across the left edge of `column`, replace it by blanks: half of it would be overwritten."""
        cells = self._cells
        if column < len(cells) and cells[column] == "":
            head = self._head(column)
            while head < len(cells) and (head <= column or cells[head] == ""):
                cells[head] = None
                head += 1

    def _blank(self, count: int) -> None:
        stop = self.cursor + min(count, WIDE)
        if stop >= len(self._cells):
            self.erase(0)
            return
        self._dissolve(self.cursor)
        self._dissolve(stop)
        self._cells[self.cursor : stop] = [None] * (stop - self.cursor)

    def _shift(self, count: int) -> None:
        """Delete `count` columns at the cursor, or insert blank ones if `count` is negative. Columns up to the terminal's edge move."""
        cells, start = self._cells, self.cursor
        room = WIDE - start
        if room <= 0 or start >= len(cells):
            return
        count = max(-room, min(count, room))
        for column in (start, start + max(0, count), WIDE + min(0, count), WIDE):
            self._dissolve(column)
        is_longer = len(cells) > WIDE  # what is behind the terminal's edge stays where it is
        moved = cells[start:WIDE]
        if "\t" in moved:  # elsewhere it would be of another width: it becomes blanks
            tab = False
            for place, cell in enumerate(moved):
                tab = cell == "\t" or (tab and cell == "")
                moved[place] = None if tab else cell
        if count < 0:
            moved = [*[None] * -count, *moved][:room]
        else:
            moved = [*moved[count:], *[None] * (count if is_longer else 0)]
        cells[start:WIDE] = moved
        self._left = min(self._left, start)


def _is_combining(character: str, code: int) -> bool:
    return unicodedata.category(character) in ("Mn", "Me", "Cf") or 0x1160 <= code <= 0x11FF


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
