"""The rules of the house that a program can check, read from the sources: who imports whom, how long a file is, what each test file is for.

There are no exceptions, but for functions of tests that sleep, each with its reason. That list is exact: who ceases to sleep leaves it.
"""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.coverage_by_module import PURE, mirrors

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "livelog"
TESTS = ROOT / "tests"

LONGEST = 400
"""Lines of a file."""

FLOORS: dict[str, set[str]] = {
    "wire": {"errors"},
    "log": {"errors", "config", "names", "times"},
    "lines": {"errors", "own_process", "ansi", "plain", "times", "log.source", "log.info"},
    "page": {"wire"},
    "operate": {"errors", "config", "log", "wire"},
    "produce": {"errors", "config", "names", "tokens", "log", "wire"},
    "read": {"errors", "config", "names", "times", "tokens", "log", "wire", "lines", "operate.metrics", "page"},
    "client": {"errors", "own_process", "config", "names", "tokens", "ansi", "plain", "times", "log.attributes"},
}
"""What the modules of a folder may import besides each other: modules, and folders with all that is in them."""

ABOVE = {
    "produce": {"server"},
    "read": {"server"},
    "server": {"process"},
    "process": {"cli", "embedded"},
    "client": {"cli"},
}
"""Who alone may import a folder or module from elsewhere."""

PACE = "chance decides how long it pauses: that is its input"

SLEEPERS = dict.fromkeys(
    (
        "chaos/asking.py: pause", "chaos/place.py: _do", "chaos/place.py: _hold", "chaos/producers.py: _begin", "chaos/producers.py: _send",
        "chaos/producers.py: run", "chaos/readers.py: run",
    ),
    PACE,
)  # fmt: skip
"""Functions of tests that sleep, and why no event would do."""


