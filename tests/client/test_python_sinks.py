"""A log as the file that Python's libraries write to, and that its subprocesses and forked processes have, too.

Categories: text · libraries that print and log · configuration of `logging` · descriptors and subprocesses · forks · the
end of a block · `livelog.run`.
"""

import contextlib
import io
import logging
import logging.config
import multiprocessing
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import loguru
import pytest
import rich.console
import structlog
import tqdm  # type: ignore[import-untyped]  # its stubs would be another package

import livelog
from livelog.client.transport.wire import Wire
from tests.harness import TIMEOUT
from tests.integration.certificates import Authority
from tests.sample import one_of

from .place import Place, place, wait_until

FORK_WARNING = "This process .* is multi-threaded, use of fork"
"""Python 3.12 and later warn of forks beside threads, which a log has. Here what is done is to fork nevertheless."""

pytestmark = pytest.mark.filterwarnings(f"ignore:{FORK_WARNING}:DeprecationWarning")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        yield made


def run_program(here: Place, program: str, code: int = 0, errors: bytes = b"") -> bytes:
    """Have Python run a program, which must say nothing else on stderr. Returns what is on stdout."""
    command = [
        sys.executable,
        "-W",
        "ignore:This process (pid=:DeprecationWarning",
        "-c",
        program,
    ]  # see `FORK_WARNING`
    done = subprocess.run(command, env=here.environment(), capture_output=True, timeout=TIMEOUT)
    assert (done.returncode, done.stderr) == (code, errors)
    return done.stdout


# Text.


def test_text_file_is_utf_8_goes_out_at_once_and_completes(here: Place) -> None:
    with livelog.open("text", title="as text", settings=here.settings()) as log:
        print("grüße", "\udcff", file=log)
        here.wait_for("text", len("grüße \\udcff\n".encode()), "live")
        assert log.write("a\r\nb") == 4
        assert log.link == log.log.link != ""
        assert (log.encoding, log.isatty(), log.readable(), log.seekable()) == ("utf-8", False, False, False)
        log.buffer.write(b"\xff")
        log.log.exit_code = 3
    assert here.log("text") == "grüße \\udcff\na\r\nb".encode() + b"\xff"
    known = here.status("text")
    assert (known["state"], known["title"], known["exit_code"]) == ("complete", "as text", 3)
    with pytest.raises(ValueError, match="closed file"):
        log.write("more")


def test_text_file_whose_block_fails_is_aborted(here: Place) -> None:
    with pytest.raises(ZeroDivisionError), livelog.open("text/raised", settings=here.settings()) as log:
        log.write("so far")
        raise ZeroDivisionError
    assert (here.status("text/raised")["state"], here.log("text/raised")) == ("aborted", b"so far")


def test_text_file_that_nobody_closes_is_aborted(here: Place) -> None:
    run_program(here, "import livelog; log = livelog.open('text/left'); print('x', file=log); log.link; del log")
    here.wait_for("text/left", 2, "aborted")


def test_binary_file_is_opened_too_and_takes_text(here: Place) -> None:
    with livelog.open("bytes", "wb", settings=here.settings()) as log:
        assert isinstance(log, livelog.Writer)
        assert (log.write(b"one\n"), log.write("zwei ü\n")) == (4, 8)
    assert here.log("bytes") == "one\nzwei ü\n".encode()
    for mode in ("r", "a", "x", "w+", "rb", ""):
        with pytest.raises(ValueError, match="a log is opened with mode"):
            livelog.open("bytes", mode, settings=here.settings())  # type: ignore[call-overload]


