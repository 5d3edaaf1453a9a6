"""The command: exit codes, settings from variables and flags, where it listens, what it says and what it never says.

Categories: versions and help · wrong settings and their exit codes · flags against variables · ports and addresses ·
the ready line · secrets.
"""

import contextlib
import os
import re
import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import livelog
from tests.conformance.link import Address, Connection
from tests.harness import TIMEOUT, TOKEN, ask, chunk, reserved_port, serving
from tests.sample import one_of, sample
from tests.starts import forked

from .commands import COMMAND, run, variables
from .pattern import Producer, Reader
from .servers import begin, running, wait_until

READY = re.compile(rb"livelog (\S+) ready: PUT (http://\S+:([0-9]+)/log) GET (http://\S+:([0-9]+)/log/ACCESS_TOKEN)\n")


@contextlib.contextmanager
def started(*arguments: str, **changes: str) -> Iterator[tuple[subprocess.Popen[bytes], re.Match[bytes]]]:
    """The command, and its ready line."""
    with subprocess.Popen((*COMMAND, *arguments), env=variables(changes), stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], TIMEOUT)[0], "no ready line"
            line = process.stdout.readline()
            match = READY.fullmatch(line)
            assert match is not None, line
            yield process, match
            process.terminate()
            assert process.wait(TIMEOUT) == 0
        finally:
            process.kill()


def test_versions_are_told() -> None:
    """With and without the name, on stdout, and nothing else; no setting is needed."""
    for arguments, expected in (
        (("--version",), f"livelog {livelog.__version__}\n"),
        (("--short-version",), f"{livelog.__version__}\n"),
        (("serve", "--version"), f"livelog {livelog.__version__}\n"),
    ):
        done = run(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+(\S*)", livelog.__version__)


@pytest.mark.parametrize("flag", sample(["-h", "--help"], "--help"))
def test_help_names_every_setting(flag: str) -> None:
    """Each variable of the contract, and its flag."""
    done = run("serve", flag)
    assert (done.returncode, done.stderr) == (0, "")
    for name in (
        "ACCESS_TOKEN", "LIVELOG_PUT_PORT", "LIVELOG_GET_PORT", "LIVELOG_PUT_HOST", "LIVELOG_GET_HOST",
        "SERVER_CRT_FILE", "SERVER_KEY_FILE", "LIVELOG_TEMP_DIR", "DEBUG", "LIVELOG_MAX_LOG_SIZE",
        "LIVELOG_MAX_READERS", "LIVELOG_STALL_TIMEOUT", "LIVELOG_IDLE_TIMEOUT", "LIVELOG_SHUTDOWN_TIMEOUT",
        "--put-port", "--get-port", "60022", "60023",
    ):  # fmt: skip
        assert name in done.stdout, name


@pytest.mark.parametrize("flag", sample(["-h", "--help"], "--help"))
def test_help_teaches_by_example_and_names_every_command(flag: str) -> None:
    """What to type first, and each command with a help of its own."""
    done = run(flag)
    assert (done.returncode, done.stderr) == (0, "")
    commands = re.findall(r"^  ([a-z]+)  +[a-z]", done.stdout, re.MULTILINE)
    assert {"serve", "run", "push", "tail", "ls", "status", "open", "link", "completion"} <= set(commands)
    assert "ACCESS_TOKEN=secretpuppy livelog " in done.stdout
    for command in commands:
        started = forked((), (command, "--help"), variables({}), None, subprocess.PIPE, subprocess.PIPE, text=True)
        stdout, stderr = started.communicate(timeout=TIMEOUT)
        assert (started.returncode, stderr) == (0, "")
        assert f"usage: livelog {command}" in stdout


def test_unknown_arguments_are_a_usage_error() -> None:
    """Exit code 2, before anything is started; abbreviations are unknown, too."""
    for arguments in (("--nonsense",), ("--put-por", "1"), ("--put-port",)):
        done = run(*arguments, ACCESS_TOKEN=TOKEN)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage: livelog" in done.stderr
    done = run("nonsense", ACCESS_TOKEN=TOKEN)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "livelog: there is no command 'nonsense': livelog --help lists them\n"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    one_of(
        5,
        [
            ("LIVELOG_PUT_PORT", "nonsense", 64),
            ("LIVELOG_PUT_PORT", "1.5", 64),
            ("LIVELOG_PUT_PORT", "0x10", 64),
            ("LIVELOG_PUT_PORT", "6_0", 64),
            ("LIVELOG_PUT_PORT", " ", 64),
            ("LIVELOG_PUT_PORT", "١", 64),
            ("LIVELOG_PUT_PORT", "65536", 65),
            ("LIVELOG_PUT_PORT", "-1", 65),
            ("LIVELOG_GET_PORT", "nonsense", 66),
            ("LIVELOG_GET_PORT", "65536", 67),
            ("LIVELOG_GET_PORT", "-1", 67),
            ("LIVELOG_PUT_HOST", "not an address", 78),
            ("LIVELOG_GET_HOST", "example.org", 78),
            ("LIVELOG_TEMP_DIR", "/nonexistent/directory", 78),
            ("LIVELOG_TEMP_DIR", os.devnull, 78),
            ("LIVELOG_MAX_LOG_SIZE", "0", 78),
            ("LIVELOG_MAX_LOG_SIZE", "1MB", 78),
            ("LIVELOG_MAX_READERS", "-5", 78),
            ("LIVELOG_STALL_TIMEOUT", "soon", 78),
            ("LIVELOG_STALL_TIMEOUT", "nan", 78),
            ("LIVELOG_IDLE_TIMEOUT", "0", 78),
            ("LIVELOG_SHUTDOWN_TIMEOUT", "inf", 78),
        ],
    ),
)
def test_wrong_setting_has_its_exit_code_and_is_named(name: str, value: str, code: int) -> None:
    """One line on stderr that names the variable; nothing on stdout; no port was opened."""
    settings = {"ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": "0", "LIVELOG_GET_PORT": "0", name: value}
    done = run(**settings)
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("livelog: ")
    assert name in line


