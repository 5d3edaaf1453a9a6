"""`livelog run`: the command is as it would be without, and its log is what it wrote, whatever becomes of the server.

Categories: exit codes and signals · output · the server down, killed, cut off · bounded memory · a full disk · a server of
its own · nothing left behind.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from livelog import Reader, Writer
from livelog.client.commands.console import what_is_left
from tests.harness import TIMEOUT, TOKEN
from tests.integration.disks import memory_disk
from tests.sample import one_of, sample

from .place import (
    COMMAND,
    Place,
    Proxy,
    answering,
    lines,
    links,
    peak_memory,
    place,
    unreachable,
    wait_until,
)  # fmt: skip

PRINT = "import sys; sys.stdout.buffer.write(b''.join(b'line %d\\n' % n for n in range({})))"
"""A program that prints so many numbered lines."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        yield made


# Exit codes and signals.


@pytest.mark.parametrize("code", sample([0, 1, 2, 3, 42, 64, 124, 125, 126, 127, 128, 130, 137, 141, 254, 255], 0, 255))
def test_exit_code_is_the_commands_and_told_to_readers(here: Place, code: int) -> None:
    done = here.run("run", "--name", f"exit/{code}", "--", "sh", "-c", f"exit {code}")
    assert done.returncode == code
    known = here.status(f"exit/{code}")
    assert (known["state"], known["exit_code"], known["title"]) == ("complete", code, "sh")


@pytest.mark.parametrize(
    "number",
    sample(["HUP", "INT", "QUIT", "ILL", "ABRT", "KILL", "SEGV", "PIPE", "ALRM", "TERM", "USR1"], "INT", "KILL"),
)
def test_signal_that_ends_the_command_ends_this_one(here: Place, number: str) -> None:
    script = ["sh", "-c", f"ulimit -c 0; kill -{number} $$"]
    bare = subprocess.run(script)
    done = here.run("run", "-q", "--name", f"signal/{number}", "--", *script)
    assert done.returncode == bare.returncode == -getattr(signal, f"SIG{number}")
    assert here.status(f"signal/{number}")["exit_code"] == 128 - done.returncode


