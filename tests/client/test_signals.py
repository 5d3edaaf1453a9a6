"""`livelog run` among processes: signals to it and to its group, as the first process of a container, streams that take nothing.

The oracle is the bare command: what it sees, how often, and how it ends.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.harness import TIMEOUT
from tests.integration.disks import memory_disk
from tests.sample import sample

from .place import COMMAND, Place, place, wait_until
from .terminals import terminal

RUN = (*COMMAND, "run", "-q", "--name")

COUNT = """
import os, signal, sys
for number in map(int, sys.argv[1:]):
    signal.signal(number, lambda number, _: os.write(1, b"got %d\\n" % number))
os.write(1, b"ready\\n")
sys.stdin.read()
os.write(1, b"end\\n")
"""
"""A program that says which of the signals it gets, until its input ends."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        yield made


def _alone(process: "subprocess.Popen[bytes]", number: int) -> None:
    process.send_signal(number)


def _to_the_group(process: "subprocess.Popen[bytes]", number: int) -> None:
    os.killpg(process.pid, number)


def _to_both(process: "subprocess.Popen[bytes]", number: int) -> None:
    """As timeout(1) does."""
    process.send_signal(number)
    os.killpg(process.pid, number)


def _to_each(process: "subprocess.Popen[bytes]", number: int) -> None:
    """As service managers do that stop a unit: every process of it, one after the other."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = stat.read_bytes().rpartition(b")")[2].split()
        if int(fields[2]) == process.pid:
            os.kill(int(stat.parent.name), number)


@pytest.mark.parametrize("send", sample([_alone, _to_the_group, _to_both, _to_each], _alone, _to_both))
@pytest.mark.parametrize(
    "number",
    sample([signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM, signal.SIGCONT, signal.SIGWINCH,
     signal.SIGABRT, signal.SIGRTMIN + 3], signal.SIGINT, signal.SIGRTMIN + 3),
)  # fmt: skip
def test_signal_reaches_the_command_once_whoever_else_gets_it(here: Place, number: int, send: object) -> None:
    count = [sys.executable, "-c", COUNT, str(int(number)), str(int(signal.SIGUSR2))]
    with subprocess.Popen(
        [*RUN, "once", "--", *count], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=here.environment(), start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            assert callable(send)
            send(process, number)
            assert process.stdout.readline() == b"got %d\n" % number
            _alone(process, signal.SIGUSR2)  # comes behind whatever else the first one has caused
            assert process.stdout.readline() == b"got %d\n" % signal.SIGUSR2
            process.stdin.close()
            assert process.stdout.read() == b"end\n"
            assert (process.wait(TIMEOUT), process.stderr.read()) == (0, b"")
        finally:
            process.kill()
    assert here.log("once") == b"ready\ngot %d\ngot %d\nend\n" % (number, signal.SIGUSR2)
    assert here.status("once")["state"] == "complete"


@pytest.mark.parametrize("send", sample([_alone, _to_the_group, _to_both, _to_each], _to_the_group))
def test_group_that_is_ended_ends_with_its_log_sent(here: Place, send: object) -> None:
    """The signal that ends the command says nothing about the wait for the server."""
    with subprocess.Popen(
        [*RUN, "ended", "--", "sh", "-c", "echo ready; exec sleep 60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=here.environment(), start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        assert callable(send)
        send(process, signal.SIGTERM)
        assert (process.wait(TIMEOUT), process.stderr.read()) == (-signal.SIGTERM, b"")
    known = here.status("ended")
    assert (known["state"], known["exit_code"]) == ("complete", 128 + signal.SIGTERM)


@pytest.mark.parametrize("send", sample([_alone, _to_the_group, _to_both, _to_each], _to_the_group))
def test_signal_that_comes_before_the_command_is_there_ends_it(here: Place, send: object) -> None:
    """While the link is waited for."""
    with socket.create_server(("127.0.0.1", 0)) as silent, subprocess.Popen(
        [*COMMAND, "run", "--drain", "0", "--", "sleep", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=here.environment(LIVELOG_SERVER=f"http://127.0.0.1:{silent.getsockname()[1]}"), start_new_session=True,
    ) as process:  # fmt: skip
        with silent.accept()[0]:
            assert callable(send)
            send(process, signal.SIGTERM)
            assert process.wait(TIMEOUT) == -signal.SIGTERM


@pytest.mark.parametrize("to_group", [True, False])
def test_signal_reaches_all_of_the_commands_group_on_a_terminal_if_it_is_sent_to_the_group(
    here: Place, *, to_group: bool
) -> None:
    script = "trap 'echo parent' USR1; sh -c \"trap 'echo child' USR1; echo ready; while :; do sleep 0.02; done\" & "
    script += "while :; do wait; done"
    with terminal([*RUN, "all", "--", "sh", "-c", script], here.environment()) as one:
        one.wait_for(b"ready\r\n")
        (os.killpg if to_group else os.kill)(one.pid, signal.SIGUSR1)
        one.wait_for(b"parent\r\n")
        if to_group:
            one.wait_for(b"child\r\n")
        os.killpg(one.pid, signal.SIGKILL)
        one.wait_end()
        assert (one.screen.count(b"parent"), one.screen.count(b"child")) == (1, int(to_group))


ORPHANS = """
import os, pathlib, time
def others():
    return len([*pathlib.Path("/proc").glob("[0-9]*")])
