"""The framing of a producer's body: each case whole, byte by byte, cut at every offset, with trailing junk.

Categories: lengths, chunks of all sizes and spellings, trailers, broken framing, request smuggling, limits, and
the property that cuts change nothing. The decoder is driven as a connection does it: one buffer that still holds
older bytes, what is not consumed put in front of what comes next.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livelog.wire.framing import (
    MAX_CHUNK_LINE,
    MAX_PIECES,
    MAX_TRAILERS,
    ChunkedDecoder,
    Decoder,
    LengthDecoder,
    decoder_for,
)

NEXT = b"GET /log HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""What may come behind a body on the same connection, and is not part of it."""

STALE = b"\r\n0\r\n\r\n5\r\nstale\r\n"
"""What the buffer holds behind its used part: bytes that would be framing, if they counted."""


@dataclass
class Result:
    """What a body was decoded to."""

    content: bytes
    rest: bytes
    finished: bool
    fault: str | None


def run(decoder: Decoder, parts: Iterable[bytes]) -> Result:
    """Decode a body that arrives in `parts`."""
    content, carry = bytearray(), b""
    for part in parts:
        if decoder.finished or decoder.fault is not None:
            carry += part
            continue
        stop = len(carry) + len(part)
        buffer = bytearray(carry + part + STALE * 3)
        pieces, consumed = decoder.decode(buffer, stop)
        assert 0 <= consumed <= stop
        content += b"".join(pieces)
        carry = bytes(buffer[consumed:stop])
        if not (decoder.finished or decoder.fault):
            assert len(carry) <= MAX_CHUNK_LINE + 1, "what is carried over is bounded"
    fault = decoder.fault
    assert fault is None or fault.status == 400
    return Result(bytes(content), carry, decoder.finished, None if fault is None else str(fault))


def cut(wire: bytes, offsets: Iterable[int]) -> list[bytes]:
    """`wire` in pieces, cut at `offsets`."""
    places = [0, *sorted({offset for offset in offsets if 0 < offset < len(wire)}), len(wire)]
    return [wire[start:stop] for start, stop in itertools.pairwise(places)]


def ways(wire: bytes, trailing: bytes) -> Iterator[list[bytes]]:
    """The ways in which `wire`, followed by `trailing`, arrives."""
    yield [wire + trailing]
    yield [wire, trailing]
    yield [bytes([byte]) for byte in wire + trailing]
    step = 1 if len(wire) < 300 else len(wire) // 40
    for offset in range(1, len(wire), step):
        yield cut(wire + trailing, [offset])
    yield cut(wire + trailing, range(0, len(wire), 3))


def chunk(data: bytes, spelling: str = "%x", extension: bytes = b"") -> bytes:
    return (spelling % len(data)).encode() + extension + b"\r\n" + data + b"\r\n"


LAST = b"0\r\n\r\n"
K64 = bytes(range(256)) * 256


@pytest.mark.parametrize(
    ("make", "wire", "content"),
    [
        (lambda: LengthDecoder(0), b"", b""),
        (lambda: LengthDecoder(1), b"\n", b"\n"),
        (lambda: LengthDecoder(5), b"0\r\n\r\n", b"0\r\n\r\n"),
        (lambda: LengthDecoder(1000), bytes(1000), bytes(1000)),
        (ChunkedDecoder, LAST, b""),
        (ChunkedDecoder, b"00000\r\n\r\n", b""),
        (ChunkedDecoder, b"000000000000000\r\n\r\n", b""),
        (ChunkedDecoder, b"5\r\nhello\r\n" + LAST, b"hello"),
        (ChunkedDecoder, b"5\r\n\r\n\r\n0\r\n" + LAST, b"\r\n\r\n0"),
        (ChunkedDecoder, b"a\r\n0123456789\r\nA\r\nabcdefghij\r\n00a\r\n" + b"." * 10 + b"\r\n" + LAST,
         b"0123456789abcdefghij.........."),
        (ChunkedDecoder, b"1\r\na\r\n" * 7 + LAST, b"a" * 7),
        (ChunkedDecoder, b"1\r\na\r\n2\r\nbb\r\n1\r\nc\r\n01\r\nd\r\n1;x\r\ne\r\n" + LAST, b"abbcde"),
        (ChunkedDecoder, b'1;a\r\nx\r\n1 ;a=b\r\ny\r\n1\t ; a="q;\xe9"\r\nz\r\n0;last\r\n\r\n', b"xyz"),
        (ChunkedDecoder, b"1;\r\nx\r\n" + LAST, b"x"),
        (ChunkedDecoder, chunk(K64[:1023]) + chunk(K64[:1024]) * 2 + chunk(K64[:1025]) + LAST,
         K64[:1023] + K64[:1024] * 2 + K64[:1025]),
        (ChunkedDecoder, chunk(b"x" * 15, "%X") + chunk(b"y" * 171, "%03X") + LAST, b"x" * 15 + b"y" * 171),
        (ChunkedDecoder, b"1\r\nx\r\n0\r\nExpires: never\r\n\r\n", b"x"),
        (ChunkedDecoder, b"1\r\nx\r\n0\r\nA: 1\r\nB:\r\nC: \xff\r\n\r\n", b"x"),
    ],
)  # fmt: skip
def test_a_whole_body_is_its_content_however_it_arrives(
    make: Callable[[], Decoder], wire: bytes, content: bytes
) -> None:
    for trailing in (b"", b"\r\n", NEXT, b"\x00" * 5000):
        for parts in ways(wire, trailing):
            result = run(make(), parts)
            assert result == Result(content, trailing, finished=True, fault=None)


