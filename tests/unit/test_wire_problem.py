"""One table of errors: the program raises from it, docs/protocol/errors.md shows it, both OpenAPI descriptions list its statuses.

`python -m tests.unit.test_wire_problem` writes its tables anew.
"""

import ast
import errno
import functools
import inspect
import json
import re
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # schemathesis brings it

from livelog.errors import (
    DiskError,
    FramingError,
    InvalidAttribute,
    LeaseLost,
    LeaseTaken,
    RequestError,
    ScanError,
    Stopping,
    TooManyLogs,
)
from livelog.produce import problems as producers_problems
from livelog.read import problems as readers_problems
from livelog.wire import problem
from livelog.wire.problem import PRODUCERS, READERS, TABLE, Problem

ROOT = Path(__file__).parents[2]
ERRORS = ROOT / "docs/protocol/errors.md"

NOTE = "<!-- the table of `livelog.wire.problem`, for {side} -->\n"

SIDES = ("both ports", "the producers' port", "the readers' port")

RESOURCES = {
    "put": ("put /log", "post /log"), "show": ("get /log", "head /log"), "update": ("patch /log",),
    "remove": ("delete /log",), "limits": ("options /log",), "offset": ("get /upload", "head /upload"),
    "append": ("patch /upload",), "give-up": ("delete /upload",), "methods": ("options /upload",),
    "link": ("get /logs", "head /logs"),
    "healthz": ("get /healthz", "head /healthz"), "readyz": ("get /readyz", "head /readyz"),
    "metrics": ("get /metrics", "head /metrics"),
}  # fmt: skip
"""The operations of `docs/openapi-producers.yaml` by the names of `problem.PRODUCERS`."""


def rows(side: str) -> str:
    """The table of one side, as errors.md has it."""
    chosen = [
        each
        for each in TABLE
        if side == ("both ports" if each.producers and each.readers else f"the {'producers' if each.producers else 'readers'}' port")
    ]  # fmt: skip
    lines = ["| status | when | text |", "|---|---|---|"]
    for each in sorted(chosen, key=lambda each: each.status):
        kind = f"; `{each.registered}`" if each.registered else ""
        lines.append(f"| {each.status} | {each.when}{kind} | {each.shown} |".replace("''", "'"))
    return "\n".join(lines) + "\n"


def with_tables(text: str) -> str:
    """The text of errors.md, with its tables of errors as they should be."""
    for side in SIDES:
        note = NOTE.format(side=side)
        start = text.index(note) + len(note)
        stop = re.compile(r"^(?!\|)", re.MULTILINE).search(text, start)
        assert stop is not None
        text = text[:start] + rows(side) + text[stop.start() :]
    return text


def test_errors_md_shows_the_table() -> None:
    text = ERRORS.read_text(encoding="utf-8")
    assert text == with_tables(text), "python -m tests.unit.test_wire_problem writes it anew"


def test_every_error_of_the_server_comes_from_the_table() -> None:
    """No module but two makes a `RequestError` of its own."""
    found = []
    for path in (ROOT / "src/livelog").rglob("*.py"):
        name = str(path.relative_to(ROOT / "src/livelog"))
        if name in ("errors.py", "wire/problem.py") or name.startswith("client/"):
            continue
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "RequestError" in text else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "RequestError":
                found.append(f"{name}:{node.lineno}")
    assert found == [], "raise an error of a table of problems, which the documents are held to"


