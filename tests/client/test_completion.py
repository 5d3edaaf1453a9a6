"""Completion by the shells themselves: names, commands behind `--`.

Categories: bash, zsh, fish.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from livelog import Writer
from tests.sample import sample

from .place import COMMAND, Place, place


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


def complete(here: Place, shell: str, line: str, folder: Path) -> set[str]:
    """What the shell completes at the end of `line`."""
    words = line.split(" ")
    environment = here.environment()
    environment["PATH"] = f"{here.home / 'bin'}:{environment['PATH']}"
    if shell == "bash":
        listed = " ".join(f"'{word}'" for word in words)
        script = (
            f'eval "$(livelog completion bash)"; COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; '
            'COMPREPLY=(); _livelog; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        command = ["bash", "--norc", "-c", script]
    else:
        script = f'livelog completion fish | source; complete -C "{line}" | string split -f1 \\t'
        command = ["fish", "--no-config", "-c", script]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, timeout=60)
    return set(done.stdout.decode().split("\n")) - {""}


@pytest.mark.parametrize("shell", ["bash", pytest.param("fish", marks=pytest.mark.needs("fish"))])
@pytest.mark.parametrize("commands", sample([["tail"], ["status", "open", "link", "rm"]], ["tail"]))
def test_names_options_and_commands_are_completed(here: Place, tmp_path: Path, shell: str, commands: list[str]) -> None:
    names = {f"log/{number}" for number in range(60)}
    for command in commands:
        assert names <= complete(here, shell, f"livelog {command} lo", tmp_path)
    assert {"spools", "status"} <= complete(here, shell, "livelog s", tmp_path)
    assert "--expires" in complete(here, shell, "livelog run --e", tmp_path)
    assert "some-tool-of-mine" in complete(here, shell, "livelog run -- some-tool-o", tmp_path)
    assert "some-tool-of-mine" in complete(here, shell, "livelog run --name x -- some-tool-o", tmp_path)
    assert "some-tool-of-mine" not in complete(here, shell, "livelog run some-tool-o", tmp_path)
    assert "--expires" not in complete(here, shell, "livelog run -- some-tool-of-mine --e", tmp_path)


@pytest.mark.parametrize("shell", ["bash", pytest.param("zsh", marks=pytest.mark.needs("zsh"))])
def test_script_is_one_for_its_shell(here: Place, shell: str) -> None:
    script = here.run("completion", shell).stdout
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
