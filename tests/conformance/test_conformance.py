"""Every conformance case against livelog itself, readers on http and on https.

It starts servers as a user would and knows nothing of their insides. One server serves all cases that make a
log of their own; cases about a server that never had a log get fresh ones.
"""

import os
import re
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.harness import LINES, PATIENCE
from tests.starts import forked

from .casebook import Case, Request, load
from .checks import Failure
from .link import Address
from .runner import TIMEOUT, Target, run_case, tls_context

DEADLINE = 25.0

WHOLE_ROWS = 4
"""Rows of a table of which the short suite leaves out none."""

READY = re.compile(
    r"livelog \S+ ready: PUT http://(?P<put>\S+):(?P<put_port>[0-9]+)/log "
    r"GET (?P<scheme>https?)://(?P<get>\S+):(?P<get_port>[0-9]+)/log/ACCESS_TOKEN\n"
)


class Server:
    """A livelog process on free ports, ready when constructed."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None, kind: str = "") -> None:
        self._token, self._write_token, self._prefix_write_token = secrets.token_urlsafe(24), "", ""
        self._errors = folder / f"stderr-{secrets.token_hex(4)}.txt"
        ours = ("LIVELOG_", "SERVER_", "ACCESS_TOKEN", "DEBUG")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment |= {"ACCESS_TOKEN": self._token, "LIVELOG_PUT_PORT": "0", "LIVELOG_GET_PORT": "0"}
        if kind == "attempts":
            environment["LIVELOG_KEEP_ATTEMPTS"] = "3"
        if kind == "write token":
            self._write_token = environment["LIVELOG_WRITE_TOKEN"] = secrets.token_urlsafe(24)
            command = [sys.executable, "-m", "livelog", "link", "--prefix", "written/", "--write"]
            made = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60)
            self._prefix_write_token = made.stdout.strip()
        if certificate is not None:
            environment |= {"SERVER_CRT_FILE": str(certificate[0]), "SERVER_KEY_FILE": str(certificate[1])}
        with self._errors.open("wb") as errors:
            self._process = forked((), (), environment, None, subprocess.PIPE, errors)
        try:
            self.target = self._target(self._ready_line(), tls=certificate is not None)
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process, politely first."""
        self._process.terminate()
        try:
            self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def said(self) -> str:
        """What the process has written to its standard error."""
        return self._errors.read_text("utf-8", "replace").replace(self._token, "ACCESS_TOKEN")

    def _ready_line(self) -> str:
        stdout = self._process.stdout
        assert stdout is not None
        line = b""
        deadline = time.monotonic() + DEADLINE
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                pytest.fail(f"no ready line within {DEADLINE:g} s, only {line!r}; {self.said()}")
            data = os.read(stdout.fileno(), 4096)
            if not data:
                pytest.fail(f"the server ended with {self._process.wait()}: {self.said()}")
            line += data
        return line.decode()

    def _target(self, line: str, *, tls: bool) -> Target:
        match = READY.fullmatch(line)
        if match is None or (match["scheme"] == "https") != tls:
            pytest.fail(f"not the ready line that was expected: {line!r}")
        return Target(
            put=Address(match["put"].strip("[]"), int(match["put_port"])),
            get=Address("127.0.0.1", int(match["get_port"]), tls_context(insecure=True) if tls else None),
            token=self._token,
            write_token=self._write_token,
            prefix_write_token=self._prefix_write_token,
        )


class Servers:
    """The servers of one scheme: one for most cases, one that keeps attempts, one with a write token, fresh ones for those that need them."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None) -> None:
        self._folder = folder
        self._certificate = certificate
        self._kept: dict[str, Server] = {}

    def run(self, case: Case) -> None:
        """Run the case against a server in the state that the case needs."""
        if case.log == "none" and case.begins_log and case.needs not in ("attempts", "write token"):
            with Server(self._folder, self._certificate) as server:
                run_case(case, server.target)
            return
        kind = "without a log" if case.log == "none" else "shared"
        kind = case.needs if case.needs in ("attempts", "write token") else kind
        if kind not in self._kept:
            self._kept[kind] = Server(self._folder, self._certificate, kind)
        target = self._kept[kind].target
        questions = [step.line.partition(" ")[2] for step in case.steps if isinstance(step, Request)]
        target.timeout = PATIENCE if any(question.startswith(LINES) for question in questions) else TIMEOUT
        run_case(case, target)

    def stop(self) -> None:
        """Stop the servers that were kept."""
        for server in self._kept.values():
            server.stop()


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers whose readers' side speaks http or https."""
    folder = tmp_path_factory.mktemp("servers")
    servers = Servers(folder, _certificate(folder) if request.param == "https" else None)
    yield servers
    servers.stop()


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "server.crt", folder / "server.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-subj", "/CN=localhost", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return certificate, key


def _cases() -> Iterator[Any]:
    """All cases on http, but that seven of eight rows of long tables are left to `make long`; then on https, where 15 of 16 cases are."""
    cases = load()
    for case in cases:
        is_left = case.row >= WHOLE_ROWS and case.row % 8
        yield pytest.param("http", case, id=f"http-{case.name}", marks=[pytest.mark.long] if is_left else [])
    for place, case in enumerate(cases):
        marks = [pytest.mark.needs("openssl"), *([pytest.mark.long] if place % 16 else [])]
        yield pytest.param("https", case, id=f"https-{case.name}", marks=marks)


@pytest.mark.parametrize(("servers", "case"), list(_cases()), indirect=["servers"], scope="module")
def test_case(servers: Servers, case: Case) -> None:
    """One case, on one scheme."""
    why = None
    try:
        servers.run(case)
    except Failure as failure:
        why = str(failure)
    if why is not None:  # outside of the handler, so that the report is this one line
        pytest.fail(why, pytrace=False)
