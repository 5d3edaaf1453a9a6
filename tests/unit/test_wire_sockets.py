"""Options of sockets, as the kernel tells them."""

import socket

from livelog.wire.sockets import set_options


def test_accepted_connections_send_small_writes_at_once_and_find_peers_that_vanished() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        set_options(listening)
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
