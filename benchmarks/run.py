"""Measure livelog beside the cost floor (yardstick.c), nginx, and any other livelog-compatible server.

    python benchmarks/run.py [--quick] [--runs N] [--workload NAME ...] [--server NAME=COMMAND ...] [--out FILE.md]

Every run starts its server fresh on free loopback ports, with its log on tmpfs, lets loadgen.c drive it and check every
byte, and stops it. Servers take turns within each workload (A B A B ...). The result is one table of medians.

A run with a lost byte, a dropped reader or a failed request gives no figure: its row says FAILED and why, and the exit
status is 1. What a server cannot do (the yardstick: TLS) or this machine lacks (nginx, OpenSSL) is left out, and said.
It refuses to use any network but loopback, leaves no process and no file behind, and installs nothing.
"""

from __future__ import annotations

import argparse
import compileall
import http.client
import importlib.util
import json
import os
import platform
import re
import resource
import secrets
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"
CPU, MEMORY, STARTUP, KEPT = "cpu_s_per_gb", "kb_per_reader", "startup_ms", "kb_per_log"
REQUEST, CONNECTION, START_MEMORY = "cpu_us_per_request", "kb_per_connection", "start_mb"
TIMES_RAW = "times_raw"
UNITS = {
    CPU: "CPU-s/GB",
    MEMORY: "KB/reader",
    STARTUP: "ms",
    KEPT: "KB/log",
    REQUEST: "CPU-µs/request",
    CONNECTION: "KB/connection",
    START_MEMORY: "MB",
    TIMES_RAW: "× raw",
}
KEPT_LOGS = {True: 100, False: 10_000}
"""Logs in the data directory of a restart, quick and in full."""
SMALL = ("requests", "visits", "connections")
"""Modes that send small requests: over connections that are kept, over one each, over one each that stays open."""
CLIENTS = 16
"""Connections over which small requests are sent, one at a time over each: they are what a server has on hand in one turn."""
READY_SECONDS = 10.0
RUN_SECONDS = 600.0


