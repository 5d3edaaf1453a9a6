"""Many connections at once, and more than may be: each is answered, none is reset.

Categories: readers, over http and https · producers with a body · silent ones in front · none too early.
"""

import contextlib
import selectors
import socket
import ssl
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conformance.link import Address
from tests.harness import TIMEOUT, TOKEN, Server

from .certificates import Authority, environment
from .logs import send
from .servers import running, wait_until

pytestmark = pytest.mark.needs("prlimit")

GET = f"GET /log/{TOKEN}/a?follow=0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()

PUT = b"PUT /log/%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n\r\nbytes"


def burst(address: Address, requests: list[bytes], context: ssl.SSLContext | None = None) -> Counter[str]:
    """How many of the connections, all made at once, got each status; or how else they ended."""
    ended: Counter[str] = Counter()
    deadline = time.monotonic() + TIMEOUT
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
        plain = [stack.enter_context(socket.socket()) for _ in requests]
        for sock in plain:
            sock.setblocking(False)
            sock.connect_ex((address.host, address.port))
        for sock, request in zip(plain, requests, strict=True):
            sock.settimeout(TIMEOUT)
            while sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                try:
                    sock.getpeername()
                    break
                except OSError:
                    assert time.monotonic() < deadline, "not connected"
            client = sock
            if context is not None:
                client = stack.enter_context(context.wrap_socket(sock, server_hostname="localhost"))
            client.sendall(request)
            selector.register(client, selectors.EVENT_READ, bytearray())
        while selector.get_map():
            assert time.monotonic() < deadline, f"{len(selector.get_map())} are not answered; {ended}"
            for key, _ in selector.select(1):
                asked, data = key.fileobj, key.data
                assert isinstance(asked, socket.socket)
                try:
                    piece = asked.recv(65536)
                except ConnectionError:
                    ended["reset"] += 1
                    selector.unregister(asked)
                    continue
                data += piece
                if not piece:
                    ended[bytes(data[9:12]).decode() or "nothing"] += 1
                    selector.unregister(asked)
                    asked.close()
    return ended


def served(server: Server, most: int) -> None:
    """The places are free again."""
    wait_until(lambda: burst(server.get, [GET] * most)["200"] == most, "everybody is served")


@pytest.mark.parametrize("count", [85, 400])
def test_each_of_many_readers_at_once_gets_the_log_or_503(count: int) -> None:
    """However many there are beyond the limit; and the limit's number of them is served."""
    with running({"LIVELOG_MAX_READERS": "20"}) as server:
        send(server, "a")
        ended = burst(server.get, [GET] * count)
        assert set(ended) <= {"200", "503"}, ended
        assert ended["200"] >= 20
        served(server, 20)


def test_nobody_is_refused_below_the_limit() -> None:
    """What is being set up counts once."""
    with running({"LIVELOG_MAX_READERS": "200"}) as server:
        send(server, "a")
        assert burst(server.get, [GET] * 200) == {"200": 200}


def test_each_of_many_producers_at_once_is_answered() -> None:
    """Also those whose body is not wanted any more."""
    with running(wrapper=("prlimit", "--nofile=100:100")) as server:
        ended = burst(server.put, [PUT % number for number in range(150)])
        assert set(ended) <= {"201", "429", "503"}, ended
        assert ended["503"] > 0


@pytest.mark.needs("openssl")
def test_each_of_many_readers_over_tls_gets_the_log_or_503(tmp_path: Path) -> None:
    """What is in its handshake counts, too."""
    authority = Authority(tmp_path)
    settings = {**environment(authority.sign("server")), "LIVELOG_MAX_READERS": "10"}
    with running(settings, tls=authority.address()) as server:
        send(server, "a")
        ended = burst(server.get, [GET] * 30, authority.client())
        assert set(ended) <= {"200", "503"}, ended


def test_silent_connections_in_front_do_not_keep_an_answer_from_those_behind() -> None:
    """Those too many are told so without having asked, and make room."""
    with running({"LIVELOG_MAX_READERS": "5"}) as server, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection((server.get.host, server.get.port))) for _ in range(300)]
        assert burst(server.get, [GET] * 20) == {"503": 20}
        told = 0
        for client in silent[5:]:
            client.settimeout(TIMEOUT)
            told += client.recv(65536).startswith(b"HTTP/1.1 503 ")
        assert told == 295
