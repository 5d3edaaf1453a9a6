"""Range headers: parsing as a table and as properties, and what is answered for a log that grows or has ended.

Categories: well-formed sets, malformed text, numbers of any length, rows of the readers' contract, several
parts against a model that knows every byte.
"""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livelog.wire.ranges import (
    MAX_PARTS,
    VERY_LARGE,
    Follow,
    FromTo,
    NothingMore,
    Part,
    Parts,
    Plan,
    Spec,
    Suffix,
    Unsatisfiable,
    Whole,
    parse_range,
    resolve,
)

NINES = "9" * 5000
ZEROS = "0" * 5000


def from_to(first: int, last: str = "") -> FromTo:
    return FromTo(first, int(last) if last else None, last)


@pytest.mark.parametrize(
    ("header", "specs"),
    [
        ("bytes=0-", (from_to(0),)),
        ("bytes=0-0", (from_to(0, "0"),)),
        ("bytes=7-9", (from_to(7, "9"),)),
        ("bytes=-1", (Suffix(1),)),
        ("bytes=-0", (Suffix(0),)),
        ("bytes=007-0009", (FromTo(7, 9, "0009"),)),
        ("bytes=0-,5-6,-7", (from_to(0), from_to(5, "6"), Suffix(7))),
        ("bytes=5-6,1-2", (from_to(5, "6"), from_to(1, "2"))),
        ("bytes= 0-1 ,\t2-3\t", (from_to(0, "1"), from_to(2, "3"))),
        ("bytes=,,0-1, ,2-3,", (from_to(0, "1"), from_to(2, "3"))),
        ("BYTES=0-1", (from_to(0, "1"),)),
        (f"bytes=0-{VERY_LARGE}", (from_to(0, str(VERY_LARGE)),)),
    ],
)
def test_well_formed_sets_are_read_in_their_order(header: str, specs: tuple[Spec, ...]) -> None:
    assert parse_range(header) == specs


@pytest.mark.parametrize(
    "header",
    [
        "", "bytes", "bytes=", "bytes= ", "bytes=,", "=0-1", "0-1", "bytes 0-1", "bytes:0-1",
        "lines=0-1", "none", "byte=0-1", "bytess=0-1", "by tes=0-1", " bytes=0-1", "bytes =0-1", "\tbytes=0-1", "items=0-1, bytes=0-1",
        "bytes=1", "bytes=-", "bytes=--1", "bytes=1--2", "bytes=1-2-3", "bytes=a-b", "bytes=0x0-0xf", "bytes=1-2;3",
        "bytes=+1-2", "bytes=1-+2", "bytes=-+2", "bytes=1_0-2_0", "bytes=1.0-2", "bytes=1e1-", "bytes=*-1",
        "bytes==0-1",
        "bytes=1 -2", "bytes=1- 2", "bytes=- 2", "bytes=1 2-3", "bytes=\u0661-\u0662", "bytes=\u00b2-", "bytes=1-2\n",
        "bytes=1-2\r", "bytes=\x0b1-2", "bytes=\u00a01-2", "bytes=1-2\x00", "bytes=1\u20132", "\u212aytes=0-1",
        "bytes=2-1", "bytes=0-1,2-1", "bytes=0-1,x", "bytes=0-1;2-3", 'bytes="0-1"',
    ],
)  # fmt: skip
def test_what_is_not_understood_is_ignored(header: str) -> None:
    assert parse_range(header) is None


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(
    ("header", "length", "plan"),
    [
        (f"bytes={NINES}-", 10, Unsatisfiable()),
        (f"bytes={NINES}-{NINES}", 10, Unsatisfiable()),
        (f"bytes=-{NINES}", 10, Part(0, 10)),
        (f"bytes={ZEROS}3-{ZEROS}5", 10, Part(3, 6)),
        (f"bytes=-{ZEROS}3", 10, Part(7, 10)),
        (f"bytes=-{ZEROS}", 10, Unsatisfiable()),
        (f"bytes=3-{ZEROS}", 10, Whole()),
    ],
)
def test_numbers_of_any_length_are_safe(header: str, length: int, plan: Plan, *, live: bool) -> None:
    assert resolve(parse_range(header), length, live=live) == plan


@pytest.mark.parametrize(
    "last", [NINES, ZEROS + NINES, "9" * 20, "1" + "0" * 19, "9" * 19, str(2**64), ZEROS + str(VERY_LARGE)]
)
def test_a_huge_last_position_is_echoed_digit_for_digit(last: str) -> None:
    specs = parse_range(f"bytes=4-{last}")
    assert resolve(specs, 10, live=True) == Follow(4, last)
    assert resolve(specs, 10, live=False) == Part(4, 10)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("20", "19"),
        ("1" + "0" * 18, "9" * 18),
        ("9" * 20, "9" * 19),
        ("9" * 30, "8" * 30),
    ],
)
def test_a_last_position_below_the_first_is_ignored_however_long(first: str, last: str) -> None:
    assert parse_range(f"bytes={first}-{last}") is None


