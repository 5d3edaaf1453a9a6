"""Whatever a user can see of the program is in its documents: the program is asked what it has.

Flags, variables, header fields, metrics, query parameters, paths, exit codes, statuses and their texts. Refuses to judge how
well they are explained.
"""

import ast
import dataclasses
import functools
import re
from pathlib import Path

import pytest

from livelog import cli, config
from livelog.client import settings
from livelog.client.commands import console
from livelog.config import Settings
from livelog.log.info import LogInfo, State
from livelog.wire import problem

ROOT = Path(__file__).parents[2]

SOURCES = sorted((ROOT / "src/livelog").rglob("*.py"))


def page(name: str) -> str:
    """The text of a document."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def all_pages() -> str:
    """The text of all documents, but for the one that is made from the program itself."""
    paths = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name != "commands.md"]
    return "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *paths])


@functools.cache
def constants(path: Path) -> set[str]:
    """The string constants of a module."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def strings(pattern: str, paths: list[Path] = SOURCES) -> set[str]:
    """The string constants of the program that match `pattern` wholly."""
    return {text for path in paths for text in constants(path) if re.fullmatch(pattern, text)}


def cells(text: str) -> set[str]:
    """All that stands in code in the tables of a text."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return {code for row in rows for code in re.findall(r"`([^`]+)`", row)}


def undocumented(names: set[str], text: str) -> set[str]:
    """Which names do not stand in a text as words of their own."""
    return {name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)}


# Settings of the server.


@pytest.mark.parametrize("setting", dataclasses.fields(Settings), ids=lambda setting: setting.name)
def test_a_setting_of_the_server_has_a_row_with_its_variable_its_flag_and_its_default(
    setting: dataclasses.Field[object],
) -> None:
    meta = setting.metadata
    flag = f"{meta['flag']} {meta['metavar']}" if setting.default is not False else meta["flag"]
    rows = [line for line in page("settings.md").splitlines() if line.startswith(f"| `{meta['variable']}` |")]
    assert len(rows) == 1
    _, _, flag_cell, default, meaning, _ = (cell.strip() for cell in rows[0].replace("\\|", "¦").split("|"))
    assert flag_cell == f"`{flag}`"
    assert len(meaning) > 10
    if isinstance(setting.default, int | float | str) and setting.default is not False:
        shown = f"{setting.default:g}" if isinstance(setting.default, float) else str(setting.default)
        assert default.strip("`") == shown


def test_settings_md_has_no_variable_or_flag_that_the_server_does_not_have() -> None:
    fields = dataclasses.fields(Settings)
    variables = {field.metadata["variable"] for field in fields}
    flags = {field.metadata["flag"] for field in fields} | {"--version", "--short-version", "--help"}
    codes = cells(page("settings.md"))
    assert {code for code in codes if re.fullmatch(r"(LIVELOG|SERVER)_[A-Z_]+", code)} - variables == set()
    assert {code.split()[0] for code in codes if code.startswith("--")} - flags == set()


# Commands.


@pytest.mark.parametrize(
    "command", ["run", "push", "tail", "ls", "status", "link", "open", "rm", "spools", "completion"]
)
def test_every_option_of_a_client_command_is_in_client_md(command: str) -> None:
    options = {
        option
        for action in cli.parsers()[command]._actions
        for option in action.option_strings
        if option not in ("-h", "--help") and option.startswith("--")
    }
    server = {field.metadata["flag"] for field in dataclasses.fields(Settings)}
    assert undocumented(options - server, page("client.md")) == set()
    assert f"livelog {command}" in page("client.md")


def test_every_option_of_health_is_documented() -> None:
    options = {option for action in cli.parsers()["health"]._actions for option in action.option_strings}
    assert undocumented({"--ready", "--timeout"} & options, page("monitoring.md")) == set()


def test_every_variable_of_the_client_is_in_client_md_with_its_name_in_the_file() -> None:
    for key, variable in settings._VARIABLES.items():
        assert re.search(rf"^\| `{variable}` \| `{key}` \|", page("client.md"), re.MULTILINE), variable


def test_every_variable_that_the_program_reads_is_documented() -> None:
    """Also those that it shares with other programs."""
    variables = strings(r"(LIVELOG|SERVER|XDG)_[A-Z_]*[A-Z]|ACCESS_TOKEN|DEBUG|CI|BROWSER|TMPDIR|no_proxy|NO_PROXY")
    variables |= set(settings._VARIABLES.values())
    assert {"ACCESS_TOKEN", "LIVELOG_SERVER", "LIVELOG_DATA_DIR", "CI"} <= variables
    text = all_pages()
    assert undocumented({name for name in variables if name != "NO_PROXY"}, text) == set()


# Exit codes.


def test_every_exit_code_of_the_client_has_a_row() -> None:
    text = page("client.md")
    rows = {
        int(number)
        for line in text.splitlines()
        if (match := re.match(r"\| ([0-9, ]+) \|", line)) is not None
        for number in re.findall(r"[0-9]+", match[1])
    }
    codes = {value for name, value in vars(console).items() if name.startswith("EX_")}
    assert codes - rows == set()


def test_every_exit_code_of_the_server_has_a_row() -> None:
    numbers = set()
    for path in (ROOT / "src/livelog/config.py", ROOT / "src/livelog/process.py", ROOT / "src/livelog/server.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("os._exit", "_port", "ConfigError"):
                continue
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, int):
                    numbers.add(argument.value)
                    if ast.unparse(node.func) == "_port":
                        numbers.add(argument.value + 1)
    numbers |= {config.EX_CONFIG, config.EX_UNAVAILABLE, 2}
    assert {0, 64, 65, 66, 67, 69, 78, 130} <= numbers
    table = page("settings.md").partition("## Exit codes of the server")[2].partition("```")[0]
    rows = {int(number) for line in table.splitlines() if line.startswith("| ") for number in re.findall(r"\b\d+\b", line.split("|")[1])}  # fmt: skip
    assert numbers - rows == set()


# The protocol.

REFERENCE = ["protocol.md", "protocol/producers.md", "protocol/readers.md", "protocol/errors.md"]


def reference() -> str:
    """The pages that promise something on the wire."""
    return "\n".join(page(name) for name in REFERENCE)


OF_CLIENTS = {"User-Agent", "Proxy-Authorization"}
"""Header fields that only the client sends, to whom it may concern."""


def test_every_header_field_that_the_server_reads_or_sends_is_in_the_reference() -> None:
    """Names of fields are strings of the program in the form `Livelog-State`."""
    paths = [path for path in SOURCES if "client" not in path.parts]
    fields = strings(r"(?:[A-Z][a-z]+|ETag|WWW|X|TE|DNT)(?:-[A-Z][A-Za-z]+)*-[A-Z][A-Za-z]+", paths)
    fields |= strings(r"ETag|Range|Allow|Location|Server|Prefer|Accept|Host|Expect|Incremental|Connection", paths)
    assert {"Livelog-State", "Upload-Offset", "ETag", "Retry-After", "X-Accel-Buffering", "Content-Range"} <= fields
    assert undocumented(fields - OF_CLIENTS, reference()) == set()


def test_no_header_field_of_livelog_is_documented_that_the_program_does_not_have() -> None:
    fields = strings(r"(?:Livelog|Upload)-[A-Za-z-]+")
    lower = {field.lower() for field in strings(r"(?i:livelog|upload)-[a-z-]+")}
    named = set(re.findall(r"`((?:Livelog|Upload)-[A-Za-z-]*[A-Za-z])", all_pages()))
    assert {name for name in named if name not in fields and name.lower() not in lower} == set()


def parameters() -> set[str]:
    """The query parameters that the server reads: whatever is looked up in the query of a request."""
    found = set()
    for path in SOURCES:
        if "client" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"query(?:\.get\(|\[|_values\()\"([a-z]+)\"", text))
        found |= set(re.findall(r"\"([a-z]+)\" (?:not )?in [a-z.]*query\b", text))
        found |= set(re.findall(r"whole_number\(\"([a-z]+)\"", text))
        for tuple_ in re.findall(r"for name in \(([^)]*)\) if name in query", text):
            found |= set(re.findall(r"\"([a-z]+)\"", tuple_))
        for mapping in re.findall(r"query, \{([^}]*)\}", text):
            found |= set(re.findall(r"\"([a-z]+)\":", mapping))
    return found


def test_every_query_parameter_is_in_the_reference() -> None:
    known = parameters()
    assert {"follow", "tail", "wait", "generation", "from", "count", "q", "limit", "before", "skip", "expires"} <= known
    text = reference()
    assert {name for name in known if not re.search(rf"`\??{name}=", text)} == set()


def test_every_query_parameter_of_the_reference_is_one_of_the_server() -> None:
    rows = [line.split("|")[1] for line in page("protocol/readers.md").splitlines() if line.startswith("| `")]
    named = {name for cell in rows for name in re.findall(r"`([a-z]+)=", cell)} - {"bytes"}  # a Range
    assert named - parameters() == set()


def test_every_resource_of_both_ports_is_in_the_reference() -> None:
    names = set(problem.READERS.split()) | {"upload", "healthz", "readyz", "metrics"}
    assert {name for name in names if f"`/{name}" not in reference()} == set()


def test_every_method_is_in_the_reference() -> None:
    assert undocumented(set(problem.METHODS), reference()) == set()


@pytest.mark.parametrize("each", problem.TABLE, ids=lambda each: f"{each.status} {each.shown[:40]}")
def test_every_status_and_its_text_is_in_errors_md(each: problem.Problem) -> None:
    assert f"| {each.status} | " in page("protocol/errors.md")
    assert each.shown.replace("''", "'") in page("protocol/errors.md")


def test_every_member_of_a_status_is_in_the_reference() -> None:
    members = {*LogInfo("a", "", 0).to_json(State.LIVE, 0), "changed", "lines", "readers"}
    assert {"generation", "state", "exit_code"} <= members
    text = page("protocol/readers.md").partition("## Status")[2].partition("## Logs")[0]
    assert {name for name in members if f"`{name}`" not in text} == set()


# The viewer.


def test_every_key_of_the_viewer_is_in_viewer_md() -> None:
    text = (ROOT / "viewer/src/keys.ts").read_text(encoding="utf-8")
    listed = re.findall(r"^  \[\[([^\]]+)\], \"", text, re.MULTILINE)
    keys = [key for keys in listed for key in re.findall(r"\"([^\"]+)\"", keys)]
    assert len(listed) >= 20
    names = {
        "ArrowDown": "↓", "ArrowUp": "↑", "PageDown": "PgDn", "PageUp": "PgUp", " ": "Space", "Escape": "Esc", "Ctrl+g": "Ctrl-G",
    }  # fmt: skip
    table = page("viewer.md").partition("## Keys")[2].partition("\n## ")[0]
    shown = {cell for line in table.splitlines() if line.startswith("| ") for cell in re.split(r", |\| | \|", line)}
    assert [key for key in keys if names.get(key, key if len(key) > 1 else f"`{key}`") not in shown] == []
