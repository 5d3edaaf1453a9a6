"""The installed command with the programs that people use: curl and wget.

Categories: the three terminals of the original's README · growing pipes · resuming · ranges · HTTP/1.0 · wget · what
the installation brings.
"""

import gzip
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sample import one_of, sample

from .conftest import ROOT
from .programs import TIMEOUT, TOKEN, Installed, Program, curl, program

pytestmark = pytest.mark.needs("curl", "wget")

Ports = tuple[int, int]


def put_url(ports: Ports) -> str:
    """Where a log is sent."""
    return f"http://localhost:{ports[0]}/log"


def get_url(ports: Ports) -> str:
    """Where it is read."""
    return f"http://localhost:{ports[1]}/log/{TOKEN}"


def run(*words: str, expected: int = 0) -> bytes:
    """What a program that ends by itself writes to stdout."""
    with program(*words) as process:
        process.finish()
        assert process.wait() == expected, process.errors
        return process.output


def send(ports: Ports, data: bytes) -> None:
    """Send a whole log."""
    with program(*curl("-fT", "-", put_url(ports))) as producer:
        producer.write(data)
        producer.finish()
        assert producer.wait() == 0, producer.errors


def wait_for_lines(reader: Program, *lines: bytes) -> None:
    """Wait until the reader has these lines, the last of them being the newest."""
    reader.wait_for(b"".join(line + b"\n" for line in lines))


def test_three_terminals_of_the_original(installed: Installed, ports: Ports) -> None:
    """Server, a loop that prints a line now and then into curl, and a reader that sees each at once."""
    with installed.server(ports, DEBUG="*") as server:
        loop = 'for ((i=1; i<=5; i++)); do echo "Log line $i"; read; done'
        with program("bash", "-c", f"({loop}) | curl -v -T - {put_url(ports)}") as pump:
            server.wait_for(b"log begun")
            # -N: curl keeps nothing back, as on a terminal.
            with program("curl", "-N", get_url(ports)) as reader:
                for number in range(1, 6):
                    wait_for_lines(reader, b"Log line %d" % number)
                    pump.write(b"\n")  # the loop goes on when the reader has the line
                assert reader.wait() == 0
                assert reader.output == b"".join(b"Log line %d\n" % number for number in range(1, 6))
            assert pump.wait() == 0
            assert b"100 Continue" in pump.errors
            assert b"201 Created" in pump.errors


def test_growing_pipe_is_followed_by_several_readers(installed: Installed, ports: Ports) -> None:
    """`curl -T -` with a pipe that grows; readers that come before, in the middle and behind the end."""
    with installed.server(ports):
        with (
            program(*curl("-N", f"{get_url(ports)}?wait=30")) as early,
            program(*curl("-T", "-", put_url(ports))) as producer,
        ):
            producer.write(b"one\n")
            wait_for_lines(early, b"one")
            with program(*curl("-N", get_url(ports))) as late:
                wait_for_lines(late, b"one")
                producer.write(b"two\n")
                for reader in (early, late):
                    wait_for_lines(reader, b"one", b"two")
                producer.finish()
                for reader in (producer, early, late):
                    assert reader.wait() == 0, reader.errors
                assert early.output == late.output == b"one\ntwo\n"
        assert run(*curl(get_url(ports))) == b"one\ntwo\n"


def test_killed_producer_is_an_error_for_curl(installed: Installed, ports: Ports) -> None:
    """Exit code 18: a transfer that is not whole. Over HTTP/1.0 56: a connection that was reset."""
    with installed.server(ports):
        with program(*curl("-T", "-", put_url(ports))) as producer:
            producer.write(b"half\n")
            with (
                program(*curl("-N", f"{get_url(ports)}?wait=30")) as one,
                program(*curl("-N", "-0", f"{get_url(ports)}?wait=30")) as two,
            ):
                for reader in (one, two):
                    wait_for_lines(reader, b"half")
                producer.process.kill()
                assert one.wait() == 18, one.errors
                assert two.wait() == 56, two.errors
        with program(*curl(get_url(ports))) as reader:
            assert reader.wait() == 18
            assert reader.output == b"half\n"
        assert run(*curl(f"{get_url(ports)}?follow=0")) == b"half\n"


def test_download_that_was_cut_is_resumed(installed: Installed, ports: Ports, tmp_path: Path) -> None:
    """`curl -C -` goes on where a file ends, for a log that has ended, and finds that there is nothing more."""
    log = b"".join(b"line %d\n" % number for number in range(100_000))
    file = tmp_path / "log"
    with installed.server(ports):
        send(ports, log)
        file.write_bytes(log[:123_457])
        run(*curl("-fC", "-", "-o", str(file), get_url(ports)))
        assert file.read_bytes() == log
        # At the end, curl asks for bytes=L-, and takes the 416 for what it is.
        with program(*curl("-C", "-", "-o", str(file), get_url(ports))) as again:
            again.wait()
        assert file.read_bytes() == log


