"""A drop-in for Taskcluster's livelog: started, fed and killed as its generic-worker does, and as its README shows.

Categories: the worker's way (environment, polling the port, a chunked body from a pipe, SIGKILL) · several tasks one
after the other on the same ports · the README's second example, https on other ports · the component that shows a log in
Taskcluster's pages, on a page of another origin.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.chromium import chromium

from .programs import TIMEOUT, Installed, Program, clean_environment, curl, program

pytestmark = pytest.mark.needs("curl", "openssl")

Ports = tuple[int, int]

UI = Path(__file__).parent / "taskcluster_ui"

TOKEN = "XQ8Kcs1lTBCPgq8zz0zkHg"  # a slugid, as the worker makes them


@contextlib.contextmanager
def worker_starts(installed: Installed, ports: Ports, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process as the worker starts it: three variables, output to nowhere, and no ready line that anybody reads."""
    settings = {"ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": str(ports[0]), "LIVELOG_GET_PORT": str(ports[1])}
    process = subprocess.Popen(
        [installed.livelog],
        env=clean_environment() | settings | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(process, ports[0])
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait(TIMEOUT) == -signal.SIGKILL


def wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    """Connect until somebody accepts, and leave without a word: the worker's way to find that livelog is up."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("localhost", port)).close()
            return


class LogWriter:
    """The worker's end of its pipe into the PUT: each write is one chunk, as Go's HTTP client sends it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("localhost", port), TIMEOUT)
        self._socket.sendall(
            f"PUT /log HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: Go-http-client/1.1\r\n"
            "Transfer-Encoding: chunked\r\nAccept-Encoding: gzip\r\n\r\n".encode()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def write(self, data: bytes) -> None:
        """One write of the task."""
        self._socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def close(self) -> bytes:
        """End the body. Returns the answer's status line, which the worker does not look at."""
        self._socket.sendall(b"0\r\n\r\n")
        data = b""
        while b"\r\n" not in data:
            piece = self._socket.recv(4096)
            assert piece, "no answer"
            data += piece
        return data.partition(b"\r\n")[0]


def follow(ports: Ports) -> contextlib.AbstractContextManager[Program]:
    """A reader of the task's log, to its end."""
    return program(*curl("-fN", f"http://localhost:{ports[1]}/log/{TOKEN}"))


def test_worker_serves_a_tasks_log(installed: Installed, ports: Ports) -> None:
    """From the first line to EOF; the readers' port is open before the PUT; then the worker kills it."""
    with worker_starts(installed, ports):
        with program(
            *curl("-o", "/dev/null", "-w", "%{http_code}", f"http://localhost:{ports[1]}/log/{TOKEN}")
        ) as early:
            assert early.wait() == 0
            assert early.output == b"404"
        with (
            LogWriter(ports[0]) as writer,
            program(*curl("-fN", f"http://localhost:{ports[1]}/log/{TOKEN}?wait=20")) as one,
        ):
            writer.write(b"[taskcluster] Task begins\n")
            one.wait_for(b"begins\n")
            with follow(ports) as two:
                for number in range(50):
                    writer.write(b"step %d\n" % number)
                for reader in (one, two):
                    reader.wait_for(b"step 49\n")
                assert writer.close() == b"HTTP/1.1 201 Created"
                for reader in (one, two):
                    assert reader.wait() == 0
                expected = b"[taskcluster] Task begins\n" + b"".join(b"step %d\n" % number for number in range(50))
                assert one.output == two.output == expected


def test_worker_may_kill_it_right_after_the_last_write(installed: Installed, ports: Ports) -> None:
    """A reader is cut, and does not hang; curl says that the log is not whole."""
    with worker_starts(installed, ports) as process, LogWriter(ports[0]) as writer:
        writer.write(b"only line\n")
        with program(*curl("-fN", f"http://localhost:{ports[1]}/log/{TOKEN}?wait=20")) as reader:
            reader.wait_for(b"only line\n")
            process.kill()
            assert reader.wait() == 18


def test_tasks_one_after_the_other_use_the_same_ports(installed: Installed, ports: Ports, tmp_path: Path) -> None:
    """A new process for each task, at once behind the one that was killed, leaving nothing on disk."""
    for number in range(4):
        with worker_starts(installed, ports, LIVELOG_TEMP_DIR=str(tmp_path)), LogWriter(ports[0]) as writer:
            writer.write(b"task %d\n" % number)
            with program(*curl("-fN", f"http://localhost:{ports[1]}/log/{TOKEN}?wait=20")) as reader:
                reader.wait_for(b"task %d\n" % number)
                if number % 2:
                    writer.close()
                    assert reader.wait() == 0
        assert list(tmp_path.iterdir()) == []


def test_second_example_of_the_original(installed: Installed, ports: Ports, tmp_path: Path) -> None:
    """Https on other ports: the name of the certificate is made to resolve to this machine, here by curl."""
    certificate, key = tmp_path / "myssl.crt", tmp_path / "myssl.key"
    name = "pete.taskcluster-worker.net"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    settings = {"SERVER_CRT_FILE": str(certificate), "SERVER_KEY_FILE": str(key), "ACCESS_TOKEN": "secretpuppy"}
    with installed.server(ports, DEBUG="*", **settings) as server:
        loop = 'for ((i=1; i<=5; i++)); do echo "Log line $i"; read; done'
        with program("bash", "-c", f"({loop}) | curl -v -T - http://localhost:{ports[0]}/log") as pump:
            server.wait_for(b"log begun")
            url = f"https://{name}:{ports[1]}/log/secretpuppy"
            resolve = ("--resolve", f"{name}:{ports[1]}:127.0.0.1", "--cacert", str(certificate))
            with program(*curl("-fN", *resolve, url)) as reader:
                for number in range(1, 6):
                    reader.wait_for(b"Log line %d\n" % number)
                    pump.write(b"\n")
                assert reader.wait() == 0
            with program(*curl("-f", f"http://localhost:{ports[1]}/log/secretpuppy")) as plain:
                assert plain.wait() != 0
                assert plain.output == b""
            assert pump.wait() == 0


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a page that shows a log as Taskcluster's does. Needs npm's registry."""
    folder = tmp_path_factory.mktemp("ui") / "source"
    shutil.copytree(UI, folder)
    subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True, timeout=150)
    subprocess.run(
        [
            *("node_modules/.bin/esbuild", "page.js", "--bundle", "--log-level=error", "--outfile=built.js"),
            *('--define:process.env.NODE_ENV="production"', "--define:global=window"),
        ],
        cwd=folder,
        check=True,
        timeout=60,
    )
    page = folder / "page.html"
    page.write_text('<!doctype html><meta charset="utf-8"><body><script src="built.js"></script>')
    return page


@pytest.fixture
def page() -> Iterator[Page]:
    """A tab."""
    with chromium() as browser:
        yield browser.new_page()


@pytest.mark.needs("chromium", "npm")
@pytest.mark.long
def test_taskclusters_page_shows_a_log_while_it_is_written_and_when_it_has_ended(
    installed: Installed, ports: Ports, ui: Path, page: Page
) -> None:
    """From another origin: with `stream` each line as it comes, down to the last, which has no end; then the whole."""

    def show(name: str, **how: str) -> None:
        url = f"http://localhost:{ports[1]}/log/{name}"
        page.goto(f"{ui.as_uri()}?{urlencode({'url': url, **how})}")

    shown = page.locator(".react-lazylog")
    with worker_starts(installed, ports):
        show(TOKEN, stream="1")
        expect(page).to_have_title("failed: 404", timeout=TIMEOUT * 1000)
        with (
            LogWriter(ports[0]) as writer,
            program(*curl("-fN", f"http://localhost:{ports[1]}/log/{TOKEN}?wait=20")) as reader,
        ):
            writer.write(b"".join(b"line %d \x1b[32mgreen\x1b[0m\n" % number for number in range(1000)))
            reader.wait_for(b"line 999")
            show(TOKEN, stream="1")
            expect(shown).to_contain_text("line 999 green", timeout=TIMEOUT * 1000)
            for number in range(1000, 1020):
                writer.write(b"line %d \xe2\x9c\x93\n" % number)
                expect(shown).to_contain_text(f"line {number} ✓", timeout=TIMEOUT * 1000)
            assert page.title() == ""
            writer.write(b"the last")
            assert writer.close() == b"HTTP/1.1 201 Created"
            expect(shown).to_contain_text("the last", timeout=TIMEOUT * 1000)
            expect(page).to_have_title("loaded", timeout=TIMEOUT * 1000)
        for how in ({"stream": "1"}, {}):
            show(TOKEN, **how)
            expect(page).to_have_title("loaded", timeout=TIMEOUT * 1000)
            expect(shown).to_contain_text("the last", timeout=TIMEOUT * 1000)
