"""Readers over TLS: real clients that verify, the same promises as without, and certificates that change.

Categories: protocol versions · following, catching up, slowness and cuts · what is not TLS, and handshakes that
never come · reload by SIGHUP and by looking, of good and of broken pairs · settings that must not start a server.
"""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import Ending
from tests.harness import TIMEOUT, TOKEN, Server, chunk
from tests.sample import one_of

from .certificates import Authority, environment
from .pattern import Producer, Reader
from .servers import FOLLOW, begin, elapse, open_sockets, resident_memory, running, wait_until

pytestmark = pytest.mark.needs("openssl", "curl")

MB = 1_000_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that all clients here trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> tuple[Path, Path]:
    """A certificate and its key."""
    return authority.sign("first")


@pytest.fixture(scope="module")
def server(authority: Authority, pair: tuple[Path, Path]) -> Iterator[Server]:
    """A server with that certificate."""
    with running(environment(pair), tls=authority.address()) as server:
        yield server


def curl(server: Server, authority: Authority, *options: str) -> subprocess.Popen[bytes]:
    """`curl` as a reader that verifies."""
    url = f"https://localhost:{server.get.port}/log/{TOKEN}"
    command = ["curl", "-sSN", "--noproxy", "*", "--cacert", str(authority.certificate), *options, url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(server: Server, authority: Authority, version: ssl.TLSVersion) -> None:
    """And the log comes through."""
    context = authority.client()
    context.minimum_version = context.maximum_version = version
    with Producer(server) as producer:
        producer.send(1000)
        producer.finish()
    with socket.create_connection((server.get.host, server.get.port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            assert client.version() == version.name.replace("_", ".")
            client.sendall(f"GET /log/{TOKEN} HTTP/1.0\r\n\r\n".encode())
            data = b""
            while piece := client.recv(65536):
                data += piece
            assert data.startswith(b"HTTP/1.")
            assert data.partition(b"\r\n")[0].endswith(b" 200 OK")


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_older_versions_are_refused(server: Server, version: str) -> None:
    """Even by a client that would take them."""
    words = ["openssl", "s_client", version, "-cipher", "ALL:@SECLEVEL=0", "-connect", f"127.0.0.1:{server.get.port}"]
    done = subprocess.run(words, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=30)
    assert done.returncode != 0
    assert b"Cipher is (NONE)" in done.stdout


def test_lines_arrive_live_and_end_cleanly(server: Server, authority: Authority) -> None:
    """Each line when it was sent, for a strict client and for curl, which ends with 0."""
    with contextlib.closing(begin(server)) as producer, contextlib.closing(server.get_log(FOLLOW)) as reader:
        with curl(server, authority) as process:
            assert process.stdout is not None
            for number in range(20):
                line = b"line %d\n" % number
                producer.send(chunk(line))
                assert process.stdout.readline() == line
                reader.wait(lambda answer, line=line: answer.body.endswith(line), "line")  # type: ignore[misc]
            producer.send(chunk(b""))
            assert process.stdout.read() == b""
            assert process.wait(TIMEOUT) == 0
        assert reader.wait_end().ending is Ending.CLEAN


def test_aborted_log_is_cut_for_every_client(server: Server, authority: Authority) -> None:
    """No last chunk and no close_notify that would make a truncated log look whole; curl ends with an error."""
    with contextlib.ExitStack() as stack:
        producer = begin(server)
        producer.send(chunk(b"half\n"))
        readers = [
            stack.enter_context(contextlib.closing(server.get_log())),
            stack.enter_context(contextlib.closing(server.get_log(FOLLOW))),
            stack.enter_context(contextlib.closing(server.get_log(version="1.0"))),
        ]
        for reader in readers:
            reader.wait(lambda answer: answer.body == b"half\n", "the first line")
        clients = [stack.enter_context(curl(server, authority, *options)) for options in ((), ("--http1.0",))]
        for client in clients:
            assert client.stdout is not None
            assert client.stdout.readline() == b"half\n"
        producer.reset()
        for reader in readers:
            assert reader.wait_end().ending is Ending.CUT
        for client in clients:
            assert client.wait(TIMEOUT) != 0


def test_catching_up_slow_and_current_readers_get_all_bytes(server: Server) -> None:
    """Fifty megabytes, by readers that read at once, later, in pieces, and only in the end."""
    size = 50 * MB
    with contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        threads = stack.enter_context(ThreadPoolExecutor(3))
        stuck = stack.enter_context(Reader(server.get, receive_buffer=4096))
        quick = stack.enter_context(Reader(server.get))
        for reader in (stuck, quick):
            assert reader.head.status == 200
        ends = [threads.submit(quick.read_to_end)]
        producer.send(size)
        late = stack.enter_context(Reader(server.get, version="1.0"))
        ends.append(threads.submit(late.read_to_end))
        assert producer.finish() == 200
        part = stack.enter_context(Reader(server.get, f"Range: bytes={size // 2}-", start=size // 2))
        ends.append(threads.submit(part.read_to_end))
        assert [end.result() for end in ends] == [Ending.CLEAN] * 3
        for _ in range(20):
            stuck.read(MB // 10)
        stuck.hurry()
        assert stuck.read_to_end() is Ending.CLEAN
        assert {reader.offset for reader in (stuck, quick, late, part)} == {size}


def test_lines_reach_a_reader_that_falls_behind_and_catches_up_again(server: Server) -> None:
    """Between shared frames and the file, over TLS."""
    with Producer(server) as producer, Reader(server.get, receive_buffer=4096) as reader:
        for size in (10, MB, 100, 70_000, 3 * MB, 1) * 3:
            producer.send(size, 50_000)
            if size != MB:
                reader.read_to(producer.offset)
        assert producer.finish() == 200
        assert reader.read_to_end() is Ending.CLEAN


def test_readers_that_do_not_read_cost_little_memory(authority: Authority, pair: tuple[Path, Path]) -> None:
    """Two hundred TLS connections with megabytes to come: bounded memory for each."""
    count = 200
    with running(environment(pair), tls=authority.address()) as server, contextlib.ExitStack() as stack:
        with Producer(server) as producer:
            stack.enter_context(Reader(server.get, receive_buffer=4096))
            before = resident_memory(server.pid)
            for _ in range(count):
                stack.enter_context(Reader(server.get, receive_buffer=4096))
            producer.send(20 * MB)
            assert producer.finish() == 201
        assert resident_memory(server.pid) - before < count * 300_000


@pytest.mark.parametrize(
    "data",
    [b"GET /log/x HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(100), b"\x80" * 100, b""],
    ids=["plain HTTP", "broken hello", "noise", "nothing"],
)
def test_what_is_not_tls_fails_alone(server: Server, data: bytes) -> None:
    """It is closed, without an answer in plain text from a log, and without disturbing a stream."""
    with contextlib.closing(begin(server)) as producer, contextlib.closing(server.get_log()) as reader:
        with socket.create_connection((server.get.host, server.get.port)) as client:
            client.settimeout(TIMEOUT)
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            received = b""
            with contextlib.suppress(ConnectionError):
                while piece := client.recv(4096):
                    received += piece
            assert TOKEN.encode() not in received
            assert b"Livelog" not in received
        producer.send(chunk(b"on") + chunk(b""))
        assert reader.wait_end().body == b"on"


def test_handshake_that_never_comes_is_given_up(server: Server) -> None:
    """Connections that say nothing do not stay; a stream that is as quiet does."""
    with contextlib.closing(begin(server)) as producer, contextlib.closing(server.get_log()) as reader:
        assert reader.wait_head().status == 200
        with contextlib.ExitStack() as stack:
            address = (server.get.host, server.get.port)
            silent = [stack.enter_context(socket.create_connection(address)) for _ in range(20)]
            silent[0].sendall(b"\x16\x03\x01")
            for client in silent:
                client.settimeout(30)
                with contextlib.suppress(ConnectionError):
                    assert client.recv(100) == b""
        producer.send(chunk(b"on") + chunk(b""))
        assert reader.wait_end().body == b"on"


def test_connections_are_all_gone_when_their_clients_are(server: Server) -> None:
    """Closed with and without close_notify, reset, and in the middle of a handshake."""
    wait_until(lambda: open_sockets(server.pid) < 20, "earlier connections are gone")
    before = open_sockets(server.pid)
    for number in range(40):
        if number % 4 == 0:
            with socket.create_connection((server.get.host, server.get.port)) as client:
                client.sendall(b"\x16\x03\x01")
            continue
        connection = server.get_log()
        if number % 4 == 1:
            connection.reset()
        connection.close()
    wait_until(lambda: open_sockets(server.pid) <= before, "the connections are closed")


def served_name(server: Server, context: ssl.SSLContext) -> str:
    """The common name of the certificate that a new connection is shown."""
    with socket.create_connection((server.get.host, server.get.port)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            certificate = client.getpeercert()
            assert certificate is not None
            subject = certificate["subject"]
            assert isinstance(subject, tuple)
            return str(subject[0][0][1])


def install(pair: tuple[Path, Path], place: tuple[Path, Path]) -> None:
    """Put a pair in place as administrators do: each file replaced by a new one."""
    for source, target in zip(pair, place, strict=True):
        fresh = target.with_suffix(".new")
        fresh.write_bytes(source.read_bytes())
        os.replace(fresh, target)


def test_new_certificate_is_used_after_sighup_and_streams_go_on(
    tmp_path: Path, authority: Authority, pair: tuple[Path, Path]
) -> None:
    """Connections that are open keep theirs; a pair that is broken changes nothing."""
    place = (tmp_path / "server.crt", tmp_path / "server.key")
    install(pair, place)
    second, other = authority.sign("second"), authority.sign("other")
    with running(environment(place), tls=authority.address()) as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(contextlib.closing(begin(server)))
        reader = stack.enter_context(contextlib.closing(server.get_log()))
        producer.send(chunk(b"1"))
        reader.wait(lambda answer: answer.body == b"1", "the first byte")
        context = authority.client()
        assert served_name(server, context) == "first"

        install(second, place)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: served_name(server, context) == "second", "the new certificate")

        broken = [
            (second[0], other[1]),  # not a pair
            (second[0], second[0]),  # not a key
            (tmp_path / "empty", second[1]),
        ]
        (tmp_path / "empty").write_bytes(b"")
        for number, faulty in enumerate(broken):
            install(faulty, place)
            server.process.send_signal(signal.SIGHUP)
            wait_until(
                lambda number=number: server.log().count("not reloaded") > number,  # type: ignore[misc]
                "the faulty pair is refused",
            )
            assert served_name(server, context) == "second"
        place[1].unlink()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.log().count("not reloaded") > len(broken), "the missing key is noticed")
        assert served_name(server, context) == "second"

        install(other, place)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: served_name(server, context) == "other", "the next good pair")
        producer.send(chunk(b"2") + chunk(b""))
        answer = reader.wait_end()
        assert (bytes(answer.body), answer.ending) == (b"12", Ending.CLEAN)


def test_new_certificate_is_found_without_a_signal(
    tmp_path: Path, authority: Authority, pair: tuple[Path, Path]
) -> None:
    """Its files are replaced one after the other, and looked at every few seconds."""
    place = (tmp_path / "server.crt", tmp_path / "server.key")
    install(pair, place)
    with running(environment(place), tls=authority.address()) as server:
        install(authority.sign("renewed"), place)
        wait_until(lambda: served_name(server, authority.client()) == "renewed", "the new certificate")


def test_sighup_without_tls_is_ignored() -> None:
    """A signal that asks for certificates does not end a server that has none."""
    with running() as server:
        server.process.send_signal(signal.SIGHUP)
        elapse(0.2)
        with Producer(server) as producer:
            producer.send(10)
            assert producer.finish() == 201


WRONG = [
    "only certificate",
    "only key",
    "no such file",
    "a directory",
    "not a pair",
    "not PEM",
    "passphrase",
    "swapped",
]


@pytest.mark.parametrize("kind", one_of(3, WRONG))
def test_server_without_a_usable_certificate_does_not_start(
    kind: str, tmp_path: Path, authority: Authority, pair: tuple[Path, Path]
) -> None:
    """Exit code 78 and one clear line: never http instead, never a question on the terminal."""
    certificate, key = str(pair[0]), str(pair[1])
    nonsense = tmp_path / "nonsense"
    nonsense.write_bytes(b"nonsense")
    variables = {
        "only certificate": {"SERVER_CRT_FILE": certificate},
        "only key": {"SERVER_KEY_FILE": key},
        "no such file": {"SERVER_CRT_FILE": str(tmp_path / "none"), "SERVER_KEY_FILE": key},
        "a directory": {"SERVER_CRT_FILE": str(tmp_path), "SERVER_KEY_FILE": key},
        "not a pair": {"SERVER_CRT_FILE": certificate, "SERVER_KEY_FILE": str(authority.sign("stranger")[1])},
        "not PEM": {"SERVER_CRT_FILE": str(nonsense), "SERVER_KEY_FILE": key},
        "passphrase": environment(authority.sign("locked", "a passphrase")),
        "swapped": {"SERVER_CRT_FILE": key, "SERVER_KEY_FILE": certificate},
    }[kind]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "livelog"],
        env={**os.environ, "ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": "0", "LIVELOG_GET_PORT": "0", **variables},
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )
    assert done.returncode == 78, done.stderr
    assert done.stdout == ""
    (message,) = done.stderr.splitlines()
    assert message.startswith("livelog: ")
    assert "SERVER_CRT_FILE" in message or "SERVER_KEY_FILE" in message
    assert "TLS" in message or "https" in message or "certificate" in message


def test_producers_port_stays_plain(server: Server) -> None:
    """TLS is for readers: the private port speaks http as ever, and not TLS."""
    with Producer(server) as producer:
        assert producer.finish() == 200
    connection = Connection(server.put, TIMEOUT)
    connection.send(b"\x16\x03\x01\x00\xa5\x01" + bytes(100))
    connection.ask("GET", "1.1", b"")
    head = connection.wait_head()
    connection.close()
    assert head.status == 400
