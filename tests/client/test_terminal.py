"""`livelog run` and `livelog tail` in front of a person: a terminal that the command sees as its own.

Each session is held against the same one without livelog: what was shown is the same, byte for byte, and is the log.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import termios
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.harness import TIMEOUT
from tests.sample import one_of, sample

from .place import COMMAND, Place, place, wait_until
from .terminals import Terminal, terminal

RUN = (*COMMAND, "run", "-q", "--name")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        yield made


def sessions(here: Place, name: str, command: Sequence[str]) -> Iterator[Terminal]:
    """A terminal with the bare command, then one with it under `livelog run`."""
    for prefix in ((), (*RUN, name, "--")):
        with terminal((*prefix, *command), here.environment()) as made:
            yield made


def same(here: Place, name: str, shown: Sequence[bytes]) -> None:
    """What was shown with and without livelog is the same, and is the log."""
    bare, logged = shown
    assert bare == logged
    assert here.log(name) == logged
    assert here.status(name)["state"] == "complete"


@pytest.mark.parametrize(
    "script",
    [
        "test -t 0 && test -t 1 && test -t 2 && echo all",
        "stty size; stty -a",
        "printf 'a\\nb\\r\\nc\\033[31mred\\033[0m\\n'; ls --color=auto -C /",
        'for i in 1 2 3 4 5; do printf "\\r%d0%%" $i; done; echo',
        "echo to stderr >&2; echo to the terminal >/dev/tty",
        "seq 20000",
    ],
)
def test_command_sees_a_terminal_and_shows_the_same(here: Place, script: str) -> None:
    name = f"same/{zlib.crc32(script.encode())}"
    shown = []
    for one in sessions(here, name, ["sh", "-c", script]):
        assert one.wait_end() == 0
        shown.append(one.screen)
    same(here, name, shown)


def test_command_that_lets_go_of_its_terminal_for_a_while_has_not_lost_it(here: Place) -> None:
    script = "exec >/dev/null 2>&1 </dev/null; sleep 0.1; echo back >/dev/tty"
    with terminal((*RUN, "back", "--", "sh", "-c", script), here.environment()) as one:
        assert one.wait_end() == 0
        assert one.screen == b"back\r\n" == here.log("back")


def test_what_is_typed_arrives_and_is_echoed_once(here: Place) -> None:
    shown = []
    for one in sessions(here, "typed", ["sh", "-c", "printf 'name? '; read name; echo hello $name; cat"]):
        one.wait_for(b"name? ")
        one.type(b"livelogg\x7f\n")
        one.wait_for(b"hello livelog\r\n")
        one.type(b"line\n")
        one.wait_for(b"line\r\nline\r\n")
        one.type(b"\x04")
        assert one.wait_end() == 0
        shown.append(one.screen)
    same(here, "typed", shown)


def test_password_is_not_echoed_and_not_in_the_log(here: Place) -> None:
    shown = []
    program = "import getpass; getpass.getpass('password: '); print('thanks')"
    for one in sessions(here, "password", [sys.executable, "-c", program]):
        one.wait_for(b"password: ")
        one.type(b"hunter2\n")
        assert one.wait_end() == 0
        shown.append(one.screen)
    same(here, "password", shown)
    assert b"hunter2" not in here.log("password")


@pytest.mark.parametrize(("key", "number"), one_of(2, [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)]))
def test_keys_that_signal_reach_the_command_and_end_both(here: Place, key: bytes, number: signal.Signals) -> None:
    name, shown = f"key/{number.name}", []
    # Without an echo: the kernel may end the command before it has echoed the key.
    for one in sessions(here, name, ["sh", "-c", "stty -echo; ulimit -c 0; echo ready; exec sleep 60"]):
        one.wait_for(b"ready")
        one.type(key)
        assert one.wait_end() == -number
        shown.append(one.screen)
    same(here, name, shown)


def test_command_hears_of_another_window_size(here: Place) -> None:
    script = "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.02; done"
    shown = []
    for one in sessions(here, "resize", ["sh", "-c", script]):
        one.wait_for(b"ready")
        one.resize(41, 132)
        assert one.wait_end() == 0
        assert b"41 132" in one.screen
        shown.append(one.screen)
    same(here, "resize", shown)


def test_signal_to_livelog_is_passed_on_from_a_terminal_too(here: Place) -> None:
    with terminal((*RUN, "term", "--", "sh", "-c", "trap 'echo ending; exit 7' TERM; echo ready; while :; do sleep 0.02; done"),
                  here.environment()) as one:  # fmt: skip
        one.wait_for(b"ready")
        os.kill(one.pid, signal.SIGTERM)
        assert one.wait_end() == 7
        assert one.screen == b"ready\r\nending\r\n" == here.log("term")


def test_errors_that_go_elsewhere_still_do(here: Place) -> None:
    script = (
        f"{' '.join(RUN)} elsewhere -- sh -c 'test -t 1 && echo out; test -t 2 || echo err >&2' 2>{here.home}/errors"
    )
    with terminal(["sh", "-c", script], here.environment()) as one:
        assert one.wait_end() == 0
        assert one.screen == b"out\r\n"
    assert (here.home / "errors").read_bytes() == b"err\n"
    assert sorted(here.log("elsewhere").split()) == [b"err", b"out"]


def test_input_that_is_no_terminal_stays_the_commands(here: Place) -> None:
    script = f"echo from the pipe | {' '.join(RUN)} piped -- sh -c 'test -t 0 || cat; test -t 1 && echo terminal'"
    with terminal(["sh", "-c", script], here.environment()) as one:
        assert one.wait_end() == 0
        assert one.screen == b"from the pipe\r\nterminal\r\n" == here.log("piped")


def test_password_reaches_a_command_whose_input_is_a_pipe(here: Place) -> None:
    """It is typed at the controlling terminal, unseen."""
    program = "import getpass, sys; word = getpass.getpass('password: '); print(len(word), sys.stdin.read())"
    shown = []
    for prefix in ("", f"{' '.join(RUN)} typed/password -- "):
        script = f'echo data | {prefix}{sys.executable} -c "{program}"'
        with terminal(["sh", "-c", script], here.environment()) as one:
            one.wait_for(b"password: ")
            one.type(b"hunter2\n")
            assert one.wait_end() == 0
            shown.append(one.screen)
    same(here, "typed/password", shown)
    assert shown[0] == b"password: \r\n7 data\r\n\r\n"


@pytest.mark.needs("less")
def test_pager_at_the_end_of_a_pipe_has_the_keyboard(here: Place) -> None:
    script = f"seq 1000 | {' '.join(RUN)} pager -- less"
    with terminal(["sh", "-c", script], here.environment(), rows=10) as one:
        one.wait_for(b"\n9\r\n")
        one.type(b"G")
        one.wait_for(b"1000")
        one.type(b"q")
        assert one.wait_end() == 0


@pytest.mark.parametrize("stdin", sample(["echo data |", "</dev/null"], "echo data |"))
def test_interrupt_key_reaches_a_command_whose_input_is_no_terminal(here: Place, stdin: str) -> None:
    line, _, file = (stdin, "", "") if "|" in stdin else ("", "", stdin)
    script = f"{line} {' '.join(RUN)} typed/key -- sh -c 'echo ready; exec sleep 60' {file}; echo ended $?"
    with terminal(["bash", "-c", f"trap : INT; {script}"], here.environment()) as one:
        one.wait_for(b"ready")
        one.type(b"\x03")
        one.wait_for(b"ended 130")
        one.wait_end()


def test_job_that_a_shell_brings_to_the_foreground_has_the_keyboard(here: Place) -> None:
    """Of which no signal tells it, in bash; and its terminal is not set as the shell's is while a line is edited."""
    with terminal(["bash", "--norc", "-i"], here.environment(PS1="$ ")) as one:
        one.wait_for(b"$ ")
        one.type(f"{' '.join(RUN)} late -- sh -c 'echo started; cat' &\n".encode())
        one.wait_for(b"started\r")
        one.type(b"echo shell $((40 + 2))\n")
        one.wait_for(b"shell 42")
        one.type(b"fg\n")
        wait_until(one.is_raw, "livelog has the terminal")
        one.type(b"in front\n")
        one.wait_for(b"in front\r\nin front\r\n")
        one.type(b"\x04")
        wait_until(lambda: not one.is_raw(), "livelog has given it back")
        one.type(b"exit\n")
        assert one.wait_end() == 0


