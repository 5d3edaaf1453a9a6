"""`livelog spools`, and what is said of a log that a server has not taken: all that is advised works.

Categories: shown, sent, removed · in use · messages.
"""

import re
import shlex
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from livelog import Writer
from tests.harness import TIMEOUT
from tests.integration.certificates import Authority, environment
from tests.sample import one_of

from .place import COMMAND, Place, answering, lines, place, wait_until


def leave(here: Place, name: str, data: bytes) -> None:
    """Have a spool left."""
    assert here.run("push", "-q", "--name", name, "--drain", "0.1", data=data).returncode == 6


def test_spools_are_shown_sent_and_removed(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        assert here.run("spools").stdout == here.run("spools", "--send").stdout == b""
        for number in (1, 2, 3):
            leave(here, f"log/{number}", lines(number))
        assert len(here.spools) == 3
        shown = here.run("spools").stdout.decode().splitlines()
        assert [line.split()[0] for line in shown] == ["7", "14", "21"]
        assert [line.split()[-2] for line in shown] == ["log/1", "log/2", "log/3"]
        folders = here.run("spools", "--names").stdout.decode().splitlines()
        assert sorted(folders) == [str(folder) for folder in here.spools]
        assert here.run("spools", "--names", "--older", "1h").stdout == b""
        away = here.run("spools", "--send", "--drain", "0.1")
        assert (away.returncode, away.stderr.count(b"Connection refused"), len(here.spools)) == (6, 3, 3)
        assert here.run("spools", "--remove", "--older", "1h").returncode == 0
        (here.spools[0] / "mine").write_text("not to be removed")
        here.start()
        sent = here.run("spools", "--send")
        assert (sent.returncode, sent.stderr.count(b"sent: http://")) == (0, 3)
        for number in (1, 2, 3):
            assert here.log(f"log/{number}") == lines(number)
        (left,) = here.spools
        assert [file.name for file in left.iterdir()] == ["mine"]
        here.kill()
        leave(here, "log/4", b"bytes")
        assert here.run("spools", "--remove").returncode == 0
        assert here.spools == [left]


def test_spool_in_use_is_left_alone(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        words = (*COMMAND, "push", "-q", "--name", "going-on", "--drain", "0.1")
        with subprocess.Popen(words, env=here.environment(), stdin=-1, stderr=-1) as process:
            assert process.stdin is not None
            process.stdin.write(b"x" * 5_000_000)
            process.stdin.flush()
            wait_until(lambda: bool(here.spools), "it is on disk")
            assert here.run("spools").stdout == b""
            assert here.run("spools", "--remove").returncode == 0
            refused = here.run("push", str(here.spools[0]))
            assert (refused.returncode, b"another process writes or sends it" in refused.stderr) == (1, True)
            process.send_signal(signal.SIGKILL)
        assert b"going-on" in here.run("spools").stdout.split()
        here.start()
        assert here.run("spools", "--send").returncode == 0
        assert here.log("going-on").strip(b"x") == b""


# What is said.


def test_what_is_advised_for_a_file_sends_the_same(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        file = tmp_path / "a file's name"
        file.write_bytes(b"bytes")
        told = ("--name", "a/b", "--title", "it's done", "--label", "branch=a b", "--exit-code", "3")
        done = here.run("push", "--drain", "0.1", *told, "--content-type", "application/json", str(file))
        assert done.returncode == 6
        (command,) = re.findall("again later: livelog (.*)", done.stderr.decode())
        here.start()
        assert here.run(*shlex.split(command)).returncode == 0
        known = here.status("a/b")
        assert (known["title"], known["labels"], known["exit_code"]) == ("it's done", {"branch": "a b"}, 3)
        assert known["content_type"] == "application/json"


def test_drain_that_was_too_short_is_told_as_that(tmp_path: Path) -> None:
    with place(tmp_path / "home", durable=False) as here, socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = here.run("push", "-q", "--drain", "0.3", data=b"bytes", LIVELOG_SERVER=url)
        assert done.returncode == 6
        assert b"has not taken all of the log in time" in done.stderr
        for false in (b"Errno", b"Broken pipe", b"later"):
            assert false not in done.stderr


@pytest.mark.parametrize(
    ("answer", "code"),
    one_of(3, [("401 Unauthorized", 5), ("413 Content Too Large", 6), ("400 Bad Request", 6), ("302 Found", 6)]),
)
def test_refusal_names_the_server_and_nothing_is_promised(tmp_path: Path, answer: str, code: int) -> None:
    reply = f"HTTP/1.1 {answer}\r\nContent-Length: 3\r\n\r\nno\n".encode()
    with place(tmp_path / "home", running=False) as here, answering(reply) as url:
        (tmp_path / "file").write_bytes(b"bytes")
        for words, data in (([], b"bytes"), ([str(tmp_path / "file")], None)):
            done = here.run("push", *words, data=data, LIVELOG_SERVER=url)
            assert done.returncode == code
            assert f"{url} refuses this log: {answer[:3]} no" in done.stderr.decode()
            assert "later" not in done.stderr.decode()


def test_other_scheme_than_that_of_the_port_is_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with place(tmp_path / "home", variables=environment(authority.sign("localhost"))) as here:
        plain = here.run("tail", "--give-up", "0.1", f"{here.readers}/log/x/y")
        assert (plain.returncode, b"https" in plain.stderr) == (6, True)
        secure = here.run("tail", "--give-up", "0.1", f"{here.server.replace('http:', 'https:')}/log/x/y")
        assert (secure.returncode, b"speaks no TLS: its address begins with http://" in secure.stderr) == (6, True)
        pushed = here.run(
            "push", "--drain", "0.5", data=b"bytes", LIVELOG_SERVER=here.server.replace("http:", "https:")
        )
        assert (pushed.returncode, b"speaks no TLS" in pushed.stderr) == (6, True)
        for told in (plain.stderr, secure.stderr, pushed.stderr):
            assert b"IncompleteRead" not in told and b"Errno" not in told and b"_ssl" not in told


def test_server_that_closes_its_connections_is_told_without_the_words_of_a_library(tmp_path: Path) -> None:
    def close() -> None:
        try:
            while True:
                listener.accept()[0].close()
        except OSError:
            pass

    with place(tmp_path / "home", running=False) as here, socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=close, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        tailed = here.run("tail", "--give-up", "0.3", f"{url}/log/x/y")
        pushed = here.run("push", "--drain", "0.3", data=b"bytes", LIVELOG_SERVER=url)
        asked = here.run("link", "x", LIVELOG_SERVER=url, ACCESS_TOKEN="")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(TIMEOUT)
        for done in (tailed, pushed, asked):
            assert done.returncode == 6
            assert f"{url} closed the connection" in done.stderr.decode()
            assert b"IncompleteRead" not in done.stderr and b"Errno" not in done.stderr


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("rnu", "there is no command 'rnu'; is it run that you mean? livelog --help lists them"),
        ("tial", "there is no command 'tial'; is it tail that you mean? livelog --help lists them"),
        ("make", "there is no command 'make': livelog --help lists them"),
        ("http://localhost/log/x", "there is no command 'http://localhost/log/x': livelog --help lists them"),
    ],
)
def test_command_that_there_is_not_is_told(tmp_path: Path, word: str, said: str) -> None:
    with place(tmp_path / "home", running=False) as here:
        done = here.run(word, "--", "make")
        assert (done.returncode, done.stdout, done.stderr.decode()) == (2, b"", f"livelog: {said}\n")


def test_spool_of_a_program_that_goes_on_can_be_sent(tmp_path: Path) -> None:
    with place(tmp_path / "home", running=False) as here:
        log = Writer("log", drain=0.1, settings=here.settings())
        log.write(b"bytes")
        log.close()
        here.start()
        assert here.run("push", "-q", str(log.spool)).returncode == 0
        assert here.log("log") == b"bytes"
