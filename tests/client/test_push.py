"""`livelog push`: pipes, files, growing files, and what was left on disk.

Categories: what is sent · failures and exit codes · growing files · notes.
"""

import os
import random
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from livelog.names import valid_name
from tests.harness import TIMEOUT
from tests.sample import one_of, sample

from .place import COMMAND, Place, Proxy, lines, links, place, wait_until


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        yield made


def test_pipe_and_file_are_sent_whole_and_told_of(here: Place) -> None:
    data = random.Random(1).randbytes(3_000_000)
    file = here.home / "build.log"
    file.write_bytes(data)
    about = ("--title", "a title", "--label", "branch=main", "--exit-code", "2", "--content-type", "application/json")
    for name, source, given in (("piped", "-", data), ("file", str(file), None)):
        done = here.run("push", "--name", name, *about, source, data=given)
        assert (done.returncode, done.stdout) == (0, b""), done.stderr
        assert here.log(name) == data
        known = here.status(name)
        assert (known["state"], known["title"], known["labels"]) == ("complete", "a title", {"branch": "main"})
        assert (known["exit_code"], known["content_type"]) == (2, "application/json")


def test_name_is_made_of_the_files_unless_it_is_given(here: Place) -> None:
    file = here.home / "nightly build.log"
    file.write_bytes(b"x")
    (link,) = links(here.run("push", str(file)).stderr)
    assert re.search(r"/nightly-build\.log/\d{8}T\d{6}-[0-9a-f]{8}$", link)
    assert here.run("tail", link).stdout == b"x"


def test_pipe_is_sent_while_it_flows(here: Place) -> None:
    with here.started("push", "-q", "--name", "flowing", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for number in range(1, 4):
            process.stdin.write(b"line\n")
            process.stdin.flush()
            here.wait_for("flowing", 5 * number, "live")
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_interrupt_is_for_whatever_writes_into_the_pipe(here: Place, number: signal.Signals) -> None:
    with here.started("push", "-q", "--name", number.name, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"before\n")
        process.stdin.flush()
        here.wait_for(number.name, 7)
        process.send_signal(number)
        process.stdin.write(b"last words\n")
        process.stdin.close()
        assert process.wait(TIMEOUT) == 0
    assert here.log(number.name) == b"before\nlast words\n"


def test_pipe_that_has_a_name_is_sent_while_it_flows(here: Place) -> None:
    pipe = here.home / "pipe"
    os.mkfifo(pipe)
    with here.started("push", "-q", "--name", "named", str(pipe)) as process, pipe.open("wb", buffering=0) as opened:
        opened.write(b"some\n")
        here.wait_for("named", 5, "live")
        opened.write(b"more\n")
        opened.close()
        assert process.wait(TIMEOUT) == 0
    assert here.log("named") == b"some\nmore\n"


@pytest.mark.parametrize("source", ["-", "file"])
def test_wrong_write_token_has_an_exit_code_of_its_own(tmp_path: Path, source: str) -> None:
    with place(tmp_path / "home", variables={"LIVELOG_WRITE_TOKEN": "right"}) as here:
        file = here.home / "file"
        file.write_bytes(b"x")
        words = ("push", "-q", "--name", "x", str(file) if source == "file" else source)
        done = here.run(*words, data=b"x", LIVELOG_WRITE_TOKEN="wrong")
    assert done.returncode == 5
    assert b"401" in done.stderr
    assert b"; with the right LIVELOG_WRITE_TOKEN: livelog push " in done.stderr
    if source == "file":
        assert f"livelog push --name x {file}\n" in done.stderr.decode()


def test_file_that_is_too_large_is_not_advised_to_be_sent_again(tmp_path: Path) -> None:
    with place(tmp_path / "home", variables={"LIVELOG_MAX_LOG_SIZE": "1000"}) as here:
        file = here.home / "file"
        file.write_bytes(bytes(1001))
        done = here.run("push", "-q", "--name", "x", "--exit-code", "3", str(file))
        assert done.returncode == 6
        assert b"at most 1000 bytes" in done.stderr
        assert b"livelog push" not in done.stderr
        assert (here.status("x")["state"], here.status("x")["exit_code"]) == ("aborted", 3)
        with here.started("push", "-q", "-f", "--name", "y", "--exit-code", "3", str(file)) as process:
            assert process.wait(TIMEOUT) == 6
        assert here.status("y")["exit_code"] == 3


@pytest.mark.parametrize("seed", sample(range(3), 0))
@pytest.mark.parametrize("source", ["-", "file"])
def test_network_that_is_cut_at_random_bytes_loses_nothing(here: Place, source: str, seed: int) -> None:
    chance = random.Random(seed)
    cuts = [chance.randrange(1, 900) if chance.random() < 0.3 else chance.randrange(900, 400_000) for _ in range(8)]
    data, name = lines(200_000), f"cut/{source.strip('-')}{seed}"
    file = here.home / "cut.log"
    file.write_bytes(data)
    with Proxy(here.server, cuts) as proxy:
        done = here.run(
            "push", "-q", "--name", name, source.replace("file", str(file)),
            data=data if source == "-" else None, LIVELOG_SERVER=proxy.url,
        )  # fmt: skip
        assert proxy.cut > 3, cuts
    assert (done.returncode, done.stderr) == (0, b""), cuts
    assert here.log(name) == data, cuts
    assert here.status(name)["state"] == "complete"


def test_growing_file_is_followed_until_ctrl_c(here: Place) -> None:
    file = here.home / "growing.log"
    file.write_bytes(b"there already\n")
    with here.started("push", "-q", "--follow", "--name", "growing", str(file)) as process:
        here.wait_for("growing", 14)
        with file.open("ab") as opened:
            opened.write(b"appended\n")
        here.wait_for("growing", 23, "live")
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT) == 0
    assert here.log("growing") == b"there already\nappended\n"
    assert here.status("growing")["state"] == "complete"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("follow", ["-f", "-F"])
