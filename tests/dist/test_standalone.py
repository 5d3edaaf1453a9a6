"""The standalone program: one file, on a machine that has nothing else.

Categories: what it needs · an empty root directory · how it ends, and what it leaves · the modules in it · as Taskcluster's worker starts it.
"""

import ast
import contextlib
import os
import shutil
import signal
import struct
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.programs import TOKEN, Installed, Program, program
from tests.e2e.test_taskcluster import (
    test_second_example_of_the_original,
    test_tasks_one_after_the_other_use_the_same_ports,
    test_worker_may_kill_it_right_after_the_last_write,
    test_worker_serves_a_tasks_log,
)
from tests.integration.certificates import Authority, environment

from .conftest import DIST, ROOT
from .test_forms import get, put

__all__ = [
    "test_second_example_of_the_original",
    "test_tasks_one_after_the_other_use_the_same_ports",
    "test_worker_may_kill_it_right_after_the_last_write",
    "test_worker_serves_a_tasks_log",
]
"""The same, with the file in the place of the installed command."""


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A folder with the file and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    shutil.copy(DIST / "livelog", folder)
    return Installed(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root directory with the file and nothing else: no /dev, no /proc, no /tmp."""
    folder = tmp_path / "root"
    folder.mkdir()
    shutil.copy(DIST / "livelog", folder)
    return folder


@contextlib.contextmanager
def server_in(root: Path, ports: tuple[int, int], *words: str, **variables: str) -> Iterator[Program]:
    """The server, in that root directory, with no variables but its own."""
    settings = {"ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": str(ports[0]), "LIVELOG_GET_PORT": str(ports[1])}
    assigned = [f"{name}={value}" for name, value in (settings | variables).items()]
    with program("env", "-i", *assigned, *words, "/usr/sbin/chroot", root, "/livelog") as running:
        running.wait_for(b" ready: ")
        yield running
        assert running.stop() == 0
        assert b"Traceback" not in running.errors, running.errors


def test_it_needs_no_library_and_no_loader() -> None:
    """Of the segments of an ELF file, 3 would name a loader; and there is no name of a library (tag 1) in the dynamic section."""
    data = (DIST / "livelog").read_bytes()
    assert data[:5] == b"\x7fELF\x02"
    (offset,) = struct.unpack_from("<Q", data, 0x20)
    size, count = struct.unpack_from("<HH", data, 0x36)
    segments = [struct.unpack_from("<IIQQQQ", data, offset + size * each) for each in range(count)]
    assert 3 not in [kind for kind, *_ in segments]
    for kind, _, start, _, _, length in segments:
        if kind == 2:
            assert 1 not in [struct.unpack_from("<q", data, start + 16 * each)[0] for each in range(length // 16)]


@pytest.mark.needs("root", "chroot")
def test_it_serves_in_an_empty_root_directory(root: Path, ports: tuple[int, int]) -> None:
    """With no variable, no home, no locale; lines are searched, which takes another process."""
    with server_in(root, ports):
        put(f"http://localhost:{ports[0]}/log/a/b", "one\nzwölf\n".encode())
        readers = f"http://localhost:{ports[1]}"
        assert get(f"{readers}/log/{TOKEN}/a/b") == "one\nzwölf\n".encode()
        assert b'"line": 2' in get(f"{readers}/search/{TOKEN}/a/b?q=w%C3%B6l")
        assert get(f"{readers}/view/{TOKEN}").startswith(b"<!doctype html>")
        assert b"livelog_logs" in get(f"http://localhost:{ports[0]}/metrics")
    assert os.listdir(root) == ["livelog"]


@pytest.mark.needs("root", "chroot", "unshare")
def test_it_keeps_logs_where_nothing_else_can_be_written(root: Path, ports: tuple[int, int]) -> None:
    """The root directory is read-only but for the folder of the data; what was kept is there after a restart."""
    (root / "data").mkdir()
    script = 'mount --bind "$1" "$1"; mount -t tmpfs none "$1/data"; mount -o remount,bind,ro "$1"; shift; exec "$@"'
    words = ("unshare", "-m", "/bin/sh", "-ec", f"PATH=/usr/sbin:/usr/bin:/sbin:/bin; {script}", "sh", str(root))
    with server_in(root, ports, *words, LIVELOG_DATA_DIR="/data"):
        put(f"http://localhost:{ports[0]}/log", b"kept\n")
        assert get(f"http://localhost:{ports[1]}/log/{TOKEN}") == b"kept\n"
        assert b'"hits": 1' in get(f"http://localhost:{ports[1]}/search/{TOKEN}?q=kept")


@pytest.mark.needs("root", "chroot")
def test_client_works_in_an_empty_root_directory(root: Path, ports: tuple[int, int]) -> None:
    """All of it is there but what it would be run for: `run` runs the program itself."""
    chroot = [
        *("env", "-i", f"ACCESS_TOKEN={TOKEN}", f"LIVELOG_SERVER=http://127.0.0.1:{ports[0]}"),
        *(f"LIVELOG_PUBLIC_URL=http://127.0.0.1:{ports[1]}", "/usr/sbin/chroot", str(root), "/livelog"),
    ]
    with server_in(root, ports):
        done = subprocess.run([*chroot, "push", "--name", "a"], input=b"pushed\n", capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert subprocess.run([*chroot, "tail", "a"], capture_output=True, timeout=60).stdout == b"pushed\n"
        done = subprocess.run(
            [*chroot, "run", "--name", "b", "--", "/livelog", "--short-version"], capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert get(f"http://localhost:{ports[1]}/log/{TOKEN}/b") == done.stdout
        assert b"b" in subprocess.run([*chroot, "ls"], capture_output=True, timeout=60).stdout


def test_version_names_the_commit() -> None:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    done = subprocess.run([DIST / "livelog", "--version"], env={}, capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith(f" (commit {commit})\n")
    assert done.stdout.startswith("livelog ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_it_is_one_process_and_leaves_nothing(
    installed: Installed, ports: tuple[int, int], tmp_path: Path, number: signal.Signals
) -> None:
    """Whoever ends the process that was started has ended all of it."""
    (tmp_path / "tmp").mkdir()
    settings = {"ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": str(ports[0]), "LIVELOG_GET_PORT": str(ports[1])}
    settings["TMPDIR"] = str(tmp_path / "tmp")
    with program(installed.livelog, environment=settings) as running:
        running.wait_for(b" ready: ")
        pid = running.process.pid
        assert Path(f"/proc/{pid}/task/{pid}/children").read_text() == ""
        assert Path(f"/proc/{pid}/comm").read_text() == "livelog\n"
        assert running.stop(number) == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_file_may_be_replaced_while_it_runs(installed: Installed, ports: tuple[int, int]) -> None:
    """What it loads, and starts, later on is what was started."""
    with installed.server(ports):
        installed.livelog.unlink()
        installed.livelog.write_text("#!/bin/sh\nexit 1\n")
        put(f"http://localhost:{ports[0]}/log", b"one\ntwo\n")
        assert b'"hits": 1' in get(f"http://localhost:{ports[1]}/search/{TOKEN}?q=two")
        assert b"livelog_logs" in get(f"http://localhost:{ports[0]}/metrics")


def test_all_that_its_modules_import_is_in_it() -> None:
    """Also what they import only in some case."""
    wanted = set()
    for root in (
        ROOT / "src/livelog",
        ROOT / ".cache/dist/standalone/site/http_sf",
        ROOT / ".cache/dist/standalone/site/prometheus_client",
    ):
        for path in root.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    wanted |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    wanted.add(str(node.module))
    statement = f"for name in {sorted(wanted)}:\n try: __import__(name)\n except ModuleNotFoundError as error: print(error.name)"
    done = subprocess.run(
        [DIST / "livelog", "-m", "timeit", "-n", "1", "-r", "1", statement],
        env={},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split("\n1 loop")[0].split()) <= ELSEWHERE


ELSEWHERE = {
    "_typeshed",
    "aiohttp",
    "ctypes",  # `livelog.lines.substrings` does without
    "django",
    "django.conf",
    "django.http",
    "snappy",
    "twisted",
    "twisted.internet",
    "winreg",
}
"""What is imported by parts of our dependencies that are not used here."""


def test_licences_of_all_that_is_in_it_are_in_it() -> None:
    with zipfile.ZipFile(DIST / "livelog") as archive:
        text = archive.read("LICENSES.txt").decode()
    for name in (
        "livelog",
        "CPython",
        "OpenSSL",
        "expat",
        "zlib",
        "GNU C Library",
        "httptools",
        "llhttp",
        "http-sf",
        "prometheus-client",
    ):
        assert f"\n{name} " in f"\n{text}", name
    assert "Mozilla Public License" in text
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in text


@pytest.mark.needs("root", "chroot", "openssl")
@pytest.mark.parametrize("store", ["etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/cert.pem", "etc/ssl/ca-bundle.pem"])
def test_it_trusts_whom_the_machine_trusts_wherever_the_distribution_keeps_that(
    root: Path, installed: Installed, ports: tuple[int, int], tmp_path: Path, store: str
) -> None:
    """As Fedora, Alpine and openSUSE have it; the OpenSSL that is in it comes from Debian."""
    authority = Authority(tmp_path)
    command = [
        "env",
        "-i",
        f"ACCESS_TOKEN={TOKEN}",
        f"LIVELOG_PUBLIC_URL=https://127.0.0.1:{ports[1]}",
        "/usr/sbin/chroot",
        str(root),
        "/livelog",
    ]
    with installed.server(ports, **environment(authority.sign("server"))):
        put(f"http://localhost:{ports[0]}/log/a", b"text\n")
        refused = subprocess.run([*command, "tail", "a"], capture_output=True, timeout=60)
        assert refused.returncode != 0
        assert refused.stdout == b""
        (root / store).parent.mkdir(parents=True)
        shutil.copy(authority.certificate, root / store)
        done = subprocess.run([*command, "tail", "a"], capture_output=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, b"text\n"), done.stderr