before = others()
for _ in range(20):
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(0.05)
        os._exit(0)
    os.wait()
deadline = time.monotonic() + 30
while others() > before and time.monotonic() < deadline:
    time.sleep(0.02)
print(os.getppid(), others() - before)
"""
"""Leaves twenty processes behind, and says who its parent is and how many of them are there, dead or alive, in the end."""


@pytest.mark.needs("root", "unshare")
@pytest.mark.parametrize("pty", ["--pty", "--no-pty"])
def test_first_process_of_a_container_reaps_orphans(here: Place, pty: str) -> None:
    command = [*COMMAND, "run", "-q", pty, "--", sys.executable, "-c", ORPHANS]
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--mount-proc", *command],
        env=here.environment(),
        capture_output=True,
        timeout=60,
    )
    assert (done.stdout.split(), done.stderr, done.returncode) == ([b"1", b"0"], b"", 0)


@pytest.mark.needs("root", "unshare")
def test_first_process_of_a_container_passes_signals_on_and_tells_of_the_end(here: Place) -> None:
    command = [*RUN, "first", "--", "sh", "-c", "echo ready; exec sleep 60"]
    with subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *command], env=here.environment(),
        stdout=subprocess.PIPE,
    ) as outer:  # fmt: skip
        assert outer.stdout is not None
        assert outer.stdout.readline() == b"ready\n"
        (first,) = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        os.kill(int(first), signal.SIGTERM)
        assert outer.wait(TIMEOUT) == 128 + signal.SIGTERM
    assert here.status("first")["exit_code"] == 128 + signal.SIGTERM


@pytest.mark.needs("root", "unshare", "mount")
def test_without_pseudo_terminals_the_command_gets_pipes(here: Place) -> None:
    run = f"{' '.join(RUN)} pipes -- sh -c 'test -t 1 || echo pipe; exit 3'"
    with terminal(["unshare", "-m", "sh", "-c", f"mount -t tmpfs none /dev/pts && {run}"], here.environment()) as one:
        assert one.wait_end() == 3
        assert b"livelog: this system has no pseudo-terminal (" in one.screen
        assert one.screen.endswith(b"pipe\r\n")
    assert here.log("pipes") == b"pipe\n"


# Streams that take nothing.


def _bare_and_run(here: Place, script: str, streams: str, prefixes: Sequence[str]) -> list[tuple[int, bytes, bytes]]:
    seen = []
    for prefix in prefixes:
        done = subprocess.run(
            ["sh", "-c", f"cd {here.home}; {prefix}sh -c '{script}' {streams}"],
            env=here.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
        )  # fmt: skip
        errors = [line for line in done.stderr.splitlines(keepends=True) if not line.startswith(b"livelog: ")]
        seen.append((done.returncode, done.stdout, b"".join(errors)))
    return seen


@pytest.mark.parametrize("streams", [">/dev/full", "2>/dev/full", ">/dev/full 2>&1", "1</dev/null", ">/dev/null"])
def test_command_hears_itself_that_a_stream_takes_nothing(here: Place, streams: str) -> None:
    script = "echo out; first=$?; echo err >&2; exit $((10 * first + $?))"
    bare, run = _bare_and_run(here, script, streams, ["", f"{' '.join(RUN)} refused -- "])
    assert bare == run
    assert here.status("refused")["state"] == "complete"


def test_stream_that_takes_nothing_is_said(here: Place) -> None:
    script = f"{' '.join(RUN)} refused -- sh -c 'echo out; echo err >&2' >/dev/full"
    done = subprocess.run(["sh", "-c", script], env=here.environment(), capture_output=True, timeout=60)
    said = b"livelog: stdout takes nothing (No space left on device): what the command wrote there is not in the log\n"
    assert done.stderr.endswith(said)
    assert here.log("refused").endswith(b"err\n")


@pytest.mark.needs("root", "mount", "umount")
def test_output_that_is_lost_after_the_commands_end_is_a_failure(here: Place, tmp_path: Path) -> None:
    with memory_disk(tmp_path, "32K") as disk:
        script = f"{' '.join(RUN)} lost -- head -c 50000 /dev/zero >{disk}/file"
        done = subprocess.run(["sh", "-c", script], env=here.environment(), capture_output=True, timeout=60)
    assert done.returncode == 1
    assert b"output could not be written: No space left on device; the log has it" in done.stderr
    assert here.log("lost") == bytes(50000)


def test_command_hears_at_once_that_its_reader_has_left(here: Place) -> None:
    """As without livelog: not one line later."""
    script = "echo ready; read go; echo one; touch survived"
    with subprocess.Popen(
        [*RUN, "reader", "--", "sh", "-c", f"cd {here.home}; {script}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=here.environment(),
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        opened = Path(f"/proc/{process.pid}/fd")

        def pipes() -> int:
            count = 0
            for link in opened.iterdir():
                with contextlib.suppress(FileNotFoundError):  # it was closed just now
                    count += "pipe:" in os.readlink(link)
            return count

        before = pipes()
        process.stdout.close()
        wait_until(lambda: pipes() < before, "it lets go of the command's output")
        process.stdin.write(b"go\n")
        process.stdin.close()
        assert process.wait(TIMEOUT) == -signal.SIGPIPE
    assert not (here.home / "survived").exists()
