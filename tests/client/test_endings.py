"""The end of a log, as its producer hears of it: it says "delivered" of a log that is complete, and of no other.

A relay in front of the server knows the request that ends a log, and does something before it, or in the place of its answer.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from livelog import Writer
from livelog.client.commands.console import what_is_left
from tests.harness import TIMEOUT

from .place import Place, Proxy, lines, place, wait_until

SAID = lines(10)

GRACE = "1"
"""Seconds in which a producer must come back: what is done before the end takes longer."""


class Gate(Proxy):
    """A way to `url` that calls `before` when the first request that ends a log comes, and `instead` when its answer does, which is lost."""

    def __init__(
        self, url: str, before: Callable[[], object] = lambda: None, instead: Callable[[], object] | None = None
    ) -> None:
        self._before, self._instead = before, instead
        self._ends = 0
        super().__init__(url, [])

    def _send_on(self, data: bytes, target: socket.socket) -> None:
        is_answer = data.startswith(b"HTTP/1.1 ")
        if not is_answer and (b"Upload-Complete: ?1" in data or data.startswith(b"DELETE ")):
            self._ends += 1
            if self._ends == 1:
                self._before()
        elif self._ends == 1 and self._instead is not None and is_answer and b"HTTP/1.1 20" in data:
            self._ends += 1
            self._instead()
            self.cut_all()
        target.sendall(data)


@pytest.fixture(scope="module", params=[True, False], ids=["durable", "in memory"])
def here(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home = tmp_path_factory.mktemp("home")
    with place(home, durable=request.param, variables={"LIVELOG_RESUME_GRACE": GRACE}) as made:
        yield made


def begun(here: Place, name: str, gate: Proxy) -> Writer:
    """A log whose bytes the server has, and has acknowledged if it keeps them."""
    log = Writer(name, drain=TIMEOUT, settings=here.settings(gate.url))
    log.write(SAID)
    here.wait_for(name, len(SAID))
    if here.durable:
        wait_until(lambda: log.acknowledged == len(SAID), "it is acknowledged")
    log.exit_code = 7
    return log


def change(here: Place, method: str, name: str, body: bytes = b"") -> None:
    """A request of somebody else to the producers' port."""
    connection = HTTPConnection(here.server.removeprefix("http://"), timeout=TIMEOUT)
    connection.request(method, f"/log/{name}", body)
    assert connection.getresponse().status < 300
    connection.close()


def is_there(here: Place, name: str) -> bool:
    return here.get(f"/status/{name}")[0] == 200


def test_complete_log_whose_answer_is_lost_is_delivered_once(here: Place) -> None:
    with Gate(here.server, instead=lambda: None) as gate:
        log = begun(here, "lost", gate)
        log.close()
    known = here.status("lost")
    assert (log.delivered, known["state"], known["exit_code"]) == (True, "complete", 7)
    assert here.log("lost") == SAID
    assert here.get("/status/lost?attempt=-1")[0] == 404


def test_log_that_is_given_up_before_its_end_is_no_delivered_one(here: Place) -> None:
    with Gate(here.server, lambda: here.wait_for("late", 0, "aborted")) as gate:
        log = begun(here, "late", gate)
        log.close()
    known = here.status("late")
    assert here.log("late") == SAID
    assert known["exit_code"] == 7
    if here.durable:  # the bytes are there only
        assert (log.delivered, known["state"]) == (False, "aborted")
        assert log.refused is not None
        assert log.refused.status == 410
        assert log.spool is not None
    else:  # they are here, and are sent again
        assert (log.delivered, known["state"], log.spool) == (True, "complete", None)


def test_aborted_log_that_is_given_up_before_its_end_is_told_of_how_it_ended(here: Place) -> None:
    with Gate(here.server, lambda: here.wait_for("abandoned", 0, "aborted")) as gate:
        log = begun(here, "abandoned", gate)
        log.abort()
    known = here.status("abandoned")
    assert (log.delivered, known["state"], known["exit_code"]) == (True, "aborted", 7)
    assert here.log("abandoned") == SAID
    assert here.get("/status/abandoned?attempt=-1")[0] == 404


@pytest.mark.parametrize("when", ["before", "instead"])
def test_log_that_another_replaces_around_its_end_leaves_that_one_alone(here: Place, when: str) -> None:
    name, other = f"replaced-{when}", b"another\n"
    with Gate(here.server, **{when: lambda: change(here, "PUT", name, other)}) as gate:
        log = begun(here, name, gate)
        log.close()
    assert here.log(name) == other
    assert not log.delivered  # as far as its producer can know
    assert log.refused is not None
    assert log.spool is not None
    advice = what_is_left(log.refused, log.spool, name)
    assert f"livelog push --name {f'{name}-rest' if here.durable else 'OTHER'} {log.spool}" in advice
    sent_again = here.run("push", "-q", "--name", f"{name}-again", str(log.spool))
    assert (sent_again.returncode, here.status(f"{name}-again")["state"]) == (0, "complete"), sent_again.stderr


@pytest.mark.parametrize("when", ["before", "instead"])
def test_log_that_is_removed_around_its_end_is_delivered_only_if_it_is_there(here: Place, when: str) -> None:
    name = f"removed-{when}"
    with Gate(here.server, **{when: lambda: change(here, "DELETE", name)}) as gate:
        log = begun(here, name, gate)
        log.close()
    assert log.delivered == is_there(here, name) == (not here.durable)
    if log.delivered:
        assert (here.status(name)["state"], here.log(name)) == ("complete", SAID)
    else:
        assert log.spool is not None


def test_server_that_waits_for_nobody_gets_files_whole(tmp_path: Path) -> None:
    with place(tmp_path / "home", durable=False, variables={"LIVELOG_RESUME_GRACE": "0.000001"}) as here:
        for size in (0, 1000, 1_000_000):
            file = tmp_path / f"{size}"
            file.write_bytes(bytes(size))
            done = here.run("push", "-q", "--name", f"file-{size}", "--exit-code", "3", str(file))
            known = here.status(f"file-{size}")
            assert (done.returncode, known["state"], known["size"]) == (0, "complete", size), done.stderr
            assert known["exit_code"] == 3


def test_file_that_is_cut_short_while_it_is_sent_is_an_aborted_log(here: Place) -> None:
    file = here.home / "shrinking"
    file.write_bytes(bytes(20_000_000))
    stopped, go = threading.Event(), threading.Event()

    class Slow(Gate):
        def _send_on(self, data: bytes, target: socket.socket) -> None:
            if not data.startswith(b"HTTP/"):
                stopped.set()
                assert go.wait(TIMEOUT)
            super()._send_on(data, target)

    with Slow(here.server) as relay:
        words = ("push", "-q", "--name", "shrinking", str(file))
        with here.started(*words, LIVELOG_SERVER=relay.url) as process:
            assert stopped.wait(TIMEOUT)
            file.write_bytes(b"short")
            go.set()
            _, errors = process.communicate(timeout=TIMEOUT)
    assert b"the log was aborted there" in errors
    assert here.status("shrinking")["state"] == "aborted"