@pytest.mark.parametrize("token", sample([None, "", "a b", "ä", "a/b", "a%20b", "a?b", "\t"], None, "a b"))
def test_token_that_is_missing_or_not_url_safe_is_refused_and_not_shown(token: str | None) -> None:
    """Exit code 78, and a message that says what would be right."""
    done = run(**{} if token is None else {"ACCESS_TOKEN": token})
    assert (done.returncode, done.stdout) == (78, "")
    (line,) = done.stderr.splitlines()
    assert "ACCESS_TOKEN" in line
    assert "URL-safe" in line
    if token is not None and len(token) > 2:
        assert token not in line


def test_flags_win_over_variables(tmp_path: Path) -> None:
    """Each flag of a kind: ports, a file with the token, a size."""
    secret = tmp_path / "token"
    secret.write_text("from-the-file\n")
    with started(
        *("serve", "--put-port", "0", "--get-port=0", "--access-token-file", str(secret), "--max-log-size", "10"),
        ACCESS_TOKEN="from-the-variable",
        LIVELOG_PUT_PORT="nonsense",
        LIVELOG_GET_PORT="nonsense",
        LIVELOG_MAX_LOG_SIZE="1",
    ) as (_, ready):
        put, get = (Address("127.0.0.1", int(ready[number])) for number in (3, 5))
        with contextlib.closing(Connection(put, TIMEOUT)) as producer:
            ask(producer, "PUT", "/log", "Content-Length: 10")
            producer.send(b"0123456789")
            assert producer.wait_head().status == 201
        for token, status in (("from-the-file", 200), ("from-the-variable", 401)):
            with contextlib.closing(Connection(get, TIMEOUT)) as reader:
                ask(reader, "GET", f"/log/{token}")
                assert reader.wait_head().status == status


def test_wrong_flag_is_named_with_the_exit_code_of_its_variable(tmp_path: Path) -> None:
    """And a variable that is wrong does no harm when its flag is right."""
    for arguments, code in (
        (("--put-port", "x"), 64),
        (("--put-port", "65536"), 65),
        (("--get-port", "x"), 66),
        (("--get-port", "65536"), 67),
        (("--access-token-file", str(tmp_path / "none")), 78),
        (("--stall-timeout", "-1"), 78),
    ):
        done = run(*arguments, ACCESS_TOKEN=TOKEN, LIVELOG_PUT_PORT="0", LIVELOG_GET_PORT="0")
        assert (done.returncode, done.stdout) == (code, "")
        assert arguments[0] in done.stderr


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def test_original_defaults_of_the_ports_are_used() -> None:
    """60022 and 60023, when nothing else is said."""
    try:
        # Systems give these ports to clients, too, such as those of other tests: they give them back.
        wait_until(lambda: is_free(60022) and is_free(60023), "the default ports are free")
    except AssertionError:
        pytest.skip("a server has the default ports of this machine")
    with started(ACCESS_TOKEN=TOKEN) as (_, ready):
        assert (ready[3], ready[5]) == (b"60022", b"60023")


def test_variables_that_are_empty_are_unset() -> None:
    """As Taskcluster's worker sets them."""
    empty = dict.fromkeys(
        ("SERVER_CRT_FILE", "SERVER_KEY_FILE", "LIVELOG_TEMP_DIR", "LIVELOG_MAX_READERS", "DEBUG"), ""
    )
    with started(ACCESS_TOKEN=TOKEN, LIVELOG_PUT_PORT="0", LIVELOG_GET_PORT="0", **empty):
        pass