def test_growing_file_that_is_followed_is_complete_when_a_signal_ends_it(
    here: Place, follow: str, number: signal.Signals
) -> None:
    """As of a unit or a script; timeout(1) sends it twice."""
    file, name = here.home / "unit.log", f"unit/{number.name}{follow}"
    file.write_bytes(b"there already\n")
    with here.started("push", "-q", follow, "--name", name, str(file)) as process:
        here.wait_for(name, 14)
        with file.open("ab") as opened:
            opened.write(b"last words\n")
        process.send_signal(number)
        process.send_signal(number)
        assert process.wait(TIMEOUT) == 0
    assert here.log(name) == b"there already\nlast words\n"
    assert here.status(name)["state"] == "complete"


@pytest.mark.parametrize("size", [999, 1000, 1001, 5000])
def test_file_that_was_truncated_and_grew_again_is_not_spliced(here: Place, size: int) -> None:
    file, name = here.home / f"again{size}.log", f"again/{size}"
    file.write_bytes(b"x" * 1000)
    with here.started("push", "-q", "-f", "--name", name, str(file)) as process:
        here.wait_for(name, 1000)
        file.write_bytes(b"y" * size)  # truncates
        with file.open("ab") as opened:
            opened.write(b"more")
        assert process.wait(TIMEOUT) == 3
        assert process.stderr is not None
        assert re.search(b"truncated, and has other bytes|become shorter", process.stderr.read())
    assert here.log(name) == b"x" * 1000
    assert here.status(name)["state"] == "aborted"


def test_file_is_waited_for_and_followed_by_its_name(here: Place) -> None:
    """Through both kinds of rotation, without losing what is written to the old file before there is a new one."""
    file = here.home / "rotated.log"
    with here.started("push", "-F", "--name", "rotated", str(file)) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.stderr.readline()
        assert b"rotated.log: No such file or directory: it is waited for" in process.stderr.readline()
        expected = b"one\n"
        with file.open("wb", buffering=0) as old:
            old.write(b"one\n")
            here.wait_for("rotated", len(expected))
            file.rename(here.home / "rotated.log.1")
            file.touch()
            old.write(b"two, which is late\n")
            expected += b"two, which is late\n"
            here.wait_for("rotated", len(expected))
        file.write_bytes(b"three\n")
        expected += b"three\n"
        here.wait_for("rotated", len(expected))
        file.write_bytes(b"four, in the same file\n")  # it is truncated, and longer at once
        expected += b"four, in the same file\n"
        here.wait_for("rotated", len(expected))
        file.write_bytes(b"5\n")
        expected += b"5\n"
        here.wait_for("rotated", len(expected))
        file.unlink()
        file.write_bytes(b"six\n")
        process.send_signal(signal.SIGTERM)  # what there is by then is sent
        assert process.wait(TIMEOUT) == 0
    assert here.log("rotated") == expected + b"six\n"
    assert here.status("rotated")["state"] == "complete"


