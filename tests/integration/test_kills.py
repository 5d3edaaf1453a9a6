"""SIGKILL at any instant, more than a hundred times in `make long`: what was acknowledged is there, and nothing that was not sent.

Categories: many logs that are written, by uploads and by plain PUTs · logs that are removed and replaced · logs that go
to make room · a start that is killed. Each test kills the server of one directory again and again, at instants drawn by
a random number generator; its seed is the test's parameter.
"""

import contextlib
import os
import random
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conformance.link import Connection
from tests.harness import TOKEN, Server, ask, serving
from tests.sample import sample

from .kept import Job, Status, all_logs, last_words, stored
from .pattern import PERIOD, pattern
from .servers import assert_no_fault
from .uploads import request


@contextlib.contextmanager
def killing(directory: Path, **settings: str) -> Iterator[Server]:
    """A server of that directory, which is killed at the end of the block, whatever it does then, and is not at fault."""
    with serving({"LIVELOG_DATA_DIR": str(directory), **settings}) as server:
        yield server
        server.process.kill()
        server.process.wait()
        assert_no_fault(server)


def assert_tidy(directory: Path, names: set[str]) -> None:
    """There are the two files of each log, the times of those that took a while, and nothing else."""
    assert sorted(os.listdir(directory)) == ["livelog.lock", "logs"]
    assert set(os.listdir(directory / "logs")) == names
    for name in names:
        files = sorted(os.listdir(directory / "logs" / name))
        assert len({file.rpartition(".")[0] for file in files}) == 1, files
        suffixes = [file.rpartition(".")[2] for file in files]
        assert suffixes[:2] == ["json", "log"], files
        assert suffixes[2:] in ([], ["times"]), files


@pytest.mark.parametrize(("seed", "kills"), sample([(0, 8), (0, 25), (1, 25)], (0, 8)))
def test_every_acknowledged_byte_survives_and_uploads_go_on_to_their_end(tmp_path: Path, seed: int, kills: int) -> None:
    """Each kill comes while four uploads and two plain PUTs are under way, at whatever each of them does then."""
    chance = random.Random(seed)
    jobs: list[Job] = []
    active: list[Job] = []
    interrupted: list[Job] = []
    with contextlib.ExitStack() as stack:

        def add(*, resumable: bool, least: int = 0) -> Job:
            job = Job(f"log{len(jobs)}", chance, resumable=resumable, least=least)
            stack.callback(job.leave)
            jobs.append(job)
            active.append(job)
            return job

        for _ in range(kills):
            with killing(tmp_path) as server:
                active[:] = go_on(server, active)
                interrupted += active
                for resumable in (True, True, True, True, False, False)[len(active) :]:
                    add(resumable=resumable)
                for _ in range(chance.randrange(60)):
                    chance.choice(active).step(server, chance)
                followed = [job for job in active if job.reader is not None and job.reader.waiting]
                match chance.choice(("now", "seen", "acknowledged")):
                    case "seen" if followed:
                        chance.choice(followed).wait_until_seen()
                    case "acknowledged":
                        add(resumable=True, least=50_000).wait_for_acknowledgement(server)
            for job in active:
                job.leave()
        with killing(tmp_path) as server:
            for job in go_on(server, active):
                while not job.complete:
                    job.step(server, chance)
                job.leave()
            for job in interrupted:
                assert (job.complete, stored(server, job.name)) == (True, job.data)
            logs = all_logs(server)
            for job in jobs:
                job.check(server, logs)
    assert len(interrupted) > kills // 2, "too few uploads were interrupted"
    assert_tidy(tmp_path, set(logs))


def go_on(server: Server, jobs: list[Job]) -> list[Job]:
    """Check what was under way, and go on with the uploads among it whose address is known."""
    logs = all_logs(server)
    for job in jobs:
        job.check(server, logs)
    waiting = [job for job in jobs if job.location and not job.complete]
    for job in waiting:
        job.resume(server)
    return waiting


