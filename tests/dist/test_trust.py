"""What was built can be checked: its sums, what is in it, and that another build gives the same.

Categories: sums · the bill of materials · two builds.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.e2e.programs import clean_environment
from tests.harness import TOKEN

from .conftest import DIST, OFFLINE, ROOT, Form
from .test_forms import get, server


def test_sums_are_those_of_all_files() -> None:
    lines = (DIST / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    assert {"livelog", "livelog.pyz", "sbom.cdx.json", "LICENSES.txt"} < {line.split("  ")[1] for line in lines}
    subprocess.run(["sha256sum", "--check", "--quiet", "--strict", "SHA256SUMS"], cwd=DIST, check=True, timeout=60)


def test_bill_of_materials_names_what_is_in_the_program_with_versions_and_licences() -> None:
    document = json.loads((DIST / "sbom.cdx.json").read_text(encoding="utf-8"))
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "livelog")
    parts = {part["name"]: part for part in document["components"]}
    assert {
        "CPython",
        "OpenSSL",
        "GNU C Library",
        "httptools",
        "llhttp",
        "http-sf",
        "prometheus-client",
    } <= parts.keys()
    assert all(part["version"] and part["licenses"] and part["purl"] for part in parts.values())
    with zipfile.ZipFile(DIST / "livelog") as archive:
        text = archive.read("LICENSES.txt").decode()
    assert text == (DIST / "LICENSES.txt").read_text(encoding="utf-8")
    assert all(f"\n{part['name']} {part['version']}: " in text for part in parts.values())


def test_two_builds_are_the_same(tmp_path: Path) -> None:
    """From another checkout, at another time and place: wheel, sources, client."""
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, tmp_path / "again"], check=True, timeout=60)
    changes = subprocess.run(["git", "diff", "--binary", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    if changes:
        subprocess.run(["git", "apply"], input=changes, cwd=tmp_path / "again", check=True)
    environment = clean_environment() | OFFLINE | {"PYTHON": sys.executable, "TZ": "Pacific/Auckland"}
    done = subprocess.run(
        ["sh", "-c", "umask 077; packaging/build wheel pyz"],
        cwd=tmp_path / "again",
        env=environment,
        capture_output=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    built = sorted(path.name for path in (tmp_path / "again/dist").iterdir())
    assert [name.rpartition(".")[2] for name in built] == ["pyz", "whl", "gz"]
    for name in built:
        one, other = (
            hashlib.sha256((folder / name).read_bytes()).hexdigest() for folder in (DIST, tmp_path / "again/dist")
        )
        assert one == other, name


def test_every_form_hands_out_the_same_client(form: Form, ports: tuple[int, int], tmp_path: Path) -> None:
    """Which is the one that was built."""
    with server(form, ports, tmp_path):
        client = get(f"http://localhost:{ports[1]}/livelog.pyz")
    assert client == (DIST / "livelog.pyz").read_bytes()
    assert TOKEN.encode() not in client


def test_built_client_runs_as_a_program(tmp_path: Path) -> None:
    """By its first line, from a folder that has it and nothing else."""
    file = Path(shutil.copy(DIST / "livelog.pyz", tmp_path))
    done = subprocess.run(
        [file, "--short-version"], capture_output=True, text=True, timeout=60, env={"PATH": os.environ["PATH"]}
    )
    version = subprocess.run([DIST / "livelog", "--short-version"], capture_output=True, text=True, timeout=60, env={})
    assert (done.returncode, done.stdout, done.stderr) == (0, version.stdout, "")
