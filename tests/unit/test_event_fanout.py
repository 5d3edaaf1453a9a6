"""A log's text to many event streams: real TCP connections, the server's own `BodyWriter` at one end of each.

Categories: events that are shared, and made once; joining anywhere; slow readers, and what they hold; states; comments; endings; readers
that go; bytes that are not in memory; anything at all.
"""

import asyncio
import functools
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.log.info import State
from livelog.read import event_fanout as module
from livelog.read import fanout as fanout_module
from livelog.read import sse
from livelog.read.event_fanout import COMMENT, EventFanout
from livelog.read.fanout import FRAME_LIMIT
from tests.sample import examples

from .followers import Reader
from .followers import house as house_of
from .live import append, appended, close, on_loop, turns

house = functools.partial(house_of, EventFanout)

HELD = FRAME_LIMIT + 1024
"""Bytes that may wait in memory for a socket that is full: a frame, and what is around its text."""

ESCAPED = b"\x1b[0m\xff\x00"
"""Bytes of which JSON makes many times as many."""

MUCH = 20_000
"""Bytes of what is much for a small socket, which takes a few hundred at a time."""

PIECES = [
    b"line\r\n",
    "größer\n".encode(),
    "€𝄞".encode(),
    b"\x80",
    b"\xe2",
    b"\xe2\x82",
    b"\xf0\x9d\x84",
    b"\xff\xfe",
    b"\n\ndata: no\n\n",
    ESCAPED,
]


@dataclass
class Told:
    """What a reader was told: the text, how far that is, the states in turn, and comments."""

    text: str
    offset: int
    states: list[str]
    comments: int


def told(stream: bytes, start: int) -> Told:
    """What an event stream from byte `start` on tells. Every event must be where the one before ended."""
    found = Told("", start, [], 0)
    assert stream.endswith(b"\n\n") or not stream
    for block in stream.decode().split("\n\n")[:-1]:
        if block == ":":
            found.comments += 1
            continue
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        data = json.loads(fields["data"])
        if "event" in fields:
            assert (fields["event"], int(fields["id"])) == ("state", found.offset)
            found.states.append(data["state"])
        else:
            assert data["offset"] == found.offset
            assert data["text"]
            found.text += data["text"]
            found.offset = int(fields["id"])
    return found


async def hear(reader: Reader, chunked: bool, start: int = 0) -> Told:
    """What a reader has been told when its following has ended."""

    async def take() -> bytes:
        data = b""
        while more := await asyncio.get_running_loop().sock_recv(reader.sock, 65536):
            data += more
        return data

    taking = asyncio.ensure_future(take())
    await reader.following
    assert reader.writer.transport is not None
    reader.writer.transport.close()
    stream = await taking
    return told(b"".join(_chunks(stream)) if chunked else stream, start)