@pytest.mark.parametrize(
    "file",
    sample(
        ["/proc/cpuinfo", "/proc/self/mountinfo", "/sys/kernel/mm/transparent_hugepage/enabled", "/dev/null"],
        "/proc/cpuinfo",
    ),
)
@pytest.mark.parametrize("follow", [[], ["-f"]])
def test_file_whose_size_is_not_told_is_read_to_its_end(here: Place, file: str, follow: list[str]) -> None:
    assert here.run("push", "-q", *follow, "--name", "size", file).returncode == 0
    assert (here.log("size") == b"") is (file == "/dev/null")
    if file in ("/proc/cpuinfo", "/sys/kernel/mm/transparent_hugepage/enabled"):
        assert len(here.log("size").splitlines()) == len(Path(file).read_bytes().splitlines())


def test_last_words_after_a_signal_to_the_group_are_in_the_log(here: Place) -> None:
    """As at the end of a unit, or of a job of timeout(1)."""
    # Two signals may be one, or run the trap twice.
    last = '[ "$once" ] || { once=1; echo closing; sleep 0.2; echo closed; exit; }'
    words = f"trap '{last}' TERM; echo ready; while :; do sleep 0.02; done"
    with subprocess.Popen(
        ["sh", "-c", f'sh -c "$0" | {" ".join(COMMAND)} push -q --name words', words],
        env=here.environment(),
        start_new_session=True,
    ) as process:
        here.wait_for("words", 6)
        os.killpg(process.pid, signal.SIGTERM)
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(TIMEOUT)
    assert here.wait_for("words", 21, "complete")["size"] == 21
    assert here.log("words") == b"ready\nclosing\nclosed\n"


@pytest.mark.parametrize("noisy", [True, False])
def test_pipe_that_does_not_end_is_left_some_time_after_a_signal(here: Place, *, noisy: bool) -> None:
    name = f"endless/{noisy}"
    command = ["yes"] if noisy else ["sh", "-c", "echo y; exec sleep 60"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as writer,
        here.started("push", "-q", "--drain", "0.5", "--name", name, stdin=writer.stdout) as process,
    ):
        here.wait_for(name, 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT) == 128 + signal.SIGTERM
        writer.kill()
        assert process.stderr is not None
        assert b"ended by SIGTERM before its input was at its end" in process.stderr.read()
    assert here.status(name)["state"] == "aborted"


def test_file_that_is_cut_short_aborts_the_log(here: Place) -> None:
    file = here.home / "short.log"
    file.write_bytes(b"x" * 1000)
    with here.started("push", "-q", "--follow", "--name", "short", str(file)) as process:
        here.wait_for("short", 1000)
        file.write_bytes(b"y" * 10)
        assert process.wait(TIMEOUT) == 3
        assert process.stderr is not None
        assert b"shorter" in process.stderr.read()
    assert here.status("short")["state"] == "aborted"