def test_every_error_of_the_table_is_used() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/livelog").rglob("*.py"))
    modules = (problem, producers_problems, readers_problems)
    names = {id(value): name for each in modules for name, value in vars(each).items() if isinstance(value, Problem)}
    assert len(names) == len(TABLE)
    told = inspect.getsource(problem.of)
    used = {*re.findall(r"\bproblems?\.(\w+)", sources), *re.findall(r"\w+", told)}
    unused = [name for name in (names[id(each)] for each in TABLE) if name not in used]
    assert unused == ["BAD_CHUNK"], "which FramingError is"
    assert FramingError("x").status == problem.BAD_CHUNK.status


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (RequestError(405, "no", {"Allow": "PUT"}), 405, {"Allow": "PUT"}),
        (FramingError("broken"), 400, {}),
        (DiskError("writing the log", OSError(errno.ENOSPC, "No space left on device")), 507, {}),
        (DiskError("writing the log", OSError(errno.EIO, "Input/output error")), 500, {}),
        (DiskError("opening the log's file", OSError(errno.EMFILE, "Too many open files")), 503, {"Retry-After": "1"}),
        (InvalidAttribute("Livelog-Title is not UTF-8"), 400, {}),
        (TooManyLogs(7), 429, {"Retry-After": "60"}),
        (Stopping(), 503, {"Retry-After": "1"}),
        (LeaseTaken(), 409, {}),
        (LeaseLost(), 409, {}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_knows_nothing_of_http_has_its_status_here(error: Exception, status: int, headers: dict[str, str]) -> None:
    told = problem.of(error)
    assert told is not None
    assert (told.status, str(told), told.headers) == (status, str(error), headers)


def test_answer_is_a_line_of_text_or_a_problem_document() -> None:
    plain = problem.answer(producers_problems.NO_LOG.error(), "text/html, */*")
    assert (plain.status, plain.kind, plain.content_type) == (404, "not-found", "text/plain")
    assert plain.body == "there is no log of that name\n"
    assert problem.answer(problem.DENIED.error(), "*/*").body == "Access denied", "as Taskcluster's livelog has it"
    asked = problem.answer(producers_problems.NO_LOG.error(), "Application/Problem+JSON;q=0.5")
    assert (asked.content_type, asked.kind) == ("application/problem+json", "not-found")
    assert json.loads(asked.body) == {
        "type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no log of that name",
    }  # fmt: skip


def test_answer_of_a_registered_type_is_always_a_document_with_its_members() -> None:
    error = producers_problems.WRONG_OFFSET.error(members={"expected-offset": 5}, offset=5, provided=7)
    told = problem.answer(error, "text/plain")
    assert (told.status, told.kind, told.content_type) == (409, "mismatching-upload-offset", "application/problem+json")
    document = json.loads(told.body)
    assert document["type"] == problem.TYPES + "mismatching-upload-offset"
    assert (document["title"], document["expected-offset"]) == ("Mismatching upload offset", 5)


def test_reasons_are_called_as_in_rfc_9110_with_every_python() -> None:
    """Metrics are named after them: a newer Python must not rename what an alert looks at."""
    kinds = {
        each.status: problem.answer(each.error(limit=1, length=1, so_far=""), "").kind
        for each in (producers_problems.TOO_LARGE, readers_problems.NOT_IN_THE_LOG)
    }
    assert kinds == {413: "content-too-large", 416: "range-not-satisfiable"}


@pytest.mark.parametrize("error", [ValueError("a fault"), OSError(5, "a fault"), ScanError("a fault")])
def test_fault_of_the_server_is_no_errors_of_the_table(error: Exception) -> None:
    assert problem.of(error) is None


def test_each_error_is_one_clear_line_with_a_status_of_http() -> None:
    for each in TABLE:
        assert each.status in list(HTTPStatus), each
        assert 400 <= each.status < 600, each
        assert each.text.isprintable(), each
        assert not each.text.endswith("."), each
        assert each.producers or each.readers, each
        assert set(each.producers.split()) <= {*PRODUCERS.split(), "-"}, each
        assert set(each.readers.split()) <= {*READERS.split(), "-"}, each


def statuses(side: str, operation: str) -> set[str]:
    """The error statuses of an operation, by the table."""
    return {
        str(each.status)
        for each in TABLE
        if operation in (each.producers if side == "producers" else each.readers).split()
    }


@functools.cache
def described(file: str) -> dict[str, set[str]]:
    """The error statuses of each operation, by a description."""
    document: Any = yaml.safe_load((ROOT / "docs" / file).read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                found[f"{method} {path}"] = {status for status in operation["responses"] if status >= "400"}
    return found


@pytest.mark.parametrize("resource", READERS.split())
def test_the_readers_description_has_the_statuses_of_the_table(resource: str) -> None:
    operations = {key: value for key, value in described("openapi.yaml").items() if key.split("/")[1] == resource}
    assert {key.split()[0] for key in operations} == {"get", "head", "options"}
    for key, value in operations.items():
        assert value == (statuses("readers", resource) if not key.startswith("options") else set()), key


@pytest.mark.parametrize("name", PRODUCERS.split())
def test_the_producers_description_has_the_statuses_of_the_table(name: str) -> None:
    known = described("openapi-producers.yaml")
    for operation in RESOURCES[name]:
        found = [value for key, value in known.items() if key == operation or key.startswith(f"{operation}/")]
        assert found, operation
        for value in found:
            assert value == statuses("producers", name), operation


if __name__ == "__main__":
    ERRORS.write_text(with_tables(ERRORS.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(0)