@pytest.mark.parametrize("side", ["PUT", "GET"])
@pytest.mark.parametrize("host", sample(["127.0.0.1", "::1"], "::1"))
def test_port_in_use_is_told_with_exit_code_69(side: str, host: str) -> None:
    """On either address family, on either side; the message says which port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        port = str(taken.getsockname()[1])
        settings = {"LIVELOG_PUT_PORT": "0", "LIVELOG_GET_PORT": "0", f"LIVELOG_{side}_PORT": port}
        done = run(ACCESS_TOKEN=TOKEN, **settings)
        assert (done.returncode, done.stdout) == (69, "")
        (line,) = done.stderr.splitlines()
        assert f"port {port}" in line


def test_same_port_for_both_sides_is_told() -> None:
    """It cannot work, and is an error that says so."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    done = run(ACCESS_TOKEN=TOKEN, LIVELOG_PUT_PORT=port, LIVELOG_GET_PORT=port)
    assert (done.returncode, done.stdout) == (69, "")
    assert f"port {port}" in done.stderr


def own_address() -> str | None:
    """An address of this machine that is not loopback, if it has one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
        return None if address.startswith("127.") else address


def test_producers_port_is_private_and_readers_port_public_by_default() -> None:
    """Loopback only for producers; both address families on both sides."""
    with serving() as server:
        for host in ("127.0.0.1", "::1"):
            for port, status in ((server.put.port, 404), (server.get.port, 404)):
                with contextlib.closing(Connection(Address(host, port), TIMEOUT)) as connection:
                    ask(connection, "GET", "/")
                    assert connection.wait_head().status == status
        address = own_address()
        if address is not None:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, server.put.port), TIMEOUT)
            with contextlib.closing(Connection(Address(address, server.get.port), TIMEOUT)) as connection:
                ask(connection, "GET", "/")
                assert connection.wait_head().status == 404
        # The producers' port stays private on every address that is loopback, for names that are this machine's.
        with contextlib.closing(Connection(server.put, TIMEOUT)) as connection:
            connection.ask("PUT", "1.1", b"PUT /log HTTP/1.1\r\nHost: rebound.example\r\nContent-Length: 0\r\n\r\n")
            assert connection.wait_head().status == 403


@pytest.mark.parametrize(
    ("host", "open_on", "closed_on"),
    one_of(
        3, [("127.0.0.1", "127.0.0.1", "::1"), ("::1", "::1", "127.0.0.1"), ("127.0.0.2", "127.0.0.2", "127.0.0.1")]
    ),
)
def test_hosts_that_are_named_are_the_only_ones(host: str, open_on: str, closed_on: str) -> None:
    """LIVELOG_PUT_HOST and LIVELOG_GET_HOST; the ready line shows them."""
    with started(
        ACCESS_TOKEN=TOKEN, LIVELOG_PUT_PORT="0", LIVELOG_GET_PORT="0", LIVELOG_PUT_HOST=host, LIVELOG_GET_HOST=host
    ) as (_, ready):
        shown = f"[{host}]" if ":" in host else host
        assert ready[2].decode().startswith(f"http://{shown}:")
        assert ready[4].decode().startswith(f"http://{shown}:")
        for port in (int(ready[3]), int(ready[5])):
            socket.create_connection((open_on, port), TIMEOUT).close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((closed_on, port), TIMEOUT)


def test_several_hosts_are_listened_on() -> None:
    """Separated by commas, with and without brackets, and `localhost` for both loopback addresses."""
    with started(
        ACCESS_TOKEN=TOKEN,
        LIVELOG_PUT_PORT="0",
        LIVELOG_GET_PORT="0",
        LIVELOG_PUT_HOST="localhost",
        LIVELOG_GET_HOST="127.0.0.2, [::1]",
    ) as (_, ready):
        for host, number in (("127.0.0.1", 3), ("::1", 3), ("127.0.0.2", 5), ("::1", 5)):
            socket.create_connection((host, int(ready[number])), TIMEOUT).close()


def test_producers_port_beyond_loopback_is_warned_about() -> None:
    """Whoever reaches it can write, as it was asked for."""
    with serving({"LIVELOG_PUT_HOST": "0.0.0.0", "LIVELOG_PUT_UNGUARDED": "1"}) as server:
        assert "WARNING" in server.log()
        assert "reachable from other machines" in server.log()


def test_ready_line_comes_when_both_ports_accept() -> None:
    """It is the only line on stdout, and at that moment both ports answer."""
    with started(ACCESS_TOKEN=TOKEN, LIVELOG_PUT_PORT="0", LIVELOG_GET_PORT="0") as (process, ready):
        connections = [socket.create_connection(("127.0.0.1", int(ready[number])), TIMEOUT) for number in (3, 5)]
        for connection in connections:
            connection.close()
        assert ready[1].decode() == livelog.__version__
        process.terminate()
        assert process.stdout is not None
        assert process.stdout.read() == b""


def test_ready_line_is_not_waited_for_by_anybody() -> None:
    """A parent that closed stdout has a server all the same."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with reserved_port() as port:
        settings = variables({"ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": str(port), "LIVELOG_GET_PORT": "0"})
        with subprocess.Popen(COMMAND, env=settings, stdout=write_end, stderr=subprocess.PIPE) as process:
            os.close(write_end)
            try:
                connection = first_connection(process, port)
                with contextlib.closing(connection):
                    ask(connection, "PUT", "/log", "Content-Length: 2")
                    connection.send(b"ok")
                    assert connection.wait_head().status == 201
            finally:
                process.kill()


