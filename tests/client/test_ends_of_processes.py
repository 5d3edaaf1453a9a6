"""A process that ends while a connection speaks TLS, or is about to: it ends as it was told to.

OpenSSL takes itself down when a process exits; a thread that is within it then ends the process by SIGSEGV.
"""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from livelog import Writer
from livelog.client.settings import ClientSettings
from tests.harness import PATIENCE, TIMEOUT

from .place import wait_until

PROGRAM = """
import atexit, ssl, sys, threading
from livelog.cli import main
atexit.register(print, "taken down", flush=True)
threading.Thread(target=threading.Event().wait, daemon=True).start()
sys.exit(main(["tail", "--give-up", "0.1", "http://127.0.0.1:9/log/x/y"]))
"""


def settings(folder: Path, port: int) -> ClientSettings:
    url = f"https://127.0.0.1:{port}"
    return ClientSettings(server=url, public_url=url, spool_dir=folder)


@pytest.mark.parametrize("failed", [False, True])
def test_writer_that_is_closed_leaves_no_thread_within_openssl(tmp_path: Path, failed: bool) -> None:
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        log = Writer("left", drain=0, settings=settings(tmp_path, listener.getsockname()[1]))
        server, _ = listener.accept()
        with server:
            assert server.recv(1) == b"\x16"  # a handshake record: RFC 8446 section 5.1
            if failed:
                server.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                wait_until(lambda: log.problem != "", "the failure")
            log.close()
            assert set(threading.enumerate()) <= before  # threads of tests before this one may end meanwhile
    assert not log.delivered


def test_writer_does_not_wait_for_a_connection_that_does_not_come_about(tmp_path: Path) -> None:
    """The host answers nothing, not even that nobody is there: its queue of connections is full."""
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        full = [socket.socket() for _ in range(3)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        log = Writer("nowhere", drain=0, settings=settings(tmp_path, listener.getsockname()[1]))
        began = time.monotonic()
        log.close()
        assert time.monotonic() - began < TIMEOUT
        for one in full:
            one.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE)  # it goes no further than TCP
        assert not thread.is_alive()


def test_command_with_threads_that_may_be_within_openssl_takes_nothing_down() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (6, b"", 1)
