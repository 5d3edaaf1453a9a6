"""The viewer's source: it is sound, its pure parts do what they say, and the page in the package is what it builds.

Refuses to open a browser. What the page does in one is in the files beside this.
"""

import gzip
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.sample import sample

from .conftest import ROOT

pytestmark = pytest.mark.needs("node", "npm")

PACKAGED = ROOT / "src/livelog/page/viewer.html"

LIST, SEVERAL = (PACKAGED.with_name(name) for name in ("list.html", "several.html"))

BUDGET = 30_000
"""Bytes of each compressed page, before anything of it is used."""

SCRIPTS = ("cards", "finding", "copying", "timing", "help", "soon", "panel", "structure", "terminal")

SCRIPT_BUDGET = 9_000
"""Bytes of each compressed script that is loaded when it is used."""


def run(workshop: Path, *command: str, **variables: str) -> str:
    """What a command in the viewer's folder prints. It must succeed."""
    done = subprocess.run(
        command, cwd=workshop, env={**os.environ, **variables}, capture_output=True, text=True, timeout=250
    )
    failed = "\n".join(re.findall(r"^ *not ok .*(?:\n.*){,20}", done.stdout, re.MULTILINE)[:3])
    assert done.returncode == 0, failed + done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.mark.long
def test_source_passes_the_strict_compiler(workshop: Path) -> None:
    run(workshop, "npx", "tsc", "--noEmit")


@pytest.mark.parametrize("variables", sample([{}, {"THOROUGH": "1"}], {}), ids=["some", "all"])
def test_pure_parts_do_what_they_say(workshop: Path, variables: dict[str, str]) -> None:
    run(workshop, "node", "build.mjs", "--test", "build/test")
    # In one process: to start one for each file would take longer than most of their tests.
    tests = sorted(path.name for path in (workshop / "build/test").glob("*.test.mjs"))
    (workshop / "build/test/all.mjs").write_text("".join(f'import "./{name}";\n' for name in tests))
    printed = run(workshop, "node", "--test-reporter=tap", "build/test/all.mjs", **variables)
    assert int(re.findall(r"^# pass (\d+)$", printed, re.MULTILINE)[-1]) > 80
    assert "# skipped 0" in printed


def test_page_in_the_package_was_built_from_these_sources() -> None:
    """All of them, as they are now; `make long` builds it again."""
    folder = ROOT / "viewer"
    sources = [path for path in (folder / "src").rglob("*") if path.is_file()]
    contents = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (*sources, folder / "build.mjs", folder / "package-lock.json")
    }
    every = b"".join(name.encode() + b"\0" + contents[name] + b"\0" for name in sorted(contents))
    digest = hashlib.sha256(every).hexdigest()
    assert PACKAGED.with_suffix(".sources").read_text() == f"{digest}\n", "run `node build.mjs` in viewer/"


@pytest.mark.long
def test_page_in_the_package_is_what_the_source_builds(workshop: Path, tmp_path: Path) -> None:
    run(workshop, "node", "build.mjs", str(tmp_path))
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert built == {
        path.name: path.read_bytes()
        for path in PACKAGED.parent.iterdir()
        if re.search(r"\.(html|js|sources)(\.gz)?$", path.name)
    }
    assert set(built) - {"viewer.sources"} == {
        name + ending
        for name in (PACKAGED.name, LIST.name, SEVERAL.name, *(f"{each}.js" for each in SCRIPTS))
        for ending in ("", ".gz")
    }


def test_no_module_is_too_long_or_imports_itself_by_way_of_others() -> None:
    folder = ROOT / "viewer/src"
    sources = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.ts")}
    assert {name for name, source in sources.items() if source.count("\n") > 400} == set()
    imports = {
        name: {
            os.path.normpath(Path(name).parent / path) + ".ts"
            for path in re.findall(r'from "(\.[./\w-]+)\.js"', source)
        }
        for name, source in sources.items()
    }
    assert set().union(*imports.values()) <= sources.keys()
    while leaves := {name for name, wanted in imports.items() if not wanted & imports.keys()}:
        imports = {name: wanted for name, wanted in imports.items() if name not in leaves}
    assert imports == {}


def test_compressed_page_is_the_page_and_within_its_budget() -> None:
    for name, budget in (
        (PACKAGED.name, BUDGET),
        (LIST.name, BUDGET),
        (SEVERAL.name, BUDGET),
        *((f"{script}.js", SCRIPT_BUDGET) for script in SCRIPTS),
    ):
        packed = PACKAGED.with_name(f"{name}.gz").read_bytes()
        assert gzip.decompress(packed) == PACKAGED.with_name(name).read_bytes()
        assert len(packed) <= budget


@pytest.mark.parametrize("name", [PACKAGED.name, LIST.name, SEVERAL.name])
def test_page_needs_nothing_from_elsewhere(name: str) -> None:
    page = PACKAGED.with_name(name).read_text(encoding="utf-8")
    scripts = "".join(PACKAGED.with_name(f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    # The name of SVG is an address that nobody asks.
    addresses = set(re.findall(r"https?://[\w.-]+", page + scripts)) - {"http://www.w3.org"}
    assert addresses == set()
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+src=", page)
    style = page[page.index("<style>") : page.index("</style>")]
    assert not re.search(r"url\(|@import", style + scripts)


def test_packages_are_pinned_without_saying_where_they_come_from() -> None:
    lock = (ROOT / "viewer/package-lock.json").read_text(encoding="utf-8")
    assert "://" not in lock
    package = json.loads((ROOT / "viewer/package.json").read_text(encoding="utf-8"))
    for version in {**package["dependencies"], **package["devDependencies"]}.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
