"""What follows a connection's last answer: the peer sees its end, and one that sends for ever is not read for ever."""

import asyncio
import socket

from livelog.wire.lingering import MAX_DROPPED, Lingering

from .live import on_loop


@on_loop
async def test_the_peer_sees_the_end_and_what_it_still_sends_is_counted() -> None:
    ours, peer = socket.socketpair()
    peer.setblocking(False)
    closed: list[str] = []
    with peer:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        lingering = Lingering(transport, 3600, lambda: closed.append("closed"))
        assert await asyncio.get_running_loop().sock_recv(peer, 1) == b""
        lingering.drop(MAX_DROPPED)
        assert not closed
        lingering.drop(1)
        assert closed
        lingering.cancel()
        transport.abort()


@on_loop
async def test_a_peer_that_does_not_leave_is_waited_for_until_the_time_is_over() -> None:
    ours, peer = socket.socketpair()
    with peer:
        closed = asyncio.Event()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        Lingering(transport, 0.0, closed.set)
        await closed.wait()
        transport.abort()