def test_threads_that_print_do_not_mix_their_writes(here: Place) -> None:
    with livelog.open("threads", settings=here.settings()) as log:
        threads = [
            threading.Thread(target=lambda word: [log.write(f"{word * 50}\n") for _ in range(500)], args=(word,))
            for word in "abcd"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(here.log("threads").split()) == sorted([word * 50 for word in (b"a", b"b", b"c", b"d")] * 500)


# Libraries.


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_redirected_stdout_and_loguru_write_to_it(here: Place, mode: str) -> None:
    name = f"loguru/{mode}"
    with livelog.open(name, mode, settings=here.settings()) as log:  # type: ignore[call-overload]
        with contextlib.redirect_stdout(log):
            print("printed")
        number = loguru.logger.add(log, format="{level} {message}", colorize=False)
        loguru.logger.info("logged ü")
        loguru.logger.remove(number)
    assert here.log(name) == "printed\nINFO logged ü\n".encode()
    assert here.status(name)["state"] == "complete"


def test_structlog_writes_to_it_as_text_and_as_bytes(here: Place) -> None:
    with livelog.open("structlog", settings=here.settings()) as log:
        structlog.wrap_logger(structlog.PrintLogger(log), processors=[structlog.processors.JSONRenderer()]).info("one")
        render = structlog.processors.JSONRenderer(serializer=lambda value, **_: repr(value).encode())
        structlog.wrap_logger(structlog.BytesLogger(log.log), processors=[render]).info("two")
    assert here.log("structlog") == b"{\"event\": \"one\"}\n{'event': 'two'}\n"


def test_tqdm_and_rich_draw_into_it(here: Place) -> None:
    with livelog.open("drawn", settings=here.settings()) as log:
        for _ in tqdm.tqdm(range(3), file=log, mininterval=0):
            pass
        console = rich.console.Console(file=log, width=40)
        console.print("[bold]plain[/bold]")
        rich.console.Console(file=log, width=40, force_terminal=True, color_system="standard").print("[red]red[/red]")
    text = here.log("drawn")
    assert text.startswith(b"\r  0%|")
    assert b"3/3" in text
    assert text.endswith(b"\nplain\n\x1b[31mred\x1b[0m\n")


# Configuration of `logging`.


def test_handler_is_made_by_a_configuration(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in here.environment().items():
        monkeypatch.setenv(name, value)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"short": {"format": "%(levelname)s %(message)s"}},
            "handlers": {
                "log": {
                    "class": "livelog.Handler", "name": "configured", "title": "a title",
                    "labels": {"a": "b"}, "level": "INFO", "formatter": "short",
                },
            },
            "loggers": {"configured": {"handlers": ["log"], "level": "DEBUG", "propagate": False}},
        }
    )  # fmt: skip
    logger = logging.getLogger("configured")
    logger.debug("below the level")
    logger.info("hello")
    [handler] = logger.handlers
    logger.removeHandler(handler)
    handler.close()
    assert here.log("configured") == b"INFO hello\n"
    known = here.status("configured")
    assert (known["state"], known["title"], known["labels"]) == ("complete", "a title", {"a": "b"})


def test_handler_takes_a_writer_or_what_makes_one(here: Place) -> None:
    with livelog.Writer("either", settings=here.settings()) as log, pytest.raises(TypeError, match="not both"):
        livelog.Handler(log, name="either")


def test_handler_whose_log_has_ended_says_so_once(here: Place) -> None:
    program = (
        "import livelog, logging\n"
        "log = livelog.Writer('over')\n"
        "logging.getLogger().addHandler(livelog.Handler(log))\n"
        "log.close()\n"
        "for _ in range(3): logging.error('lost')\n"
    )
    run_program(
        here,
        program,
        errors=b"livelog: over: this log has ended: nothing can be appended: records are lost from here on\n",
    )


# Descriptors and subprocesses.


def test_subprocesses_write_to_it_in_their_order(here: Place) -> None:
    with livelog.open("subprocess", settings=here.settings()) as log:
        for number in range(20):
            print(f"before {number}", file=log)
            subprocess.run(
                ["sh", "-c", f"echo out {number}; echo err {number} >&2"], stdout=log, stderr=log, check=True
            )
        os.write(log.fileno(), b"by its descriptor\n")
    expected = "".join(f"before {number}\nout {number}\nerr {number}\n" for number in range(20))
    assert here.log("subprocess").decode() == expected + "by its descriptor\n"


def test_what_a_subprocess_writes_is_live(here: Place) -> None:
    with livelog.Writer("subprocess/live", settings=here.settings()) as log:
        child = subprocess.Popen(["sh", "-c", "echo first; read line; echo $line"], stdin=subprocess.PIPE, stdout=log)
        here.wait_for("subprocess/live", 6, "live")
        child.communicate(b"second\n", timeout=TIMEOUT)
    assert here.log("subprocess/live") == b"first\nsecond\n"


def test_a_subprocess_that_is_left_running_does_not_hold_the_end_up(here: Place) -> None:
    with livelog.Writer("subprocess/left", settings=here.settings()) as log:
        child = subprocess.Popen(
            ["sh", "-c", "echo said; read line; echo late; echo $? >&2"],
            stdin=subprocess.PIPE, stdout=log, stderr=subprocess.PIPE,
        )  # fmt: skip
        here.wait_for("subprocess/left", 5, "live")
    assert (here.log("subprocess/left"), here.status("subprocess/left")["state"]) == (b"said\n", "complete")
    _, errors = child.communicate(b"\n", timeout=TIMEOUT)
    assert errors != b"0\n", "its pipe is broken"