@pytest.mark.parametrize("stop", range(5))
def test_a_length_that_is_not_reached_is_not_finished(stop: int) -> None:
    assert run(LengthDecoder(5), [b"hello"[:stop]]) == Result(b"hello"[:stop], b"", finished=False, fault=None)


def test_a_length_beyond_what_a_computer_counts_is_no_trouble() -> None:
    assert run(LengthDecoder(10**30), [b"x"]) == Result(b"x", b"", finished=False, fault=None)


def test_chunks_that_break_off_anywhere_are_content_so_far_and_not_finished() -> None:
    framing_and_data = ((b"5\r\n", b"hello"), (b"\r\n3;x=y\r\n", b"abc"), (b"\r\n3;x=y\r\n", b"def"))
    wire = b"".join(itertools.chain(*framing_and_data)) + b"\r\n0\r\nA: b\r\n\r\n"
    is_data = [part for framing, data in framing_and_data for part in [False] * len(framing) + [True] * len(data)]
    for stop in range(len(wire)):
        content = b"helloabcdef"[: sum(is_data[:stop])]
        for parts in ([wire[:stop]], [bytes([byte]) for byte in wire[:stop]]):
            result = run(ChunkedDecoder(), parts)
            assert (result.content, result.finished, result.fault) == (content, False, None), stop


BAD_SIZE = "a chunk does not begin with its size in hexadecimal digits"
BAD_END = "a chunk's data is not followed by CRLF where its size says it ends"
LONG_LINE = f"a chunk-size or trailer line is longer than {MAX_CHUNK_LINE} bytes"
LONG_TRAILERS = f"the trailer fields are longer than {MAX_TRAILERS} bytes"
GOOD = b"5\r\nhello\r\n"


@pytest.mark.parametrize(
    ("wire", "content", "fault"),
    [
        # Sizes that another parser may read as something.
        *((line + b"\r\nhello\r\n" + LAST, b"", BAD_SIZE) for line in (
            b"", b" ", b"+5", b"-5", b"-0", b"+0", b"0x5", b"0X5", b"5h", b"5_0", b"_5", b" 5", b"\t5", b"5 ", b"5\t",
            b"5 5", b"5,5", b"5.0", b"5 e", b"5\x00", b"\x005", b"5\x0b", b"5\x0c", b"g", b"#5", b"\xb2", b"\xd9\xa5",
            b"5\r", b"\r5", b"5\n", b"\n5", b"5\nhello\n0\n", b"5\rhello\r", b"{5}", b'"5"', b"5:x", b"hello",
            b"5 x;y", b"5;a\rb", b"5;a\nb", b"5;a\x00b", b"5;\x7f", b"5\x00;a",
            b"ffffffffffffffff", b"10000000000000005", b"0000000000000005", b"f" * 100, b"f" * 4096,
        )),
        # Data that is longer or shorter than its size says.
        (b"4\r\nhello\r\n" + LAST, b"hell", BAD_END),
        (b"6\r\nhello\r\n" + LAST, b"hello\r", BAD_END),
        (b"5\r\nhello" + LAST, b"hello", BAD_END),
        (b"5\r\nhello\n" + LAST, b"hello", BAD_END),
        (b"5\r\nhello\r\r\n" + LAST, b"hello", BAD_END),
        (b"5\r\nhello\n\r" + LAST, b"hello", BAD_END),
        (b"5\r\nhello \r\n" + LAST, b"hello", BAD_END),
        (b"5\r\nhello\r\n4\r\nhello\r\n" + LAST, b"hellohell", BAD_END),
        (b"5\r\nhello\r\n5\r\nworld!\r\n" + LAST, b"helloworld", BAD_END),
        (b"5\r\nhello\r\n5\r\nworld\r\n\r\n" + LAST, b"helloworld", BAD_SIZE),
        # A second request right behind a chunk.
        (GOOD + NEXT, b"hello", BAD_SIZE),
        (GOOD + b"\r\n" + NEXT, b"hello", BAD_SIZE),
        # Limits.
        (b"5;" + b"x" * MAX_CHUNK_LINE + b"\r\nhello\r\n" + LAST, b"", LONG_LINE),
        (b"5;" + b"x" * (MAX_CHUNK_LINE - 1) + b"\r\nhello\r\n" + LAST, b"", LONG_LINE),
        (b"5" * (MAX_CHUNK_LINE + 2), b"", LONG_LINE),
        (b"5\n" * MAX_CHUNK_LINE, b"", LONG_LINE),
        (b"0\r\nA: " + b"x" * MAX_CHUNK_LINE + b"\r\n\r\n", b"", LONG_LINE),
        (b"0\r\n" + (b"A: " + b"x" * 1019 + b"\r\n") * 16 + b"\r\n", b"", LONG_TRAILERS),
        (b"0\r\n" + (b"A: " + b"x" * 1019 + b"\r\n") * 15 + b"A: " + b"x" * 1018 + b"\r\n\r\n", b"", LONG_TRAILERS),
        (b"0\r\n" + b"A:\r\n" * 5000, b"", LONG_TRAILERS),
    ],
)  # fmt: skip
def test_broken_framing_is_a_fault_with_the_content_before_it(wire: bytes, content: bytes, fault: str) -> None:
    for before in (b"", GOOD, b"1\r\nx\r\n" * 3):
        whole = run(ChunkedDecoder(), [before]).content + content
        for parts in ways(before + wire, NEXT):
            result = run(ChunkedDecoder(), parts)
            assert (result.content, result.finished, result.fault) == (whole, False, fault)


