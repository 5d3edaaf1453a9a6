"""The forms in which the command is installed, each in a place of its own, without a network."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.programs import clean_environment
from tests.harness import reserved_port

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
WHEELS = ROOT / ".cache/dist/wheels"
"""The built wheel, and those of what it needs."""

BIN = Path(sys.executable).parent
"""Where the programs are that the extra `dist` brings."""

OFFLINE = {"UV_OFFLINE": "1", "UV_NO_CONFIG": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": str(WHEELS)}
OFFLINE |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS)}
"""What has uv and pip look into `WHEELS` and nowhere else."""

FORMS = ("wheel", "editable", "archive", "standalone")


@dataclass(frozen=True, slots=True)
class Form:
    """A form in which it is installed: the words that start it, and the folder that a user is in."""

    name: str
    command: tuple[str, ...]
    folder: Path


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel. Returns the folder of its programs."""
    folder = tmp_path_factory.mktemp("environment")
    variables = clean_environment() | OFFLINE | {"UV_CACHE_DIR": str(folder / "cache")}
    for words in (
        ("venv", "--python", sys.executable, folder / "venv"),
        ("pip", "install", "--python", folder / "venv", "livelog-server"),
    ):
        subprocess.run([BIN / "uv", "--quiet", *words], env=variables, check=True, timeout=120)
    return folder / "venv/bin"


@pytest.fixture(scope="session", params=FORMS)
def form(request: pytest.FixtureRequest, environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Form:
    """Each form, with a folder in which modules lie that are not ours."""
    folder = tmp_path_factory.mktemp("folder")
    for module in ("json", "livelog", "http_sf", "sitecustomize"):
        (folder / f"{module}.py").write_text(f"raise SystemExit('{module} of a stranger')")
    command: tuple[str, ...]
    match request.param:
        case "wheel":
            command = (str(environment / "livelog-server"),)
        case "editable":
            command = (str(BIN / "livelog-server"),)
        case "archive":
            command = (str(environment / "python"), archive(tmp_path_factory.mktemp("archive")))
        case _:
            command = (str(shutil.copy(DIST / "livelog", str(tmp_path_factory.mktemp("bare")))),)
    return Form(request.param, command, folder)


def archive(folder: Path) -> str:
    """All of our modules in one file, as zipapp makes it. What they need is installed beside it, but for us."""
    (wheel,) = WHEELS.glob("livelog_server-*.whl")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(folder / "all.pyz", "w") as target:
        for entry in source.infolist():
            if entry.filename.startswith("livelog/"):
                target.writestr(entry, source.read(entry))
        target.writestr("__main__.py", "import sys; from livelog.cli import main; sys.exit(main())")
    return str(folder / "all.pyz")


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """Two ports for servers."""
    with reserved_port() as first, reserved_port() as second:
        yield first, second
