"""The rules of the house that a program can check, read from the sources: who imports whom, how long a file is, what each test file is for.

What a rule does not hold for yet stands in a list, with the reason. The lists are exact: what comes true must leave them.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.unit.coverage_by_module import PURE

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "livelog"
TESTS = ROOT / "tests"

LONGEST = 400
"""Lines of a file."""

FLOORS: dict[str, set[str]] = {
    "wire": {"errors"},
    "log": {"errors", "config", "names"},
    "lines": {"errors", "own_process", "ansi", "log.source", "log.info"},
}
"""What a package may import besides itself: facts and types, and nothing that knows what the packages are for."""

BREACHES = {
    "wire.response -> wire.body_writer": "for a type in a signature alone",
}
"""Imports that break a rule, as `importer -> imported`, and why they are still there."""

TOO_LONG = {
    "produce/handlers.py": "to be divided: a session that receives, and handlers for each request",
    "wire/problem.py": "a table of errors, which is data",
}
"""Files longer than `LONGEST`, and why."""

WITHOUT_MIRROR: dict[str, str] = {}
"""Pure modules without a test file of their own, and why."""

PACE = "chance decides how long it pauses: that is its input"

SLEEPERS = dict.fromkeys(
    (
        "chaos/asking.py: pause", "chaos/place.py: _do", "chaos/place.py: _hold", "chaos/producers.py: _begin", "chaos/producers.py: _send",
        "chaos/producers.py: run", "chaos/readers.py: run",
    ),
    PACE,
)  # fmt: skip
"""Functions of tests that sleep, and why no event would do."""


def modules() -> dict[str, ast.Module]:
    """All modules by their names below `livelog`."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = [part for part in path.relative_to(SOURCE).with_suffix("").parts if part != "__init__"]
        found[".".join(parts)] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(name: str, module: ast.Module, known: dict[str, ast.Module]) -> Iterator[str]:
    """What a module imports: modules below `livelog`, and other packages with a colon in front."""
    package = name.split(".") if name in {other.rpartition(".")[0] for other in known} else name.split(".")[:-1]
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = ["livelog", *package[: len(package) - node.level + 1]] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for each in names:
            if each.partition(".")[0] != "livelog":
                yield f":{each.partition('.')[0]}"
            elif (below := each.removeprefix("livelog").removeprefix(".")) in known and below:
                yield below
            else:
                yield below.rpartition(".")[0]


def breaches() -> set[str]:
    """All imports that break a rule."""
    known, found = modules(), set()
    for name, module in known.items():
        package = name.partition(".")[0]
        for other in set(imported(name, module, known)) - {"", package}:
            top = other.partition(".")[0]
            if package in FLOORS and not other.startswith((":", f"{package}.")) and other not in FLOORS[package]:
                found.add(f"{name} -> {other}")
            if package in ("log", "lines") and other in (":aiohttp", ":http"):
                found.add(f"{name} -> {other}")
            if top in ("produce", "read") and package not in (top, "server"):
                found.add(f"{name} -> {other}")
            if name in PURE and not other.startswith(":") and other not in PURE:
                found.add(f"{name} -> {other}")
    return found


def test_imports_go_down_only() -> None:
    assert breaches() == set(BREACHES)


def test_no_file_is_too_long() -> None:
    long = {
        str(path.relative_to(SOURCE))
        for path in SOURCE.rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST
    }
    assert long == set(TOO_LONG)


def test_each_pure_module_has_a_test_file_of_its_own() -> None:
    known = modules()
    assert not [name for name in PURE if name not in known]
    missing = {name for name in PURE if not (TESTS / "unit" / f"test_{name.replace('.', '_')}.py").exists()}
    assert missing == set(WITHOUT_MIRROR)


def test_no_test_sleeps() -> None:
    """Waiting is for an event, with a bound. `asyncio.sleep(0)`, which gives others their turn, is no sleep."""
    sleeping = set()
    for path in TESTS.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                _sleeps(node) for node in ast.walk(function)
            ):
                sleeping.add(f"{path.relative_to(TESTS)}: {function.name}")
    assert sleeping == set(SLEEPERS)


def _sleeps(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("time.sleep", "asyncio.sleep", "sleep")
        and not (isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    )