class RunFailed(Exception):
    """This run gives no figure; the message is the reason, for the table."""


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    `mode` is loadgen's, or `events` (its `fanout`, once with readers of the bytes and once with event streams, one after the other), or
    one of `startup`, `restart`, `command`, `requests`, `visits` and `connections`, which need none. `full` and
    `quick` are loadgen's options, the command's words, or a count, a port (`put` or `get`) and the path that is asked for.
    """

    name: str
    title: str
    mode: str
    figure: str
    full: str = ""
    quick: str = ""
    tls: bool = False
    goal: str = ""


WORKLOADS = [
    Workload(
        "ingest",
        "ingest, 32 KiB chunks",
        "ingest",
        CPU,
        "--bytes 1000000000",
        "--bytes 5000001",
        goal="≤ 1.25 × yardstick",
    ),
    Workload(
        "catchup-1",
        "catch-up, 1 reader",
        "catchup",
        CPU,
        "--bytes 500000000 --readers 1",
        "--bytes 5000001 --readers 1",
        goal="≤ 1.0 × nginx, ≤ 1.1 × yardstick",
    ),
    Workload(
        "catchup-8",
        "catch-up, 8 readers",
        "catchup",
        CPU,
        "--bytes 500000000 --readers 8",
        "--bytes 5000001 --readers 8",
        goal="≤ 1.0 × nginx, ≤ 1.1 × yardstick",
    ),
    Workload(
        "catchup-tls-1",
        "catch-up over TLS, 1 reader",
        "catchup",
        CPU,
        "--bytes 500000000 --readers 1",
        "--bytes 5000001 --readers 1",
        tls=True,
        goal="≤ 0.8 × nginx",
    ),
    Workload(
        "catchup-tls-8",
        "catch-up over TLS, 8 readers",
        "catchup",
        CPU,
        "--bytes 200000000 --readers 8",
        "--bytes 5000001 --readers 8",
        tls=True,
        goal="≤ 0.8 × nginx",
    ),
    Workload(
        "fanout-100",
        "100 readers, 1000 × 100 B lines/s",
        "fanout",
        CPU,
        "--readers 100 --rate 1000 --line 100 --seconds 5",
        "--readers 20 --rate 200 --line 100 --seconds 0.3",
        goal="≤ 0.6 × yardstick, p99 ≤ 15 ms",
    ),
    Workload(
        "fanout-1000",
        "1000 readers, 100 × 100 B lines/s",
        "fanout",
        CPU,
        "--readers 1000 --rate 100 --line 100 --seconds 5",
        "--readers 100 --rate 50 --line 100 --seconds 0.3",
        goal="≤ 0.7 × yardstick, p99 ≤ 60 ms",
    ),
    Workload(
        "fanout-8000",
        "8000 readers, 10 × 200 B lines/s",
        "fanout",
        CPU,
        "--readers 8000 --rate 10 --line 200 --seconds 5",
        "--readers 300 --rate 10 --line 200 --seconds 0.3",
        goal="≤ 1.0 × yardstick",
    ),
    Workload(
        "flatout-10",
        "flat-out producer, 10 readers",
        "fanout",
        CPU,
        "--readers 10 --rate 0 --bytes 500000000",
        "--readers 10 --rate 0 --bytes 5000001",
        goal="none lost, ≤ 1.3 × yardstick",
    ),
    Workload(
        "flatout-stalled",
        "flat-out producer, 5 readers + 5 stalled",
        "fanout",
        CPU,
        "--readers 5 --stalled 5 --rate 0 --bytes 500000000",
        "--readers 5 --stalled 5 --rate 0 --bytes 5000001",
        goal="none lost",
    ),
    Workload(
        "memory-tls-1000",
        "memory of 1000 TLS readers",
        "idle",
        MEMORY,
        "--readers 1000 --seconds 2",
        "--readers 50 --seconds 1",
        tls=True,
        goal="≤ 45 KB",
    ),
    Workload(
        "memory-8000",
        "memory of 8000 readers",
        "idle",
        MEMORY,
        "--readers 8000 --seconds 2",
        "--readers 300 --seconds 1",
        goal="≤ 8 KB",
    ),
    Workload(
        "many-1",
        "1000 logs, a reader each, 1 × 100 B line/s each",
        "fanout",
        CPU,
        "--logs 1000 --readers 1000 --rate 1 --line 100 --seconds 5",
        "--logs 20 --readers 20 --rate 5 --line 100 --seconds 0.4",
        goal="none lost",
    ),
    Workload(
        "many-10",
        "1000 logs, a reader each, 10 × 100 B lines/s each",
        "fanout",
        CPU,
        "--logs 1000 --readers 1000 --rate 10 --line 100 --seconds 5",
        "--logs 50 --readers 50 --rate 10 --line 100 --seconds 0.4",
        goal="none lost",
    ),
    Workload(
        "events-100",
        "an event stream beside a raw reader, each 100 times, 1000 × 100 B lines/s",
        "events",
        TIMES_RAW,
        "--readers 100 --rate 1000 --line 100 --seconds 10",
        "--readers 20 --rate 200 --line 100 --seconds 1",
        goal="≤ 1.5 × raw",
    ),
    Workload("startup", "exec to ready", "startup", STARTUP, goal="≤ 300 ms"),
    Workload("restart", "exec to ready, 10,000 logs in the data directory", "restart", STARTUP, goal="≤ 2000 ms"),
    Workload("help", "`livelog --help`", "command", STARTUP, "--help", "--help", goal="≤ 60 ms"),
    Workload(
        "run-true",
        "`livelog run -- true`, less `true`",
        "command",
        STARTUP,
        "run --quiet -- true",
        "run --quiet -- true",
        goal="≤ 150 ms",
    ),
    Workload(
        "request-status",
        "small request: `/status`, 16 connections",
        "requests",
        REQUEST,
        "16000 get /status/{token}",
        "160 get /status/{token}",
        goal="≤ 0.5 × version 0.1.0",
    ),
    Workload(
        "request-alone",
        "small request: `/status`, each over a connection of its own",
        "visits",
        REQUEST,
        "8000 get /status/{token}",
        "160 get /status/{token}",
    ),
    Workload(
        "request-health",
        "smallest request: `/healthz`, 16 connections",
        "requests",
        REQUEST,
        "16000 put /healthz",
        "160 put /healthz",
    ),
    Workload(
        "memory-connections",
        "memory of 2000 connections that have asked once",
        "connections",
        CONNECTION,
        "2000 get /status/{token}",
        "100 get /status/{token}",
        goal="≤ 2.5 KB",
    ),
    Workload("memory-start", "memory after the start", "startup", START_MEMORY, goal="≤ 28 MB"),
    Workload("memory-logs", "memory of 10,000 logs that nobody uses", "restart", KEPT, goal="≤ 2 KB"),
]


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


@dataclass(frozen=True)
class Bench:
    """What all runs share. `certificate` and `key` are None when TLS workloads have to be skipped."""

    loadgen: Path
    log_folder: Path
    quick: bool
    data_folder: Path
    certificate: Path | None = None
    key: Path | None = None


@dataclass
class Row:
    """The outcome of one workload with one server."""

    values: list[dict[str, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def middle(self, key: str) -> float | None:
        """The median of a figure over the runs; None if a run failed."""
        found = [run[key] for run in self.values if key in run]
        return statistics.median(found) if found and not self.failures else None


def say(text: str) -> None:
    """Tell of progress on stderr: stdout is for the table."""
    print(text, file=sys.stderr, flush=True)


# ---- preparation ----


def build() -> tuple[Path, Path, bool]:
    """Compile both C programs; return yardstick, loadgen, and whether loadgen speaks TLS."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise SystemExit("benchmarks need a C compiler (cc, gcc or clang), and there is none on PATH")
    BUILD.mkdir(exist_ok=True)

    def compiled(name: str, *options: str) -> bool:
        fresh = BUILD / f"{name}.{os.getpid()}"  # replaced whole: another run may be using the old one
        command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(fresh), str(HERE / f"{name}.c"), *options]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode and not options:
            raise SystemExit(f"cannot compile {name}.c:\n{done.stderr}")
        if done.returncode == 0:
            fresh.replace(BUILD / name)
        return done.returncode == 0

    compiled("yardstick")
    has_tls = compiled("loadgen", "-DUSE_OPENSSL", "-lssl", "-lcrypto") or not compiled("loadgen")
    return BUILD / "yardstick", BUILD / "loadgen", has_tls


