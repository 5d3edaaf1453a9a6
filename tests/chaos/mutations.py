"""`python -m tests.chaos.mutations`: plant faults into copies of the server, one at a time, and see that the suite finds each.

A mutation is one replacement in one file of `src/livelog`, whose text must be there exactly once: who changes that line changes the
mutation, too. Refuses to judge the server as it is.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import wire
from .episode import Failed, run

SOURCE = Path(__file__).parents[2] / "src" / "livelog"

SEEDS = 40
"""Episodes in which a fault has to be found."""

PATIENCE = 15.0
"""Seconds after which a client of a mutant is taken to hang."""


@dataclass(frozen=True)
class Mutation:
    """A fault. `file` is below `src/livelog`; `before` is replaced by `after`."""

    name: str
    file: str
    before: str
    after: str


MUTATIONS = (
    Mutation(
        "a byte at the border of two pieces is overwritten",
        "log/journal.py",
        "self._disk.write(Write(self.file, self.length, pieces,",
        "self._disk.write(Write(self.file, self.length - (self.length > 20_000), pieces,",
    ),
    Mutation(
        "a frame for those who are caught up begins one byte late",
        "read/fanout.py",
        "data = self.journal.read(start, self.offset)",
        "data = self.journal.read(start, self.offset - 1) + b'.'",
    ),
    Mutation(
        "an aborted log ends as a complete one",
        "read/handlers.py",
        "if journal.state is not State.COMPLETE:",
        "if journal.state is State.INTERRUPTED:",
    ),
    Mutation(
        "the end is told before it is kept, and not kept then",
        "log/journal.py",
        "                await self._save(state)\n            except DiskError as error:\n                self.failure = error",
        "                pass\n            except DiskError as error:\n                self.failure = error",
    ),
    Mutation(
        "bytes are acknowledged that have not come",
        "produce/acknowledgements.py",
        "offset = self._journal.acknowledged\n",
        "offset = self._journal.acknowledged + 2_000_000\n",
    ),
    Mutation(
        "who takes an upload over does not wait for the one before",
        "log/leases.py",
        "                        lease.holder.reset(reason)\n                    await lease.changed()",
        "                        lease.holder.reset(reason)\n                        return True",
    ),
    Mutation(
        "the socket of an HTTP/1.0 answer is set to reset only once the head is out",
        "wire/connection.py",
        "            end_by_reset(self.transport, True)\n",
        "            asyncio.get_running_loop().call_soon(end_by_reset, self.transport, True)\n",
    ),
    Mutation(
        "a log that is replaced is not found for a moment",
        "log/catalogue.py",
        "            self._remove(surplus)\n        if older",
        "            self._remove(surplus)\n            await asyncio.sleep(0.01)\n        if older",
    ),
    Mutation(
        "the events of one who is behind when the log ends lack the rest",
        "read/event_fanout.py",
        "if offset < stop:",
        "if offset < stop and not ended:",
    ),
    Mutation(
        "who has all bytes is not told of the end when it comes back",
        "read/events.py",
        "last == end_id(journal.length)",
        "start == journal.length",
    ),
    Mutation(
        "a status tells of the end before it is kept",
        "log/status.py",
        "if not journal.state.ended:",
        "if False:",
    ),
    Mutation(
        "If-Range is not looked at",
        "read/handlers.py",
        'if len(headers) != 1 or request.fields.get("If-Range", etag).strip() != etag:',
        "if len(headers) != 1:",
    ),
    Mutation(
        "a log whose producer was killed with the server is complete",
        "log/directory.py",
        'info = replace(info, ended=changed, reason="the server was killed")\n    return Found(info, State.ABORTED, size, changed)',
        'info = replace(info, ended=changed, reason="the server was killed")\n'
        "        return Found(info, State.COMPLETE, size, changed)\n"
        "    return Found(info, State.ABORTED, size, changed)",
    ),
    Mutation(
        "the files of a log that was replaced are left",
        "log/directory.py",
        "if self._orders.get(generation, info.order) <= info.order:",
        "if self._orders.get(generation, info.order) < info.order:",
    ),
    Mutation(
        "a file without a name has one",
        "log/disk.py",
        "        fd = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)",
        '        fd, _ = tempfile.mkstemp(prefix="livelog-", dir=directory)',
    ),
    Mutation(
        "nobody is woken by the end of a log",
        "log/journal.py",
        "that it does not need\n        self._wake()",
        "that it does not need",
    ),
    Mutation(
        "an interrupted upload loses its last byte",
        "produce/handlers.py",
        "raise uploads.mismatching_offset(offset, journal.acknowledged)",
        "raise uploads.mismatching_offset(offset, journal.acknowledged)\n        journal.length = max(0, journal.length - 1)",
    ),
)


@contextmanager
def planted(mutation: Mutation) -> Iterator[str]:
    """A folder with a copy of the package that has this fault. Raises: ValueError, if its text is not there exactly once."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "livelog"
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        path = copy / mutation.file
        text = path.read_text(encoding="utf-8")
        if text.count(mutation.before) != 1:
            raise ValueError(
                f"{mutation.name}: {mutation.file} has it {text.count(mutation.before)} times: {mutation.before}"
            )
        path.write_text(text.replace(mutation.before, mutation.after), encoding="utf-8")
        compile(path.read_text(encoding="utf-8"), str(path), "exec")
        yield folder


def find(mutation: Mutation, first: int = 0, seeds: int = SEEDS) -> tuple[int, str] | None:
    """The first seed whose episode finds that fault, and what it says; None: none of so many does."""
    with planted(mutation) as source:
        for seed in range(first, first + seeds):
            try:
                run(seed, source=source)
            except Failed as failure:
                return seed, str(failure)
    return None


def main(argv: list[str]) -> int:
    """Plant each; the exit code is 0 if all were found."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutations", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="mutations whose name contains this")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many may be tried for each")
    options = parser.parse_args(argv)
    wire.TIMEOUT = PATIENCE
    missed = 0
    for mutation in MUTATIONS:
        if options.only in mutation.name:
            found = find(mutation, options.seed, options.seeds)
            missed += found is None
            said = "NOT FOUND" if found is None else f"seed {found[0]}: {found[1].partition(': ')[2].splitlines()[0]}"
            print(f"{mutation.name}: {said}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
