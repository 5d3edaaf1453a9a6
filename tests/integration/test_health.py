"""`livelog health`, as the health check of a container runs it, and a server that is a container's first process.

Categories: well · not well, and why · where it asks · wrong settings · the first process.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import TIMEOUT, TOKEN, Server, reserved_port
from tests.sample import sample

from .commands import run, variables
from .disks import memory_disk
from .servers import running

REFUSED = "Connection refused"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that is well."""
    with running() as server:
        yield server


# Well.


@pytest.mark.parametrize("arguments", [(), ("--ready",)])
def test_server_that_is_well_is_told_of_in_one_line_without_any_token(
    server: Server, arguments: tuple[str, ...]
) -> None:
    done = run("health", *arguments, LIVELOG_PUT_PORT=str(server.put.port))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"http://127.0.0.1:{server.put.port}: ok\n", "")


def test_flags_say_where_the_server_is_as_they_do_for_the_server(server: Server) -> None:
    done = run("health", "--put-port", str(server.put.port), "--put-host", "127.0.0.1", LIVELOG_PUT_PORT="nonsense")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("hosts", sample(["0.0.0.0", "0.0.0.0,::", "::1", "::", "localhost"], "0.0.0.0,::", "::1"))
def test_server_is_found_on_whichever_addresses_it_listens(hosts: str) -> None:
    """The server listens there, and the check is told so by the same variables."""
    with running({"LIVELOG_PUT_HOST": hosts, "LIVELOG_WRITE_TOKEN": "the-producers-own"}) as here:
        done = run("health", LIVELOG_PUT_HOST=hosts, LIVELOG_PUT_PORT=str(here.put.port))
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.needs("root", "unshare", "ip")
def test_every_interface_is_as_many_as_a_machine_without_ipv6_has() -> None:
    """`0.0.0.0,::` where nothing can listen on IPv6."""
    prepare = 'ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && exec "$@"'
    lone = ("unshare", "-n", "sh", "-c", prepare, "sh")
    script = """
exec 3< <(exec "$0" -m livelog); server=$!; read -r ready <&3
"$0" -m livelog health; code=$?; kill $server; wait $server && exit $code
"""
    values = {"ACCESS_TOKEN": TOKEN, "LIVELOG_WRITE_TOKEN": "w", "LIVELOG_PUT_HOST": "0.0.0.0,::"}
    done = subprocess.run(
        [*lone, "bash", "-c", script, sys.executable],
        env=variables(values),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert (done.returncode, done.stdout) == (0, "http://127.0.0.1:60022: ok\n"), done.stderr


# Not well.


def test_nobody_who_listens_is_told_of_with_each_address_that_was_tried() -> None:
    with reserved_port() as port:
        done = run("health", LIVELOG_PUT_PORT=str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"livelog: http://127.0.0.1:{port}: {REFUSED}; http://[::1]:{port}: {REFUSED}\n"


def test_server_that_hangs_is_not_well_once_the_time_is_over() -> None:
    with running() as here:
        here.process.send_signal(signal.SIGSTOP)
        done = run("health", "--timeout", "0.5", LIVELOG_PUT_PORT=str(here.put.port))
        here.process.send_signal(signal.SIGCONT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"livelog: http://127.0.0.1:{here.put.port}: no answer within 0.5 s\n"


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nnot\x1b[1m me", "404 not?[1m me"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", "no HTTP that can be read"),
        (b"SSH-2.0-server\r\n", "no HTTP that can be read: SSH-2.0-server"),
        (b"", ""),
    ],
)
def test_another_program_on_the_port_is_not_a_server_that_is_well(answer: bytes, shown: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def reply() -> None:
            accepted, _ = other.accept()
            with accepted:
                accepted.recv(65536)
                accepted.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        done = run("health", LIVELOG_PUT_PORT=str(other.getsockname()[1]))
        thread.join()
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "Traceback" not in line
    assert shown in line


@pytest.mark.needs("root", "mount")
def test_server_that_can_take_no_log_is_alive_but_not_ready(tmp_path: Path) -> None:
    """The limit of its disk says so, and the reason is told."""
    with (
        memory_disk(tmp_path, "1M") as disk,
        running({"LIVELOG_DATA_DIR": str(disk), "LIVELOG_DISK_RESERVE": "1G"}) as here,
    ):
        port = str(here.put.port)
        assert run("health", LIVELOG_PUT_PORT=port).returncode == 0
        done = run("health", "--ready", LIVELOG_PUT_PORT=port)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"http://127.0.0.1:{port}: 503 " in done.stderr


# Wrong settings.


@pytest.mark.parametrize(
    ("arguments", "settings", "code"),
    [
        ((), {"LIVELOG_PUT_PORT": "0"}, 78),
        ((), {"LIVELOG_PUT_PORT": "x"}, 64),
        (("--put-port", "65536"), {}, 65),
        ((), {"LIVELOG_PUT_HOST": "example.org"}, 78),
        (("--timeout", "soon"), {}, 78),
        (("--nonsense",), {}, 2),
        (("word",), {}, 2),
    ],
)
def test_wrong_setting_of_the_check_has_the_exit_code_that_it_has_for_the_server(
    arguments: tuple[str, ...], settings: dict[str, str], code: int
) -> None:
    done = run("health", *arguments, **settings)
    assert (done.returncode, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr


# The first process.


@pytest.mark.needs("root", "unshare")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_process_of_a_container_stops_at_a_signal_that_comes_while_it_starts(number: signal.Signals) -> None:
    """There a signal without a handler does nothing at all. It comes while the server's modules are being imported."""
    settings = {"ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": "0", "LIVELOG_GET_PORT": "0"}
    command = ("unshare", "--pid", "--fork", "--kill-child", sys.executable, "-X", "importtime", "-m", "livelog")
    with subprocess.Popen(command, env=variables(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr is not None
            while b" livelog.wire." not in (line := process.stderr.readline()):
                assert line, "it ended by itself"
            (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            os.kill(int(first), number)
            process.communicate(timeout=TIMEOUT)
            assert process.returncode == 0
        finally:
            process.kill()
