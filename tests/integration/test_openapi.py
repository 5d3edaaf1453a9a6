"""The server answers as `docs/openapi*.yaml` say, whatever is asked: schemathesis makes up the questions.

Statuses, types, header fields and forms of answers must be the described ones. Refuses three opinions: that a wrong method gets
405 before a token is looked at (here it is 401 first, so that whoever has no token learns nothing), and that all which a schema
allows is right and all else wrong (no schema says "exactly one of these", and some parameters are ignored).
"""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # schemathesis brings it

from livelog.wire.head import IMPLEMENTED
from tests.conformance.link import Address
from tests.harness import TOKEN

from .logs import request, send
from .servers import running

DOCS = Path(__file__).parents[2] / "docs"

CONTENT = b"::group::one\nline of text\n::endgroup::\n" * 5000

WRITE_TOKEN = "pen~0f.the-producers"

METHODS = sorted(method.decode() for method in IMPLEMENTED)

HOOKS = f"""
import schemathesis
schemathesis.serializer.alias("application/partial-upload", "application/octet-stream")

@schemathesis.check
def not_implemented_is_an_unknown_method(ctx, response, case):
    assert (response.status_code == 501) == (case.method.upper() not in {METHODS!r}), case.method
"""
"""Lets schemathesis send what is appended to an upload, and has it expect 501 for a method that nothing here has, and only for that."""

EXPECTED = '[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", 501]\n'
"""Configuration of schemathesis: which statuses are no fault of the server."""

EVERYTHING = ".*"


def briefly(paths: str) -> str:
    """Configuration of schemathesis: ask with a few values only where the path matches, such as what is described elsewhere, too."""
    return f"[[operations]]\ninclude-path-regex = '{paths}'\nphases.coverage.enabled = false\n"


def check(folder: Path, description: str, address: Address, token: str, config: str, examples: int) -> None:
    """Have the server asked about every operation, the same questions in each run, with that token in a header."""
    (folder / "hooks.py").write_text(HOOKS)
    file = folder / "schemathesis.toml"
    file.write_text(f'hooks = "hooks.py"\n{EXPECTED}{config}')
    command: list[str | Path] = [
        Path(sys.executable).with_name("schemathesis"), "--config-file", file, "run", DOCS / description,
        "--url", f"http://127.0.0.1:{address.port}", "-H", f"Authorization: Bearer {token}",
        "--phases", "coverage,fuzzing", "--max-examples", str(examples),
        "--exclude-checks", "unsupported_method,positive_data_acceptance,negative_data_rejection", "--seed", "1", "--generation-database", "none",
        "--request-timeout", "20", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    paths = yaml.safe_load((DOCS / description).read_text(encoding="utf-8"))["paths"].values()
    operations = sum(
        method in ("get", "head", "put", "post", "patch", "delete", "options") for path in paths for method in path
    )
    assert f"Tested: {operations}\n" in done.stdout


@pytest.mark.parametrize(
    ("token", "brief", "examples"),
    [(TOKEN, EVERYTHING, 2), (TOKEN, r"^/(?!view)[a-z]+(/\{name\})?$", 5), ("wrong", EVERYTHING, 5)],
    ids=["briefly", "token", "no token"],
)
@pytest.mark.long
def test_readers_port_answers_as_its_description_says(tmp_path: Path, token: str, brief: str, examples: int) -> None:
    """For logs that there are, with a name, without one, and with a prefix."""
    config = f'[parameters]\n"path.token" = "{token}"\n"path.name" = "a"\n"path.prefix" = "b"\n"query.wait" = 0\n{briefly(brief)}'
    for path in ("/logs", "/logs/{token}", "/logs/{token}/{prefix}/"):  # as=events does not end
        config += f'[[operations]]\ninclude-path = "{path}"\nparameters = {{"query.as" = "ndjson"}}\n'
    with running() as server:
        for name in ("", "a", "b/c"):
            send(server, name, CONTENT)
        check(tmp_path, "openapi.yaml", server.get, token, config, examples)


@pytest.mark.long  # the readers' port is asked in `make test`
@pytest.mark.parametrize(
    ("token", "brief", "examples"),
    [(WRITE_TOKEN, EVERYTHING, 2), (WRITE_TOKEN, r"^/(log|upload/\{key\})$", 5), ("wrong", EVERYTHING, 5)],
    ids=["briefly", "token", "no token"],
)
def test_producers_port_answers_as_its_description_says(tmp_path: Path, token: str, brief: str, examples: int) -> None:
    """For two logs that come and go, and an upload that has begun."""
    with running({"LIVELOG_WRITE_TOKEN": WRITE_TOKEN, "LIVELOG_DATA_DIR": str(tmp_path / "data")}) as server:
        headers = (f"Authorization: Bearer {WRITE_TOKEN}", "Upload-Complete: ?0")
        begun = request(server.put, "PUT", "/log/upload", *headers, body=b"one\n")
        key, name = begun["Location"].split("upload/")[1].split("/")
        config = (
            f'[parameters]\n"path.name" = "a"\n"path.prefix" = "b"\n"path.key" = "{key}"\n{briefly(brief)}'
            f'[[operations]]\ninclude-path = "/upload/{{key}}/{{name}}"\nparameters = {{"path.name" = "{name}"}}\n'
        )
        check(tmp_path, "openapi-producers.yaml", server.put, token, config, examples)