@pytest.mark.parametrize("shell", ["bash", pytest.param("zsh", marks=pytest.mark.needs("zsh"))])
def test_job_that_was_stopped_from_outside_goes_on_in_the_background_and_in_front(here: Place, shell: str) -> None:
    with terminal([shell, *(["--norc"] if shell == "bash" else ["-f"]), "-i"], here.environment(PS1="$ ")) as one:
        one.wait_for(b"$ ")
        one.type(f"{' '.join(RUN)} stopped -- sh -c 'echo $PPID >{here.home}/pid; echo started; cat'\n".encode())
        one.wait_for(b"started\r\n")
        wait_until(one.is_raw, "livelog has the terminal")
        os.kill(int((here.home / "pid").read_text()), signal.SIGSTOP)
        wait_until(lambda: not one.is_raw(), "the shell has it")
        one.type(b"bg\n")
        one.type(b"echo shell $((40 + 2))\n")
        one.wait_for(b"shell 42")
        one.type(b"fg\n")
        wait_until(one.is_raw, "livelog has it again")
        one.type(b"in front\n")
        one.wait_for(b"in front\r\nin front\r\n")
        one.type(b"\x04")
        wait_until(lambda: not one.is_raw(), "livelog has given it back")
        one.type(b"exit\n")
        assert one.wait_end() == 0