def _chunks(stream: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(stream):
        end = stream.index(b"\r\n", place)
        size = int(stream[place:end], 16)
        yield stream[end + 2 : end + 2 + size]
        assert stream[end + 2 + size : end + 4 + size] == b"\r\n"
        place = end + 4 + size


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes of the log each event has that is made from now on."""
    sizes: list[int] = []
    really = sse.text_event

    def counted(start: int, data: bytes, notes: list[tuple[int, int]]) -> bytes:
        sizes.append(len(data))
        return really(start, data, notes)

    monkeypatch.setattr(module, "text_event", counted)
    return sizes


# Shared events.


@on_loop
async def test_each_event_is_made_once_for_all_who_are_caught_up(made: list[int]) -> None:
    async with house() as home:
        readers = [await home.reader(chunked=number < 40) for number in range(50)]
        for reader in readers:
            await reader.joined()
        assert made == []
        for number in range(20):
            await append(home.journal, b"%d of many lines\n" % number)
        await turns(lambda: home.fanout.offset == home.journal.length)
        assert len(made) <= 20
        for group in (readers[:40], readers[40:]):
            frames = group[0].writer.written
            for reader in group:
                assert all(mine is shared for mine, shared in zip(reader.writer.written[1:], frames[1:], strict=True))
        await close(home.journal)
        for number, reader in enumerate(readers):
            found = await hear(reader, number < 40)
            assert found.text == "".join(f"{number} of many lines\n" for number in range(20))
            assert found.states == ["live"]


@pytest.mark.parametrize("content", [b"plain text in lines of ordinary length\n", ESCAPED, "größer\n".encode()])
@on_loop
async def test_what_comes_at_once_is_many_events_each_made_once(made: list[int], content: bytes) -> None:
    size = 8 * FRAME_LIMIT // len(content)
    async with house() as home:
        readers = [await home.reader() for _ in range(10)]
        for reader in readers:
            await reader.joined()
        hearing = [asyncio.ensure_future(hear(reader, True)) for reader in readers]
        await append(home.journal, content * size)
        await close(home.journal)
        for found in await asyncio.gather(*hearing):
            assert (found.text, found.offset) == ((content * size).decode("utf-8", "replace"), len(content) * size)
        for reader in readers:
            assert max(map(len, reader.writer.written)) <= HELD
        # A reader whose socket was full for a moment makes some for itself.
        assert sum(made) < 4 * len(content) * size


@pytest.mark.parametrize("start", range(13))
@on_loop
async def test_whoever_joins_anywhere_gets_the_text_from_there(start: int) -> None:
    content = "a€𝄞ü".encode() + b"\xe2\x82"
    async with house(content) as home:
        early = await home.reader()
        await early.joined()
        late = await home.reader(min(start, len(content)))
        await turns(lambda: late.writer.sent)
        await append(home.journal, b"\xac and on")
        await append(home.journal, b" and on\xf0")
        await close(home.journal)
        content += b"\xac and on and on\xf0"
        assert (await hear(early, True)).text == content.decode("utf-8", "replace")
        assert (await hear(late, True, start)).text == content[start:].decode("utf-8", "replace")


@on_loop
async def test_a_character_that_has_not_all_come_waits_for_all() -> None:
    async with house(b"a\xe2") as home:
        readers = [await home.reader() for _ in range(2)]
        for reader in readers:
            await reader.joined()
        assert home.fanout.offset == 1
        await append(home.journal, b"\x82")
        assert home.fanout.offset == 1
        await append(home.journal, b"\xac")
        await turns(lambda: home.fanout.offset == 4)
        await close(home.journal)
        assert [(await hear(reader, True)).text for reader in readers] == ["a€", "a€"]


@on_loop
async def test_a_reader_that_stays_alone_in_the_middle_of_a_character_goes_on() -> None:
    async with house(b"a\xe2\x82") as home:
        first = await home.reader()
        await first.joined()
        middle = await home.reader(2)
        await turns(lambda: middle.writer.sent)
        await first.gone()
        await append(home.journal, b"\xac!")
        await close(home.journal)
        assert (await hear(middle, True, 2)).text == "\ufffd\ufffd!"


# Slow readers.


@pytest.mark.parametrize("content", [b"plain text in lines of ordinary length\n" * 500, ESCAPED * 3000])
@on_loop
async def test_a_slow_member_leaves_holds_one_frame_catches_up_and_joins_again(content: bytes) -> None:
    async with house() as home:
        slow, fast = await home.reader(small=True), await home.reader(chunked=False)
        await slow.joined()
        await fast.joined()
        hearing = asyncio.ensure_future(hear(fast, False))
        sent, more = b"", 5
        while more:
            more -= slow.writer.blocked
            await append(home.journal, content)
            sent += content
            assert slow.writer.transport is not None
            assert slow.writer.transport.get_write_buffer_size() <= HELD
            await turns(lambda: fast.writer.on_blocked)
            await turns(lambda: home.fanout.offset + 4 > home.journal.length)
        assert slow.writer.on_blocked is None, "it has left"
        home.journal.interrupt()
        late = asyncio.ensure_future(hear(slow, True))
        await slow.joined()
        await append(home.journal, b"all again")
        await close(home.journal)
        for found in await asyncio.gather(hearing, late):
            assert found.text == (sent + b"all again").decode("utf-8", "replace")
            assert found.states == ["live", "interrupted"]


# States, and comments.


@on_loop
async def test_all_are_told_of_each_state_once_and_of_the_one_that_they_find() -> None:
    async with house(b"one ") as home:
        first, second = await home.reader(), await home.reader(2, chunked=False)
        for reader in (first, second):
            await reader.joined()
        home.journal.interrupt()
        await turns(lambda: len(first.writer.written) == 3)
        late = await home.reader()
        await late.joined()
        home.journal.resume()
        await append(home.journal, b"two")
        await close(home.journal, State.ABORTED)
        states = ["live", "interrupted", "live"]
        assert await hear(first, True) == Told("one two", 7, states, 0)
        assert await hear(second, False, 2) == Told("e two", 7, states, 0)
        assert await hear(late, True) == Told("one two", 7, states[1:], 0)


@on_loop
async def test_a_state_that_changed_while_nobody_was_there_is_told() -> None:
    async with house() as home:
        first = await home.reader()
        await first.joined()
        await first.gone()
        home.journal.interrupt()
        second = await home.reader()
        await second.joined()
        await close(home.journal, State.ABORTED)
        assert (await hear(second, True)).states == ["interrupted"]


@on_loop
async def test_there_is_a_comment_when_nothing_was_told_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also to one that waits in the middle of a character, and again when all have left and others have come."""
    monkeypatch.setattr(module, "KEEP_ALIVE", 0.05)
    async with house(b"a\xe2\x82") as home:
        for _ in range(2):
            member = await home.reader()
            await member.joined()
            plain = await home.reader(chunked=False)
            waits = await home.reader(2, chunked=False)
            await turns(lambda member=member: member.writer.written[-1] == b"3\r\n:\n\n\r\n")  # type: ignore[misc]  # a default
            for reader in (plain, waits):
                await turns(lambda reader=reader: reader.writer.written[-1] == COMMENT)  # type: ignore[misc]  # a default
            for reader in (member, plain, waits):
                await reader.gone()
            await turns(lambda: not home.fanout.followers or all(r.following.done() for r in home.readers[:2]))


# Endings.


@pytest.mark.parametrize("state", [State.COMPLETE, State.ABORTED])
@pytest.mark.parametrize("content", [b"", b"hello", b"half\xe2\x82"])
@on_loop
async def test_following_ends_when_the_log_does(state: State, content: bytes) -> None:
    async with house(content) as home:
        readers = [await home.reader(), await home.reader(len(content)), await home.reader(chunked=False)]
        await readers[0].joined()
        last = appended(home.journal, b"the end\xf0")
        await close(home.journal, state)
        await last
        content += b"the end\xf0"
        for number, start in enumerate((0, len(content) - 8, 0)):
            found = await hear(readers[number], number != 2, start)
            assert (found.text, found.offset) == (content[start:].decode("utf-8", "replace"), len(content))
        late = await hear(await home.reader(3), True, 3)
        assert late == Told(content[3:].decode("utf-8", "replace"), len(content), [], 0)
        assert (await hear(await home.reader(len(content)), True, len(content))).text == ""


@on_loop
async def test_following_ends_when_nothing_more_comes_here() -> None:
    """The server stops: what is no whole character is not told."""
    async with house(b"hello\xe2") as home:
        readers = [await home.reader(), await home.reader()]
        for reader in readers:
            await reader.joined()
        home.journal.suspend()
        for reader in readers:
            assert (await hear(reader, True)).text == "hello"
        assert (await hear(await home.reader(), True)).text == "hello"


# Readers that go.


@on_loop
async def test_members_that_go_change_nothing_for_the_others() -> None:
    async with house() as home:
        stays, goes, slow = await home.reader(), await home.reader(), await home.reader(small=True)
        for reader in (stays, goes, slow):
            await reader.joined()
        await goes.gone()
        with pytest.raises(ConnectionError):
            await goes.following
        slow.following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow.following
        await append(home.journal, b"hello")
        await close(home.journal)
        assert (await hear(stays, True)).text == "hello"
        assert home.fanout.followers == 0


@on_loop
async def test_a_closed_fanout_watches_nothing_any_more() -> None:
    async with house() as home:
        await (await home.reader()).joined()
        home.fanout.close()
        assert home.journal.watchers == set()


# Bytes that are not in memory, and passes in several turns.


@pytest.mark.parametrize("nowait", [0, None])
@on_loop
async def test_any_amount_is_told_from_memory_or_from_the_file(nowait: int | None) -> None:
    content = ("größer\n" * 30_000).encode()
    async with house(b"a", nowait) as home:
        readers = [await home.reader(), await home.reader(chunked=False)]
        hearing = [asyncio.ensure_future(hear(reader, number == 0)) for number, reader in enumerate(readers)]
        for start in range(0, len(content), 50_001):
            await append(home.journal, content[start : start + 50_001])
        await close(home.journal)
        for found in await asyncio.gather(*hearing):
            assert found.text == "a" + content.decode()


@on_loop
async def test_a_pass_in_several_turns_tells_everybody_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout_module, "MEMBERS_PER_TURN", 2)
    async with house() as home:
        readers = [await home.reader() for _ in range(9)]
        for reader in readers:
            await reader.joined()
        home.journal.append([b"one "], lambda: None)
        await turns(lambda: any(len(reader.writer.written) > 1 for reader in readers))
        joins = await home.reader(4)
        home.journal.interrupt()
        home.journal.append([b"two "], lambda: None)
        await close(home.journal)
        for reader in readers:
            found = await hear(reader, True)
            assert (found.text, found.states[0]) == ("one two ", "live")
        assert (await hear(joins, True, 4)).text == "two "


