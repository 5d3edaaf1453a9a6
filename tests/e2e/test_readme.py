"""Every command that the documents show works as it stands there.

Each document's blocks are run in order, by bash, in one empty directory, with the installed `livelog`. What is changed:
the default ports, for ones that are free, and `sleep`, which is short. How blocks are marked: see `documents`.
"""

import contextlib
import re
import time
from pathlib import Path

import pytest

from tests.sample import sample

from .documents import Block, blocks, shows
from .programs import TIMEOUT, Installed, Program, clean_environment, program

pytestmark = pytest.mark.needs("curl")

ROOT = Path(__file__).parents[2]

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]

LONG = ("client.md", "recipes.md")
"""Documents with many commands, which are left to `make long`: the README and the tutorial have commands of each kind."""

NOT_RUN = {
    "the server of make": "it makes an environment in the source folder, and what it runs is what the next tests run",
    "the tests of make": "it runs the tests, of which this is one",
    "the checks of make": "it runs the tests, of which this is one",
    "systemd": "it makes a service of the machine that runs the tests",
    "the packages that a release is built with": "tests/dist uses what it builds",
    "the packages of systems": "they become part of the machine; tests/dist installs one into a root directory of its own",
    "an engine of containers": "there is none; tests/dist runs the image without one",
    "an engine that builds": "there is none; tests/dist builds the Containerfile by Buildah",
    "another machine": "there is none to log in to",
    "a cluster": "there is none; tests/dist checks the manifests, and runs the command of the job",
    "an hour of chaos": "it takes an hour",
    "all mutations": "it takes some minutes",
}
"""The blocks that are not run, by the name in their mark, and why they cannot be."""

PRELUDE = """\
set -euo pipefail
sleep() { command sleep 0.02; }
export -f sleep
"""


class Session:
    """The blocks of one document: what ran before is there, and what goes on in the background, too."""

    def __init__(self, folder: Path, installed: Installed, ports: tuple[int, int], stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._ports = ports
        self._stack = stack
        self._background: list[Program] = []
        self._environment = clean_environment() | {
            "PATH": f"{installed.folder}:{clean_environment()['PATH']}",
            "HOME": str(folder),
            "LIVELOG_PUT_PORT": str(ports[0]),
            "LIVELOG_GET_PORT": str(ports[1]),
        }

    def run(self, block: Block) -> None:
        """Run one block, to its end or until what it is to write has come."""
        script = block.script
        for default, port in zip((60022, 60023), self._ports, strict=True):
            script = re.sub(rf"(?<![0-9]){default}(?![0-9])", str(port), script)
        running = program("bash", "-c", PRELUDE + script, environment=self._environment, folder=self._folder)
        if block.background is not None:
            process = self._stack.enter_context(running)
            self._background.append(process)
            self._wait_for(block.background.encode())
            return
        with running as process:
            process.finish()
            code = process.wait()
            assert code == 0, f"exit code {code}: {process.output!r} {process.errors!r}"
            if block.expected is not None:
                output = process.output.decode()
                assert shows(output, block.expected), f"{output!r} is not {block.expected}"

    def _wait_for(self, text: bytes) -> None:
        deadline = time.monotonic() + TIMEOUT
        while text and not any(text in process.output + process.errors for process in self._background):
            assert time.monotonic() < deadline, [(process.output, process.errors) for process in self._background]
            for process in self._background:
                process.read(0.05)


@pytest.mark.parametrize(
    "document",
    sample(DOCUMENTS, *(document for document in DOCUMENTS if document.name not in LONG)),
    ids=lambda document: str(document.relative_to(ROOT)),
)
def test_commands_in_a_document_work(
    document: Path, installed: Installed, ports: tuple[int, int], tmp_path: Path
) -> None:
    """All of them, in order."""
    with contextlib.ExitStack() as stack:
        session = Session(tmp_path, installed, ports, stack)
        for block in blocks(document.read_text(encoding="utf-8")):
            if block.not_run is None:
                try:
                    session.run(block)
                except AssertionError as error:
                    raise AssertionError(f"{document.name}, line {block.line}: {error}\n{block.script}") from error


def test_blocks_that_are_not_run_are_known_by_name_and_reason() -> None:
    """None is left out in silence, and the list holds none that is gone."""
    marked = [
        block.not_run
        for document in DOCUMENTS
        for block in blocks(document.read_text(encoding="utf-8"))
        if block.not_run is not None
    ]
    assert sorted(marked) == sorted(NOT_RUN)
    assert all(NOT_RUN.values())


SAMPLE = """\
# A document

```python
not commands
```

<!-- background: ready -->
```sh
ACCESS_TOKEN=secretpuppy livelog
```

1. In a list:

   <!-- background: log begun -->
   ```bash
   (for i in 1 2 3; do echo "line $i"; sleep 60; done) |
     curl -sST - http://localhost:60022/log
   ```

```console
$ curl -sS http://localhost:60023/log/secretpuppy \\
    --fail
line 1
...
line 3
$ echo done > file
```

<!-- not-run: sudo -->
```sh
sudo false
```

~~~sh
test "$(cat file)" = done
~~~
"""


def test_blocks_are_found_with_their_marks() -> None:
    """The extractor, on a document with one of each kind."""
    first, second, third, fourth, fifth = blocks(SAMPLE)
    assert (first.script, first.background, first.line) == ("ACCESS_TOKEN=secretpuppy livelog\n", "ready", 9)
    assert second.background == "log begun"
    assert second.script.startswith("(for i in")
    assert third.script.count("\n") == 3
    assert third.expected == ("line 1", "...", "line 3")
    assert fourth.not_run == "sudo"
    assert fifth.script == 'test "$(cat file)" = done\n'
    assert shows("line 1\nline 2\nline 3\n", third.expected)
    assert not shows("line 1\nline 2\n", third.expected)


@pytest.mark.parametrize(
    "text",
    [
        "```sh\nno end\n",
        "<!-- not-run: x -->\ntext\n```sh\n```\n",
        "<!-- background -->\n",
        "<!-- not-run: x -->\n```c\n```",
    ],
)
def test_misplaced_marks_are_faults(text: str) -> None:
    """A mark that marks nothing would leave its author believing that it does."""
    with pytest.raises(ValueError, match="line|block"):
        blocks(text)


def test_sample_document_runs(installed: Installed, ports: tuple[int, int], tmp_path: Path) -> None:
    """Server and producer in the background, a reader that shows what the document says, and what it left."""
    with contextlib.ExitStack() as stack:
        session = Session(tmp_path, installed, ports, stack)
        for block in blocks(SAMPLE):
            if block.not_run is None:
                session.run(block)
    assert (tmp_path / "file").read_text() == "done\n"