def test_shell_that_sets_the_terminal_after_it_gave_it_away_does_not_keep_it_so(here: Place) -> None:
    with terminal((*RUN, "settling", "--", "sh", "-c", "echo started; cat"), here.environment()) as one:
        before = termios.tcgetattr(one.fd)
        one.wait_for(b"started\r\n")
        wait_until(one.is_raw, "livelog has the terminal")
        termios.tcsetattr(one.fd, termios.TCSANOW, before)
        wait_until(one.is_raw, "livelog has it again")
        one.type(b"\x04")
        assert one.wait_end() == 0


LOOKS_FOR_KEYS = """
import os
from livelog.client.commands.outer_terminal import OuterTerminal
outer = OuterTerminal()
try:
    os.read(outer.keyboard, 1)
except BlockingIOError:
    print("no key,", "others wait" if os.get_blocking(0) and os.get_blocking(1) else "and others do not wait", flush=True)
"""


@pytest.mark.parametrize("stdin", ["", "</dev/null", pytest.param("setsid", marks=pytest.mark.needs("setsid"))])
def test_looking_for_keys_never_waits_and_the_shells_own_reading_does(here: Place, stdin: str) -> None:
    """A shell may take the terminal, and give it back in line mode, after `poll` has said that there are keys."""
    look = f"{sys.executable} -c '{LOOKS_FOR_KEYS}'"
    script = f"setsid -w {look}" if stdin == "setsid" else f"{look} {stdin}"
    with terminal(["sh", "-c", script], here.environment()) as one:
        one.wait_for(b"no key, others wait\r\n")
        assert one.wait_end() == 0


def test_job_comes_to_the_foreground_though_no_key_was_typed_and_no_signal_came(here: Place) -> None:
    """A script stops it, has it go on in the background, and brings it back: `fg` of a job that runs sends no signal."""
    pid, going = here.home / "keyless", here.home / "going"
    os.mkfifo(going)
    job = f"{' '.join(RUN)} keyless -- sh -c 'echo $PPID >{pid}; echo started; cat'"
    with terminal(["bash", "-c", f"set -m; {job}; stty sane; bg; read x <{going}; fg"], here.environment()) as one:
        one.wait_for(b"started\r\n")
        wait_until(one.is_raw, "livelog has the terminal")
        livelog = int(pid.read_text())
        os.kill(livelog, signal.SIGSTOP)
        wait_until(lambda: not one.is_raw(), "the shell has it")
        one.wait_for(b" &\r\n")  # what `bg` says
        wait_until(lambda: _is_asleep(livelog), "livelog has heard that it goes on")
        going.write_text("on\n")
        wait_until(one.is_raw, "livelog has it again")
        one.type(b"in front\n")
        one.wait_for(b"in front\r\nin front\r\n")
        one.type(b"\x04")
        assert one.wait_end() == 0


