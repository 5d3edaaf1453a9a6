"""What only the socket behind a transport can do: end by a reset, tell what is unacknowledged, send at once, find a peer that vanished.

Refuses to know when that is right.
"""

import asyncio
import fcntl
import socket
import struct
import sys
import termios

OPTIONS = (
    # asyncio does so only with sockets that name their protocol, which `socket.create_server` makes none of.
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)
"""Small writes go out at once (RFC 9293 section 3.7.4): else a line waits for the acknowledgement of the one before, which peers delay
by up to 40 ms. A peer that vanished without a word is found after 60 + 4 * 15 seconds of silence."""


def set_options(listening: socket.socket) -> None:
    """Set `OPTIONS` on all connections that `listening` accepts: they inherit its own."""
    for level, option, value in OPTIONS:
        listening.setsockopt(level, option, value)


def end_by_reset(transport: asyncio.Transport, wanted: bool) -> None:
    """Whether the connection, however it is closed, ends by a TCP reset, so that the peer can tell it from an end."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", wanted, 0))


def reset_connection(transport: asyncio.Transport) -> None:
    """Close a connection by a TCP reset: what the peer has not acknowledged is thrown away, here and in the kernel."""
    end_by_reset(transport, True)
    transport.abort()


def bytes_unsent(transport: asyncio.Transport) -> int:
    """How many bytes the kernel has that the peer has not acknowledged. Raises: OSError."""
    waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(waiting, sys.byteorder)


def bytes_unacknowledged(transport: asyncio.Transport) -> int:
    """How many bytes wait in memory or were sent and are not acknowledged by the peer. Raises: OSError."""
    return transport.get_write_buffer_size() + bytes_unsent(transport)