def test_large_output_of_a_subprocess_arrives_whole(here: Place) -> None:
    with livelog.Writer("subprocess/large", settings=here.settings()) as log:
        subprocess.run(["seq", "300000"], stdout=log, check=True)
    assert here.log("subprocess/large") == b"".join(b"%d\n" % number for number in range(1, 300_001))


# Forks.


def _work(number: int) -> None:
    logging.getLogger("workers").warning("worker %d", number)


def test_forked_workers_log_to_the_same_log(here: Place) -> None:
    handler = livelog.Handler(livelog.Writer("workers", settings=here.settings()))
    logger = logging.getLogger("workers")
    logger.propagate = False
    logger.addHandler(handler)
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(_work, range(100))
    logger.warning("the end")
    logger.removeHandler(handler)
    handler.close()
    *of_workers, last = here.log("workers").splitlines()
    assert sorted(of_workers) == sorted(b"worker %d" % number for number in range(100))
    assert last == b"the end"


FORK = """
import livelog, os, sys, time
log = livelog.Writer('forked/{name}')
log.write(b'begun\\n')
assert log.link
if os.fork() == 0:
    os.setsid()
    {child}
{parent}
"""


def test_log_of_a_killed_writer_is_not_live_while_its_fork_goes_on(here: Place) -> None:
    program = FORK.format(name="killed", child="sys.stdin.read(); os._exit(0)", parent="os.kill(os.getpid(), 9)")
    with subprocess.Popen([sys.executable, "-c", program], env=here.environment(), stdin=subprocess.PIPE) as child:
        assert child.wait(TIMEOUT) == -signal.SIGKILL
        wait_until(lambda: here.status("forked/killed")["state"] == "interrupted", "the server has noticed")
        assert here.log("forked/killed") == b"begun\n"


def test_fork_that_ends_does_not_end_the_log_and_what_it_wrote_is_there(here: Place) -> None:
    child = "log.write(b'child\\n'); sys.exit(3)"
    program = FORK.format(name="ends", child=child, parent="os.wait(); log.write(b'parent\\n'); log.close()")
    run_program(here, program)
    assert (here.log("forked/ends"), here.status("forked/ends")["state"]) == (b"begun\nchild\nparent\n", "complete")


def test_fork_that_closes_the_log_leaves_it_to_the_other_process(here: Place) -> None:
    child = "log.close(); os._exit(0)"
    run_program(here, FORK.format(name="closes", child=child, parent="os.wait(); log.write(b'on\\n'); log.close()"))
    assert (here.log("forked/closes"), here.status("forked/closes")["state"]) == (b"begun\non\n", "complete")


def test_fork_that_writes_to_a_log_that_has_ended_is_told(here: Place) -> None:
    child = (
        "sys.stdin.read(1)\n"
        "    try: log.write(b'late')\n"
        "    except ValueError as error: print(error)\n"
        "    sys.stdout.flush(); os._exit(0)"
    )
    parent = "log.close(); print('closed', flush=True); os.wait()"
    with subprocess.Popen(
        [sys.executable, "-c", FORK.format(name="late", child=child, parent=parent)],
        env=here.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"closed\n"
        output, _ = process.communicate(b"x", timeout=TIMEOUT)
        assert (process.returncode, output) == (0, b"this log has ended: nothing can be appended\n")
    assert here.log("forked/late") == b"begun\n"


def test_fork_of_a_fork_and_subprocesses_of_a_fork_write_too(here: Place) -> None:
    child = (
        "import subprocess; subprocess.run(['echo', 'sub'], stdout=log)\n"
        "    if os.fork() == 0: log.write(b'grandchild\\n'); os._exit(0)\n"
        "    os.wait(); os._exit(0)"
    )
    run_program(here, FORK.format(name="twice", child=child, parent="os.wait(); log.close()"))
    assert here.log("forked/twice") == b"begun\nsub\ngrandchild\n"


SILENT = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("earlier", [0, 1])
def test_connection_that_was_being_made_during_a_fork_is_not_used(tmp_path: Path, earlier: int) -> None:
    # The server is in no hurry with its TLS handshake, so that the fork comes while the connection, or the one that
    # replaces it, is being made.
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("localhost"))
    errors: list[Exception] = []

    def ask() -> None:
        try:
            with Wire(f"https://localhost:{listener.getsockname()[1]}", str(authority.certificate)) as wire:
                for _ in range(earlier + 1):
                    wire.head("HEAD", "/log", {})
                    wire.answer()
        except OSError as error:
            errors.append(error)

    with socket.create_server(("localhost", 0)) as listener:
        thread = threading.Thread(target=ask)
        thread.start()
        for _ in range(earlier):
            with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(SILENT)
        accepted = listener.accept()[0]
        release, held = os.pipe()
        if (child := os.fork()) == 0:
            os.close(held)
            os.read(release, 1)
            os._exit(0)
        with context.wrap_socket(accepted, server_side=True) as connection:
            connection.settimeout(TIMEOUT)
            with contextlib.suppress(ssl.SSLError, ConnectionResetError):  # it ends without a word
                assert connection.recv(65536) == b"", "though the other process has it still"
        thread.join(TIMEOUT)
        os.close(held)
        os.close(release)
        os.waitpid(child, 0)
    assert [str(error) for error in errors] == ["another process has this connection, too"]


