"""The table of terminal sequences that the page is held to as well: what is searched, what is in force, what a terminal gets.

`viewer/test/ansi.test.ts` holds the page to it, and both to a terminal.
"""

import json
from itertools import pairwise, product
from pathlib import Path

from livelog.client.commands.terminal import Neutraliser
from livelog.lines.sgr import plain, style_after

VECTORS = json.loads((Path(__file__).parents[2] / "viewer/test/sequences.json").read_text(encoding="utf-8"))


def test_server_and_client_read_a_sequence_as_the_page_does() -> None:
    for vector in VECTORS:
        log = vector["log"].encode()
        assert plain(log).decode() == vector["text"], vector["what"]
        assert style_after("", log, 0, len(log)) == vector.get("style", ""), vector["what"]
        assert Neutraliser()(log, last=True).decode() == vector["terminal"], vector["what"]


def test_client_lets_the_same_through_however_a_log_is_cut() -> None:
    for vector, step in product(VECTORS, (1, 2, 3)):
        log, neutralise = vector["log"].encode(), Neutraliser()
        places = [*range(0, len(log), step), len(log)]
        parts = [neutralise(log[start:stop]) for start, stop in pairwise(places)]
        assert b"".join([*parts, neutralise(b"", last=True)]).decode() == vector["terminal"], vector["what"]


def test_what_is_searched_of_a_line_does_not_depend_on_the_lines_beside_it() -> None:
    logs = [vector["log"].encode() for vector in VECTORS]
    assert plain(b"\n".join(logs)).split(b"\n") == [vector["text"].encode() for vector in VECTORS]