def make_certificate(folder: Path) -> tuple[Path, Path] | None:
    """A self-signed certificate and its key, or None without `openssl`."""
    certificate, key = folder / "server.crt", folder / "server.key"
    if not shutil.which("openssl"):
        return None
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command = ["openssl", "req", "-x509", *kind, *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def choose_log_folder(quick: bool) -> Path:
    """Tmpfs, so that CPU figures hold no disk write-back; the system's temporary folder, loudly, where it is too small."""
    tmpfs = Path("/dev/shm")
    needed = 200e6 if quick else 3e9
    if tmpfs.is_dir() and os.access(tmpfs, os.W_OK) and shutil.disk_usage(tmpfs).free >= needed:
        return tmpfs
    say(f"WARNING: no tmpfs with {needed / 1e9:.1f} GB free at {tmpfs}: logs go to disk, and CPU figures hold its cost")
    return Path(tempfile.gettempdir())


def warm_memory(folder: Path) -> None:
    """Touch most of the free memory once: a virtual machine pays for its first touch, and the first server would pay for all."""
    available = next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemAvailable")
    )
    size = int(0.6 * min(available, shutil.disk_usage(folder).free))
    say(f"warming {size / 1e9:.0f} GB of memory ...")
    zeros = bytes(1 << 20)
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(size >> 20):
            file.write(zeros)


def find_servers(extra: list[str], yardstick: Path) -> list[Server]:
    """The servers to compare: livelog, the yardstick, nginx if it is there, and those in `extra`."""
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


# ---- one server, one run ----


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