@pytest.mark.parametrize(
    "wire",
    [
        b"5;" + b"x" * (MAX_CHUNK_LINE - 2) + b"\r\nhello\r\n" + LAST,
        GOOD + b"0;" + b"x" * (MAX_CHUNK_LINE - 2) + b"\r\n\r\n",
        GOOD + b"0\r\nA: " + b"x" * (MAX_CHUNK_LINE - 3) + b"\r\n\r\n",
        GOOD + b"0\r\n" + (b"A: " + b"x" * 1019 + b"\r\n") * 15 + b"A: " + b"x" * 1017 + b"\r\n\r\n",
    ],
)
def test_what_just_keeps_a_limit_is_decoded(wire: bytes) -> None:
    for parts in ways(wire, NEXT):
        assert run(ChunkedDecoder(), parts) == Result(b"hello", NEXT, finished=True, fault=None)


@pytest.mark.parametrize(
    "wire", [b"5\nhello\n0\n\n", b"5\rhello\r0\r\r", b"0\n\n", b"0\r\r", b"0\r\n\n", b"0\r\n\r", b"0\r\n", b"\n", b"\r"]
)
def test_a_bare_line_feed_or_return_ends_nothing(wire: bytes) -> None:
    for parts in ways(GOOD + wire, b""):
        result = run(ChunkedDecoder(), parts)
        assert (result.content, result.finished) == (b"hello", False)


@pytest.mark.parametrize(
    "trailer",
    [
        b"no colon", b": no name", b"a b: c", b"a : b", b" a: b", b"GET / HTTP/1.1", b"5", b"\n", b"a: b\nc: d",
        b"a: b\rc: d", b"a: \x00",
    ],
)  # fmt: skip
def test_a_trailer_that_is_no_field_is_a_fault(trailer: bytes) -> None:
    for parts in ways(GOOD + b"0\r\n" + trailer + b"\r\n\r\n", NEXT):
        result = run(ChunkedDecoder(), parts)
        assert (result.content, result.finished) == (b"hello", False)
        assert result.fault is not None


@pytest.mark.parametrize(
    ("make", "wire"),
    [
        (lambda: LengthDecoder(5), b"hello"),
        (lambda: LengthDecoder(0), b""),
        (ChunkedDecoder, GOOD + LAST),
        (ChunkedDecoder, GOOD + b"5 \r\n"),
        (ChunkedDecoder, GOOD + b"1\r\nxyz"),
    ],
)
def test_nothing_is_consumed_after_the_end(make: Callable[[], Decoder], wire: bytes) -> None:
    decoder = make()
    before = run(decoder, [wire])
    for data in (b"\r\n", NEXT, GOOD, GOOD * 5):
        assert decoder.decode(bytearray(data + STALE), len(data)) == ([], 0)
    assert run(decoder, []) == Result(b"", b"", before.finished, before.fault)


