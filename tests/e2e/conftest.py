"""The command as users have it: built into a wheel, installed into an environment of its own."""

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import reserved_port
from tests.shared import shared

from .programs import Installed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The installed command. Needs a package index, for httptools and for what builds the wheel."""
    return Installed(shared(tmp_path_factory, "installed", _install) / "venv/bin")


def _install(folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT],
        env=environment, check=True, timeout=280,  # a package index may be slow, and the machine busy
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", folder / "venv/bin/python"]
    subprocess.run(
        [*pip, "install", "--quiet", "--disable-pip-version-check", wheel],
        env=environment, check=True, timeout=280,  # a package index may be slow, and the machine busy
    )  # fmt: skip


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """Two ports for servers."""
    with reserved_port() as first, reserved_port() as second:
        yield first, second
