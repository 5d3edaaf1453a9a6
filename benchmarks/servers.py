"""The servers that are compared, and one of them as a process: started fresh for a run, watched, and stopped whatever happens.

Each gets free ports, and a folder that is removed after the run. Settings for servers in the environment of whoever measures are
kept from it. Processes are ended by their ids, never by name.

It refuses to begin (`SystemExit`) without a livelog, or with a `--server` that is not `NAME=COMMAND`. A server that cannot be
started, ends too early, or is not ready in `READY_SECONDS`, gives no figure: `RunFailed`.
"""

from __future__ import annotations

import compileall
import importlib.util
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.preparation import Bench, say
from benchmarks.workloads import SMALL, Workload

READY_SECONDS = 10.0
"""Seconds within which a server that was started must be ready."""


class RunFailed(Exception):
    """This run gives no figure; the message is the reason, for the table."""


@dataclass(frozen=True)
class Server:
    """A server under test. `is_nginx`: it serves the log as a file and takes no PUT.

    `keeps`: it has what only livelogs have: a data directory, commands, more resources than the log. A server that is named
    `livelog` or `livelog-…` (an older version, say) is one.
    """

    name: str
    command: tuple[str, ...]
    has_tls: bool = True
    is_nginx: bool = False
    keeps: bool = False

    def takes(self, workload: Workload) -> bool:
        """Whether this server can do that workload."""
        can = (self.has_tls or not workload.tls) and (
            self.keeps or workload.mode not in ("events", "restart", "command", *SMALL)
        )
        return can and (not self.is_nginx or workload.mode == "catchup")


def find_servers(extra: list[str], yardstick: Path) -> list[Server]:
    """The servers to compare: livelog, the yardstick, nginx if it is there, and those in `extra`, each `NAME=COMMAND`. livelog is first."""
    beside = Path(sys.executable).with_name("livelog")
    livelog = str(beside) if beside.exists() else shutil.which("livelog")
    servers: dict[str, Server] = {}
    if livelog:
        servers["livelog"] = Server("livelog", (livelog,), keeps=True)
        # A tree that is edited need not have the bytecode that an installation has, and would be compiled at each start.
        if spec := importlib.util.find_spec("livelog"):
            for folder in spec.submodule_search_locations or ():
                compileall.compile_dir(folder, quiet=1)
    servers["yardstick"] = Server("yardstick", (str(yardstick),), has_tls=False)
    nginx = shutil.which("nginx", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")
    if nginx:
        servers["nginx"] = Server("nginx", (nginx,), is_nginx=True)
    else:
        say("nginx is not installed: no nginx baseline")
    for text in extra:
        name, equals, command = text.partition("=")
        if not (name and equals and command):
            raise SystemExit(f"--server {text}: write NAME=COMMAND")
        servers[name] = Server(name, tuple(shlex.split(command)), keeps=name.partition("-")[0] == "livelog")
    if "livelog" not in servers:
        raise SystemExit(
            f"no livelog beside {sys.executable} and none on PATH: install it, or say --server livelog=COMMAND"
        )
    return sorted(servers.values(), key=lambda server: server.name != "livelog")


@dataclass(frozen=True)
class Site:
    """Where one run takes place: its folder, ports and token."""

    folder: Path
    put_port: int
    get_port: int
    token: str


@contextmanager
def new_site(bench: Bench) -> Iterator[Site]:
    """Free ports, a token and empty folders for one run; gone after it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="livelog-bench-", dir=bench.log_folder)))
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            ports = one.getsockname()[1], other.getsockname()[1]
        yield Site(folder, *ports, token=secrets.token_urlsafe(16))


@contextmanager
def running(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server, its output in the folder; stop it and its children, by their ids, whatever happens. Raises: RunFailed."""
    with open(folder / "stdout", "wb") as output, open(folder / "stderr", "wb") as errors:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment, cwd=folder
            )
        except OSError as error:
            raise RunFailed(f"cannot start: {error}") from error
    try:
        yield process
    finally:
        pids = process_tree(process.pid)
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            for pid in pids[1:]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@contextmanager
def running_livelog(
    server: Server, site: Site, data_folder: Path, *, attempts: int = 1
) -> Iterator[subprocess.Popen[bytes]]:
    """A livelog that keeps its logs in a folder."""
    environment = server_environment(site) | {
        "LIVELOG_DATA_DIR": str(data_folder), "LIVELOG_KEEP_ATTEMPTS": str(attempts),
    }  # fmt: skip
    with running(list(server.command), environment, site.folder) as process:
        yield process