@st.composite
def chunks(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Some chunks, framed, and their content."""
    wire, content = bytearray(), bytearray()
    sizes = st.one_of(
        st.integers(1, 40), st.sampled_from([1, 2, 15, 16, 17, 255, 1023, 1024, 1025, 4096, 65535, 65536])
    )
    runs = st.tuples(
        sizes,
        st.integers(1, 12),
        st.sampled_from(["%x", "%X", "%04x", "%015X"]),
        st.sampled_from([b"", b"", b";", b";a", b" ;a=b", b'; q="\xc3\xa9;"', b";" + b"x" * 1100]),
    )
    for size, repeat, spelling, extension in draw(st.lists(runs, max_size=10)):
        for _ in range(1 if size > 10000 else repeat):
            start = len(content) * 7 % 256
            data = (K64 * 2)[start : start + size]
            wire += chunk(data, spelling, extension)
            content += data
    return bytes(wire), bytes(content)


CUTS = st.lists(st.floats(0, 1), max_size=12)
LASTS = st.sampled_from([LAST, b"000\r\n\r\n", b"0;a=b\r\n\r\n", b"0\r\nA: b\r\n\r\n"])


@given(chunks(), LASTS, st.sampled_from([b"", b"\r\n", NEXT, LAST]), CUTS, st.integers(0, 1))
def test_any_chunks_cut_anywhere_are_their_content(
    framed: tuple[bytes, bytes], last: bytes, trailing: bytes, cuts: list[float], ends: int
) -> None:
    wire, content = framed
    wire += (last + trailing) * ends
    result = run(ChunkedDecoder(), cut(wire, [round(place * len(wire)) for place in cuts]))
    assert result == Result(content, trailing if ends else b"", finished=bool(ends), fault=None)


SOUP = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r", b"\n", b"0", b"1", b"2", b"a", b"1\r\nx\r\n", b"2\r\nyy\r\n", b";", b" ", b"x", b"\xff", LAST]
    ),
    max_size=40,
).map(b"".join)


@given(chunks(), SOUP, CUTS, CUTS)
@example((b"", b""), b"1\r\nx", [], [1.0])
def test_any_bytes_at_all_mean_the_same_however_they_are_cut(
    framed: tuple[bytes, bytes], soup: bytes, cuts: list[float], other: list[float]
) -> None:
    wire = framed[0] + soup
    results = [
        run(ChunkedDecoder(), parts)
        for parts in (
            [wire],
            cut(wire, [round(place * len(wire)) for place in cuts]),
            cut(wire, [len(framed[0]) + round(place * len(soup)) for place in other]),
            cut(wire, range(max(0, len(wire) - 100), len(wire))),
        )
    ]
    for result in results[1:]:
        assert (result.content, result.finished, result.fault) == (
            results[0].content,
            results[0].finished,
            results[0].fault,
        )
        assert result.rest == results[0].rest or not result.finished
    assert results[0].content.startswith(framed[1])


@given(chunks(), st.floats(0, 1), st.binary(max_size=3), st.integers(0, 2))
def test_damage_anywhere_leaves_the_content_before_it(
    framed: tuple[bytes, bytes], place: float, junk: bytes, dropped: int
) -> None:
    wire, content = framed
    offset = round(place * len(wire))
    damaged = wire[:offset] + junk + wire[offset + dropped :] + LAST
    safe = run(ChunkedDecoder(), [wire[:offset]]).content
    result = run(ChunkedDecoder(), [damaged])
    assert content.startswith(safe)
    assert result.content.startswith(safe)
    assert not (result.finished and result.fault)


@given(st.binary(max_size=200), st.integers(0, 250), CUTS)
def test_any_length_is_taken_and_no_byte_more(data: bytes, length: int, cuts: list[float]) -> None:
    result = run(LengthDecoder(length), cut(data, [round(place * len(data)) for place in cuts]))
    assert result == Result(data[:length], data[length:], finished=len(data) >= length, fault=None)


@pytest.mark.parametrize("chunk", [b"1\r\na\r\n", b"1\r\na\r\n02\r\nbc\r\n"])
def test_many_small_chunks_are_found_in_several_steps(chunk: bytes) -> None:
    """None of which takes long."""
    decoder, wire, content = ChunkedDecoder(), chunk * (2 * MAX_PIECES) + b"0\r\n\r\n", b""
    steps = 0
    while not decoder.finished:
        pieces, consumed = decoder.decode(bytearray(wire), len(wire))
        assert 0 < len(pieces) <= MAX_PIECES or decoder.finished
        content, wire, steps = content + b"".join(pieces), wire[consumed:], steps + 1
    assert decoder.fault is None
    assert (content, wire) == ((b"abc" if b"bc" in chunk else b"a") * (2 * MAX_PIECES), b"")
    assert steps >= 2


def test_a_body_without_a_length_is_in_chunks() -> None:
    assert isinstance(decoder_for(None), ChunkedDecoder)
    assert decoder_for(3).decode(bytearray(b"abcd"), 4)[1] == 3
    assert decoder_for(0).finished