def test_log_that_the_server_never_got_is_not_said_to_be_aborted(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        file = here.home / "short.log"
        file.write_bytes(b"x" * 1000)
        with here.started("push", "-q", "--follow", "--drain", "1", str(file)) as process:
            opened = f"/proc/{process.pid}/fd"
            wait_until(
                lambda: any(os.path.realpath(f"{opened}/{fd}") == str(file) for fd in os.listdir(opened)), "it reads"
            )
            file.write_bytes(b"y" * 10)
            _, errors = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 6
        assert b"send it again later" in errors
        assert b"aborted" not in errors


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no-such-file"], 1, "no-such-file: No such file or directory"),
        (["."], 1, "holds no log that could be sent"),
        (["--content-type", "é"], 1, "'é' is not a content type"),
        (["--exit-code", "x"], 2, "invalid int value"),
    ],
)
def test_mistakes_are_told_in_a_line(here: Place, words: list[str], code: int, said: str) -> None:
    done = here.run("push", *words, data=b"")
    assert (done.returncode, done.stdout) == (code, b"")
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "name",
    one_of(
        4, ["feature/foo bar", "user@host", "a+b", "größe", "../up", "a//b", "/", ".", "功能", "x" * 300, "a/" * 20]
    ),
)
def test_name_that_is_none_is_made_one_and_shown(here: Place, name: str) -> None:
    """Whatever a CI variable holds; and it is found under what it was called, by all commands, but for `tail`, if that is a prefix."""
    done = here.run("run", "-q", "--name", name, "--", "echo", "hello")
    assert (done.returncode, done.stdout) == (0, b"hello\n")
    assert (
        done.stderr.decode()
        == f"livelog: the log is called {valid_name(name)}, since {name!r} is not the name of a log\n"
    )
    assert here.log(valid_name(name)) == b"hello\n"
    assert here.run("tail", valid_name(name) if name.endswith("/") else name).stdout == b"hello\n"
    assert here.run("status", name).returncode == 0
    assert here.run("link", name).stdout.decode().endswith(f"/{valid_name(name)}\n")
    assert here.run("push", "-q", "--name", name, data=b"pushed").returncode == 0
    assert here.log(valid_name(name)) == b"pushed"


LABELS = {
    "Branch": "a, b", "commit": "1a2b3c", "author": "Jürgen, 功能", "path": "C:\\x%20", "quoted": '%"x"', "text": 'a "b"; c=d',
    "CI_JOB": "=", "ümlaut": " both ", "lines": "one\ntwo\x1b[2J", "long": "é" * 300, "empty": "",
}  # fmt: skip


@pytest.mark.parametrize(
    "command", [["run", "-q", "--name", "labels", "--", "true"], ["push", "-q", "--name", "labels"]]
)
def test_label_may_hold_any_text(here: Place, command: list[str]) -> None:
    words = [word for name, value in LABELS.items() for word in ("--label", f"{name}={value}")]
    done = here.run(command[0], *words, *command[1:], data=b"")
    assert done.returncode == 0, done.stderr
    assert here.status("labels")["labels"] == {
        "branch": "a, b", "commit": "1a2b3c", "author": "Jürgen, 功能", "path": "C:\\x%20", "quoted": '%"x"', "text": 'a "b"; c=d',
        "ci_job": "=", "umlaut": "both", "lines": "one two [2J", "long": "é" * 128,
    }  # fmt: skip
    assert "livelog: the label 'Branch' is called branch\n" in done.stderr.decode()


@pytest.mark.parametrize(
    "command", [["run", "-q", "--name", "few", "--", "echo", "x"], ["push", "-q", "--name", "few"]]
)
def test_label_that_is_none_is_said_and_left_out(here: Place, command: list[str]) -> None:
    wrong = ["", "=x", "x", "功能=x"]
    many = [f"label{number}=x" for number in range(17)]
    done = here.run(
        command[0], *(word for text in (*wrong, *many) for word in ("--label", text)), *command[1:], data=b""
    )
    assert done.returncode == 0
    for text in wrong:
        assert f"livelog: the label {text!r} is left out: it is not NAME=VALUE\n" in done.stderr.decode()
    assert "livelog: the label label16 is left out: a log has at most 16\n" in done.stderr.decode()
    assert list(here.status("few")["labels"]) == [f"label{number}" for number in range(16)]


def test_pipe_that_a_server_does_not_take_is_kept(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        done = here.run("push", "--name", "kept", "--drain", "0.1", data=lines(10))
        assert done.returncode == 6
        (spool,) = here.spools
        assert f"livelog push {spool}" in done.stderr.decode()
        again = here.run("push", "--drain", "0.1", str(spool))
        assert (again.returncode, here.spools) == (6, [spool])
        here.start()
        assert here.run("push", "-q", str(spool)).returncode == 0
        assert here.log("kept") == lines(10)


def test_pipeline_of_a_shell(here: Place) -> None:
    script = f"seq 5 | {' '.join(COMMAND)} push -q --name pipeline && {' '.join(COMMAND)} tail pipeline"
    done = subprocess.run(["sh", "-c", script], env=here.environment(), capture_output=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"1\n2\n3\n4\n5\n", b"")
