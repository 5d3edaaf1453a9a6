"""Asks a server small questions all the time, and tells how long it made the longest wait.

    python -m tests.cost.pinger PID PORT TARGET [PORT TARGET]...

PID: the server. Each question is asked on a connection of its own, one after the other. For each line on stdin it prints a
line of JSON: for each TARGET the longest wait in seconds since the line before, and how many there were.

A wait is what the clock says, less the time for which the kernel had threads of the server, or this process, wait for a
processor (`run_delay` in /proc/PID/task/TID/schedstat): nobody's fault here but that of a busy machine. On a machine with a free
processor that is nothing, and the wait is that of the clock. What the server computes for others counts in full, in
whichever thread that holds the interpreter, and so does what its event loop waits for: a disk, a lock.

It is a process of its own, so that no test that prepares what it sends keeps it from looking.
"""

import json
import select
import socket
import sys
import time
from pathlib import Path

PATIENCE = 25.0
"""Seconds that an answer may take."""

PAUSE = 0.002
"""Seconds from an answer to the next question."""


def delayed(pid: int | str) -> float:
    """Seconds for which threads of a process have waited for a processor so far, all together."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(path.read_text(encoding="ascii").split()[1])
        except OSError:  # a thread that has ended
            continue
    return total / 1e9


def ping(port: int, target: str) -> None:
    """Ask, and read the answer to its end."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
        begun = sock.recv(65536)
        assert begun.startswith(b"HTTP/1.1 "), begun
        while sock.recv(65536):
            pass


def wait_of(pid: int, port: int, target: str) -> float:
    """How long the server `pid` made one question wait, in seconds."""
    before, began = delayed(pid) + delayed("self"), time.monotonic()
    ping(port, target)
    took = time.monotonic() - began
    return took - max(0.0, delayed(pid) + delayed("self") - before)


def main() -> None:
    """Ask until stdin ends."""
    pid, questions = int(sys.argv[1]), [*zip(map(int, sys.argv[2::2]), sys.argv[3::2], strict=True)]
    waits: dict[str, list[float]] = {target: [] for _, target in questions}
    while True:
        for port, target in questions:
            waits[target].append(wait_of(pid, port, target))
        if select.select([sys.stdin], [], [], PAUSE)[0]:
            if not sys.stdin.readline():
                return
            print(json.dumps({target: [max(found), len(found)] for target, found in waits.items()}), flush=True)
            waits = {target: [] for target in waits}


if __name__ == "__main__":
    main()
