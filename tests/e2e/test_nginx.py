"""A real nginx in front, with its default buffering: what passes through it must still be live, whole and honest.

Categories: HTTP/1.0 (nginx's default) and HTTP/1.1 to livelog · lines as they come · cuts · ranges · eight readers at
once · waiting for a log · compression.
"""

import contextlib
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import reserved_port
from tests.sample import sample

from .programs import TIMEOUT, TOKEN, Installed, Program, curl, program

pytestmark = pytest.mark.needs("nginx", "curl")

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    gzip on;
    gzip_types text/plain;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            {extra}
        }}
    }}
}}
"""

UPSTREAMS = {
    "HTTP/1.0": "",
    "HTTP/1.1": "proxy_http_version 1.1;",
    "HTTP/1.1, keep-alive": 'proxy_http_version 1.1; proxy_set_header Connection "";',
}


@dataclass(frozen=True, slots=True)
class Site:
    """A server behind nginx."""

    put: str
    get: str
    server: Program


@pytest.fixture(params=sample(UPSTREAMS, "HTTP/1.1, keep-alive"))
def site(
    request: pytest.FixtureRequest, installed: Installed, ports: tuple[int, int], tmp_path: Path
) -> Iterator[Site]:
    """A server behind an nginx that speaks this HTTP version to it."""
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    assert nginx is not None, "install nginx"
    with (
        reserved_port() as port,
        installed.server(ports, LIVELOG_SHUTDOWN_TIMEOUT="1") as server,
        program(nginx, "-p", tmp_path, "-c", configured(tmp_path, port, ports[1], request.param)) as proxy,
    ):
        wait_for_port(proxy, port)
        yield Site(f"http://localhost:{ports[0]}/log", f"http://127.0.0.1:{port}/log/{TOKEN}", server)
        assert proxy.process.poll() is None


def configured(folder: Path, port: int, upstream: int, version: str) -> Path:
    """The configuration of an nginx on `port`."""
    configuration = folder / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(folder=folder, port=port, upstream=upstream, extra=UPSTREAMS[version])
    )
    return configuration


def wait_for_port(proxy: Program, port: int) -> None:
    """Connect until nginx accepts."""
    while True:
        assert proxy.process.poll() is None, proxy.errors
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), TIMEOUT).close()
            return


@contextlib.contextmanager
def producing(site: Site) -> Iterator[Program]:
    """A producer whose log has begun."""
    begun = site.server.errors.count(b"log begun")
    with program(*curl("-fT", "-", site.put)) as producer:
        while site.server.errors.count(b"log begun") == begun:
            site.server.wait_for_more()
        yield producer


def test_lines_arrive_live_through_nginx(site: Site) -> None:
    """Each line before the next is written, though nginx would buffer and compress: X-Accel-Buffering says no."""
    with producing(site) as producer:
        with (
            program(*curl("-fN", site.get)) as plain,
            program(*curl("-fN0", site.get)) as old,
            program(*curl("-fN", "--compressed", site.get)) as compressed,
        ):
            for number in range(20):
                line = b"line %d\n" % number
                producer.write(line)
                for reader in (plain, old):
                    reader.wait_for(line)
            producer.finish()
            for reader in (plain, old, compressed):
                assert reader.wait() == 0, reader.errors
            assert plain.output == old.output == compressed.output == b"".join(b"line %d\n" % n for n in range(20))


def test_abort_is_a_broken_end_behind_nginx(site: Site) -> None:
    """The producer is killed: curl at nginx is told that something is missing, now and later."""
    with producing(site) as producer:
        producer.write(b"half\n")
        with program(*curl("-fN", site.get)) as reader:
            reader.wait_for(b"half\n")
            producer.process.kill()
            assert_broken(reader)
    with program(*curl("-fN", site.get)) as late:
        assert_broken(late)


def assert_broken(reader: Program) -> None:
    """Curl has got what there is, and knows that it is not all: 18, or 56 for a connection that was reset."""
    code = reader.wait()
    assert (code in (18, 56), reader.output) == (True, b"half\n"), (code, reader.output, reader.errors)


def test_ranges_work_through_nginx(site: Site) -> None:
    """Bounded ones, the end, one beyond it, and a follow from an offset."""
    with producing(site) as producer:
        producer.write(b"0123456789")
        with program(*curl("-N", site.get)) as early:
            early.wait_for(b"0123456789")  # a range that begins beyond what there is would be refused
        with program(*curl("-fN", "-r", "4-9007199254740991", site.get)) as follower:
            follower.wait_for(b"456789")
            producer.write(b"ABC")
            follower.wait_for(b"456789ABC")
            producer.finish()
            assert follower.wait() == 0
        assert producer.wait() == 0
    for wanted, expected in (("2-4", b"234"), ("-3", b"ABC"), ("10-", b"ABC")):
        with program(*curl("-f", "-r", wanted, site.get)) as reader:
            assert reader.wait() == 0
            assert reader.output == expected
    with program(*curl("-s", "-o", "/dev/null", "-w", "%{http_code}", "-r", "99-", site.get)) as beyond:
        assert beyond.wait() == 0
        assert beyond.output == b"416"


def test_eight_readers_get_everything_through_nginx(site: Site, tmp_path: Path) -> None:
    """A large log, followed by eight at once while it is sent; and again when it is complete."""
    log = b"".join(b"%099d\n" % number for number in range(200_000))
    file = tmp_path / "log"
    file.write_bytes(log)
    with producing(site) as producer, contextlib.ExitStack() as stack:
        readers = [
            stack.enter_context(program("bash", "-c", f"curl -sSfN {site.get} | cmp - {file}")) for _ in range(8)
        ]
        half = len(log) // 2
        producer.write(log[:half])
        producer.write(log[half:])
        producer.finish()
        assert producer.wait() == 0
        for reader in readers:
            assert reader.wait() == 0, reader.output
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(program("bash", "-c", f"curl -sSf {site.get} | cmp - {file}")) for _ in range(8)]
        for reader in readers:
            assert reader.wait() == 0, reader.output


def test_request_may_wait_behind_nginx_until_the_log_begins(site: Site) -> None:
    """?wait= passes through; before it, 404 with Retry-After."""
    with program(*curl("-si", site.get)) as early:
        assert early.wait() == 0
        assert b" 404 " in early.output
        assert b"Retry-After: 1" in early.output
    with program(*curl("-fN", f"{site.get}?wait=30")) as waiting, producing(site) as producer:
        producer.write(b"first\n")
        waiting.wait_for(b"first\n")
        producer.finish()
        assert waiting.wait() == 0


def test_complete_log_has_its_length_for_clients_of_http_1_0(site: Site) -> None:
    """Behind nginx they can tell only by a length whether something is missing."""
    with producing(site) as producer:
        producer.write(b"0123456789")
        producer.finish()
        assert producer.wait() == 0
    with program(*curl("-0sfi", site.get)) as reader:
        assert reader.wait() == 0
        assert b"Content-Length: 10" in reader.output
