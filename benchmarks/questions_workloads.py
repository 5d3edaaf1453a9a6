"""The workloads of `benchmarks.questions`: the large log, what is asked about it and about logs that grow, and what that costs.

Answers are checked: the number of hits, which grep has to find, too; the end of the lines; the last thing that each follower and
each watcher hears. It refuses to give a figure (`RunFailed`) for a wrong answer, and when a log is not taken.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from benchmarks.measuring import generate
from benchmarks.preparation import Bench
from benchmarks.servers import READY_SECONDS, RunFailed, Site, cpu_seconds, process_tree, resident_kb

MARK = "Xylophone 4711 was found by nobody"
"""What is once in the large log, in its middle."""

WORDS = (
    "connection established to server retrying request handler timeout build step compile src/main.c object file linking Downloaded package "
    "version from cache Running test passed in seconds [worker-3] GET /api/v1/items HTTP/1.1 200 user=alice id=83724 latency_ms=12"
)
"""What the other lines have."""

BLOCK = 8_000_000
"""Bytes of which the large log repeats; each line of it is like one of a service."""

IDLE = 16.0
"""Seconds after which no process is kept for the next question."""


@dataclass(frozen=True)
class Run:
    """What one run of a workload has."""

    bench: Bench
    site: Site
    pid: int
    size: int
    log: Path | None
    """The file of the large log."""

    def connect(self) -> socket.socket:
        """A connection to the readers' port."""
        return socket.create_connection(("127.0.0.1", self.site.get_port), 120)

    def ask(self, resource_: str, query: str = "", name: str = "large") -> tuple[float, float, bytes]:
        """Seconds until the first hit, and until the end; the last bytes of the answer, or all if it is small."""
        with self.connect() as sock:
            began, first = time.perf_counter(), None
            path = f"/{resource_}/{self.site.token}/{name}?{query}"
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            kept = b""
            while data := sock.recv(1 << 20):
                kept += data
                if first is None and (b'"offset"' in kept or b'"done"' in kept):
                    first = time.perf_counter() - began
                kept = kept if len(kept) < 1 << 16 else kept[-4096:]
            return first or 0.0, time.perf_counter() - began, kept

    def cpu(self) -> float:
        """Seconds of the processor that the server and its processes have had, ended ones too."""
        while True:
            tree = process_tree(self.pid)
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                seconds = sum(cpu_seconds(pid, children=pid == self.pid) for pid in tree)
                if process_tree(self.pid) == tree:  # none has ended meanwhile, to count twice or not at all
                    return seconds