# The end of a block.


@pytest.mark.parametrize(
    ("code", "told", "exits"),
    one_of(2, [("", 0, 0), ("0", 0, 0), ("3", 3, 3), ("'why'", 1, 1), ("256", 0, 0), ("-1", 255, 255)]),
)
@pytest.mark.parametrize("kind", ["Writer", "open"])
def test_exit_in_the_block_is_how_the_job_ended(here: Place, kind: str, code: str, told: int, exits: int) -> None:
    name = f"exit/{kind}/{told}{len(code)}"
    program = f"import livelog, sys\nwith livelog.{kind}('{name}') as log:\n log.write('x'); sys.exit({code})"
    run_program(here, program, exits, b"why\n" if "why" in code else b"")
    assert (here.status(name)["state"], here.status(name)["exit_code"]) == ("complete", told)


def test_exit_code_that_was_set_counts_and_interrupts_abort(here: Place) -> None:
    with pytest.raises(SystemExit), livelog.Writer("exit/set", settings=here.settings()) as log:
        log.exit_code = 7
        sys.exit(1)
    assert here.status("exit/set")["exit_code"] == 7
    with pytest.raises(KeyboardInterrupt), livelog.Writer("exit/interrupt", settings=here.settings()) as log:
        log.write(b"x")
        raise KeyboardInterrupt
    assert here.status("exit/interrupt")["state"] == "aborted"


# `livelog.run`.


def test_run_takes_what_subprocess_takes(here: Place, tmp_path: Path) -> None:
    settings = here.settings()
    livelog.run(
        ["sh", "-c", "pwd; echo $A; cat"], "run/all", cwd=tmp_path, env={"A": "b"}, input="typed\n", settings=settings
    )
    assert here.log("run/all") == f"{tmp_path}\nb\ntyped\n".encode()
    large = b"x" * 300_000
    assert livelog.run([Path("/bin/cat")], "run/large", input=large, settings=settings).returncode == 0
    assert here.log("run/large") == large
    livelog.run(["true"], "run/unread", input=large, settings=settings)  # a broken pipe is nobody's business
    with pytest.raises(subprocess.CalledProcessError):
        livelog.run(["sh", "-c", "exit 3"], "run/check", check=True, settings=settings)
    assert (here.status("run/check")["state"], here.status("run/check")["exit_code"]) == ("complete", 3)


def test_run_that_takes_too_long_is_killed_and_its_log_aborted(here: Place) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        livelog.run(["sh", "-c", "echo begun; exec sleep 100"], "run/timeout", timeout=1.5, settings=here.settings())
    assert (here.log("run/timeout"), here.status("run/timeout")["state"]) == (b"begun\n", "aborted")


def test_run_does_not_wait_for_what_a_command_leaves_running(here: Place) -> None:
    done = livelog.run(["sh", "-c", "sleep 100 & echo said; echo $!"], "run/left", settings=here.settings())
    said, pid = here.log("run/left").split()
    os.kill(int(pid), signal.SIGKILL)
    assert (done.returncode, said) == (0, b"said")


def test_run_waits_for_a_command_that_has_closed_its_output(here: Place) -> None:
    done = livelog.run(
        ["sh", "-c", "echo said; exec >&- 2>&-; sleep 0.2; exit 4"], "run/closed", settings=here.settings()
    )
    assert (done.returncode, here.log("run/closed")) == (4, b"said\n")


def test_run_shows_the_output_too(here: Place, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    livelog.run(["printf", "shown \\377\\n"], "run/shown", show=True, settings=here.settings())
    assert capfdbinary.readouterr().out == b"shown \xff\n" == here.log("run/shown")
    with contextlib.redirect_stdout(io.StringIO()) as notebook:
        livelog.run(["printf", "ü\\n"], "run/shown", show=True, settings=here.settings())
    assert notebook.getvalue() == "ü\n"