@functools.cache
def modules() -> dict[str, ast.Module]:
    """All modules by their names below `livelog`."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = [part for part in path.relative_to(SOURCE).with_suffix("").parts if part != "__init__"]
        found[".".join(parts)] = ast.parse(path.read_text(encoding="utf-8"))
    return found


@functools.cache
def statements(node: ast.AST) -> list[ast.AST]:
    """A module or statement, and all statements in it, wherever they are, with what is made of them (handlers, cases)."""
    below = [
        child for field in ("body", "orelse", "finalbody", "handlers", "cases") for child in getattr(node, field, ())
    ]
    return [node, *(statement for child in below for statement in statements(child))]


def imports(module: ast.AST) -> list[ast.Import | ast.ImportFrom]:
    """The statements of a module that import something, wherever they are in it."""
    return [node for node in statements(module) if isinstance(node, ast.Import | ast.ImportFrom)]


def imported(name: str, module: ast.AST, known: dict[str, ast.Module]) -> Iterator[str]:
    """What a module imports: modules below `livelog`, and other packages with a colon in front."""
    is_package = not name or any(other.startswith(f"{name}.") for other in known)
    package = name.split(".") if is_package else name.split(".")[:-1]
    for node in imports(module):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            above = ["livelog", *package[: len(package) - node.level + 1]] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        for each in names:
            if each.partition(".")[0] != "livelog":
                yield f":{each.partition('.')[0]}"
            elif (below := each.removeprefix("livelog").removeprefix(".")) in known and below:
                yield below
            else:
                yield below.rpartition(".")[0]


@functools.cache
def for_types(module: ast.Module) -> list[ast.stmt]:
    """The statements below `if TYPE_CHECKING`, which never run."""
    guards = (
        node for node in statements(module) if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return [statement for guard in guards for statement in guard.body]


def breaches(known: dict[str, ast.Module]) -> set[str]:
    """All imports that break a rule, as `importer -> imported`."""
    found = set()
    for name, module in known.items():
        package = name.partition(".")[0]
        types = {other for each in for_types(module) for other in imported(name, each, known)}
        for other in set(imported(name, module, known)) - {"", package}:
            top = other.partition(".")[0]
            allowed = FLOORS.get(package)
            if allowed is not None and top not in {"", package, *allowed} and other not in allowed:
                found.add(f"{name} -> {other}" if not other.startswith(":") else "")
            if package in ("log", "lines") and other in (":httptools", ":http"):
                found.add(f"{name} -> {other}")
            if top in ABOVE and name and package not in {top, *ABOVE[top]}:
                found.add(f"{name} -> {other}")
            if name in PURE and not other.startswith(":") and other not in PURE and other not in types:
                found.add(f"{name} -> {other}")
    return found - {""}


def test_imports_go_down_only() -> None:
    """A name that is imported for types only counts here, too, save for the purity of who imports it: nothing is loaded."""
    assert breaches(modules()) == set()


@pytest.mark.parametrize(
    ("name", "line", "other"),
    [
        ("wire.head", "from livelog.log.info import State", "log.info"),
        ("log.journal", "from livelog.wire import problem", "wire.problem"),
        ("log.journal", "import http.client", ":http"),
        ("log.journal", "from livelog.lines.lines import MAX_LINES", "lines.lines"),
        ("lines.groups", "from livelog.log.catalogue import Catalogue", "log.catalogue"),
        ("lines.service", "from livelog.wire.response import Response", "wire.response"),
        ("operate.monitoring", "from livelog.read.handlers import Readers", "read.handlers"),
        ("read.handlers", "from livelog.produce.uploads import DIGESTS", "produce.uploads"),
        ("process", "from .read import handlers", "read.handlers"),
        ("lines.sgr", "def later():\n    from .service import Indexes", "lines.service"),
        ("page.viewer", "from livelog import server", "server"),
        ("client.api.writer", "from livelog.log.journal import Journal", "log.journal"),
    ],
)
def test_an_import_that_breaks_a_rule_is_found(name: str, line: str, other: str) -> None:
    assert breaches(modules() | {name: ast.parse(line)}) == {f"{name} -> {other}"}


def test_no_file_is_too_long() -> None:
    long = {
        str(path.relative_to(ROOT))
        for folder in ("src", "benchmarks", "ci", "website")
        for path in (ROOT / folder).rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST
    }
    assert long == set()


def test_each_pure_module_has_a_test_file_of_its_own() -> None:
    known = modules()
    assert not [name for name in PURE if name not in known]
    assert {file for name in PURE for file in mirrors(name) if not file.exists()} == set()


def test_no_test_sleeps() -> None:
    """Waiting is for an event, with a bound. `asyncio.sleep(0)`, which gives others their turn, is no sleep."""
    sleeping = set()
    for path in TESTS.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for function in ast.walk(ast.parse(text)) if "sleep(" in text else ():
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                _sleeps(node) for node in ast.walk(function)
            ):
                sleeping.add(f"{path.relative_to(TESTS)}: {function.name}")
    assert sleeping == set(SLEEPERS)


def _sleeps(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")) == "sleep"
        and ast.unparse(node.func) in ("time.sleep", "asyncio.sleep", "sleep")
        and not (isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    )


def test_server_starts_without_what_only_its_scanner_needs() -> None:
    """Patterns take long to compile: each of these modules would be 1 to 10 % of the time from exec to ready."""
    heavy = {
        "beginnings",
        "failures",
        "filtering",
        "forms",
        "groups",
        "hits",
        "levels",
        "matching",
        "prefilter",
        "problems",
        "recognition",
        "search_output",
        "traces",
    }
    code = "import sys, livelog.server; print(*(name for name in sys.modules if name.startswith('livelog.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    assert "livelog.lines.service" in loaded
    assert not {name.removeprefix("livelog.lines.") for name in loaded} & heavy
    assert "livelog.plain" not in loaded


def test_the_server_starts_without_libraries_that_it_may_never_use() -> None:
    """Each takes 0.4 to 2 MB of memory, with what it imports."""
    code = "import sys, livelog.server; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    rare = {
        "bz2", "decimal", "email.utils", "importlib.resources", "lzma", "pickle", "prometheus_client", "random", "secrets", "shutil", "tempfile", "zipfile",
    }  # fmt: skip
    assert not rare & {*loaded}