def _is_asleep(pid: int) -> bool:
    """Whether all threads of a process wait for something, and no signal is on its way to it."""
    statuses = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return all(
        re.search(r"^State:\tS", status, re.MULTILINE)
        and re.search(r"^SigPnd:\t0+\nShdPnd:\t0+$", status, re.MULTILINE)
        for status in statuses
    )


@pytest.mark.needs("setsid")
def test_terminal_of_another_session_is_left_alone(here: Place) -> None:
    script = f"setsid -w {' '.join(RUN)} session -- sh -c 'test -t 1 && echo started; sleep 0.3'; echo ended $?"
    with terminal(["bash", "-c", script], here.environment()) as one:
        one.wait_for(b"started")
        assert not one.is_raw()
        one.wait_for(b"ended 0")
        one.wait_end()


def test_shell_has_job_control_inside_and_outside(here: Place) -> None:
    """In the background livelog leaves the terminal alone; in front it passes on what is typed."""
    with terminal(["bash", "--norc", "-i"], here.environment(PS1="$ ")) as one:
        one.wait_for(b"$ ")
        one.type(f"{' '.join(RUN)} background -- cat &\n".encode())
        one.wait_for(b"[1]")
        one.type(b"echo shell $((40 + 2))\n")
        one.wait_for(b"shell 42")
        one.type(b"fg\n")
        wait_until(one.is_raw, "livelog has the terminal")
        one.type(b"in front\n")
        one.wait_for(b"in front\r\nin front\r\n")
        one.type(b"\x04")
        wait_until(lambda: not one.is_raw(), "livelog has given it back")
        one.type(b"exit\n")
        assert one.wait_end() == 0
    assert b"in front\r\nin front\r\n" in here.log("background")


def test_terminal_is_as_before_after_any_end(here: Place) -> None:
    for script in ("exit 3", "kill -9 $$", "stty raw -echo; exit 0"):
        bare = f"stty -g; {' '.join(RUN)} restored -- sh -c '{script}'; stty -g"
        with terminal(["sh", "-c", bare], here.environment()) as one:
            one.wait_end()
            before, *_, after = [line for line in one.screen.split() if line.count(b":") > 10]
            assert before == after


@pytest.mark.needs("tmux", "vim")
def test_full_screen_editor_works_in_a_real_terminal_emulator(here: Place, tmp_path: Path) -> None:
    """Every sequence is interpreted, by tmux; vim asks it questions, and gets the answers through livelog."""
    file = tmp_path / "file.txt"
    tmux = ["tmux", "-L", f"livelog-{os.getpid()}", "-f", "/dev/null"]
    command = f"{' '.join(RUN)} vim -- vim -u NONE -n {file}"
    environment = here.environment(TERM="xterm-256color", LANG="C.UTF-8")
    subprocess.run([*tmux, "new-session", "-d", "-x", "90", "-y", "20", command], env=environment, check=True)
    try:

        def screen() -> str:
            done = subprocess.run([*tmux, "capture-pane", "-p"], env=environment, capture_output=True, text=True)
            return done.stdout

        wait_until(lambda: "file.txt" in screen(), "vim shows its file")
        subprocess.run(
            [*tmux, "send-keys", "ihello from vim", "Escape", ":set columns?", "Enter"], env=environment, check=True
        )
        wait_until(lambda: "columns=90" in screen(), "vim knows the size")
        subprocess.run([*tmux, "resize-window", "-x", "70", "-y", "22"], env=environment, check=True)

        def columns() -> bool:
            # It may read this before it hears of the new size: then it is asked again.
            subprocess.run([*tmux, "send-keys", ":set columns?", "Enter"], env=environment, check=True)
            return "columns=70" in screen()

        wait_until(columns, "vim knows the new size")
        subprocess.run([*tmux, "send-keys", ":wq", "Enter"], env=environment, check=True)
        wait_until(lambda: file.exists() and file.read_text() == "hello from vim\n", "vim has written")
        here.wait_for("vim", 1, "complete")
    finally:
        subprocess.run([*tmux, "kill-server"], env=environment, capture_output=True)
    assert b"hello from vim" in here.log("vim")