def first_connection(process: subprocess.Popen[bytes], port: int) -> Connection:
    """A connection as soon as the process accepts one."""
    found: list[Connection] = []

    def accepted() -> bool:
        assert process.poll() is None, process.communicate()
        with contextlib.suppress(ConnectionRefusedError):
            found.append(Connection(Address("127.0.0.1", port), TIMEOUT))
        return bool(found)

    wait_until(accepted, "a connection is accepted")
    return found[0]


def test_token_is_never_written_whatever_happens() -> None:
    """At DEBUG=*, with the token in every place of good, wrong and broken requests; nor is it in the command line."""
    secret = "S3cr3t-tok3n_never.shown~"
    echoed = []
    with running({"DEBUG": "*", "ACCESS_TOKEN": secret}, wrapper=("env",)) as server:  # its command line is its own
        with contextlib.closing(begin(server)) as producer:
            producer.send(chunk(b"x"))
            for request in (
                f"GET /log/{secret} HTTP/1.0\r\n\r\n",
                f"HEAD /log/{secret} HTTP/1.1\r\nHost: a\r\n\r\n",
                f"GET /log/{secret}?token={secret} HTTP/1.1\r\nHost: {secret}\r\n\r\n",
                f"GET /log/{secret}/{secret} HTTP/1.1\r\nHost: a\r\n\r\n",
                f"GET /log/{secret}x HTTP/1.1\r\nHost: a\r\n\r\n",
                f"GET /log/{secret}?tail={secret} HTTP/1.1\r\nHost: a\r\n\r\n",
                f"POST /log/{secret} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
                f"GET /log HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {secret}\r\nRange: bytes=99-\r\n\r\n",
                f"GET /log/{secret} HTTP/1.1\r\nHost: a\r\n{secret}\r\n\r\n",
                f"GET /log/{secret} HTTP/9.9\r\nHost: a\r\n\r\n",
                f"{secret} /log HTTP/1.1\r\nHost: a\r\n\r\n",
                f"GET /log/{secret}\r\n\r\n",
                f"GET /log/{secret}\n\n",
                f"\x16\x03\x01{secret}\r\n\r\n",
                f"GET /log/{secret} HTTP/1.1\r\nHost: a\r\nX: {'x' * 70_000}\r\n\r\n",
                f"GET /log/{secret * 1000} HTTP/1.1\r\nHost: a\r\n\r\n",
                f"PUT /log?{secret} HTTP/1.1\r\nHost: {secret}\r\nContent-Length: 1\r\n\r\n",
                f"PUT /{secret} HTTP/1.1\r\nHost: a\r\nContent-Type: {secret}\r\nContent-Length: {secret}\r\n\r\n",
                f"PUT /log HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {secret}\r\n\r\n",
            ):
                for address in (server.get, server.put):
                    with socket.create_connection((address.host, address.port), TIMEOUT) as client:
                        with contextlib.suppress(ConnectionError):
                            client.sendall(request.encode("latin-1"))
                            answer = client.recv(65536)
                            if secret.encode()[:12] in answer:
                                echoed.append(answer)
            producer.reset()
        assert secret.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
        server.process.terminate()
        assert server.process.wait(TIMEOUT) == 0
        assert server.process.stdout is not None
        assert secret not in server.process.stdout.read()
        log = server.log()
        assert secret not in log
        assert secret[:12] not in log, "a part of the secret"
    assert echoed == []


def test_debug_is_quiet_unless_asked_for() -> None:
    """DEBUG=* logs more; anything else does not."""
    for value, expected in (("*", True), ("", False), ("0", False)):
        with running({"DEBUG": value}) as server:
            with Producer(server) as producer, Reader(server.get) as reader:
                producer.send(10)
                producer.finish()
                reader.read_to_end()
            assert server.stop() == 0
            assert ("DEBUG" in server.log()) is expected