V = str(VERY_LARGE)


@pytest.mark.parametrize(
    ("header", "length", "live", "ended"),
    [
        ("other=0-1", 10, Whole(), Whole()),
        ("bytes=2-", 10, Part(2, 10), Part(2, 10)),
        ("bytes=9-", 10, Part(9, 10), Part(9, 10)),
        ("bytes=2-4", 10, Part(2, 5), Part(2, 5)),
        ("bytes=2-9", 10, Part(2, 10), Part(2, 10)),
        ("bytes=2-10", 10, Part(2, 10), Part(2, 10)),
        (f"bytes=2-{VERY_LARGE - 1}", 10, Part(2, 10), Part(2, 10)),
        (f"bytes=2-{V}", 10, Follow(2, V), Part(2, 10)),
        (f"bytes=2-{VERY_LARGE + 1}", 10, Follow(2, str(VERY_LARGE + 1)), Part(2, 10)),
        (f"bytes=2-000{V}", 10, Follow(2, "000" + V), Part(2, 10)),
        (f"bytes=10-{V}", 10, Follow(10, V), Unsatisfiable()),
        (f"bytes=0-{V}", 0, Follow(0, V), Unsatisfiable()),
        (f"bytes=11-{V}", 10, Unsatisfiable(), Unsatisfiable()),
        (f"bytes=1-{V}", 0, Unsatisfiable(), Unsatisfiable()),
        ("bytes=10-", 10, Unsatisfiable(), Unsatisfiable()),
        ("bytes=10-20", 10, Unsatisfiable(), Unsatisfiable()),
        ("bytes=0-", 0, Unsatisfiable(), Unsatisfiable()),
        ("bytes=0-0", 0, Unsatisfiable(), Unsatisfiable()),
        ("bytes=-3", 10, Part(7, 10), Part(7, 10)),
        ("bytes=-10", 10, Part(0, 10), Part(0, 10)),
        ("bytes=-11", 10, Part(0, 10), Part(0, 10)),
        (f"bytes=-{V}", 10, Part(0, 10), Part(0, 10)),
        ("bytes=-0", 10, Unsatisfiable(), Unsatisfiable()),
        ("bytes=-3", 0, Unsatisfiable(), Unsatisfiable()),
        ("bytes=0-1,4-5", 10, Whole(), Parts((Part(0, 2), Part(4, 6)))),
        ("bytes=4-5,0-1", 10, Whole(), Parts((Part(0, 2), Part(4, 6)))),
        (f"bytes=0-1,4-{V}", 10, Whole(), Parts((Part(0, 2), Part(4, 10)))),
        ("bytes=0-1,-1", 10, Whole(), Parts((Part(0, 2), Part(9, 10)))),
        ("bytes=0-1,2-3", 10, Whole(), Part(0, 4)),
        ("bytes=0-8,2-3,1-", 10, Whole(), Part(0, 10)),
        ("bytes=0-1,10-", 10, Whole(), Part(0, 2)),
        ("bytes=10-,-0", 10, Whole(), Unsatisfiable()),
    ],
)
def test_rows_of_the_contract(header: str, length: int, live: Plan, ended: Plan) -> None:
    specs = parse_range(header)
    assert resolve(specs, length, live=True) == live
    assert resolve(specs, length, live=False) == ended


@pytest.mark.parametrize(
    ("last", "plan"),
    [("99", Part(2, 10)), ("100", Part(2, 10)), ("101", Follow(2, "101")), ("0101", Follow(2, "0101"))],
)
def test_a_last_position_beyond_the_largest_log_follows(last: str, plan: Plan) -> None:
    specs = parse_range(f"bytes=2-{last}")
    assert resolve(specs, 10, live=True, largest=100) == plan
    assert resolve(specs, 10, live=False, largest=100) == Part(2, 10)
    assert resolve(specs, 10, live=True) == Part(2, 10)


@pytest.mark.parametrize(
    ("header", "length", "nothing_more"),
    [
        ("bytes=10-", 10, True),
        ("bytes=010-", 10, True),
        ("bytes=0-", 0, False),
        ("bytes=11-", 10, False),
        ("bytes=10-10", 10, False),
        ("bytes=-0", 10, False),
        ("bytes=10-,10-", 10, False),
    ],
)
def test_all_that_follows_an_unfinished_log_is_not_yet_known(header: str, length: int, nothing_more: bool) -> None:
    specs = parse_range(header)
    assert resolve(specs, length, live=False, unfinished=True) == (NothingMore() if nothing_more else Unsatisfiable())
    assert resolve(specs, length, live=False) == Unsatisfiable()
    assert isinstance(resolve(parse_range(f"bytes={length}-{VERY_LARGE}"), length, live=True, unfinished=True), Follow)