@pytest.mark.parametrize(
    "number",
    sample(
        [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2], signal.SIGTERM, signal.SIGUSR2
    ),
)
def test_signals_are_passed_on_once(here: Place, number: signal.Signals) -> None:
    name = f"passed-on/{number.name}"
    script = (
        "import os, signal, sys\n"
        f"signal.signal({int(number)}, lambda *_: os.write(1, b'got it\\n'))\n"
        "os.write(1, b'ready\\n'); sys.stdin.read(); sys.exit(9)"
    )
    with here.started(
        "run", "-q", "--name", name, "--", sys.executable, "-c", script, stdin=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == b"got it\n"
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(TIMEOUT) == 9
    assert here.log(name) == b"ready\ngot it\n"


@pytest.mark.parametrize(
    ("command", "code"),
    one_of(
        2,
        [
            ("no-such-command", 127),
            ("./no-such-file", 127),
            ("/etc/passwd", 126),
            ("/etc", 126),
            ("/etc/passwd/x", 127),
            ("", 127),
        ],
    ),
)
def test_command_that_cannot_be_started_has_the_exit_code_of_shells(here: Place, command: str, code: int) -> None:
    bare = subprocess.run(["sh", "-c", '"$0"', command], capture_output=True)
    done = here.run("run", "-q", "--", command)
    assert done.returncode == bare.returncode == code
    assert done.stderr.startswith(f"livelog: {command}: ".encode())
    assert done.stdout == b""


def test_script_without_an_interpreter_is_a_shells(here: Place, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("echo $0 $1; exit 3\n")
    script.chmod(0o755)
    done = here.run("run", "-q", "--", str(script), "word")
    assert (done.returncode, done.stdout) == (3, f"{script} word\n".encode())


@pytest.mark.parametrize("words", [["run"], ["run", "--"], ["run", "--no-such-flag", "--", "true"]])
def test_own_failure_before_the_start_is_125(here: Place, words: list[str]) -> None:
    done = here.run(*words)
    assert (done.returncode, done.stdout) == (125, b"")
    assert done.stderr.startswith(b"livelog: ")


@pytest.mark.parametrize(
    "url", ["nonsense", "http://localhost:99999", "http://localhost:x", "http://a..b", "http://[::1"]
)
def test_wrong_setting_is_125_and_the_command_does_not_run(here: Place, url: str) -> None:
    done = here.run("run", "--", "echo", "ran", LIVELOG_SERVER=url)
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"LIVELOG_SERVER is not a URL" in done.stderr


@pytest.mark.needs("root", "setpriv")
def test_home_that_may_not_be_searched_is_a_home_without_settings(tmp_path: Path) -> None:
    """As for a job that another user's HOME was handed to."""
    home = tmp_path / "private"
    (home / ".config").mkdir(parents=True)
    home.chmod(0o700)
    os.chown(home, 65534, 65534)
    unprivileged = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    with place(tmp_path / "home") as here:
        done = subprocess.run(
            [*unprivileged, *COMMAND, "run", "-q", "--name", "home", "--", "ls", str(home)],
            env=here.environment(HOME=str(home)), capture_output=True, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, b"")  # it is what it should be
        assert done.stderr == here.log("home") != b""
        assert done.stderr.startswith(b"ls: ")


def test_signal_that_was_ignored_stays_ignored(here: Place) -> None:
    script = f"trap '' HUP; exec {' '.join(COMMAND)} run -q -- sh -c 'kill -HUP $$; kill -HUP $PPID; echo alive'"
    done = subprocess.run(["sh", "-c", script], env=here.environment(), capture_output=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"alive\n")


def test_exit_code_is_told_where_ended_children_are_ignored(here: Place) -> None:
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "-c", ignoring, *COMMAND, "run", "-q", "--", "sh", "-c", "exit 3"]
    assert subprocess.run(command, env=here.environment(), timeout=60).returncode == 3


# Output.


def test_both_outputs_go_where_they_would_and_into_the_log(here: Place) -> None:
    binary = random.Random(1).randbytes(300_000)
    (here.home / "binary").write_bytes(binary)
    script = "cat binary; echo 'to stderr' >&2; echo end"
    command = ["sh", "-c", f"cd {here.home}; {script}"]
    done = here.run("run", "-q", "--name", "both", "--", *command)
    assert (done.stdout, done.stderr) == (binary + b"end\n", b"to stderr\n")
    assert len(here.log("both")) == len(done.stdout + done.stderr)
    assert here.log("both").replace(b"to stderr\n", b"") == done.stdout


def test_order_is_kept_where_both_outputs_are_one(here: Place) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done"
    done = subprocess.run(
        [*COMMAND, "run", "-q", "--name", "order", "--", "sh", "-c", script],
        env=here.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
    )  # fmt: skip
    expected = b"".join(b"out %d\nerr %d\n" % (number, number) for number in range(1, 10))
    assert done.stdout == expected == here.log("order")


def test_links_are_told_at_the_start_and_at_the_end_and_open_the_log(here: Place) -> None:
    done = here.run("run", "--", "echo", "hello")
    assert done.stdout == b"hello\n"
    first, last = links(done.stderr)
    assert first == last
    view = f"livelog: browser: {first.replace('/log/', '/view/')}\n".encode()
    assert done.stderr.count(view) == 2
    assert "/echo/" in first
    assert here.run("tail", first).stdout == b"hello\n"
    assert TOKEN.encode() not in done.stderr


def test_input_is_the_commands(here: Place) -> None:
    done = here.run("run", "-q", "--", "tr", "a-z", "A-Z", data=b"hello")
    assert done.stdout == b"HELLO"


def test_command_gets_the_broken_pipe_that_it_would_get(here: Place) -> None:
    script = f"{' '.join(COMMAND)} run -q --name broken-pipe -- yes | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], env=here.environment(), capture_output=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"y\n141\n", b"")
    assert here.status("broken-pipe")["exit_code"] == 141


def test_what_a_command_leaves_running_is_not_waited_for(here: Place) -> None:
    # The one left behind holds the pipe, and would for longer than this test may last.
    done = here.run("run", "-q", "--name", "left", "--", "sh", "-c", "sleep 90 & echo $!; exit 4")
    os.kill(int(done.stdout), signal.SIGKILL)
    assert done.returncode == 4
    assert here.log("left") == done.stdout


def test_what_is_left_running_may_write_on_without_being_waited_for(here: Place) -> None:
    script = "while echo more; do :; done & exit 4"  # ends by the broken pipe
    done = here.run("run", "-q", "--name", "left/noisy", "--", "sh", "-c", f"yes begin | head -5000; {script}")
    assert done.returncode == 4
    assert here.log("left/noisy") == done.stdout
    assert done.stdout.startswith(b"begin\n" * 5000)


@pytest.mark.parametrize("streams", one_of(4, ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"]))
def test_streams_that_are_closed_stay_closed_for_the_command(here: Place, streams: str) -> None:
    """Nor does anything that livelog opens take their numbers, and their bytes."""
    script = "echo out; echo err >&2; cat; ls /proc/self/fd | wc -l >count; exit 3"
    seen = []
    for prefix in ("", f"{' '.join(COMMAND)} run -q --name closed -- "):
        done = subprocess.run(
            ["sh", "-c", f"cd {here.home}; {prefix}sh -c '{script}' {streams}"],
            env=here.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
        )  # fmt: skip
        seen.append((done.returncode, done.stdout, done.stderr, (here.home / "count").read_text()))
    assert seen[0] == seen[1]
    assert sorted(here.log("closed")) == sorted(seen[1][1] + seen[1][2])
    assert here.status("closed")["state"] == "complete"


def test_no_terminal_without_a_terminal(here: Place) -> None:
    done = here.run("run", "-q", "--", "sh", "-c", "test -t 1 || test -t 2 || echo none")
    assert done.stdout == b"none\n"


# The server: down, killed, cut off.


def test_server_that_is_down_changes_nothing_and_gets_the_log_later(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        done = here.run("run", "--name", "late", "--drain", "0.1", "--", "sh", "-c", "echo hello; exit 5")
        assert (done.returncode, done.stdout) == (5, b"hello\n")
        (spool,) = here.spools
        assert f"livelog push {spool}".encode() in done.stderr
        here.start()
        pushed = here.run("push", str(spool))
        assert pushed.returncode == 0, pushed.stderr
        assert (here.log("late"), here.status("late")["exit_code"]) == (b"hello\n", 5)
        assert here.status("late")["state"] == "complete"
        assert here.spools == []


def test_how_a_command_ended_is_kept_too_where_there_are_no_bytes(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        assert here.run("run", "-q", "--name", "silent", "--drain", "0.1", "--", "false").returncode == 1
        (spool,) = here.spools
        here.start()
        assert here.run("push", "-q", str(spool)).returncode == 0
        known = here.status("silent")
        assert (known["state"], known["size"], known["exit_code"]) == ("complete", 0, 1)


def test_how_a_command_ended_is_kept_where_the_server_has_the_bytes(tmp_path: Path) -> None:
    with place(tmp_path / "home") as here:
        script = "echo hello; read x; exit 7"
        with here.started(
            "run", "-q", "--name", "late-end", "--drain", "0.1", "--", "sh", "-c", script, stdin=subprocess.PIPE
        ) as process:
            here.wait_for("late-end", 6)
            here.kill()
            process.communicate(timeout=TIMEOUT)
        (spool,) = here.spools
        here.start()
        assert here.run("push", "-q", str(spool)).returncode == 0
        known = here.status("late-end")
        assert (known["state"], known["exit_code"], here.log("late-end")) == ("complete", 7, b"hello\n")


def test_spool_that_cannot_be_written_is_not_promised(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        done = here.run("run", "-q", "--drain", "0.1", "--", "echo", "hello", LIVELOG_SPOOL_DIR="/dev/null/spools")
        assert (done.returncode, done.stdout) == (0, b"hello\n")
        assert b"lacks all after its first 0 bytes: Not a directory" in done.stderr
        assert b"nothing is kept" in done.stderr
        assert b"livelog push" not in done.stderr
        pushed = here.run("push", "--drain", "0.1", data=b"hello", LIVELOG_SPOOL_DIR="/dev/null/spools")
        assert pushed.returncode == 6


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
            " takes no resumable uploads: it answers 200 ok",
        ),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 6\r\n\r\n<html>", " refuses this log: 302)"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "the length of the answer is none: 'x'"),
        (b"SSH-2.0-\x1b[2Jserver\r\n\r\n", "this is not an answer of an HTTP/1 server"),
    ],
)
def test_other_server_on_the_port_is_told_and_the_output_kept(here: Place, answer: bytes, said: str) -> None:
    with answering(answer) as url:
        done = here.run("run", "-q", "--drain", "1", "--", "echo", "hello", LIVELOG_SERVER=url)
    assert (done.returncode, done.stdout) == (0, b"hello\n")
    assert said in done.stderr.decode()
    spool = Path(done.stderr.decode().split()[-1])
    assert (spool / f"{0:020}").read_bytes() == b"hello\n"
    shutil.rmtree(spool)


def test_end_does_not_wait_for_a_connection_to_be_made(here: Place) -> None:
    """That would take the system 30 seconds."""
    with unreachable() as url, here.started("run", "--drain", "0.1", "--", "true", LIVELOG_SERVER=url) as process:
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    assert b"the server has not answered yet; the output is kept, and sent later" in errors
    shutil.rmtree(errors.decode().split()[-1])


def test_log_that_comes_late_replaces_none_and_may_get_another_name(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        here.run("run", "-q", "--name", "nightly", "--drain", "0.1", "--", "echo", "yesterday")
        (spool,) = here.spools
        here.start()
        assert here.run("run", "-q", "--name", "nightly", "--", "echo", "today").returncode == 0
        refused = here.run("push", "-q", str(spool))
        assert (refused.returncode, here.log("nightly")) == (6, b"today\n")
        assert b"forbids replacing it" in refused.stderr
        assert here.run("push", "-q", "--name", "nightly/late", str(spool)).returncode == 0
        assert (here.log("nightly/late"), here.log("nightly")) == (b"yesterday\n", b"today\n")
        assert here.spools == []


@pytest.mark.parametrize("durable", sample([True, False], True))
def test_server_that_is_killed_and_started_again_gets_every_byte(tmp_path: Path, durable: bool) -> None:
    script = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    with place(tmp_path / "home", durable=durable) as here:
        with here.started(
            "run", "-q", "--name", "survivor", "--", sys.executable, "-c", script, stdin=subprocess.PIPE
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            sent = b""
            for part in range(4):
                more = lines(1000, start=1000 * part)  # all of it fits into the pipe that nobody reads yet
                process.stdin.write(more)
                process.stdin.flush()
                sent += more
                here.wait_for("survivor", len(sent) if durable or not part else 1)
                here.kill()
                process.stdin.write(b"while it is down\n")
                process.stdin.flush()
                sent += b"while it is down\n"
                here.start()
            output, errors = process.communicate(timeout=TIMEOUT)
            assert (process.returncode, errors) == (0, b"")
        assert output == sent == here.log("survivor")
        assert here.status("survivor")["state"] == "complete"
        assert here.spools == []


@pytest.mark.parametrize("seed", sample(range(6), 0))
def test_network_that_is_cut_at_random_bytes_loses_nothing(here: Place, seed: int) -> None:
    chance = random.Random(seed)
    cuts = [
        chance.choice((chance.randrange(1, 900), chance.randrange(1200, 90_000), chance.randrange(1200, 90_000)))
        for _ in range(8)
    ]
    with Proxy(here.server, cuts) as proxy:
        done = here.run(
            "run",
            "-q",
            "--name",
            f"cut/{seed}",
            "--",
            sys.executable,
            "-c",
            PRINT.format(50_000),
            LIVELOG_SERVER=proxy.url,
        )
        assert proxy.cut > 2, cuts
    assert (done.returncode, done.stderr) == (0, b""), cuts
    assert done.stdout == lines(50_000) == here.log(f"cut/{seed}"), cuts
    assert here.status(f"cut/{seed}")["state"] == "complete"


def test_wrong_write_token_is_told_and_the_output_kept(tmp_path: Path) -> None:
    with place(tmp_path / "home", variables={"LIVELOG_WRITE_TOKEN": "right"}) as here:
        done = here.run("run", "--name", "guarded", "--", "echo", "hello", LIVELOG_WRITE_TOKEN="wrong")
        assert (done.returncode, done.stdout) == (0, b"hello\n")
        assert b"401 Access denied); the output is kept on this machine\n" in done.stderr
        (spool,) = here.spools
        assert f"with the right LIVELOG_WRITE_TOKEN: livelog push {spool}\n" in done.stderr.decode()
        assert here.run("push", "-q", str(spool), LIVELOG_WRITE_TOKEN="wrong").returncode == 5
        assert here.run("push", "-q", str(spool), LIVELOG_WRITE_TOKEN="right").returncode == 0
        assert here.log("guarded") == b"hello\n"


def _advised(errors: bytes) -> list[str]:
    """The words of the command that was advised, behind `livelog`."""
    (words,) = re.findall(r"livelog (push .*)\n", errors.decode())
    return str(words).split()


def test_log_of_which_the_server_has_the_beginning_keeps_its_exit_code_and_the_rest_can_be_sent(tmp_path: Path) -> None:
    with place(tmp_path / "home", variables={"LIVELOG_MAX_LOG_SIZE": "1000"}) as here:
        log = Writer("big", settings=here.settings())
        log.write(bytes(1))
        wait_until(
            lambda: bool(log.link), "the upload's address is known, if not by an interim response, by the final one"
        )
        log.write(bytes(499))
        wait_until(lambda: log.acknowledged == 500, "the server has it, and has said so by an interim response")
        log.write(b"x" * 600)
        log.exit_code = 7
        log.close()
        assert log.spool is not None
        known = here.status("big")
        assert (known["state"], known["size"], known["exit_code"]) == ("aborted", 1000, 7)
        words = _advised(f"{what_is_left(log.refused, log.spool, log.name)}\n".encode())
        assert words == ["push", "--name", "big-rest", str(log.spool)]
        assert here.run(*words).returncode == 0
        assert here.log("big-rest") == b"x" * 600
        assert (here.status("big-rest")["state"], here.status("big-rest")["exit_code"]) == ("complete", 7)
        assert here.spools == []


@pytest.mark.parametrize("durable", sample([True, False], True))
def test_log_that_outgrows_the_limit_keeps_its_jobs_exit_code_and_the_advice_is_true(
    tmp_path: Path, durable: bool
) -> None:
    with place(tmp_path / "home", durable=durable, variables={"LIVELOG_MAX_LOG_SIZE": "1000"}) as here:
        done = here.run("run", "-q", "--name", "big", "--", "sh", "-c", "seq 300; exit 7")
        assert here.status("big")["exit_code"] == done.returncode == 7
        assert (here.status("big")["state"], here.status("big")["size"]) == ("aborted", 1000)
        words = _advised(done.stderr)
        assert b"when the server takes larger logs" in done.stderr
        again = here.run(*words)  # it does not yet, and says the same
        assert (again.returncode, _advised(again.stderr)) == (6, words)
        here.kill()
        here.start()
        assert here.run(*words).returncode == 0
        assert here.log("big") == done.stdout
        assert here.status("big")["exit_code"] == 7


@pytest.mark.parametrize("durable", sample([True, False], True))
def test_log_whose_producer_was_away_for_too_long_is_told_of_the_end_and_can_be_sent(
    tmp_path: Path, durable: bool
) -> None:
    with (
        place(tmp_path / "home", durable=durable, variables={"LIVELOG_RESUME_GRACE": "0.1"}) as here,
        Proxy(here.server, []) as proxy,
    ):
        script = "echo begun; read x; echo ended; exit 5"
        words = ("run", "-q", "--name", "away", "--drain", "0.1" if not durable else "10", "--", "sh", "-c", script)
        with here.started(*words, stdin=subprocess.PIPE, LIVELOG_SERVER=proxy.url) as process:
            here.wait_for("away", 6)
            proxy.hold()
            here.wait_for("away", 6, "aborted")
            if durable:
                proxy.let_go()
            _, errors = process.communicate(b"go\n", timeout=TIMEOUT)
            assert process.returncode == 5
        if durable:  # what was acknowledged is there only
            assert here.status("away")["exit_code"] == 5
            if not errors:  # what it had not heard of before it was away it has sent again
                assert here.log("away") == b"begun\nended\n"
                return
            assert _advised(errors)[:3] == ["push", "--name", "away-rest"]
        else:
            assert here.run("run", "-q", "--name", "away/other", "--", "true").returncode == 0
        assert here.run(*_advised(errors)).returncode == 0
        if durable:
            assert here.log("away") + here.log("away-rest") == b"begun\nended\n"
        else:
            assert here.log("away") == b"begun\nended\n"
            assert here.status("away")["exit_code"] == 5
        assert here.spools == []


def test_wait_that_was_too_short_is_said_as_that(tmp_path: Path) -> None:
    with place(tmp_path / "home") as here:
        assert here.process is not None
        script = "echo begun; read x; head -c 8000000 /dev/zero"
        with here.started(
            "run", "-q", "--name", "slow", "--drain", "0.1", "--", "sh", "-c", script, stdin=subprocess.PIPE
        ) as process:
            here.wait_for("slow", 6)
            here.process.send_signal(signal.SIGSTOP)
            _, errors = process.communicate(b"go\n", timeout=TIMEOUT)
            here.process.send_signal(signal.SIGCONT)
        (spool,) = here.spools
        said = f"livelog: the server has not taken all of the log in time; what it has not got is kept: livelog push {spool}\n"
        assert errors.decode() == said


# Bounds.


def test_flood_is_held_in_bounded_memory_while_the_server_stands_still(tmp_path: Path) -> None:
    size = 200_000_000
    with place(tmp_path / "home") as here:
        assert here.process is not None
        with here.started(
            "run",
            "-q",
            "--name",
            "flood",
            "--",
            "sh",
            "-c",
            f"read go; yes | head -c {size}; read go",
            stdin=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            here.wait_for("flood", 0)
            here.process.send_signal(signal.SIGSTOP)
            process.stdin.write(b"go\n")
            process.stdin.flush()
            left = size
            while left:
                left -= len(os.read(process.stdout.fileno(), 1 << 20))
            memory = peak_memory(process.pid)
            here.process.send_signal(signal.SIGCONT)
            process.stdin.close()
            assert process.wait(60) == 1  # the second `read` found no line
        assert memory < 60_000_000
        assert here.log("flood") == b"y\n" * (size // 2)
        assert here.spools == []


@pytest.mark.needs("root", "mount", "umount")
def test_full_disk_for_the_spool_is_told_and_the_command_goes_on(tmp_path: Path) -> None:
    with memory_disk(tmp_path, "1M") as disk, place(tmp_path / "home", running=False) as here:
        done = here.run(
            "run", "-q", "--name", "full", "--drain", "0.1", "--", "sh", "-c", "yes | head -c 20000000; exit 6",
            LIVELOG_SPOOL_DIR=str(disk),
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (6, b"y\n" * 10_000_000)
        assert b"No space left on device" in done.stderr


# A server of its own.


def test_without_a_server_there_is_one_for_the_command(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        with here.started(
            "run", "--", "sh", "-c", "echo hello; read line; echo $line", stdin=subprocess.PIPE, LIVELOG_SERVER=""
        ) as process:
            assert process.stderr is not None and process.stdin is not None and process.stdout is not None
            (link,) = links(process.stderr.readline())
            assert link.startswith("http://127.0.0.1:")
            assert process.stdout.readline() == b"hello\n"
            with here.started("tail", "--wait", "10", "--give-up", "2", link) as reader:
                assert reader.stdout is not None
                assert reader.stdout.readline() == b"hello\n"
                process.stdin.write(b"bye\n")
                process.stdin.close()
                assert reader.stdout.read() == b"bye\n"
                assert reader.wait(TIMEOUT) == 0
            assert process.wait(TIMEOUT) == 0
        assert here.spools == []


def test_own_server_takes_no_module_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secrets.py").write_text("raise SystemExit")
    command = (COMMAND[0], "-P", *COMMAND[1:], "run", "--", "true")
    with place(tmp_path / "home", running=False) as here:
        environment = here.environment(LIVELOG_SERVER="")
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60)
        assert len(links(done.stderr)) == 2, done.stderr


def test_own_server_stays_for_as_long_as_it_is_asked_to(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        done = here.run("run", "--keep", "5", "--", "echo", "hello", LIVELOG_SERVER="", TMPDIR=str(tmp_path))
        link = links(done.stderr)[-1]
        assert b"".join(Reader(link)) == b"hello\n"  # at once: the five seconds have begun
        wait_until(lambda: not list(tmp_path.glob("livelog-*")), "its directory goes with it")
        assert here.run("tail", "--give-up", "0.1", link).returncode == 6


@pytest.mark.parametrize("reason", ["no such library", "two\nlines"])
def test_own_server_that_cannot_start_is_told_and_nothing_goes_elsewhere(
    here: Place, tmp_path: Path, reason: str
) -> None:
    """Not even to a server that happens to listen on the default port."""
    (tmp_path / "httptools.py").write_text(f"raise ImportError({reason!r})")
    port = here.server.rpartition(":")[2]
    before = here.get(f"/logs/{TOKEN}")
    done = here.run(
        "run",
        "--",
        "sh",
        "-c",
        "echo hello; exit 3",
        LIVELOG_SERVER="",
        PYTHONPATH=str(tmp_path),
        LIVELOG_PUT_PORT=port,
    )
    assert (done.returncode, done.stdout) == (3, b"hello\n")
    reason = reason.replace("\n", " ")
    assert f": {reason}; the command " in done.stderr.decode()
    assert b"livelog push" not in done.stderr
    assert here.get(f"/logs/{TOKEN}") == before
    assert here.spools == []


def test_own_server_that_takes_long_to_start_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    (tmp_path / "httptools.py").write_text(f"open({str(tmp_path / 'go')!r}).read(); raise ImportError('no more')")
    with (
        place(tmp_path / "home", running=False) as here,
        here.started(
            "run", "--", "sh", "-c", "echo hello; read line; echo $line", stdin=subprocess.PIPE,
            LIVELOG_SERVER="", PYTHONPATH=str(tmp_path),
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"hello\n"
        assert b"livelog: readers: http://127.0.0.1:" in process.stderr.readline()
        process.stderr.readline()
        (tmp_path / "go").write_text("")
        said = b"livelog: the log server of this command has failed: no more; the command goes on without a log\n"
        assert process.stderr.readline() == said
        output, errors = process.communicate(b"bye\n", timeout=TIMEOUT)
        assert (process.returncode, output, errors) == (0, b"bye\n", b"")
        assert here.spools == []


def test_own_server_that_is_killed_is_told_and_not_waited_for(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        script = "echo $PPID; read line; echo $line"
        with here.started(
            "run",
            "--drain",
            "60",
            "--",
            "sh",
            "-c",
            script,
            stdin=subprocess.PIPE,
            LIVELOG_SERVER="",
            TMPDIR=str(tmp_path),
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            parent = int(process.stdout.readline())
            (link,) = links(process.stderr.readline())
            assert here.run("tail", "--no-follow", "--wait", "10", link).returncode == 0
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            (server,) = [one for one in children if b"livelog.embedded" in Path(f"/proc/{one}/cmdline").read_bytes()]
            os.kill(int(server), signal.SIGKILL)
            process.stderr.readline()
            assert b"has failed: it has ended without a word" in process.stderr.readline()
            output, errors = process.communicate(b"bye\n", timeout=TIMEOUT)
            assert (process.returncode, output, errors) == (0, b"bye\n", b"")
        assert here.spools == []


SHARED = """
ip link set lo up; ip link add one type veth peer name two; ip addr add 10.9.8.7/24 dev one; ip link set one up
mkfifo go
{run} --share -- sh -c 'echo shared; read x <go' 2>errors & until grep -q browser: errors; do sleep 0.05; done
link=$(sed -n 's/.*readers: //p' errors); echo $link
{tail} --no-follow --wait 10 $link
cat /proc/net/tcp /proc/net/tcp6 | awk '$4 == "0A" {{ split($2, at, ":"); print at[1] }}' | sort
echo >go; wait
"""


@pytest.mark.needs("root", "unshare", "ip")
def test_own_server_that_is_shared_lets_readers_of_other_machines_in_and_no_producers(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        script = SHARED.format(run=" ".join((*COMMAND, "run")), tail=" ".join((*COMMAND, "tail")))
        done = subprocess.run(
            ["unshare", "-n", "sh", "-c", script], cwd=tmp_path, env=here.environment(LIVELOG_SERVER=""),
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("http://10.9.8.7:")] != [], done
    assert lines.count("shared") == 2  # of the command, and of the reader
    # As /proc has them: every address, IPv6 and IPv4, for readers; 127.0.0.1 for producers.
    assert [line for line in lines if len(line) in (8, 32)] == ["0" * 32, "0100007F"]


@pytest.mark.needs("root", "unshare")
@pytest.mark.parametrize("share", [["--share"], []])
def test_machine_without_any_network_runs_the_command_without_a_log(tmp_path: Path, share: list[str]) -> None:
    with place(tmp_path / "home", running=False) as here:
        done = subprocess.run(
            ["unshare", "-n", *COMMAND, "run", *share, "--", "sh", "-c", "echo hello; exit 3"],
            env=here.environment(LIVELOG_SERVER=""), capture_output=True, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (3, b"hello\n")
        said = b"livelog: no log server could be started here: Network is unreachable; the command runs without a log\n"
        assert done.stderr == said
        assert here.spools == []


@pytest.mark.needs("root", "unshare")
def test_own_server_stays_for_as_long_as_it_is_asked_to_also_in_a_container(tmp_path: Path) -> None:
    """Where all processes end with the first one."""
    with place(tmp_path / "home", running=False) as here:
        done = subprocess.run(
            ["unshare", "--pid", "--fork", "--mount-proc", *COMMAND, "run", "--keep", "0.5", "--", "echo", "hello"],
            env=here.environment(LIVELOG_SERVER="", TMPDIR=str(tmp_path)), capture_output=True, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stdout, len(links(done.stderr))) == (0, b"hello\n", 2)
    assert list(tmp_path.glob("livelog-*")) == []  # it has ended by itself


@pytest.mark.long
def test_nothing_is_left_behind_by_many_short_runs(here: Place) -> None:
    for number in range(25):
        assert here.run("run", "-q", "--name", f"short/{number}", "--", "true").returncode == 0
    assert here.spools == []
    assert here.process is not None
    sockets = [link for link in Path(f"/proc/{here.process.pid}/fd").iterdir() if "socket" in os.readlink(link)]
    assert len(sockets) < 25
