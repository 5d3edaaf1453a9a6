"""One journal to many sockets: real TCP connections, the server's own `BodyWriter` at one end of each.

Categories: shared frames and their order, readers that join late or from the middle, slow readers that leave and
come back, endings, readers that go, bytes too many or not in memory, passes in several turns, pacing.
"""

import asyncio
import functools
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.log.info import State
from livelog.read import fanout as fanout_module
from livelog.read.fanout import FRAME_LIMIT, ByteFanout
from tests.sample import examples

from .followers import House, Reader
from .followers import house as house_of
from .live import append, appended, close, on_loop, pass_time, turns

BLOCK = random.Random(1).randbytes(FRAME_LIMIT)

house = functools.partial(house_of, ByteFanout)


# Frames.


@on_loop
async def test_members_share_one_frame_of_all_that_has_arrived() -> None:
    async with house() as home:
        readers = [await home.reader() for _ in range(5)]
        for reader in readers:
            await reader.joined()
        await asyncio.gather(appended(home.journal, b"one "), appended(home.journal, b"two ", b"three"))
        for reader in readers:
            assert await reader.content(13) == b"one two three"
        frames = readers[0].writer.written
        for reader in readers:
            assert all(mine is shared for mine, shared in zip(reader.writer.written, frames, strict=True))
        assert b"".join(frames) == b"4\r\none \r\n9\r\ntwo three\r\n"


