"""Chores: one that fails is told of and begun again, and nothing else ends with it."""

import asyncio
import logging
import struct

import pytest

from livelog.operate.supervision import keep_doing

from .live import on_loop


@on_loop
async def test_a_chore_that_fails_is_told_of_and_begun_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    faults = [KeyError("gone"), struct.error("too short"), OSError("no")]
    begun = 0

    async def chore() -> None:
        nonlocal begun
        begun += 1
        if faults:
            raise faults.pop(0)

    await keep_doing("counting", chore, 0.0)
    assert begun == 4
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in told] == ["counting failed: it is begun again in 0 s"] * 3
    assert all(record.exc_info for record in told)


@on_loop
async def test_a_chore_that_is_cancelled_is_not_begun_again() -> None:
    begun = asyncio.Event()

    async def chore() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(keep_doing("waiting", chore))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