@pytest.mark.parametrize(("count", "whole"), [(MAX_PARTS, False), (MAX_PARTS + 1, True)])
def test_too_many_parts_are_ignored_once_coalesced(count: int, *, whole: bool) -> None:
    apart = parse_range("bytes=" + ",".join(f"{3 * n}-{3 * n + 1}" for n in range(count)))
    touching = parse_range("bytes=" + ",".join(f"{n}-{n}" for n in range(count)))
    assert (resolve(apart, 1000, live=False) == Whole()) is whole
    assert resolve(touching, 1000, live=False) == Part(0, count)


NUMBERS = st.one_of(st.integers(0, 70), st.integers(0, 10**25))
BLANKS = st.text(" \t", max_size=2)


@st.composite
def items(draw: st.DrawFn) -> tuple[str, Spec]:
    """One range as text, and what it means."""
    zeros = draw(st.sampled_from(["", "0", "000"]))
    first = draw(NUMBERS)
    match draw(st.sampled_from(["from", "from-to", "suffix"])):
        case "from":
            return f"{zeros}{first}-", FromTo(first, None, "")
        case "suffix":
            return f"-{zeros}{first}", Suffix(first)
    last = first + draw(NUMBERS)
    return f"{first}-{zeros}{last}", FromTo(first, last, f"{zeros}{last}")


HEADERS = st.lists(st.tuples(BLANKS, items(), BLANKS), min_size=1, max_size=24)


@given(
    st.one_of(st.text(), st.text("bytes=,-0123456789 \t"), st.text("0123456789-,").map("bytes=".__add__)),
    st.integers(0, 100),
)
@example("bytes=\udcff-", 0)
def test_any_text_is_understood_or_ignored_and_never_raises(text: str, length: int) -> None:
    specs = parse_range(text)
    assert specs is None or specs
    for live in (True, False):
        resolve(specs, length, live=live, largest=50)


@given(HEADERS)
def test_a_printed_set_is_read_back(pieces: list[tuple[str, tuple[str, Spec], str]]) -> None:
    specs = parse_range("bytes=" + ",".join(f"{before}{text}{after}" for before, (text, _), after in pieces))
    assert specs is not None
    for spec, (_, (_, meant), _) in zip(specs, pieces, strict=True):
        match spec, meant:
            case FromTo(first, last, text), FromTo():
                assert (min(first, 10**19), text) == (min(meant.first, 10**19), meant.last_text)
                assert (last is None) == (meant.last is None)
                assert last is None or meant.last is None or min(last, 10**19) == min(meant.last, 10**19)
            case _:
                assert isinstance(spec, Suffix)
                assert isinstance(meant, Suffix)
                assert min(spec.length, 10**19) == min(meant.length, 10**19)


@given(HEADERS, st.integers(0, 60))
def test_parts_are_exactly_the_bytes_asked_for(pieces: list[tuple[str, tuple[str, Spec], str]], length: int) -> None:
    wanted: set[int] = set()
    for _, (_, spec), _ in pieces:
        match spec:
            case FromTo(first, last):
                wanted |= set(range(min(first, length), length if last is None else min(last + 1, length)))
            case Suffix(size):
                wanted |= set(range(max(0, length - size), length))
    plan = resolve([spec for _, (_, spec), _ in pieces], length, live=False)
    match plan:
        case Part():
            parts: tuple[Part, ...] = (plan,)
        case Parts(parts):
            assert 2 <= len(parts) <= MAX_PARTS
        case Unsatisfiable():
            parts = ()
        case _:
            assert plan == Whole()
            runs = sum(byte - 1 not in wanted for byte in wanted)
            assert runs > MAX_PARTS
            return
    assert all(0 <= part.start < part.stop <= length for part in parts)
    assert all(left.stop < right.start for left, right in itertools.pairwise(parts)), "disjoint, not touching"
    assert {byte for part in parts for byte in range(part.start, part.stop)} == wanted


@given(HEADERS, st.integers(0, 60), st.one_of(st.none(), st.integers(1, 80)))
def test_a_live_log_is_followed_sent_to_its_end_or_refused(
    pieces: list[tuple[str, tuple[str, Spec], str]], length: int, largest: int | None
) -> None:
    specs = [spec for _, (_, spec), _ in pieces]
    match resolve(specs, length, live=True, largest=largest):
        case Follow(start, text):
            assert start <= length
            assert int(text) >= VERY_LARGE or (largest is not None and int(text) > largest)
        case Part() | Unsatisfiable() as plan:
            assert plan == resolve(specs, length, live=False)
        case plan:
            assert plan == Whole()
            assert len(specs) > 1
