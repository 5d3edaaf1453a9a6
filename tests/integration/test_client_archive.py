"""The client in one file, as a server hands it out, and used on a machine that has Python and nothing else.

Categories: the answer · the file, always the same · its commands · what it has not.
"""

import ast
import base64
import contextlib
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from livelog.client.commands.dispatch import COMMANDS
from livelog.page import archive
from tests.harness import TOKEN, Server
from tests.sample import sample

from .logs import path_of, request, send
from .servers import running

PATH = "/livelog.pyz"

BARE = (sys.executable, "-I", "-S")
"""An interpreter with the standard library, and nothing that is installed."""

SERVERS_OWN = {"livelog.embedded", "livelog.lines", "livelog.page", "livelog.process"}
"""What modules of the client import, or start, only if it is there, or for the server alone."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server."""
    with running() as server:
        yield server


@pytest.fixture
def client(server: Server, tmp_path: Path) -> Path:
    """The file, fetched."""
    file = tmp_path / "livelog.pyz"
    file.write_bytes(request(server.get, "GET", PATH).body)
    return file


def run(
    client: Path, *words: str, data: bytes = b"", variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """A command of the file."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(client.parent), **(variables or {})}
    return subprocess.run([*BARE, client, *words], input=data, env=environment, capture_output=True, timeout=60)


def test_anybody_gets_it_with_its_digest(server: Server) -> None:
    """Without a token, or with any: it is public code."""
    answer = request(server.get, "GET", PATH)
    assert (answer.status, answer["Content-Type"]) == (200, "application/zip")
    assert len(answer.body) <= 300_000
    digest = hashlib.sha256(answer.body)
    assert answer["Livelog-Digest"] == digest.hexdigest()
    assert answer["Repr-Digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert request(server.get, "GET", PATH, "Authorization: Bearer wrong", "Range: bytes=0-9").body == answer.body
    assert request(server.get, "GET", f"{PATH}?x=1").body == answer.body
    assert TOKEN.encode() not in answer.body


def test_it_is_not_sent_again_to_who_has_it(server: Server) -> None:
    tag = request(server.get, "GET", PATH)["ETag"]
    answer = request(server.get, "GET", PATH, f"If-None-Match: {tag}")
    assert (answer.status, answer.body, answer["ETag"]) == (304, b"", tag)
    assert request(server.get, "GET", PATH, 'If-None-Match: "another"').status == 200
    assert request(server.get, "GET", PATH, 'If-Match: "another"').status == 412
    head = request(server.get, "HEAD", PATH)
    assert (head.status, head.body, head["ETag"]) == (200, b"", tag)
    assert int(head["Content-Length"]) == len(request(server.get, "GET", PATH).body)


def test_nothing_is_below_it_and_it_cannot_be_written(server: Server) -> None:
    assert request(server.get, "GET", f"{PATH}/x").status == 404
    assert request(server.get, "GET", f"{PATH}/").status == 404
    refused = request(server.get, "PUT", PATH, body=b"x")
    assert (refused.status, refused["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert request(server.get, "OPTIONS", PATH).status == 204
    assert request(server.put, "GET", PATH).status == 404  # the producers' port is another one


def test_server_serves_others_while_it_is_made() -> None:
    """Many ask at once, the first of them in vain: it leaves before it is told."""
    with running() as server:
        for _ in range(3):
            with contextlib.closing(server.connect()) as early:
                early.send(f"GET {PATH} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        send(server, "other", b"text\n")
        assert request(server.get, "GET", path_of("other", TOKEN)).body == b"text\n"
        assert request(server.get, "GET", PATH).status == 200


def test_the_same_sources_make_the_same_file_from_a_folder_and_from_an_archive(server: Server, tmp_path: Path) -> None:
    made = archive.build()
    assert made == request(server.get, "GET", PATH).body
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        root = Path(archive.__file__).parents[2]
        for path in (root / "livelog").rglob("*.py"):
            packed.write(path, path.relative_to(root))
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'all.zip')!r}); from livelog.page.archive import main; main()"
    )
    os.utime(tmp_path / "all.zip", (0, 0))
    subprocess.run([sys.executable, "-c", program, tmp_path / "again.pyz"], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "again.pyz").read_bytes() == made


def test_digest_is_in_the_help_of_the_server(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "livelog", "serve", "--help"], capture_output=True, text=True, timeout=60
    )
    assert f"SHA-256 of livelog.pyz: {request(server.get, 'GET', PATH)['Livelog-Digest']}\n" in done.stdout
    done = subprocess.run([sys.executable, "-m", "livelog", "--help"], capture_output=True, text=True, timeout=60)
    assert "/livelog.pyz && python3 livelog.pyz run" in done.stdout


def test_all_that_it_imports_is_in_it_and_nothing_else_of_ours() -> None:
    """Every module of ours that one in it imports is in it, and only these are; what others it needs is in the standard library."""
    with zipfile.ZipFile(io.BytesIO(archive.build())) as packed:
        sources = {name: packed.read(name) for name in packed.namelist()}
    there = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in sources}
    wanted = {"livelog", "livelog.__main__", "__main__"}
    for name, source in sources.items():
        package = Path(name).parent.parts
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom):
                base = (
                    ".".join((*package[: len(package) - node.level + 1], *filter(None, [node.module])))
                    if node.level
                    else str(node.module)
                )
                wanted |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
    wanted |= {
        f"livelog.client.commands.{module}" for module, _, _ in COMMANDS.values()
    }  # each imported when it is run
    known = {one for one in wanted if one in there or _is_module(one)}
    ours = {one for one in known if one.partition(".")[0] == "livelog"}
    missing = {one for one in ours - there if not any(one.startswith(other) for other in SERVERS_OWN)}
    assert missing == set()
    packages = {one.rpartition(".")[0] for one in there}
    assert there - packages <= ours | {"__main__", "livelog.__main__"}
    assert {one.partition(".")[0] for one in wanted} - {"livelog", "__main__", "_typeshed"} <= sys.stdlib_module_names


def _is_module(name: str) -> bool:
    place = Path(archive.__file__).parents[2] / name.replace(".", "/")
    return name.startswith("livelog") and (place.with_suffix(".py").exists() or (place / "__init__.py").exists())


@pytest.mark.parametrize(
    "command", sample(["run", "push", "tail", "ls", "status", "open", "link", "rm", "spools", "health"], "run")
)
def test_each_command_explains_itself(client: Path, command: str) -> None:
    done = run(client, command, "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"usage: livelog {command}".encode() in done.stdout


def test_client_runs_pushes_follows_and_lists(server: Server, client: Path) -> None:
    at = {
        "LIVELOG_SERVER": f"http://127.0.0.1:{server.put.port}",
        "LIVELOG_PUBLIC_URL": f"http://127.0.0.1:{server.get.port}",
    }
    at["ACCESS_TOKEN"] = TOKEN
    done = run(client, "run", "--name", "job", "--", "sh", "-c", "echo one; exit 3", variables=at)
    assert (done.returncode, done.stdout) == (3, b"one\n")
    assert run(client, "push", "--name", "pipe", data=b"two\n", variables=at).returncode == 0
    for name, text in (("job", b"one\n"), ("pipe", b"two\n")):
        assert run(client, "tail", name, variables=at).stdout == text
    assert {b"job", b"pipe"} <= {*run(client, "ls", "--names", variables=at).stdout.split()}
    assert b"complete" in run(client, "status", "job", variables=at).stdout
    assert run(client, "rm", "pipe", variables=at).returncode == 0
    assert b"_livelog" in run(client, "completion", "bash").stdout


def test_client_says_that_it_has_no_server(client: Path) -> None:
    served = run(client, variables={"ACCESS_TOKEN": TOKEN})
    assert (served.returncode, served.stdout) == (78, b"")
    assert served.stderr == b"livelog: this is the client alone, without a server: install livelog-server\n"
    done = run(client, "run", "--", "echo", "one")
    assert (done.returncode, done.stdout) == (0, b"one\n")
    assert b"the client alone, which needs the address of a server in LIVELOG_SERVER; the command runs" in done.stderr


def test_older_pythons_are_told_what_is_wrong() -> None:
    """They understand what runs first, up to the message."""
    ast.parse(archive.MAIN, feature_version=(3, 4))
    program = f"import sys; sys.version_info = (3, 10, 4); exec({archive.MAIN!r})"
    done = subprocess.run([*BARE, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"livelog.pyz needs Python 3.11 or newer; this is Python 3.10\n")