def test_download_of_a_live_log_is_resumed(installed: Installed, ports: Ports, tmp_path: Path) -> None:
    """What is there now; and again, for what came since."""
    file = tmp_path / "log"
    with installed.server(ports), program(*curl("-T", "-", put_url(ports))) as producer:
        producer.write(b"first\n")
        with program(*curl("-N", f"{get_url(ports)}?wait=30")) as follower:
            wait_for_lines(follower, b"first")
            run(*curl("-fo", str(file), f"{get_url(ports)}?follow=0"))
            assert file.read_bytes() == b"first\n"
            producer.write(b"second\n")
            wait_for_lines(follower, b"first", b"second")
            run(*curl("-fC", "-", "-o", str(file), get_url(ports)))
            assert file.read_bytes() == b"first\nsecond\n"
            producer.finish()
            assert follower.wait() == 0


@pytest.mark.parametrize(
    ("wanted", "expected"),
    one_of(3, [("0-3", b"0123"), ("5-", b"56789"), ("3-3", b"3"), ("-2", b"89"), ("8-99", b"89")]),
)
def test_ranges_are_served(installed: Installed, ports: Ports, wanted: str, expected: bytes) -> None:
    """`curl -r`, on a log that has ended."""
    with installed.server(ports):
        send(ports, b"0123456789")
        assert run(*curl("-fr", wanted, get_url(ports))) == expected
        with program(*curl("-fr", "10-", get_url(ports))) as beyond:
            assert beyond.wait() == 22
            assert b"416" in beyond.errors


def test_http_1_0_is_spoken_on_both_sides(installed: Installed, ports: Ports, tmp_path: Path) -> None:
    """`curl -0`: a file is sent with its length, and followed until the connection ends."""
    file = tmp_path / "log"
    file.write_bytes(b"x" * 100_000)
    with installed.server(ports):
        run(*curl("-0fT", str(file), put_url(ports)))
        assert run(*curl("-0f", get_url(ports))) == b"x" * 100_000
        with program(*curl("-T", "-", put_url(ports))) as producer:
            producer.write(b"live\n")
            with program("bash", "-c", f"until curl -sS -0N {get_url(ports)} | grep -m1 live; do :; done") as reader:
                wait_for_lines(reader, b"live")
            with program(*curl("-0N", get_url(ports))) as whole:
                wait_for_lines(whole, b"live")
                producer.finish()
                assert whole.wait() == 0
                assert whole.output == b"live\n"


def test_large_file_arrives_whole(installed: Installed, ports: Ports, tmp_path: Path) -> None:
    """Sent with its length (and Expect), read by curl and by wget, compared by cmp."""
    file = tmp_path / "large"
    run("bash", "-c", f"head -c 50000000 /dev/urandom > {file}")
    with installed.server(ports):
        run(*curl("-fT", str(file), put_url(ports)))
        run("bash", "-c", f"curl -sSf {get_url(ports)} | cmp - {file}")
        run("bash", "-c", f"wget -qO- {get_url(ports)} | cmp - {file}")


def test_wget_follows_a_live_log_and_notices_a_cut(installed: Installed, ports: Ports) -> None:
    """Another client, with its own idea of HTTP."""
    assert shutil.which("wget"), "install wget"
    with installed.server(ports):
        with program(*curl("-T", "-", put_url(ports))) as producer:
            producer.write(b"first\n")
            with program("wget", "-qO-", "--tries=1", f"{get_url(ports)}?wait=30") as reader:
                wait_for_lines(reader, b"first")
                producer.write(b"second\n")
                wait_for_lines(reader, b"first", b"second")
                producer.finish()
                assert reader.wait() == 0
                assert reader.output == b"first\nsecond\n"
        with program(*curl("-T", "-", put_url(ports))) as producer:
            producer.write(b"half\n")
            with program(
                "bash", "-c", f"until curl -s '{get_url(ports)}?follow=0' | grep -q half; do :; done"
            ) as begun:
                assert begun.wait() == 0
            with program("wget", "-qO-", "--tries=1", get_url(ports)) as reader:
                wait_for_lines(reader, b"half")
                producer.process.kill()
                assert reader.wait() != 0


RESUMING = {
    "wget": ("wget", "-qO", "{file}"),
    "wget -c": ("wget", "-qcO", "{file}"),
    "curl -C -": ("curl", "-sSC", "-", "-o", "{file}"),
    "curl -f -C -": ("curl", "-fsSC", "-", "-o", "{file}"),
    "aria2c": ("aria2c", "-q", "--allow-overwrite", "--max-tries=2", "--retry-wait=1", "-d", "/", "-o", "{file}"),
    "aria2c -c": ("aria2c", "-qc", "--max-tries=2", "--retry-wait=1", "-d", "/", "-o", "{file}"),
}


