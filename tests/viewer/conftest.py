"""The viewer's source with the packages that build and test it, as a newcomer gets them: by `npm ci`, into a copy."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `viewer/` in which everything is installed. Needs npm's registry."""
    folder = tmp_path_factory.mktemp("workshop") / "viewer"
    shutil.copytree(ROOT / "viewer", folder, ignore=shutil.ignore_patterns("node_modules", "build"))
    subprocess.run(["npm", "ci", "--silent"], cwd=folder, check=True, timeout=150)
    return folder
