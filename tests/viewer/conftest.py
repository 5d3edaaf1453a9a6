"""A browser, a server with a data directory, and the viewer's source with its packages, as a newcomer gets them by `npm ci`."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.chromium import chromium
from tests.harness import Server
from tests.integration.servers import running
from tests.integration.uploads import new_name
from tests.shared import shared

from .wires import Wire

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `viewer/` in which everything is installed. Needs npm's registry."""

    def install(folder: Path) -> None:
        ignored = shutil.ignore_patterns("node_modules", "build")
        shutil.copytree(ROOT / "viewer", folder, ignore=ignored, dirs_exist_ok=True)
        command = ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--prefer-offline"]
        subprocess.run(command, cwd=folder, check=True, timeout=150)

    return shared(tmp_path_factory, "workshop", install)


@pytest.fixture(scope="module")
def axe(workshop: Path) -> str:
    """The script of axe."""
    return (workshop / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests of a file."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests of a file."""
    with running({"LIVELOG_DATA_DIR": str(tmp_path_factory.mktemp("data"))}) as server:
        yield server


@pytest.fixture
def name() -> str:
    """A log of this test's own."""
    return new_name()


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    """A relay to the server's readers' port."""
    with contextlib.closing(Wire(server.get)) as wire:
        yield wire
