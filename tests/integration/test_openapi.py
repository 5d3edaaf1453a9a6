"""The server answers as `docs/openapi.yaml` says, whatever is asked: schemathesis makes up the questions.

Statuses, types and forms of answers must be the described ones. Refuses three opinions: that a wrong method gets 405 before a
token is looked at (here it is 401 first, so that whoever has no token learns nothing), and that all which a schema allows is
right and all else wrong (no schema says "exactly one of these", and some parameters are ignored).
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import TOKEN

from .logs import send
from .servers import running

pytestmark = pytest.mark.timeout(90)

DESCRIPTION = Path(__file__).parents[2] / "docs" / "openapi.yaml"

CONTENT = b"::group::one\nline of text\n::endgroup::\n" * 5000


@pytest.mark.parametrize("token", [TOKEN, "wrong"])
def test_server_answers_as_its_description_says(tmp_path: Path, token: str) -> None:
    """For a log that there is; the questions are the same in each run."""
    config = tmp_path / "schemathesis.toml"
    config.write_text(f'[parameters]\n"path.token" = {json.dumps(token)}\n"path.name" = "a"\n"query.wait" = 0\n')
    with running() as server:
        send(server, "a", CONTENT)
        command: list[str | Path] = [
            Path(sys.executable).with_name("schemathesis"), "--config-file", config, "run", DESCRIPTION,
            "--url", f"http://127.0.0.1:{server.get.port}", "--phases", "coverage,fuzzing", "--max-examples", "15",
            "--exclude-checks", "unsupported_method,positive_data_acceptance,negative_data_rejection", "--seed", "1", "--generation-database", "none",
            "--request-timeout", "20", "--no-color",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout
        assert "Tested: 8" in done.stdout