@on_loop
async def test_chunks_and_plain_bytes_go_out_side_by_side() -> None:
    async with house(b"before ") as home:
        chunked, plain = await home.reader(), await home.reader(chunked=False)
        assert (await chunked.chunk(), await plain.take(7)) == (b"before ", b"before ")
        for reader in (chunked, plain):
            await reader.joined()
        await append(home.journal, b"\r\n0\r\n\r\n")
        assert (await chunked.chunk(), await plain.take(7)) == (b"\r\n0\r\n\r\n", b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("offset", [0, 1, 4, 5])
@on_loop
async def test_a_late_reader_gets_what_it_missed_and_then_what_comes(offset: int) -> None:
    async with house(b"hello") as home:
        early = await home.reader()
        assert await early.chunk() == b"hello"
        late = await home.reader(offset)
        await late.joined()
        await append(home.journal, b" world")
        assert await late.content(11 - offset) == b"hello world"[offset:]
        assert await early.chunk() == b" world"


@on_loop
async def test_a_fanout_without_readers_keeps_up() -> None:
    async with house() as home:
        await append(home.journal, b"hello")
        assert home.fanout.offset == 5
        reader = await home.reader(5)
        await append(home.journal, b" world")
        assert await reader.content(6) == b" world"


@pytest.fixture
def long_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep so long a distance between passes that bytes arrive meanwhile: a pass takes some 20 us."""
    monkeypatch.setattr(fanout_module, "SHARE", 10_000)


async def lag(home: House) -> int:
    """Append until the fan-out waits for the time of its next pass. Returns the length."""
    while home.fanout.offset == home.journal.length:
        await append(home.journal, b"x")
    return home.journal.length


@pytest.mark.usefixtures("long_distance")
@on_loop
async def test_a_reader_ahead_of_the_last_pass_waits_for_the_next() -> None:
    async with house() as home:
        first = await home.reader()
        await first.joined()
        sock, writer = await home.connect()
        ahead = await lag(home)
        second = home.follow(sock, writer, ahead, chunked=True)
        await asyncio.sleep(0)
        assert home.fanout.offset == ahead or second.writer.on_blocked is None
        assert await first.content(ahead) == b"x" * ahead
        await second.joined()
        await append(home.journal, b"more")
        assert await second.content(4) == await first.content(4) == b"more"


@pytest.mark.parametrize("size", [FRAME_LIMIT, FRAME_LIMIT + 1, 40 * FRAME_LIMIT])
@pytest.mark.parametrize("nowait", [0, None])
@on_loop
async def test_any_amount_reaches_the_members_from_memory_or_from_the_file(size: int, nowait: int | None) -> None:
    data = (BLOCK * 41)[1 : size + 1]
    async with house(b"a", nowait) as home:
        readers = [await home.reader(), await home.reader(), await home.reader(chunked=False)]
        for reader in readers:
            assert await reader.content(1) == b"a"
            await reader.joined()
        writing = appended(home.journal, data)
        assert await asyncio.gather(*(reader.content(size) for reader in readers)) == [data] * 3
        await writing
        for reader in readers:
            await reader.joined()
        await append(home.journal, b"z")
        assert [await reader.content(1) for reader in readers] == [b"z"] * 3


@on_loop
async def test_a_log_is_sent_even_where_nobody_can_tell_what_is_cached() -> None:
    async with house(b"hello", nowait=None) as home:
        reader = await home.reader()
        assert await reader.content(5) == b"hello"


# Slow readers.


async def fill(home: House, slow: list[Reader], fast: list[Reader], block: bytes) -> bytes:
    """Append blocks until no slow reader's socket takes more, then some more; all fast readers get each at once."""
    sent, more = b"", 4
    while more:
        more -= all(reader.writer.blocked for reader in slow)
        await append(home.journal, block)
        sent += block
        assert await asyncio.gather(*(reader.content(len(block)) for reader in fast)) == [block] * len(fast)
        for reader in slow:
            assert reader.writer.transport is not None
            waiting = reader.writer.transport.get_write_buffer_size()
            assert waiting <= len(block) + 20, "no more than one frame waits in memory"
    return sent


@pytest.mark.parametrize("chunked", [True, False])
@on_loop
async def test_a_slow_member_leaves_catches_up_and_joins_again(*, chunked: bool) -> None:
    async with house() as home:
        slow = [await home.reader(chunked=chunked, small=True) for _ in range(2)]
        fast = [await home.reader(), await home.reader(chunked=False)]
        for reader in (*slow, *fast):
            await reader.joined()
        for _ in range(2):
            sent = await fill(home, slow, fast, BLOCK[:20_000])
            assert all(reader.writer.on_blocked is None for reader in slow), "they have left"
            for reader in slow:
                assert await reader.content(len(sent)) == sent
                await reader.joined()
        await append(home.journal, b"all again")
        assert [await reader.content(9) for reader in (*slow, *fast)] == [b"all again"] * 4


@pytest.mark.parametrize("state", [State.COMPLETE, State.ABORTED])
@on_loop
async def test_a_slow_reader_gets_every_byte_of_a_log_that_has_ended(state: State) -> None:
    async with house() as home:
        slow, fast = await home.reader(small=True), await home.reader()
        await slow.joined()
        sent = await fill(home, [slow], [fast], BLOCK)
        await close(home.journal, state)
        await fast.following
        assert not slow.following.done()
        assert await slow.content(len(sent)) == sent
        await slow.following


# Endings.


@pytest.mark.parametrize("state", [State.COMPLETE, State.ABORTED])
@pytest.mark.parametrize("content", [b"", b"hello"])
@on_loop
async def test_following_ends_when_the_log_does(state: State, content: bytes) -> None:
    async with house(content) as home:
        readers = [await home.reader(), await home.reader(len(content)), await home.reader(chunked=False)]
        await readers[0].joined()
        last = appended(home.journal, b"the end")
        await close(home.journal, state)
        await last
        await asyncio.gather(*(reader.following for reader in readers))
        assert await readers[0].content(len(content) + 7) == content + b"the end"
        assert await readers[1].content(7) == b"the end"
        assert await readers[2].content(len(content) + 7) == content + b"the end"
        late = await home.reader(len(content) + 3)
        await late.following
        assert await late.content(4) == b" end"


# Readers that go.


@on_loop
async def test_a_member_that_goes_is_told_of_and_changes_nothing_for_the_others() -> None:
    async with house() as home:
        stays, goes = await home.reader(), await home.reader()
        await goes.joined()
        await goes.gone()
        with pytest.raises(ConnectionError):
            await goes.following
        await append(home.journal, b"hello")
        assert await stays.content(5) == b"hello"


@on_loop
async def test_a_slow_reader_that_goes_is_told_of() -> None:
    async with house() as home:
        slow, fast = await home.reader(small=True), await home.reader()
        await slow.joined()
        await fill(home, [slow], [fast], BLOCK)
        await slow.gone()
        with pytest.raises(ConnectionError):
            await slow.following


@pytest.mark.usefixtures("long_distance")
@on_loop
async def test_a_reader_ahead_of_the_last_pass_that_goes_is_told_of() -> None:
    async with house() as home:
        await (await home.reader()).joined()
        sock, writer = await home.connect()
        ahead = home.follow(sock, writer, await lag(home), chunked=True)
        await ahead.gone()
        with pytest.raises(ConnectionError):
            await ahead.following


@on_loop
async def test_a_reader_that_was_gone_before_it_joined_is_told_of() -> None:
    async with house() as home:
        reader = await home.reader()
        await reader.joined()
        await reader.gone()
        again = asyncio.ensure_future(home.fanout.follow(reader.writer, 0, chunked=True))
        await asyncio.wait([again], timeout=10)
        done = again.done()
        again.cancel()
        with pytest.raises(ConnectionError):
            await again
        assert done


@on_loop
async def test_a_member_that_is_cancelled_changes_nothing_for_the_others() -> None:
    async with house() as home:
        stays, goes = await home.reader(), await home.reader()
        await goes.joined()
        goes.following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await goes.following
        assert goes.writer.on_blocked is None
        await append(home.journal, b"hello")
        assert await stays.content(5) == b"hello"
        assert goes.writer.written == []


@pytest.mark.usefixtures("long_distance")
@on_loop
async def test_a_closed_fanout_watches_its_journal_no_longer() -> None:
    async with house() as home:
        reader = await home.reader()
        await reader.joined()
        await lag(home)
        offset = home.fanout.offset
        home.fanout.close()
        assert home.journal.watchers == set()
        pass_time(30)
        await append(home.journal, b"more")
        assert home.fanout.offset == offset


# Passes in several turns.


@on_loop
async def test_a_pass_in_several_turns_serves_everybody_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout_module, "MEMBERS_PER_TURN", 2)
    async with house() as home:
        readers = [await home.reader(chunked=number % 3 != 0) for number in range(9)]
        for reader in readers:
            await reader.joined()
        home.journal.append([b"one "], lambda: None)
        await turns(lambda: any(reader.writer.sent for reader in readers))
        assert not all(reader.writer.sent for reader in readers), "the pass is under way"
        joins = await home.reader(4)
        first_served = next(reader for reader in reversed(readers) if reader.writer.sent)
        first_served.following.cancel()
        home.journal.append([b"two "], lambda: None)
        await close(home.journal)
        staying = [reader for reader in readers if reader is not first_served]
        for reader in staying:
            assert await reader.content(8) == b"one two "
        assert await joins.content(4) == b"two "
        await asyncio.gather(*(reader.following for reader in (*staying, joins)))