# `livelog tail`.

HOSTILE = (
    b'plain \x1b[1;31mred\x1b[0m\n\x1b]0;title\x07\x1b[2J\x1b[H\x1b]52;c;aGk=\x07\x1b[6n\x1bP$q"p\x1b\\'
    b"\x1b[?1049h\x9b31m\xc2\x9b2J\x0e\x07end\xe2\x82\xac\n"
)


@pytest.fixture(scope="module")
def hostile(here: Place) -> str:
    assert here.run("push", "-q", "--name", "hostile", data=HOSTILE).returncode == 0
    return "hostile"


def test_on_a_terminal_a_log_can_only_colour_and_change_its_own_line(here: Place, hostile: str) -> None:
    with terminal([*COMMAND, "tail", hostile], here.environment()) as one:
        assert one.wait_end() == 0
        assert one.screen == "plain \x1b[1;31mred\x1b[0m\r\n\x1b[2K\x1b[1G\ufffd31m2Jend€\r\n\x1b[0m".encode()


def test_raw_and_pipes_get_every_byte(here: Place, hostile: str) -> None:
    assert here.run("tail", hostile).stdout == HOSTILE
    with terminal([*COMMAND, "tail", "--raw", hostile], here.environment()) as one:
        assert one.wait_end() == 0
        assert one.screen == HOSTILE.replace(b"\n", b"\r\n")


def test_interrupt_ends_tail_with_130_and_without_a_traceback(here: Place) -> None:
    with here.started(
        "run", "-q", "--name", "endless", "--", "sh", "-c", "echo begun; read x", stdin=subprocess.PIPE
    ) as job:
        here.wait_for("endless", 6)
        with terminal([*COMMAND, "tail", "endless"], here.environment()) as one:
            one.wait_for(b"begun\r\n")
            one.type(b"\x03")
            assert one.wait_end() == 130
            assert one.screen == b"begun\r\n^C"
        assert job.stdin is not None
        job.stdin.close()
        job.wait(TIMEOUT)


def test_push_shows_progress_on_a_terminal_only(here: Place, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 30_000_000)
    assert here.process is not None
    here.process.send_signal(signal.SIGSTOP)
    try:
        with terminal([*COMMAND, "push", "--name", "progress", str(file)], here.environment()) as one:
            one.wait_for(b" left")
            here.process.send_signal(signal.SIGCONT)
            assert one.wait_end() == 0
            assert re.search(
                rb"\r[0-9.]+ [KMG]?B  [0-9.]+ [KMG]?B/s  of 30 MB  [0-9]+:[0-9]{2} left\x1b\[K", one.screen
            )
            assert one.screen.count(b"sent 30 MB in ") == 1
    finally:
        here.process.send_signal(signal.SIGCONT)
    done = here.run("push", "--name", "progress/none", str(file))
    assert b"\r" not in done.stderr


def test_shell_completes_commands_options_and_names(here: Place) -> None:
    assert here.run("push", "-q", "--name", "nightly/linux", data=b"x").returncode == 0
    script = (
        f'livelog() {{ {" ".join(COMMAND)} "$@"; }}; eval "$(livelog completion bash)";'
        'try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _livelog; echo ${COMPREPLY[@]}; };'
        "try livelog ta; try livelog tail --no; try livelog status nightly/"
    )
    done = subprocess.run(["bash", "-c", script], env=here.environment(), capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("tail\n--no-follow\nnightly/linux\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_the_shell_understands(here: Place, shell: str) -> None:
    script = here.run("completion", shell).stdout
    for option in (b"--no-follow", b"--keep", b"--put-port"):
        assert option.removeprefix(b"--") in script
    if shutil.which(shell) is not None:
        assert subprocess.run([shell, "-n"], input=script).returncode == 0