def server_environment(site: Site) -> dict[str, str]:
    """What configures a server for a run, and nothing of what configures others."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("LIVELOG_", "SERVER_", "ACCESS_"))
    }
    return inherited | {
        "LIVELOG_PUT_PORT": str(site.put_port),
        "LIVELOG_GET_PORT": str(site.get_port),
        "ACCESS_TOKEN": site.token,
        "LIVELOG_TEMP_DIR": str(site.folder),
        "TMPDIR": str(site.folder),
    }


def nginx_command(nginx: Server, bench: Bench, site: Site, size: str, tls: bool) -> list[str]:
    """One worker that serves the same bytes from a file, as simply and as fast as nginx does."""
    (site.folder / "root" / "log").mkdir(parents=True)
    with open(site.folder / "root" / "log" / site.token, "wb") as file:
        subprocess.run([str(bench.loadgen), "pattern", "--bytes", size], stdout=file, check=True)
    secure = (
        f"ssl_certificate {bench.certificate}; ssl_certificate_key {bench.key}; ssl_protocols TLSv1.3;" if tls else ""
    )
    temporary = " ".join(
        f"{kind}_temp_path {site.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = f"""
        {"user root;" if os.geteuid() == 0 else ""}
        daemon off; worker_processes 1; pid {site.folder}/pid; error_log stderr;
        events {{ worker_connections 1024; }}
        http {{
            access_log off; sendfile on; tcp_nopush on; default_type text/plain; {temporary}
            server {{ listen 127.0.0.1:{site.get_port} {"ssl" if tls else ""}; root {site.folder}/root; {secure} }}
        }}"""
    (site.folder / "nginx.conf").write_text(config)
    return [*nginx.command, "-e", "stderr", "-p", str(site.folder), "-c", str(site.folder / "nginx.conf")]


def wait_until(true: Callable[[], bool], what: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for what a starting server must do. Raises: RunFailed, if it ends or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while not true():
        if process.poll() is not None:
            errors = (folder / "stderr").read_text(errors="replace").strip().splitlines() or [""]
            raise RunFailed(f"the server exited with status {process.returncode}: {errors[-1][:200]}")
        if time.monotonic() > deadline:
            raise RunFailed(f"{what} after {READY_SECONDS:.0f} s")
        time.sleep(0.001)


def accepts(port: int) -> bool:
    """Whether something listens on that port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def has_ready_line(folder: Path) -> bool:
    """Whether the server has written that it is ready."""
    return any(
        "ready" in line
        for line in (folder / "stdout").read_text(errors="replace").splitlines(keepends=True)
        if line.endswith("\n")
    )


def process_tree(pid: int) -> list[int]:
    """The ids of a process, which is first, and of all its descendants."""
    pids = [pid]
    for parent in pids:  # grows while it is walked
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
                pids += map(int, children.read_text().split())
    return pids


def cpu_seconds(pid: int, *, children: bool = False) -> float:
    """Seconds of processor time that a process has had in all its threads, ended ones too, to the nanosecond.

    `children`: with that of its children that have ended and were waited for, which the kernel tells in ticks of 10 ms. Raises: ProcessLookupError.
    """
    try:
        seconds = time.clock_gettime(~pid << 3 | 2)  # the clock of clock_getcpuclockid(3), which Python does not have
    except OSError as error:
        raise ProcessLookupError(pid) from error
    if children:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        seconds += sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")
    return seconds


def resident_kb(pid: int) -> int:
    """The resident memory of a process, in KiB."""
    return next(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    )