def blocks(size: int) -> Iterator[bytes]:
    """The large log, a block at a time."""
    chance, words, lines, length = random.Random(1), WORDS.split(), list[str](), 0  # noqa: S311
    while length < BLOCK:
        time_ = f"2026-11-28T05:{chance.randrange(60):02}:{chance.randrange(60):02}.{chance.randrange(1000):03}Z"
        lines.append(f"{time_} {chance.choice(['INFO', 'DEBUG', 'WARN'])} {' '.join(chance.choices(words, k=10))}\n")
        length += len(lines[-1])
    block, count = "".join(lines).encode(), max(2, size // BLOCK)
    for part in range(count):
        if part == count // 2:
            yield f"{MARK}\n".encode()
        yield block


def send(site: Site, name: str, body: Iterator[bytes]) -> None:
    """Send a log. Raises: RunFailed."""
    connection = http.client.HTTPConnection("127.0.0.1", site.put_port, timeout=600)
    connection.request("PUT", f"/log/{name}", body=body, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    with connection.getresponse() as answer:
        if answer.status not in (200, 201):
            raise RunFailed(f"a log was answered {answer.status}")
    connection.close()


# ---- workloads ----


def searching(
    text: str, *, case: bool = False, regex: bool = False, hits: int = 1
) -> Callable[[Run], dict[str, float]]:
    """Search the large log, and let grep do so."""

    def measure(run: Run) -> dict[str, float]:
        query = f"q={quote(text)}&case={case:d}&regex={regex:d}&numbers=0&limit=10000"
        before = run.cpu()
        _, seconds, answer = run.ask("search", query)
        cpu = run.cpu() - before
        if b'"done": true, "hits": %d,' % hits not in answer:
            raise RunFailed(f"the search ended with {answer[-100:]!r}")
        options = ["-c", *(["-E"] if regex else ["-F"]), *([] if case else ["-i"])]
        began = time.perf_counter()
        assert run.log is not None
        grep = subprocess.run(["grep", *options, "--", text, str(run.log)], capture_output=True, check=False)
        grepped = time.perf_counter() - began
        if int(grep.stdout) != hits:
            raise RunFailed(f"grep counted {grep.stdout!r}")
        size = run.log.stat().st_size / 1e9
        return {"rate": size / seconds, "cpu": cpu / size, "grep": size / grepped}

    return measure


def first_hits(run: Run) -> dict[str, float]:
    """The first hit from the end, of a text that is in each line and of one that is rare, with a process that must be started first."""
    _, counting, _ = run.ask("search", "q=user&limit=1")  # lines are counted for its numbers
    if not run.bench.quick:
        time.sleep(IDLE)
    found = {"first": run.ask("search", "q=user&limit=10")[0]}
    found["plain"] = statistics.median(run.ask("search", "q=user&limit=10&numbers=0")[0] for _ in range(5))
    found["regex"] = run.ask("search", "q=id%3D%5Cd%2B&regex=1&limit=10&numbers=0")[0]
    return {name: 1000 * seconds for name, seconds in found.items()} | {"counting": counting}


def beside(run: Run) -> dict[str, float]:
    """The latency of readers of another log: by themselves, and beside a search and an index of the large log."""
    options = (
        "--readers 10 --rate 100 --seconds 0.5" if run.bench.quick else "--readers 100 --rate 1000 --seconds 5"
    ).split()
    options += ["--line", "100"]
    alone = generate(run.bench, run.site, run.pid, "fanout", options, tls=False)
    with run.connect() as search, run.connect() as index, ExitStack() as drains:
        for sock, query in (
            (search, "search/{}/large?q=nowhere+to+be+found&case=1&numbers=0"),
            (index, "search/{}/large?q=user+nowhere"),
        ):
            sock.sendall(f"GET /{query.format(run.site.token)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            drain = threading.Thread(target=_drain, args=(sock,))
            drain.start()
            drains.callback(drain.join)
            drains.callback(sock.shutdown, socket.SHUT_RDWR)
        both = generate(run.bench, run.site, run.pid, "fanout", options, tls=False)
    return {"alone": alone["p99_ms"], "beside": both["p99_ms"], "times": both["p99_ms"] / alone["p99_ms"]}


def _drain(sock: socket.socket) -> None:
    try:
        while sock.recv(1 << 20):
            pass
    except OSError:
        pass


def following(path: str, needed: bytes) -> Callable[[Run], dict[str, float]]:
    """What it costs the server that some follow a log through a question, beside as many who follow the log alone."""

    def measure(run: Run) -> dict[str, float]:
        count, seconds = (2, 1.0) if run.bench.quick else (20, 10.0)
        costs = [_followed(run, f"{name}{number_}", path_, count, seconds, end)
                 for number_, (name, path_, end) in enumerate((("plain", "/log/{}/{}", b"the last line"), ("asked", path, needed)))]  # fmt: skip
        return {
            "raw": 1000 * costs[0] / count / seconds,
            "asked": 1000 * costs[1] / count / seconds,
            "times": costs[1] / costs[0],
        }

    return measure


def _followed(run: Run, name: str, path: str, count: int, seconds: float, needed: bytes) -> float:
    """CPU seconds of the server while a log of 1000 lines a second has so many followers, less what a log without them costs."""
    costs = []
    for followers in (0, count):
        before = run.cpu()
        with ExitStack() as stack:
            ends, drains = list[bytes](), []
            log = f"{name}-{followers}"
            started = threading.Event()

            def body(started: threading.Event = started) -> Iterator[bytes]:
                started.set()
                began = time.monotonic()
                for tick in range(int(100 * seconds)):
                    yield b"".join(
                        b"2026-11-28T05:00:00.%03dZ INFO a line of a log that is followed, with some words more, and more\n"
                        % n
                        for n in range(10)
                    )
                    if tick % 50 == 0:
                        yield b"src/main.c:12:5: error: something is wrong\n"
                    time.sleep(max(0.0, began + 0.01 * (tick + 1) - time.monotonic()))
                yield b"the last line\n"

            sender = threading.Thread(target=send, args=(run.site, log, body()))
            sender.start()
            started.wait(READY_SECONDS)
            for _ in range(followers):
                sock = stack.enter_context(run.connect())
                address = path.format(run.site.token, log)
                wait = "&wait=10" if "?" in address else "?wait=10"
                sock.sendall(f"GET {address}{wait} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                drains.append(threading.Thread(target=_last, args=(sock, ends)))
                drains[-1].start()
            sender.join()
            for drain in drains:
                drain.join()
            if followers and not all(needed in end for end in ends):
                raise RunFailed(f"a follower got {min(ends, key=lambda end: needed in end)[-100:]!r} at the end")
        costs.append(run.cpu() - before)
    return max(1e-3, costs[1] - costs[0])


def _last(sock: socket.socket, ends: list[bytes]) -> None:
    kept = b""
    while data := sock.recv(1 << 16):
        kept = (kept + data)[-4096:]
    ends.append(kept)


def listing(run: Run) -> dict[str, float]:
    """Many logs, and some who watch the list: memory for each of them, and what a log that begins and ends costs for each."""
    logs, watchers, changes = (50, 5, 10) if run.bench.quick else (10_000, 100, 200)
    connection = http.client.HTTPConnection("127.0.0.1", run.site.put_port, timeout=READY_SECONDS)

    def put(name: str) -> None:
        connection.request("PUT", f"/log/{name}", body=b"hello\n")
        with connection.getresponse() as answer:
            answer.read()

    for one in range(logs):
        put(f"builds/project-{one % 50}/{one}")
    time.sleep(1.0)  # what is done about the last of them is no part of what follows
    before = cpu_seconds(run.pid)
    for one in range(changes):
        put(f"alone/{one}")
    time.sleep(1.0)
    alone, memory = cpu_seconds(run.pid) - before, resident_kb(run.pid)
    with ExitStack() as stack:
        drains, ends = [], list[bytes]()
        for _ in range(watchers):
            sock = stack.enter_context(run.connect())
            sock.sendall(f"GET /logs/{run.site.token}?as=events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            while b"event: listed" not in (received := sock.recv(1 << 20)):
                if not received:
                    raise RunFailed("a watcher was left alone")
            seen = threading.Event()
            last = f'"name": "watched/{changes - 1}"'.encode()
            drains.append(threading.Thread(target=_watch, args=(sock, last, ends, seen)))
            drains[-1].start()
        kept = resident_kb(run.pid) - memory
        before = cpu_seconds(run.pid)
        for one in range(changes):
            put(f"watched/{one}")
        for drain in drains:
            drain.join(60)
        time.sleep(0.5)
        watched = cpu_seconds(run.pid) - before
        if len(ends) != watchers:
            raise RunFailed(f"{watchers - len(ends)} of {watchers} watchers did not hear of the last log")
    connection.close()
    return {"memory": kept / watchers, "change": max(0.0, 1e6 * (watched - alone) / changes / watchers)}


def _watch(sock: socket.socket, last: bytes, ends: list[bytes], seen: threading.Event) -> None:
    kept = b""
    while not seen.is_set() and (data := sock.recv(1 << 16)):
        kept = (kept + data)[-8192:]
        if last in kept:
            seen.set()
            ends.append(kept)


def lines(form: str) -> Callable[[Run], dict[str, float]]:
    """All lines of the first part of the large log."""

    def measure(run: Run) -> dict[str, float]:
        size = min(run.size, 200_000_000)
        query = f"until=byte:{size}&as={form}"
        run.ask("search", "q=user&limit=1")  # lines are counted
        before = run.cpu()
        _, seconds, answer = run.ask("lines", f"from=byte:0&{query}")
        if not answer.endswith(b"0\r\n\r\n"):
            raise RunFailed(f"the lines ended with {answer[-100:]!r}")
        return {"rate": size / 1e9 / seconds, "cpu": (run.cpu() - before) / size * 1e9}

    return measure


def compare(run: Run) -> dict[str, float]:
    """Two logs of 100,000 lines: with times, durations and hashes that differ in each line, and ten lines that only the second has."""

    def build(seed: int) -> Iterator[bytes]:
        chance = random.Random(seed)  # noqa: S311  # no secrets are made of it
        for number in range(100_000):
            place = "".join(chr(97 + number // 10**digit % 10) for digit in range(5))
            yield (
                f"2026-11-28T15:{number // 60 % 60:02}:{number % 60:02}.{chance.randrange(10**7):07}Z  [{number // 1000:3}%] Building CXX object "
                f"src/module_{number % 977}/CMakeFiles/{place}.cpp.o in {chance.random():.2f}s, commit {chance.getrandbits(160):040x}\n"
            ).encode()
            if seed == 2 and number % 10_000 == 7:
                yield b"retrying, since %s did not answer\n" % place.encode()

    for seed in (1, 2):
        send(run.site, "build", build(seed))
    before = run.cpu()
    _, seconds, answer = run.ask("compare", "with=-1", name="build")
    if b'"new": 10, ' not in answer:
        raise RunFailed(f"not the ten new lines: {answer[-300:]!r}")
    return {"seconds": seconds, "cpu": run.cpu() - before}