# Anything at all.


@examples(80)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(b"".join)),
            st.tuples(st.just("append much"), st.sampled_from(PIECES)),
            st.tuples(st.sampled_from(["join", "join small", "go", "turns"]), st.integers(0, 100)),
            st.tuples(st.sampled_from(["interrupt", "resume"]), st.none()),
        ),
        max_size=25,
    ),
    st.sampled_from([State.COMPLETE, State.ABORTED]),
    st.integers(0, 1000),
)
def test_every_reader_is_told_every_byte_once_whatever_happens(
    steps: list[tuple[str, bytes | int | None]], state: State, seed: int
) -> None:
    async def scenario() -> None:
        chance = random.Random(seed)
        async with house() as home:
            sent = b""
            hearing: list[tuple[asyncio.Future[Told], int]] = []
            quiet: list[tuple[Reader, bool, int]] = []
            for (step, argument), number in zip(steps, itertools.count()):
                match step, argument:
                    case "append" | "append much", bytes(piece):
                        data = piece * (1 if step == "append" else MUCH // len(piece))
                        home.journal.append([data], lambda: None)
                        sent += data
                    case "go", int(place) if hearing:
                        hearing.pop(place % len(hearing))[0].cancel()
                    case "turns", int(count):
                        for _ in range(count % 7):
                            await asyncio.sleep(0)
                    case "interrupt" | "resume", None:
                        (home.journal.interrupt if step == "interrupt" else home.journal.resume)()
                    case "join" | "join small", int(share):
                        offset, chunked = home.journal.length * share // 100, number % 3 > 0
                        reader = await home.reader(offset, chunked=chunked, small=step != "join")
                        if chance.random() < 0.5:
                            hearing.append((asyncio.ensure_future(hear(reader, chunked, offset)), offset))
                        else:
                            quiet.append((reader, chunked, offset))
            await close(home.journal, state)
            hearing += [(asyncio.ensure_future(hear(*each)), each[2]) for each in quiet]
            for heard, offset in hearing:
                found = await heard
                assert (found.text, found.offset) == (sent[offset:].decode("utf-8", "replace"), len(sent))
                assert all(one != other for one, other in itertools.pairwise(found.states))
            for follower in home.readers:
                assert max(map(len, follower.writer.written), default=0) <= HELD

    on_loop(scenario)()
