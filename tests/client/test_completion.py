"""Completion by the shells themselves: names, commands behind `--`.

Categories: bash, zsh, fish.
"""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from livelog import Writer
from tests.sample import sample

from .place import COMMAND, Place, place

END = "end-of-what-is-completed"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home"), durable=False) as made:
        for number in range(60):
            with Writer(f"log/{number}", settings=made.settings()) as log:
                log.write(b"bytes")
        folder = made.home / "bin"
        folder.mkdir()
        (folder / "livelog").write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
        (folder / "some-tool-of-mine").write_text("#!/bin/sh\n")
        for file in folder.iterdir():
            file.chmod(0o755)
        yield made


def complete(here: Place, shell: str, lines: Sequence[str], folder: Path) -> list[set[str]]:
    """What one shell completes at the end of each of these lines."""
    environment = here.environment()
    environment["PATH"] = f"{here.home / 'bin'}:{environment['PATH']}"
    if shell == "bash":
        script = 'eval "$(livelog completion bash)"'
        for words in (line.split(" ") for line in lines):
            listed = " ".join(f"'{word}'" for word in words)
            script += f"; COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; COMPREPLY=(); _livelog; "
            script += f'printf "%s\\n" "${{COMPREPLY[@]}}" {END}'
        command = ["bash", "--norc", "-c", script]
    else:
        script = "livelog completion fish | source"
        for line in lines:
            script += f'; complete -C "{line}" | string split -f1 \\t; echo {END}'
        command = ["fish", "--no-config", "-c", script]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, timeout=60)
    *each, rest = done.stdout.decode().split(f"{END}\n")
    assert (len(each), rest) == (len(lines), ""), done.stderr
    return [set(one.split("\n")) - {""} for one in each]


@pytest.mark.parametrize("shell", ["bash", pytest.param("fish", marks=[pytest.mark.needs("fish"), pytest.mark.long])])
@pytest.mark.parametrize("commands", sample([["tail"], ["status", "open", "link", "rm"]], ["tail"]))
def test_names_options_and_commands_are_completed(here: Place, tmp_path: Path, shell: str, commands: list[str]) -> None:
    names = {f"log/{number}" for number in range(60)}
    expected = {
        "livelog s": {"spools", "status"},
        "livelog run --e": {"--expires"},
        "livelog run -- some-tool-o": {"some-tool-of-mine"},
        "livelog run --name x -- some-tool-o": {"some-tool-of-mine"},
    } | {f"livelog {command} lo": names for command in commands}
    for line, found in zip(expected, complete(here, shell, [*expected], tmp_path), strict=True):
        assert expected[line] <= found, line
    words, options = complete(
        here, shell, ["livelog run some-tool-o", "livelog run -- some-tool-of-mine --e"], tmp_path
    )
    assert "some-tool-of-mine" not in words
    assert "--expires" not in options


@pytest.mark.parametrize("shell", ["bash", pytest.param("zsh", marks=pytest.mark.needs("zsh"))])
def test_script_is_one_for_its_shell(here: Place, shell: str) -> None:
    script = here.run("completion", shell).stdout
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
