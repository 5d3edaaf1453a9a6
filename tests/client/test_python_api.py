"""`import livelog`: writers, readers, a logging handler and a subprocess helper, sync and asyncio.

Categories: writing · reading · asyncio · logging · subprocess · what is imported · nothing left behind.
"""

import asyncio
import io
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import livelog
from livelog.client.transport import sender
from livelog.errors import InvalidAttribute
from tests.harness import TIMEOUT, TOKEN

from .place import Place, Proxy, answering, lines, place, wait_until


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        yield made


def reader(here: Place, name: str, **options: object) -> livelog.Reader:
    return livelog.Reader(f"{here.readers}/log/{name}", token=TOKEN, **options)  # type: ignore[arg-type]


def run_program(here: Place, program: str) -> None:
    """Have Python run a program, which must end well and say nothing on stderr."""
    done = subprocess.run([sys.executable, "-c", program], env=here.environment(), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


# Writing.


def test_block_completes_the_log_and_tells_of_it(here: Place) -> None:
    with livelog.Writer("done", title="a title", labels={"branch": "main"}, settings=here.settings()) as log:
        assert log.link == here.run("link", "done", ACCESS_TOKEN="").stdout.decode().strip()
        assert log.write(b"hello\n") == 6
        log.exit_code = 7
    known = here.status("done")
    assert (log.delivered, log.spool, known["state"], known["size"]) == (True, None, "complete", 6)
    assert (known["title"], known["exit_code"], known["labels"]) == ("a title", 7, {"branch": "main"})
    with pytest.raises(ValueError, match="has ended"):
        log.write(b"more")


def test_exception_in_the_block_aborts_the_log_and_goes_on(here: Place) -> None:
    with pytest.raises(ZeroDivisionError), livelog.Writer("raised", settings=here.settings()) as log:
        log.write(b"so far\n")
        raise ZeroDivisionError
    assert here.status("raised")["state"] == "aborted"
    assert here.log("raised") == b"so far\n"


def test_writer_that_nobody_closes_is_aborted(here: Place) -> None:
    program = "import livelog, sys\nlog = livelog.Writer('forgotten'); log.write(b'x'); log.link; sys.exit()"
    run_program(here, program)
    here.wait_for("forgotten", 1, "aborted")


def test_file_interfaces_of_python_work_on_it(here: Place) -> None:
    with livelog.Writer("text", settings=here.settings()) as log:
        text = io.TextIOWrapper(log, encoding="utf-8", line_buffering=True)
        print("grüße", file=text)
        assert log.writable() and not log.readable() and not log.seekable()
        log.write(memoryview(bytearray(b"view\n")))
        text.detach()
    assert here.log("text") == "grüße\nview\n".encode()


@pytest.mark.parametrize("name", ["../up", "a//b", "x" * 256, "spaces in it"])
def test_name_that_is_none_is_an_error_at_once(here: Place, name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a log"):
        livelog.Writer(name, settings=here.settings())


def test_what_is_told_is_checked_at_once(here: Place) -> None:
    with pytest.raises(InvalidAttribute, match="Livelog-Title"):
        livelog.Writer("x", title="two\nlines", settings=here.settings())
    with pytest.raises(InvalidAttribute, match="Livelog-Label"):
        livelog.Writer("x", labels={"a": "two\nlines"}, settings=here.settings())


@pytest.mark.parametrize("durable", [True, False])
def test_server_that_comes_late_and_dies_twice_gets_everything(tmp_path: Path, durable: bool) -> None:
    with place(tmp_path / "home", durable=durable, running=False) as here:
        with livelog.Writer("late", settings=here.settings()) as log:
            log.write(lines(1000))
            assert log.link == ""
            for number in range(2):
                here.start()
                here.wait_for("late", 1)
                log.write(lines(1000, start=1000 * (number + 1)))
                here.kill()
            here.start()
        assert log.delivered
        assert here.log("late") == lines(3000)
        assert here.spools == []


def test_undelivered_log_is_told_kept_and_sent_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with place(tmp_path / "home", running=False) as here:
        with livelog.Writer("kept", drain=0.05, settings=here.settings()) as log:
            log.write(lines(10))
        assert not log.delivered
        assert log.spool is not None
        assert f"{log.spool}: livelog push sends them" in caplog.text
        assert (log.spool / f"{0:020}").read_bytes() == lines(10)
        here.start()
        assert here.run("push", "-q", str(log.spool)).returncode == 0
        assert here.log("kept") == lines(10)
        assert here.status("kept")["state"] == "complete"


def test_spool_of_a_process_that_was_killed_is_never_a_complete_log(tmp_path: Path) -> None:
    """What it had in memory is lost, and nobody knows how much that was."""
    program = "import livelog; log = livelog.Writer('killed'); log.write(b'x' * 5_000_000); log.write(b'y'); log._sender.join()"
    with place(tmp_path / "home", running=False) as here:
        process = subprocess.Popen([sys.executable, "-c", program], env=here.environment())
        while not (here.spools and (here.spools[0] / "upload.json").exists() and list(here.spools[0].glob("0*"))):
            assert process.poll() is None
            threading.Event().wait(0.02)
        while (here.spools[0] / f"{0:020}").stat().st_size < 5_000_000:
            threading.Event().wait(0.02)
        process.kill()
        process.wait()
        here.start()
        assert here.run("push", "-q", str(here.spools[0])).returncode == 0
        assert here.log("killed") == b"x" * 5_000_000
        assert here.status("killed")["state"] == "aborted"


def test_log_that_outlived_its_grace_is_aborted_and_the_rest_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However late the server's interim response is: without one all bytes are kept, and sent again as a log of their own.
    monkeypatch.setattr(sender, "FIRST_WORD", 60.0)
    with place(tmp_path / "home", variables={"LIVELOG_RESUME_GRACE": "0.2"}) as here, Proxy(here.server, []) as proxy:
        with livelog.Writer("outlived", drain=5, settings=here.settings(proxy.url)) as log:
            log.write(lines(10))
            while log.acknowledged < len(lines(10)):
                threading.Event().wait(0.02)
            assert here.process is not None
            proxy.hold()
            here.wait_for("outlived", 1, "aborted")
            proxy.let_go()
            log.write(b"too late\n")
        assert not log.delivered
        assert log.spool is not None
        assert b"".join(path.read_bytes() for path in sorted(log.spool.glob("0*"))).endswith(b"too late\n")
        assert here.log("outlived") == lines(10)


def test_exception_in_the_handler_of_a_signal_loses_nothing_at_the_end(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def enough(*_: object) -> None:
        raise Enough

    def interrupt() -> None:
        wait_until(lambda: log._spool.ended, "the log is being closed")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, enough)
    try:
        with place(tmp_path / "home", running=False) as here:
            log = livelog.Writer("interrupted", settings=here.settings())
            log.write(b"hello")
            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(Enough):
                log.close()
            thread.join()
            assert log.spool is not None
            assert (log.spool / f"{0:020}").read_bytes() == b"hello"
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_fork_that_closes_the_log_neither_writes_nor_ends_it(here: Place) -> None:
    program = """
import livelog, os, sys
log = livelog.Writer("forked")
log.write(b"before\\n")
if not (child := os.fork()):
    log.close()
    try:
        log.write(b"child\\n")
    except ValueError:
        sys.exit(5)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
log.write(b"after\\n")
log.close()
"""
    done = subprocess.run([sys.executable, "-c", program], env=here.environment(), timeout=60)
    assert done.returncode == 0
    assert here.log("forked") == b"before\nafter\n"
    assert here.status("forked")["state"] == "complete"


def test_program_with_thousands_of_open_files_has_its_log(here: Place) -> None:
    program = (
        "import livelog, os, resource\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))\n"
        "files = [os.open('/dev/null', os.O_RDONLY) for _ in range(1100)]\n"
        "with livelog.Writer('many/files') as log: log.write(b'hello\\n')\n"
        "assert log.delivered"
    )
    run_program(here, program)
    assert here.log("many/files") == b"hello\n"


# Reading.


def test_server_that_takes_the_connection_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livelog.client.transport.patient.TIMEOUT", 0.1)
    with answering(b"") as url, pytest.raises(livelog.GaveUp, match="does not answer"):
        list(livelog.Reader(f"{url}/log/silent", give_up=0.1))


@pytest.mark.parametrize("seed", range(4))
def test_reader_hands_out_each_byte_once_over_a_network_that_is_cut(here: Place, seed: int) -> None:
    chance = random.Random(seed)
    name, start = f"read/{seed}", chance.randrange(0, 5000)
    cuts = [chance.randrange(300, 40_000) for _ in range(8)]
    with Proxy(here.readers, cuts) as proxy, livelog.Writer(name, settings=here.settings()) as log:
        log.write(lines(1000))
        here.wait_for(name, 6000)
        got: list[bytes] = []
        follower = livelog.Reader(f"{proxy.url}/log/{name}", token=TOKEN, start=start)
        thread = threading.Thread(target=lambda: got.extend(follower))
        thread.start()
        for part in range(1000, 20_000, 500):
            log.write(lines(500, start=part))
        log.close()
        thread.join(TIMEOUT)
        assert not thread.is_alive()
        assert proxy.cut > 2, cuts
    assert b"".join(got) == lines(20_000)[start:], cuts
    assert (follower.offset, follower.state) == (len(lines(20_000)), "complete")


def test_lines_have_their_offsets_and_the_last_may_have_no_newline(here: Place) -> None:
    assert here.run("push", "-q", "--name", "lines", data=b"one\n\ntwo\r\nlast").returncode == 0
    assert list(reader(here, "lines").lines()) == [(0, b"one\n"), (4, b"\n"), (5, b"two\r\n"), (10, b"last")]
    assert [line.data for line in reader(here, "lines", tail=2).lines()] == [b"two\r\n", b"last"]
    assert [line.data for line in reader(here, "lines", start=2, stop=6).lines()] == [b"e\n", b"\n", b"t"]


def test_aborted_log_gives_all_bytes_and_then_an_error(here: Place) -> None:
    with livelog.Writer("aborted", settings=here.settings()) as log:
        log.write(b"one\ntwo")
        log.abort()
    got: list[bytes] = []
    with pytest.raises(livelog.LogAborted, match="after 7 bytes"):
        got.extend(line.data for line in reader(here, "aborted").lines())
    assert got == [b"one\n", b"two"]
    assert b"".join(reader(here, "aborted", stop=3)) == b"one"  # a part of it is whole


def test_empty_logs_are_told_apart(here: Place) -> None:
    for state in ("complete", "aborted"):
        with livelog.Writer(f"empty/{state}", settings=here.settings()) as log:
            assert log.link
            log.close() if state == "complete" else log.abort()
    assert list(reader(here, "empty/complete")) == []
    with pytest.raises(livelog.LogAborted):
        list(reader(here, "empty/aborted"))


def test_errors_say_what_is_wrong(here: Place) -> None:
    with pytest.raises(livelog.Refused) as missing:
        list(reader(here, "no-such-log"))
    assert missing.value.status == 404
    with pytest.raises(livelog.Refused) as denied:
        list(livelog.Reader(f"{here.readers}/log/wrong/x"))
    assert denied.value.status == 401
    with pytest.raises(livelog.GaveUp):
        list(livelog.Reader("http://127.0.0.1:9/log/x", give_up=0.1))
    with pytest.raises(livelog.Refused, match="not the link of a log"):
        livelog.Reader("log/x")


def test_close_from_another_thread_ends_a_silent_iteration(here: Place) -> None:
    with livelog.Writer("silent", settings=here.settings()) as log:
        log.write(b"x")
        here.wait_for("silent", 1)
        follower, seen = reader(here, "silent"), threading.Event()

        def follow() -> None:
            for _ in follower:
                seen.set()

        thread = threading.Thread(target=follow)
        thread.start()
        assert seen.wait(TIMEOUT)
        follower.close()
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def test_log_that_replaces_the_one_being_read_is_an_error(here: Place) -> None:
    for content in (b"old, and long\n", b"new\n"):
        with livelog.Writer("replaced", settings=here.settings()) as log:
            log.write(content)
        if content.startswith(b"old"):
            half = reader(here, "replaced", stop=3)
            assert b"".join(half) == b"old"
    rest = reader(here, "replaced")
    rest.resume(half.generation, half.offset)
    with pytest.raises(livelog.LogReplaced):
        list(rest)


# asyncio.


def test_asyncio_writes_and_reads(here: Place) -> None:
    async def both() -> list[bytes]:
        async with livelog.Writer("async", title="from asyncio", settings=here.settings()) as log:
            assert log.link
            log.write(b"one\n")
            follower = livelog.Reader(f"{here.readers}/log/async", token=TOKEN)
            got = []
            async for line in follower.alines():
                got.append(line.data)
                if len(got) == 1:
                    log.write(b"two\n")
                    await log.aclose()
            return got

    assert asyncio.run(both()) == [b"one\n", b"two\n"]


def test_asyncio_exception_aborts_and_cancelled_reader_lets_go(here: Place) -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with livelog.Writer("async/raised", settings=here.settings()) as log:
                log.write(b"x")
                assert log.link
                follower = livelog.Reader(f"{here.readers}/log/async/raised", token=TOKEN)

                async def read() -> None:
                    async for _ in follower:
                        begun.set()

                begun = asyncio.Event()
                task = asyncio.create_task(read())
                await asyncio.wait_for(begun.wait(), TIMEOUT)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                raise ZeroDivisionError

    asyncio.run(main())
    assert here.status("async/raised")["state"] == "aborted"


# logging and subprocess.


def test_logging_handler_sends_each_record_as_a_line(here: Place) -> None:
    handler = livelog.Handler(livelog.Writer("records", settings=here.settings()))
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("livelog.tests")
    logger.propagate = False
    logger.addHandler(handler)
    logger.warning("one %d", 1)
    logger.error("surrogate \udcff")
    logger.removeHandler(handler)
    handler.close()
    assert here.log("records") == b"WARNING one 1\nERROR surrogate \\udcff\n"
    assert here.status("records")["state"] == "complete"


def test_logging_shutdown_at_the_end_of_a_program_completes_the_log(here: Place) -> None:
    program = (
        "import livelog, logging\n"
        "logging.basicConfig(level=logging.INFO, format='%(message)s', handlers=[livelog.Handler(livelog.Writer('program'))])\n"
        "logging.info('hello')"
    )
    run_program(here, program)
    assert here.log("program") == b"hello\n"
    assert here.status("program")["state"] == "complete"


def test_program_whose_log_nobody_takes_ends_though_it_logs_everything(tmp_path: Path) -> None:
    program = (
        "import livelog, logging\n"
        "writer = livelog.Writer('lost', drain=0.5)\n"
        "logging.basicConfig(level=logging.DEBUG, format='%(message)s', handlers=[livelog.Handler(writer)])\n"
        "logging.info('hello')\n"
    )
    with answering(b"nonsense\r\n\r\n") as server:  # once it was sent all
        here = Place(tmp_path, (1, 1), durable=False)
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=here.environment(LIVELOG_SERVER=server),
            capture_output=True,
            timeout=TIMEOUT,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert [path.read_bytes() for path in here.spools[0].glob("[0-9]*")] == [b"hello\n"]


def test_run_sends_what_a_command_says_and_how_it_ended(here: Place) -> None:
    done = livelog.run(["sh", "-c", "echo out; echo err >&2; exit 3"], "ran", settings=here.settings())
    assert done.returncode == 3
    assert (here.log("ran"), here.status("ran")["exit_code"]) == (b"out\nerr\n", 3)
    killed = livelog.run(["sh", "-c", "kill -9 $$"], "ran/killed", settings=here.settings())
    assert killed.returncode == -signal.SIGKILL
    assert here.status("ran/killed")["exit_code"] == 137
    with pytest.raises(FileNotFoundError):
        livelog.run(["no-such-command"], "ran/not", settings=here.settings())
    assert here.status("ran/not")["state"] == "aborted"


# What is imported, and what is left behind.


def test_nothing_of_the_server_is_imported() -> None:
    program = (
        "import json, sys, livelog\n"
        "for name in dir(livelog): getattr(livelog, name)\n"
        "from livelog.client.commands import dispatch\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, timeout=60, check=True)
    loaded = json.loads(done.stdout)
    assert "livelog.client.api.writer" in loaded
    ours = {name for name in loaded if name.startswith("livelog.") and not name.startswith("livelog.client")}
    # With no other library, and without I/O, but for what starts processes.
    shared = {
        "errors",
        "names",
        "tokens",
        "log",
        "log.attributes",
        "config",
        "ansi",
        "own_process",
        "wire",
        "wire.problem",
    }
    assert ours <= {f"livelog.{name}" for name in shared}
    assert not [name for name in loaded if name.partition(".")[0] in ("httptools", "http_sf", "prometheus_client")]


@pytest.mark.long
@pytest.mark.parametrize("count", [200, 2000])
def test_thousands_of_short_logs_leave_nothing_behind(here: Place, count: int) -> None:
    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    before = held()
    for number in range(count):
        with livelog.Writer(f"short/{number % 10}", settings=here.settings()) as log:
            log.write(b"x\n")
        assert log.delivered
    # The threads of the last one, and of tests before, may be about to end.
    wait_until(lambda: all(now <= then for now, then in zip(held(), before, strict=True)), "nothing more is held")
    assert here.spools == []
