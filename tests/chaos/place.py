"""The server of a run, as a process that can be killed, stopped and held at planned moments, and started again.

Its ports and its folders stay the same. Refuses to look into it: what is known of it is what any client could know, what it
writes to stderr, and what it leaves in its folders.
"""

import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.harness import reserved_port

from .ledger import Ledger
from .wire import TIMEOUT

TOKEN = "secret-puppy_42"

_GENERATION = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{8}")

FAULTS = ("Traceback", "Exception ignored", "never retrieved", "the server failed", "was never awaited")
"""What no server writes to stderr unless something went wrong that it did not expect."""


@dataclass(frozen=True)
class Planned:
    """What happens at a moment: at the `number`th `moment` of that kind, `delay` seconds later."""

    moment: str
    number: int
    action: str
    delay: float


@dataclass(frozen=True)
class Setting:
    """How the server of a run is run. `source`: a folder with the package `livelog` to run instead of the installed one."""

    durable: bool
    grace: float
    development: bool
    source: str | None = None


class Place:
    """A server. `up` is set while it can be reached."""

    def __init__(self, ledger: Ledger, setting: Setting, folder: Path, put: int, get: int, plan: list[Planned]) -> None:
        self.ledger = ledger
        self.setting = setting
        self.put, self.get = put, get
        self.up = asyncio.Event()
        self.volley: Callable[[], None] = lambda: None
        """Has many readers ask at once."""
        self.faults: Counter[str] = Counter()
        self._plan = {(planned.moment, planned.number): planned for planned in plan}
        self._moments: Counter[str] = Counter()
        self._busy = False
        self.tasks: set[asyncio.Task[None]] = set()
        """All that goes on, what happens to the server included. Whoever runs it waits for these."""
        self._process: subprocess.Popen[str] | None = None
        self._stderr = folder / "stderr"
        self._data, self._temp = folder / "data", folder / "temp"
        self._temp.mkdir()
        ledger.more = lambda: f"\nThe server's last words:\n{self._stderr.read_text()[-6000:]}"

    async def start(self) -> None:
        """Start the server and wait until it is ready."""
        assert self._process is None
        setting = self.setting
        variables = {
            "ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": str(self.put), "LIVELOG_GET_PORT": str(self.get),
            "LIVELOG_RESUME_GRACE": str(setting.grace), "LIVELOG_SHUTDOWN_TIMEOUT": "0.5",
            "LIVELOG_TEMP_DIR": str(self._temp), **({"LIVELOG_DATA_DIR": str(self._data)} if setting.durable else {}),
        }  # fmt: skip
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "TMPDIR") if name in os.environ}
        if setting.source is not None:
            variables["PYTHONPATH"] = setting.source
        options = ("-X", "dev", "-W", "error") if setting.development else ("-W", "error")
        with self._stderr.open("a") as stderr:
            process = subprocess.Popen(  # noqa: ASYNC220  # a fork and an exec, at moments when nothing else is to be done
                [sys.executable, *options, "-m", "livelog"],
                env={**inherited, **variables}, stdout=subprocess.PIPE, stderr=stderr, text=True,
            )  # fmt: skip
        self._process = process
        assert process.stdout is not None
        line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), TIMEOUT)
        if " ready: " not in line:
            raise self.ledger.broken("server", f"it does not start: {line!r} {self._stderr.read_text()[-3000:]}")
        self.ledger.note("server", "ready")
        self.ledger.server_begins()
        self.up.set()

    async def wait_until_up(self) -> None:
        """Wait until the server can be reached."""
        async with asyncio.timeout(TIMEOUT):
            await self.up.wait()

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Run the server, end it in an orderly way, and see what it has left."""
        try:
            await self.start()
            yield
            await asyncio.gather(*self.tasks)
            self.ledger.server_ends()
            await self._end(signal.SIGTERM)
            self.check_folders()
            self.check_words()
        finally:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                assert self._process.stdout is not None
                self._process.stdout.close()

    # What happens to it.

    def moment(self, kind: str) -> None:
        """Something begins just now, at which something may have been planned to happen."""
        self._moments[kind] += 1
        planned = self._plan.get((kind, self._moments[kind]))
        if planned is not None and not self._busy and self.up.is_set():
            self._busy = True
            self.tasks.add(asyncio.get_running_loop().create_task(self._do(planned)))

    async def _do(self, planned: Planned) -> None:
        action = planned.action
        if action == "volley":
            self.volley()
        if planned.delay:
            await asyncio.sleep(planned.delay)
        self.faults[action] += 1
        self.ledger.note("server", f"{action}, at {planned}")
        if action == "hold":
            await self._hold()
        else:
            self.ledger.server_ends()
            self.up.clear()
            await self._end(signal.SIGTERM if action == "stop" else signal.SIGKILL)
            self.check_words()
            await self.start()
        self._busy = False

    async def _hold(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(0.2)
        finally:
            self._process.send_signal(signal.SIGCONT)

    async def _end(self, number: int) -> None:
        process = self._process
        assert process is not None
        process.send_signal(number)
        try:
            code = await asyncio.wait_for(asyncio.to_thread(process.wait, TIMEOUT), TIMEOUT + 1)
        except subprocess.TimeoutExpired as error:
            raise self.ledger.broken("server", f"it did not end by signal {number}") from error
        assert process.stdout is not None
        process.stdout.close()
        self._process = None
        self.ledger.note("server", f"ended with {code}")
        if code != (0 if number == signal.SIGTERM else -number):
            raise self.ledger.broken(
                "server", f"it ended with {code} by signal {number}: {self._stderr.read_text()[-3000:]}"
            )
        if left := sorted(path.name for path in self._temp.iterdir()):
            raise self.ledger.broken("server", f"it left these in the folder for temporary files: {left}")

    # What it leaves.

    def check_words(self) -> None:
        """Nothing went wrong that the server did not expect."""
        log = self._stderr.read_text()
        for sign in FAULTS:
            if (place := log.find(sign)) >= 0:
                raise self.ledger.broken("server", f"it says: {log[max(0, place - 600) : place + 2500]}")

    def check_folders(self) -> None:
        """Nothing is left but what belongs to the logs that there are: for each name the files of one generation."""
        if not self.setting.durable:
            return
        for folder in sorted((self._data / "logs").iterdir()):
            if not folder.is_dir():
                raise self.ledger.broken("server", f"it left this among the folders of logs: {folder.name}")
            files = {path.name for path in folder.iterdir()}
            stems = {file[:32] for file in files}
            kinds = {file[32:] for file in files}
            tidy = len(stems) == 1 and all(_GENERATION.fullmatch(stem) for stem in stems)
            if not tidy or not {".log", ".json"} <= kinds <= {".log", ".json", ".times", ".index"}:
                raise self.ledger.broken("server", f"it left these in {folder.name}: {sorted(files)}")
        wanted = {name.name.replace("/", "+") for name in self.ledger.names.values() if name.exists}
        there = {folder.name for folder in (self._data / "logs").iterdir()}
        if wanted - there:
            raise self.ledger.broken("server", f"these logs have no files: {sorted(wanted - there)}")
        if rest := {path.name for path in self._data.iterdir()} - {"logs", "livelog.lock"}:
            raise self.ledger.broken("server", f"it left these in its data directory: {sorted(rest)}")


def plan_of(chance: random.Random) -> list[Planned]:
    """What shall happen in a run: some faults, at moments, with delays of up to 15 milliseconds."""
    moments = {"begin": 6, "replace": 4, "end": 6, "data": 60, "ask": 60, "resume": 3}
    actions = ("kill", "kill", "stop", "hold", "volley", "volley")
    planned = []
    for _ in range(chance.randint(2, 5)):
        moment = chance.choice(sorted(moments))
        delay = chance.choice((0.0, chance.uniform(0, 0.002), chance.uniform(0, 0.015)))
        planned.append(Planned(moment, chance.randint(1, moments[moment]), chance.choice(actions), delay))
    return planned


@contextlib.contextmanager
def folder_and_ports() -> Iterator[tuple[Path, int, int]]:
    """A folder and two ports, for one run."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, reserved_port() as put, reserved_port() as get:
        yield Path(folder), put, get