def process_tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    pids = [pid]
    for parent in pids:  # grows while it is walked
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            pids += map(int, children.read_text().split())
    return pids


@contextmanager
def running(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server, its output in the folder; stop it and its children, by their pids, whatever happens."""
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


def accepts(port: int) -> bool:
    """Whether something listens on that port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


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


def has_ready_line(folder: Path) -> bool:
    """Whether the server has written that it is ready."""
    return any(
        "ready" in line
        for line in (folder / "stdout").read_text(errors="replace").splitlines(keepends=True)
        if line.endswith("\n")
    )


def generate(bench: Bench, site: Site, pid: int, mode: str, options: list[str], tls: bool) -> dict[str, float]:
    """Let loadgen drive the server; return its figures or raise RunFailed."""
    path = f"/{'events' if '--events' in options else 'log'}/{site.token}"
    where = ["--put-port", str(site.put_port), "--get-port", str(site.get_port), "--get-path", path]
    pids = ",".join(map(str, process_tree(pid)))
    command = [
        str(bench.loadgen),
        mode,
        *where,
        "--pids",
        pids,
        *options,
        *(["--tls"] if tls else []),
        *(["--settle", "0.1"] if bench.quick else []),
    ]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=RUN_SECONDS)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"loadgen {mode} did not end in {RUN_SECONDS:.0f} s") from None
    try:
        result = json.loads(done.stdout)
    except ValueError:
        raise RunFailed(f"loadgen {mode} exited with status {done.returncode}: {done.stderr.strip()[-200:]}") from None
    if done.returncode or not result["ok"]:
        lost = "".join(
            f"; {result[kind]} of {result['readers']} readers {kind}" for kind in ("failed", "short") if result[kind]
        )
        raise RunFailed(f"{result['error']}{lost}")
    return {key: value for key, value in result.items() if isinstance(value, (int, float))}


def resident_kb(pid: int) -> int:
    """The resident memory of a process."""
    return next(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    )


def restart(bench: Bench, server: Server) -> dict[str, float]:
    """Start a server with an empty data directory and one with many logs. Raises: RunFailed."""
    count, full, empty = KEPT_LOGS[bench.quick], bench.data_folder / "full", bench.data_folder / "empty"
    if not full.exists():
        say(f"sending {count} logs ...")
        with new_site(bench) as site, running_livelog(server, site, full) as process:
            wait_until(lambda: accepts(site.put_port), "the port is closed", process, site.folder)
            connection = http.client.HTTPConnection("127.0.0.1", site.put_port, timeout=READY_SECONDS)
            for number in range(count):
                connection.request("PUT", f"/log/builds/project-{number % 50}/{number}", body=b"hello\n")
                with connection.getresponse() as answer:
                    if answer.status != 201:
                        raise RunFailed(f"a log was answered {answer.status}")
                    answer.read()
            connection.close()
    outcome = {}
    for name, folder in (("empty", empty), ("full", full)):
        with new_site(bench) as site:
            began = time.monotonic()
            with running_livelog(server, site, folder) as process:
                wait_until(lambda: has_ready_line(site.folder), "no line with 'ready' on stdout", process, site.folder)
                outcome[name] = 1000 * (time.monotonic() - began), resident_kb(process.pid)
                connection = http.client.HTTPConnection("127.0.0.1", site.get_port, timeout=READY_SECONDS)
                connection.request("GET", f"/logs/{site.token}?limit=1")
                with connection.getresponse() as answer:
                    listed = json.load(answer)
                connection.close()
                if len(listed["logs"]) != (name == "full"):
                    raise RunFailed(f"the list of the {name} directory has {len(listed['logs'])} logs")
    return {STARTUP: outcome["full"][0], KEPT: (outcome["full"][1] - outcome["empty"][1]) / count}


