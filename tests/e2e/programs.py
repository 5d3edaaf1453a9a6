"""Real programs, run as a user runs them, watched line by line.

Refuses to know anything of the server's insides, or of Python: only processes, their output and their exit codes.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 60.0
"""Seconds that any wait may last; reached only by a fault."""

TOKEN = "secretpuppy"


class Program:
    """A running program: what it wrote so far, and what it still writes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.output = b""
        self.errors = b""
        self._selector = selectors.DefaultSelector()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            self._selector.register(stream, selectors.EVENT_READ)

    def wait_for(self, text: bytes, timeout: float = TIMEOUT) -> None:
        """Wait until `text` is in the output, or in what was written to stderr."""
        deadline = time.monotonic() + timeout
        while text not in self.output and text not in self.errors:
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} within {timeout:g} s in {self.output!r} {self.errors!r}"
            assert self.read(left), f"ended without {text!r}: {self.output!r} {self.errors!r}"

    def wait_for_more(self, timeout: float = TIMEOUT) -> None:
        """Wait until it has written anything more."""
        before = len(self.output) + len(self.errors)
        deadline = time.monotonic() + timeout
        while len(self.output) + len(self.errors) == before:
            left = deadline - time.monotonic()
            assert left > 0, f"nothing more within {timeout:g} s behind {self.output!r} {self.errors!r}"
            assert self.read(left), f"ended: {self.output!r} {self.errors!r}"

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Wait for the end. Returns the exit code."""
        deadline = time.monotonic() + timeout
        while self.read(max(0.0, deadline - time.monotonic())):
            assert time.monotonic() < deadline, f"still running after {timeout:g} s: {self.output!r} {self.errors!r}"
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def write(self, data: bytes) -> None:
        """Write to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def finish(self) -> None:
        """End its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end. Returns the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def read(self, timeout: float) -> bool:
        """Read once. Returns whether there may be more."""
        if not self._selector.get_map():
            return False
        for key, _ in self._selector.select(timeout):
            data = os.read(key.fd, 1 << 18)
            if not data:
                self._selector.unregister(key.fileobj)
            elif key.fileobj is self.process.stdout:
                self.output += data
            else:
                self.errors += data
        return True

    def close(self) -> None:
        """End it, with all that it started, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._selector.close()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@contextlib.contextmanager
def program(
    *words: str | Path, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Iterator[Program]:
    """A program, in a process group of its own, which is killed at the end."""
    running = Program(
        subprocess.Popen(
            words,
            env=clean_environment() | dict(environment or {}),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    )
    try:
        yield running
    finally:
        running.close()


def clean_environment() -> dict[str, str]:
    """This process's environment, without settings of the server, of proxies, of Python, or of a `make` above."""
    ours = ("LIVELOG_", "SERVER_", "ACCESS_TOKEN", "DEBUG", "PYTHON", "MAKE", "MFLAGS")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ours) and not name.lower().endswith("_proxy")
    }


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the installed command is."""

    folder: Path

    @property
    def livelog(self) -> Path:
        """The command."""
        return self.folder / "livelog"

    @contextlib.contextmanager
    def server(self, ports: Sequence[int], **variables: str) -> Iterator[Program]:
        """The server, ready, on a port for producers and one for readers."""
        settings = {"ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": str(ports[0]), "LIVELOG_GET_PORT": str(ports[1])}
        with program(self.livelog, environment=settings | variables) as server:
            server.wait_for(b" ready: ")
            yield server
            assert server.stop() == 0, server.errors
            assert b"Traceback" not in server.errors, server.errors


def curl(*words: str) -> tuple[str, ...]:
    """The words of a `curl` that says nothing but what it got and what went wrong."""
    return ("curl", "-sS", "--max-time", "40", *words)
