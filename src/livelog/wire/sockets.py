"""Socket options and kernel state of a transport: reset on close, unacknowledged bytes, no delay for small writes, keepalive.

The module does not decide when to use them.
"""

import asyncio
import fcntl
import socket
import struct
import sys
import termios

OPTIONS = (
    # asyncio sets TCP_NODELAY only on sockets whose `proto` is IPPROTO_TCP, and `socket.create_server` leaves it 0.
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
    """Set whether any close of the connection, also by the death of this process, is a TCP reset instead of an orderly end."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", wanted, 0))


def reset_connection(transport: asyncio.Transport) -> None:
    """Close a connection by a TCP reset. Bytes that the peer has not acknowledged are discarded, here and in the kernel."""
    end_by_reset(transport, True)
    transport.abort()


def bytes_unsent(transport: asyncio.Transport) -> int:
    """The number of bytes in the kernel's send queue that the peer has not acknowledged. Raises: OSError."""
    waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(waiting, sys.byteorder)


def bytes_unacknowledged(transport: asyncio.Transport) -> int:
    """The number of bytes that wait in this process, or in the kernel for the peer's acknowledgement. Raises: OSError."""
    return transport.get_write_buffer_size() + bytes_unsent(transport)