def command_time(bench: Bench, server: Server, workload: Workload) -> dict[str, float]:
    """Run a command of the client, with a server up; less what it runs itself. Raises: RunFailed."""
    words = workload.full.split()
    inner = words[words.index("--") + 1 :] if "--" in words else []
    with new_site(bench) as site, running_livelog(server, site, site.folder) as process:
        wait_until(lambda: accepts(site.put_port), "the port is closed", process, site.folder)
        environment = server_environment(site) | {
            "LIVELOG_SERVER": f"http://127.0.0.1:{site.put_port}",
            "HOME": str(site.folder),
        }

        def milliseconds(command: list[str]) -> float:
            began = time.perf_counter()
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            if done.returncode:
                raise RunFailed(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode()[-200:]}")
            return 1000 * (time.perf_counter() - began)

        milliseconds([server.command[0], *words])  # the first has to find its files on the disk
        repeated = range(2 if bench.quick else 9)
        bare = statistics.median(milliseconds(inner) for _ in repeated) if inner else 0.0
        return {STARTUP: statistics.median(milliseconds([server.command[0], *words]) for _ in repeated) - bare}


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has had in all its threads, to the nanosecond, as its scheduler counts it."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def small_requests(bench: Bench, server: Server, workload: Workload) -> dict[str, float]:
    """Ask for something small, many times: over a few connections, or once over each of many that stay open. Raises: RunFailed."""
    counted, which, path = (workload.quick if bench.quick else workload.full).split()
    count = int(counted)
    with new_site(bench) as site, running(list(server.command), server_environment(site), site.folder) as process:
        wait_until(lambda: has_ready_line(site.folder), "no line with 'ready' on stdout", process, site.folder)
        port = site.put_port if which == "put" else site.get_port
        request = f"GET {path.format(token=site.token)} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
        with ExitStack() as stack:
            put = http.client.HTTPConnection("127.0.0.1", site.put_port, timeout=READY_SECONDS)
            put.request("PUT", "/log", body=b"hello\n")
            if put.getresponse().status != 201:
                raise RunFailed("a log was not taken")
            put.close()

            def ask(*clients: socket.socket) -> None:
                for client in clients:
                    client.sendall(request)
                for client in clients:
                    answer = b""
                    while (end := answer.find(b"\r\n\r\n")) < 0 or len(answer) < end + 4 + length(answer[:end]):
                        more = client.recv(65536)
                        if not more:
                            raise RunFailed("the connection was closed")
                        answer += more
                    if not answer.startswith(b"HTTP/1.1 200 "):
                        raise RunFailed(f"the answer began with {answer[:40]!r}")

            def connected() -> socket.socket:
                return socket.create_connection(("127.0.0.1", port), READY_SECONDS)

            def connect() -> socket.socket:
                return stack.enter_context(connected())

            clients = [connect() for _ in range(CLIENTS)]
            for _ in range(5):  # what is made on the first requests is not what one costs
                ask(*clients)
            cpu, memory = cpu_seconds(process.pid), resident_kb(process.pid)
            for _ in range(count // CLIENTS):
                if workload.mode == "requests":
                    ask(*clients)
                elif workload.mode == "connections":
                    ask(*(connect() for _ in range(CLIENTS)))
                else:
                    with ExitStack() as visit:
                        ask(*(visit.enter_context(connected()) for _ in range(CLIENTS)))
            return {
                REQUEST: 1e6 * (cpu_seconds(process.pid) - cpu) / count,
                CONNECTION: (resident_kb(process.pid) - memory) / count,
            }


def length(head: bytes) -> int:
    """What a head says of the length of its body, in bytes; 0 if nothing."""
    found = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return int(found[1]) if found else 0


@contextmanager
def running_livelog(server: Server, site: Site, data_folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A livelog that keeps its logs in a folder."""
    environment = server_environment(site) | {"LIVELOG_DATA_DIR": str(data_folder)}
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


def run_once(bench: Bench, server: Server, workload: Workload) -> dict[str, float]:
    """One run of one workload against a fresh server. Returns its figures. Raises: RunFailed."""
    if workload.mode == "restart":
        return restart(bench, server)
    if workload.mode == "command":
        return command_time(bench, server, workload)
    if workload.mode in SMALL:
        return small_requests(bench, server, workload)
    if workload.mode == "events":
        full, quick = workload.full, workload.quick
        raw = run_once(bench, server, replace(workload, mode="fanout"))
        told = run_once(
            bench, server, replace(workload, mode="fanout", full=f"{full} --events", quick=f"{quick} --events")
        )
        return {**told, TIMES_RAW: told[CPU] / raw[CPU], "raw": raw[CPU]}
    options = (workload.quick if bench.quick else workload.full).split()
    size = options[options.index("--bytes") :][:2] if "--bytes" in options else []
    with new_site(bench) as site:
        environment = server_environment(site)
        if workload.tls:
            environment |= {"SERVER_CRT_FILE": str(bench.certificate), "SERVER_KEY_FILE": str(bench.key)}
        command = nginx_command(server, bench, site, size[1], workload.tls) if server.is_nginx else list(server.command)
        began = time.monotonic()
        with running(command, environment, site.folder) as process:
            if workload.mode == "startup":
                wait_until(lambda: has_ready_line(site.folder), "no line with 'ready' on stdout", process, site.folder)
                wait_until(
                    lambda: accepts(site.put_port) and accepts(site.get_port), "a port is closed", process, site.folder
                )
                elapsed = time.monotonic() - began
                return {STARTUP: 1000 * elapsed, START_MEMORY: resident_kb(process.pid) / 1024}
            first_port = site.get_port if server.is_nginx else site.put_port
            wait_until(lambda: accepts(first_port), f"port {first_port} is closed", process, site.folder)
            if server.is_nginx:
                wait_until(lambda: len(process_tree(process.pid)) > 1, "no worker", process, site.folder)
            elif workload.mode == "catchup":
                generate(bench, site, process.pid, "ingest", size, workload.tls)
            result = generate(bench, site, process.pid, workload.mode, options, workload.tls)
            if workload.mode == "ingest":  # taken is not yet kept: read it back
                generate(bench, site, process.pid, "catchup", size, workload.tls)
            return result


# ---- all runs, and the table ----


def measure(bench: Bench, servers: list[Server], workload: Workload, runs: int) -> dict[str, Row]:
    """All runs of one workload, the servers taking turns."""
    rows = {server.name: Row() for server in servers if server.takes(workload)}
    for number in range(1, runs + 1):
        for server in servers:
            if server.name not in rows:
                continue
            try:
                values = run_once(bench, server, workload)
                rows[server.name].values.append(values)
                outcome = f"{values[workload.figure]:.3f} {UNITS[workload.figure]}"
            except RunFailed as failure:
                rows[server.name].failures.append(str(failure))
                outcome = f"FAILED: {failure}"
            say(f"{workload.name} {number}/{runs} {server.name}: {outcome}")
    return rows


def number(value: float | None) -> str:
    """A figure with about three digits."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table_lines(workload: Workload, rows: dict[str, Row], runs: int) -> Iterator[str]:
    """The rows of one workload."""
    for name, row in rows.items():
        cells = [workload.title, name]
        figure = row.middle(workload.figure)
        if figure is None:
            cells += [f"FAILED {len(row.failures)} of {runs}: {row.failures[0]}".replace("|", "/"), *["–"] * 6]
        else:
            every = [run[workload.figure] for run in row.values]
            cells += [f"**{number(figure)}** {UNITS[workload.figure]}", f"{number(min(every))}–{number(max(every))}"]
            for baseline in ("yardstick", "nginx"):
                floor = rows[baseline].middle(workload.figure) if baseline in rows and workload.figure == CPU else None
                cells.append(number(figure / floor) if floor else "–")
            latency = [row.middle("p50_ms"), row.middle("p99_ms"), max(run.get("max_ms", 0) for run in row.values)]
            cells.append(" / ".join(map(number, latency)) if workload.mode in ("fanout", "events") else "–")
            peak, generator = row.middle("peak_kb"), row.middle("generator_cpu_s")
            cells.append(number(peak / 1024 if peak else None))
            cells.append(number(generator / row.values[0]["gb"] if generator and workload.figure == CPU else None))
        cells.append(workload.goal if name == "livelog" else "")
        yield "| " + " | ".join(cells) + " |"


def foreign_cpu() -> float:
    """CPU seconds that this machine has spent, or its host has withheld, for others than us and our finished children."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    ours = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - sum(
        usage.ru_utime + usage.ru_stime for usage in ours
    )


def heading(bench: Bench, runs: int) -> Iterator[str]:
    """What was measured where."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    place = "tmpfs" if str(bench.log_folder) == "/dev/shm" else "disk"
    yield f"{'Smoke test: these figures mean nothing. ' if bench.quick else ''}{time.strftime('%Y-%m-%d')}, {model}, {os.cpu_count()} cores,"
    yield f"Linux {platform.release()}, Python {platform.python_version()}; log on {place}; medians of {runs} interleaved runs."


def busy_since(began: float, foreign: float) -> float:
    """The part of this machine's CPU that other work took since `began`, when that was `foreign` (`foreign_cpu`)."""
    return (foreign_cpu() - foreign) / (time.monotonic() - began) / (os.cpu_count() or 1)


def publish(lines: list[str], out: Path | None) -> None:
    """Print a table, and write it to a file, if one is named."""
    text = "\n".join(lines)
    print(text)
    if out:
        out.write_text(text + "\n", encoding="utf-8")


def command_line(description: str, workloads: Iterable[str], runs: int) -> argparse.ArgumentParser:
    """The options of each benchmark. `workloads`: the names of what it can measure; `runs`: how often it does so."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny sizes, one run each: every byte checked, figures meaningless",
    )
    parser.add_argument("--runs", type=int, help=f"runs of each workload ({runs}; with --quick 1)")
    parser.add_argument(
        "--workload", nargs="+", metavar="NAME", choices=list(workloads), help="only these: %(choices)s"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the table here too")
    return parser


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    names = [workload.name for workload in WORKLOADS]
    parser = command_line("Measure livelog beside a cost floor, nginx, and other livelog-compatible servers.", names, 5)
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="one more server, configured by livelog's environment",
    )
    return parser.parse_args()


def main() -> int:
    """Measure and print the table. Returns the exit status."""
    arguments = parse_arguments()
    runs: int = arguments.runs or (1 if arguments.quick else 5)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every `finally` runs
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the servers inherit it
    yardstick, loadgen, has_tls = build()
    servers = find_servers(arguments.server, yardstick)
    failed = False
    log_folder = choose_log_folder(arguments.quick)
    with (
        tempfile.TemporaryDirectory(prefix="livelog-bench-") as folder,
        tempfile.TemporaryDirectory(prefix="livelog-bench-", dir=log_folder) as data_folder,
    ):
        certificate, key = (has_tls and make_certificate(Path(folder))) or (None, None)
        bench = Bench(loadgen, log_folder, arguments.quick, Path(data_folder), certificate, key)
        if not arguments.quick and str(bench.log_folder) == "/dev/shm":
            warm_memory(bench.log_folder)
        columns = "median | min–max | × yardstick | × nginx | latency p50 / p99 / max, ms | peak MB | generator CPU-s/GB | goal"
        lines = [*heading(bench, runs), "", f"| workload | server | {columns} |", "|---" * 10 + "|"]
        began, foreign = time.monotonic(), foreign_cpu()
        for workload in WORKLOADS:
            if arguments.workload and workload.name not in arguments.workload:
                continue
            if workload.tls and not certificate:
                missing = "the openssl command" if has_tls else "OpenSSL's headers to compile loadgen.c with"
                say(f"WARNING: {workload.name} SKIPPED: this machine lacks {missing}")
                lines.append(f"| {workload.title} | – | SKIPPED: this machine lacks {missing} |" + " – |" * 6 + " |")
                continue
            rows = measure(bench, servers, workload, runs)
            failed |= any(row.failures for row in rows.values())
            lines += table_lines(workload, rows, runs)
        busy = busy_since(began, foreign)
        lines += [
            "",
            f"Other work took {busy:.0%} of this machine's CPU meanwhile{': too much to trust these figures.' if busy > 0.1 else '.'}",
        ]
    publish(lines, arguments.out)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
