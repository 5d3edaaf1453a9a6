"""Turns at the processor: who has one, who waits, and who has left. The processes are in the tests of `service`, and of the server."""

import asyncio

from livelog.lines.workers import Turns

from .live import on_loop


@on_loop
async def test_turns_go_to_those_who_wait_in_the_order_in_which_they_came() -> None:
    turns, had = Turns(2), []

    async def have(name: int) -> None:
        await turns.take()
        had.append(name)

    waiting = [asyncio.ensure_future(have(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert (had, turns.free, turns.waited_for) == ([0, 1], False, True)
    for number in range(2, 5):
        turns.give_back()
        await waiting[number]
        assert had[-1] == number
    assert not turns.waited_for
    turns.give_back()
    turns.give_back()
    assert turns.free


@on_loop
async def test_whoever_leaves_is_not_waited_for_and_keeps_no_turn() -> None:
    turns = Turns(1)
    await turns.take()
    waiting = [asyncio.ensure_future(turns.take()) for _ in range(4)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # while it waits
    await asyncio.sleep(0)
    waiting[1].cancel()  # in the moment in which a turn is given back
    turns.give_back()
    await waiting[2]
    turns.give_back()
    waiting[3].cancel()  # in the moment in which it has got one
    await asyncio.gather(*waiting, return_exceptions=True)
    assert [one.cancelled() for one in waiting] == [True, True, False, True]
    assert (turns.free, turns.waited_for) == (True, False)
