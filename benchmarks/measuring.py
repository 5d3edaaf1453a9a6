"""Run the workloads of `benchmarks.run`: all runs of one, the servers taking turns, each run against a fresh server.

Most modes are driven by `loadgen.c`, which checks every byte. The others (restarts, commands, small requests) are asked
from here. It refuses to give a figure (`RunFailed`, with the reason) for a lost byte, a dropped reader, a wrong answer or a failed command.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import statistics
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace

from benchmarks.preparation import Bench, say
from benchmarks.report import Row
from benchmarks.servers import (
    READY_SECONDS,
    RunFailed,
    Server,
    Site,
    accepts,
    cpu_seconds,
    has_ready_line,
    new_site,
    nginx_command,
    process_tree,
    resident_kb,
    running,
    running_livelog,
    server_environment,
    wait_until,
)
from benchmarks.workloads import (
    CONNECTION,
    CPU,
    KEPT,
    REQUEST,
    SMALL,
    START_MEMORY,
    STARTUP,
    TIMES_RAW,
    UNITS,
    Workload,
)

KEPT_LOGS = {True: 100, False: 10_000}
"""Logs in the data directory of a restart, quick and in full."""

CLIENTS = 16
"""Connections over which small requests are sent, one at a time over each: they are what a server has on hand in one turn."""

RUN_SECONDS = 600.0
"""Seconds within which loadgen has to end."""


def measure(bench: Bench, servers: list[Server], workload: Workload, runs: int) -> dict[str, Row]:
    """All runs of one workload, the servers taking turns: the outcome of each server, by its name. A run that fails is in it."""
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


def generate(bench: Bench, site: Site, pid: int, mode: str, options: list[str], tls: bool) -> dict[str, float]:
    """Let loadgen drive a server. Returns its figures. Raises: RunFailed, if it finds anything wrong or does not end in time."""
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