class Name:
    """A name whose log is replaced and removed, and what it may have now: a log of that state and content, or None."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._possible: set[tuple[str, bytes] | None] = {None}
        self._unanswered = b""  # a log that may be there in part
        self._next: tuple[str, bytes] | None = None
        self._asked: Connection | None = None

    def ask(self, server: Server, chance: random.Random) -> None:
        """Ask for a change, without waiting for the answer."""
        start, content = chance.randrange(PERIOD), b""
        if removes := chance.random() < 0.4:
            self._next = None
        else:
            content = pattern(start, start + chance.choice((0, 10, 20_000, 150_000)))
            self._next = ("complete", content)
        self._asked = server.connect(producer=True)
        method = "DELETE" if removes else "PUT"
        ask(self._asked, method, f"/log/{self.name}", f"Content-Length: {len(content)}")
        self._asked.send(content)

    def settle(self) -> None:
        """Hear what became of the change, if anything can be heard."""
        if self._asked is None:
            return
        with contextlib.closing(self._asked):
            head = last_words(self._asked).head
        self._asked = None
        if head is None:
            self._possible.add(self._next)
            self._unanswered = self._next[1] if self._next is not None else b""
        else:
            assert head.status in (200, 201, 204, 404), head
            self._possible = {self._next}

    def check(self, server: Server, logs: Mapping[str, Status]) -> None:
        """After a restart: one of the possible logs is there, and nothing of another."""
        found = (logs[self.name]["state"], stored(server, self.name)) if self.name in logs else None
        if found not in self._possible:
            assert found is not None, f"{self.name} is lost"
            state, content = found
            assert (state, self._unanswered[: len(content)] == content) == ("aborted", True), self.name
        self._possible, self._unanswered = {found}, b""


@pytest.mark.parametrize(("seed", "kills"), sample([(0, 6), (0, 20), (1, 20)], (0, 6)))
def test_a_log_that_is_replaced_or_removed_is_the_old_one_the_new_one_or_gone(
    tmp_path: Path, seed: int, kills: int
) -> None:
    """What was answered has happened, what was not has happened as a whole or not at all."""
    chance = random.Random(seed)
    names = [Name(f"log{number}") for number in range(6)]
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.callback(name.settle)
        for _ in range(kills):
            with killing(tmp_path) as server:
                logs = all_logs(server)
                for name in names:
                    name.check(server, logs)
                for name in chance.choices(names, k=chance.randrange(8)):
                    name.settle()
                    name.ask(server, chance)
            for name in names:
                name.settle()
        with killing(tmp_path) as server:
            logs = all_logs(server)
            for name in names:
                name.check(server, logs)
    assert_tidy(tmp_path, set(logs))


@pytest.mark.parametrize("kills", sample([6, 15], 6))
def test_only_the_logs_that_ended_first_go_to_make_room(tmp_path: Path, kills: int) -> None:
    """Of six logs that there may be, those that were answered last are there, whole."""
    chance, limit = random.Random(0), 6
    sent: list[bytes] = []
    answered: list[int] = []
    for _ in range(kills + 1):
        with killing(tmp_path, LIVELOG_MAX_LOGS=str(limit)) as server, contextlib.ExitStack() as stack:
            logs = all_logs(server)
            for number in answered:
                if number >= len(sent) - limit:
                    assert logs[str(number)]["state"] == "complete"
            for name, status in logs.items():
                whole = sent[int(name)]
                assert stored(server, name) == (whole if status["state"] == "complete" else whole[: status["size"]])
            for _ in range(chance.randrange(1, 6)):
                sent.append(pattern(len(sent), len(sent) + chance.choice((0, 10, 50_000))))
                answered.append(len(sent) - 1)
                assert request(server, "PUT", f"/log/{answered[-1]}", content=sent[-1]).status == 201
            assert len(all_logs(server)) <= limit
            for _ in range(chance.randrange(3)):
                sent.append(pattern(len(sent), len(sent) + 50_000))
                producer = stack.enter_context(contextlib.closing(server.connect(producer=True)))
                ask(producer, "PUT", f"/log/{len(sent) - 1}", "Content-Length: 50000")
                producer.send(sent[-1])


@pytest.mark.parametrize("shares", sample([[0.96], [0.9, 0.95, 0.96, 0.97, 0.985]], [0.96]), ids=len)
def test_a_start_that_is_killed_anywhere_harms_nothing(tmp_path: Path, shares: list[float]) -> None:
    """Three directories, of which one is new, one has logs, and one has what kills left; a kill at each of these shares of a start."""
    with killing(tmp_path / "logs") as server:
        whole = page_faults(server.pid)
        assert request(server, "PUT", "/log/whole", content=b"all of it").status == 201
        assert request(server, "PUT", "/log/part", "Upload-Complete: ?0", content=b"a part").status == 201
    shutil.copytree(tmp_path / "logs", tmp_path / "mess")
    for folder in (tmp_path / "mess" / "logs").iterdir():
        stem = str(next(folder.glob("*.log"))).removesuffix(".log")
        Path(stem + ".new").write_text("{")
        Path(stem.replace("Z-", "Z-f")[:-1] + ".log").touch()
        Path(stem.replace("Z-", "Z-0")[:-1] + ".json").write_text("{}")
    for kind, names in (("new", set[str]()), ("logs", {"whole", "part"}), ("mess", {"whole", "part"})):
        for share in shares:
            kill_start(tmp_path / kind, int(whole * share))
        with killing(tmp_path / kind) as server:
            assert set(all_logs(server)) == names
            if names:
                assert (stored(server, "whole"), stored(server, "part")) == (b"all of it", b"a part")
                assert {log["state"] for log in all_logs(server).values()} == {"complete", "interrupted"}
            assert_tidy(tmp_path / kind, names)


def page_faults(pid: int) -> int:
    """How many pages a process has touched: it tells how far a start has come, in steps of some microseconds."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()[7])


def kill_start(directory: Path, faults: int) -> None:
    """Start a server and kill it as soon as it has touched so many pages, or is ready: it may need fewer this time."""
    variables = {"ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": "0", "LIVELOG_GET_PORT": "0"}
    command = (sys.executable, "-X", "dev", "-W", "error", "-m", "livelog", "--data-dir", str(directory))
    with subprocess.Popen(command, env={**os.environ, **variables}, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            while page_faults(process.pid) < faults and not select.select([process.stdout], [], [], 0)[0]:
                pass
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL
