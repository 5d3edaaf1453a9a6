"""Each form of installation does all that the command does: also what it starts processes of its own for.

Categories: a server of its own for `run` · what looks at lines · completion · the names by which uv and pipx start it.
"""

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.e2e.programs import TIMEOUT, TOKEN, Program, clean_environment, program

from .conftest import BIN, OFFLINE, Form


def get(url: str) -> bytes:
    """The body of an answer, whatever its status."""
    try:
        with urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310  # the server under test
            return bytes(answer.read())
    except HTTPError as error:
        return error.read()


def put(url: str, content: bytes) -> None:
    """Send a log."""
    with urlopen(Request(url, content, method="PUT"), timeout=TIMEOUT) as answer:  # noqa: S310  # the server under test
        assert answer.status == 201


@contextlib.contextmanager
def server(form: Form, ports: tuple[int, int], home: Path) -> Iterator[Program]:
    """The server, ready, in the folder of somebody."""
    settings = {"ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": str(ports[0]), "LIVELOG_GET_PORT": str(ports[1])}
    with program(*form.command, environment=settings | {"HOME": str(home)}, folder=form.folder) as running:
        running.wait_for(b" ready: ")
        yield running
        assert running.stop() == 0
        assert b"Traceback" not in running.errors


def test_run_without_a_server_brings_its_own(form: Form, tmp_path: Path) -> None:
    variables = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    command = (*form.command, "run", "--keep", "0", "--", "sh", "-c", "echo one; read line; echo $line; exit 3")
    with program(*command, environment=variables, folder=form.folder) as running:
        running.wait_for(b"one\n")
        running.wait_for(b"browser: ")
        match = re.search(rb"readers: (\S+)", running.errors)
        assert match is not None, running.errors
        link = match[1].decode()
        assert get(f"{link}?wait=60&follow=0") in (b"", b"one\n")
        with program(*form.command, "tail", link, environment=variables, folder=form.folder) as tail:
            tail.wait_for(b"one\n")
            running.write(b"two\n")
            assert running.wait() == 3
            assert running.output == b"one\ntwo\n"
            tail.wait_for(b"two\n")
            assert tail.wait() == 0
    assert b"cannot" not in running.errors
    assert not (tmp_path / ".local").exists()  # the log was delivered: nothing of it is kept


def test_server_finds_lines_and_groups_and_shows_its_page(form: Form, ports: tuple[int, int], tmp_path: Path) -> None:
    with server(form, ports, tmp_path):
        put(f"http://localhost:{ports[0]}/log/all", b"::group::first\nneedle\n::endgroup::\n" + "Grüße\n".encode())
        readers = f"http://localhost:{ports[1]}"
        hits = get(f"{readers}/search/{TOKEN}/all?q=need.e&regex=1").splitlines()
        assert json.loads(hits[0])["line"] == 2
        assert json.loads(hits[-1])["hits"] == 1
        assert json.loads(get(f"{readers}/groups/{TOKEN}/all"))["groups"][0]["title"] == "first"
        assert get(f"{readers}/lines/{TOKEN}/all?tail=1") == "Grüße\n".encode()
        assert get(f"{readers}/view/{TOKEN}/all").startswith(b"<!doctype html>")
        assert b"livelog_logs" in get(f"http://localhost:{ports[0]}/metrics")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_all_commands(form: Form, shell: str) -> None:
    done = subprocess.run(
        [*form.command, "completion", shell], cwd=form.folder, env=clean_environment(), capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    for word in (b"run", b"push", b"tail", b"serve", b"link"):
        assert word in done.stdout


def test_module_is_run_by_its_name_in_the_standalone_program_only(form: Form) -> None:
    """The word is no command elsewhere."""
    done = subprocess.run(
        [*form.command, "-m", "timeit", "-n", "1", "-r", "1", "pass"],
        cwd=form.folder, env=clean_environment(), capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == (0 if form.name == "standalone" else 2)


@pytest.mark.parametrize("launcher", [("uvx",), ("pipx", "run")])
def test_name_of_the_distribution_starts_it(launcher: tuple[str, ...], ports: tuple[int, int], tmp_path: Path) -> None:
    """`uvx livelog-server` and `pipx run livelog-server`, as somebody types it who has nothing installed."""
    home = {"HOME": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "cache"), "PIPX_HOME": str(tmp_path / "pipx")}
    launch = Form(launcher[0], (str(BIN / launcher[0]), *launcher[1:], "livelog-server"), tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (OFFLINE | home).items():
            patch.setenv(name, value)
        with server(launch, ports, tmp_path):
            put(f"http://localhost:{ports[0]}/log", b"hello\n")
            assert get(f"http://localhost:{ports[1]}/log/{TOKEN}") == b"hello\n"