@pytest.mark.needs("aria2c")
@pytest.mark.parametrize("way", one_of(2, RESUMING))
def test_a_program_that_resumes_never_takes_an_aborted_log_for_a_whole_one(
    installed: Installed, ports: Ports, tmp_path: Path, way: str
) -> None:
    """Neither while it reads, nor when it comes back and has all the bytes that there are."""
    command = [word.format(file=tmp_path / "log") for word in RESUMING[way]]
    command.append(get_url(ports).replace("localhost", "127.0.0.1"))  # aria2c has a resolver of its own
    with installed.server(ports, DEBUG="*") as server:
        with program(*curl("-T", "-", put_url(ports))) as producer:
            producer.write(b"half\n")
            with program(*curl("-N", f"{get_url(ports)}?wait=30")) as begun:
                wait_for_lines(begun, b"half")
            asked = server.errors.count(b"asked of")
            with program(*command) as reader:
                while server.errors.count(b"asked of") <= asked:
                    server.wait_for_more()
                producer.process.kill()
                assert reader.wait() != 0
        (tmp_path / "log").write_bytes(b"half\n")
        with program(*command) as again:
            assert again.wait() != 0
        assert (tmp_path / "log").read_bytes() == b"half\n"


@pytest.mark.parametrize("way", sample(["wget -c", "curl -C -", "curl -f -C -"], "curl -C -"))
def test_a_program_that_resumes_never_takes_a_live_log_for_a_whole_one(
    installed: Installed, ports: Ports, tmp_path: Path, way: str
) -> None:
    """It has all the bytes that there are so far."""
    command = [word.format(file=tmp_path / "log") for word in RESUMING[way]] + [get_url(ports)]
    (tmp_path / "log").write_bytes(b"half\n")
    with installed.server(ports), program(*curl("-T", "-", put_url(ports))) as producer:
        producer.write(b"half\n")
        with program(*curl("-N", f"{get_url(ports)}?wait=30")) as begun:
            wait_for_lines(begun, b"half")
        with program(*command) as reader:
            assert reader.wait() != 0


def test_curl_that_compares_etags_gets_what_came_since(installed: Installed, ports: Ports, tmp_path: Path) -> None:
    """`--etag-save` and `--etag-compare`: of a log that grows, and of the whole log, of which it then has a copy."""
    etag, file = tmp_path / "etag", tmp_path / "log"
    fetch = curl("-fN", "--etag-save", str(etag), "--etag-compare", str(etag), "-o", str(file), "-w", "%{http_code}")
    with installed.server(ports):
        with program(*curl("-T", "-", put_url(ports))) as producer:
            for number in range(1, 4):
                producer.write(b"line\n")
                with program(*curl("-N", f"{get_url(ports)}?wait=30")) as follower:
                    wait_for_lines(follower, *[b"line"] * number)
                assert run(*fetch, f"{get_url(ports)}?follow=0") == b"200"
                assert file.read_bytes() == b"line\n" * number
            with program(*fetch, get_url(ports)) as cut:
                run("bash", "-c", f"until [ -s '{file}' ]; do sleep 0.1; done")
                cut.process.kill()
            producer.write(b"end\n")
            producer.finish()
            assert producer.wait() == 0
        for query in ("?follow=0", ""):
            assert run(*fetch, get_url(ports) + query) == b"200"
            assert file.read_bytes() == b"line\nline\nline\nend\n"


def test_heads_of_errors_are_clear_to_curl(installed: Installed, ports: Ports) -> None:
    """A wrong token, no log yet, a second producer: `curl -f` fails, and says which."""
    with installed.server(ports):
        for url, status in ((get_url(ports), b"404"), (get_url(ports) + "x", b"401")):
            with program(*curl("-f", url)) as reader:
                assert reader.wait() == 22
                assert status in reader.errors
        with program(*curl("-T", "-", put_url(ports))) as first:
            first.write(b"x\n")
            with program(*curl("-N", f"{get_url(ports)}?wait=30")) as reader:
                wait_for_lines(reader, b"x")
                with program(*curl("-fT", "-", put_url(ports))) as second:
                    second.finish()
                    assert second.wait() == 22
                    assert b"409" in second.errors


@pytest.mark.long
def test_installation_brings_the_command_and_what_it_says(installed: Installed) -> None:
    """The script, the module, the licence and the typing marker; one dependency tree that fits together."""
    version = run(str(installed.livelog), "--short-version").decode().strip()
    assert re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+\S*", version)
    assert run(str(installed.folder / "python"), "-m", "livelog", "--version") == f"livelog {version}\n".encode()
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", installed.folder / "python"]
    done = subprocess.run([*pip, "check"], check=False, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stdout
    files = subprocess.run(
        [*pip, "show", "--files", "livelog-server"],
        check=True, capture_output=True, text=True, timeout=TIMEOUT,
    ).stdout  # fmt: skip
    for name in ("livelog/py.typed", "LICENSE", "bin/livelog"):
        assert name in files
    assert "tests/" not in files


def test_installation_brings_the_page_for_browsers(installed: Installed, ports: Ports) -> None:
    """Without Node: it is in the package, and compressed for those who take that."""
    page = (ROOT / "src/livelog/page/viewer.html").read_bytes()
    with installed.server(ports):
        url = get_url(ports).replace("/log/", "/view/")
        assert run(*curl("-f", url)) == page
        assert gzip.decompress(run(*curl("-fH", "Accept-Encoding: gzip", url))) == page