@on_loop
async def test_a_reader_that_goes_while_a_pass_is_under_way_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout_module, "MEMBERS_PER_TURN", 1)
    async with house() as home:
        readers = [await home.reader() for _ in range(8)]
        for reader in readers:
            await reader.joined()
        await append(home.journal, b"hello")
        unserved = [reader for reader in readers if not reader.writer.sent]
        assert len(unserved) > 1
        unserved[0].following.cancel()
        for reader in readers:
            if reader is not unserved[0]:
                assert await reader.content(5) == b"hello"
        assert unserved[0].writer.sent == 0


# Pacing.


@on_loop
async def test_the_first_bytes_after_a_pause_go_out_at_once() -> None:
    async with house() as home:
        reader = await home.reader()
        await reader.joined()
        for _ in range(3):
            sent = reader.writer.sent
            seen: list[int] = []
            home.journal.watchers.add(lambda seen=seen: seen.append(home.journal.length))  # type: ignore[misc]  # a default
            await append(home.journal, b"hello")
            # `written` is called, and watchers are, in one callback: nothing else has run since.
            assert seen
            assert reader.writer.sent == sent + len(b"5\r\nhello\r\n")
            assert await reader.chunk() == b"hello"
            pass_time(1)


@pytest.mark.usefixtures("long_distance")
@on_loop
async def test_passes_keep_a_distance_and_then_send_all_that_has_arrived() -> None:
    async with house() as home:
        reader = await home.reader()
        await reader.joined()
        for _ in range(40):
            await append(home.journal, b"x")
        assert await reader.content(40) == b"x" * 40
        assert len(reader.writer.written) < 20
        assert home.fanout.offset == 40


# Anything at all.


@examples(60)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.sampled_from([1, 100, 5_000, FRAME_LIMIT, 3 * FRAME_LIMIT])),
            st.tuples(st.just("join"), st.integers(0, 100)),
            st.tuples(st.just("join small"), st.integers(0, 100)),
            st.tuples(st.just("go"), st.integers(0, 5)),
            st.tuples(st.just("turns"), st.integers(1, 5)),
        ),
        max_size=25,
    ),
    st.sampled_from([State.COMPLETE, State.ABORTED]),
)
def test_every_reader_gets_every_byte_once_whatever_happens(steps: list[tuple[str, int]], state: State) -> None:
    async def scenario() -> None:
        async with house() as home:
            sent = b""
            readers: list[tuple[Reader, int]] = []
            for (step, argument), number in zip(steps, itertools.count()):
                match step:
                    case "append":
                        data = BLOCK[number : number + 1] * 7 + (BLOCK * 3)[:argument]
                        home.journal.append([data], lambda: None)
                        sent += data
                    case "go" if readers:
                        readers.pop(argument % len(readers))[0].sock.close()
                    case "turns":
                        for _ in range(argument):
                            await asyncio.sleep(0)
                    case "join" | "join small":
                        offset = home.journal.length * argument // 100
                        reader = await home.reader(offset, chunked=number % 3 > 0, small=step != "join")
                        readers.append((reader, offset))
            await close(home.journal, state)
            for reader, offset in readers:
                assert await reader.content(len(sent) - offset) == sent[offset:]
                await reader.following

    on_loop(scenario)()
