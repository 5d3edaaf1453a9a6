"""Resumable uploads that break off, at every place and in every way, and what becomes of them and of their readers.

Categories: cuts in creation and append · one producer takes over from another that only seems to send · several at the
same time · replaced and removed · time to come back · the server dies. Refuses to judge answers to requests that end well:
see `test_resumable_uploads`.
"""

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import Ending, WireFault
from tests.harness import Server, ask, chunk, serving

from .logs import CHUNKED, INTERIM
from .servers import elapse, running, wait_until
from .uploads import (
    MORE,
    PARTIAL,
    WHOLE,
    append,
    assert_reader_ends,
    create,
    creating,
    digest,
    following,
    log_of,
    look,
    new_name,
    request,
    sending,
    told,
    wait_for_offset,
)

ENDS: dict[str, Callable[[Connection], None]] = {"FIN": Connection.close, "RST": Connection.reset}
ends = pytest.mark.parametrize("end", ENDS)


def status(connection: Connection) -> int | None:
    """The status of the final answer on a connection; None if it was broken off instead."""
    try:
        return connection.wait_head().status
    except WireFault:
        assert connection.closed
        return None


# Cuts.


@ends
@pytest.mark.parametrize("complete", [WHOLE, MORE])
def test_what_arrived_before_a_creation_broke_off_counts(server: Server, name: str, complete: str, end: str) -> None:
    """The upload is not complete; readers stay and get the rest from whoever goes on, up to the end."""
    with contextlib.ExitStack() as stack:
        producer, location = stack.enter_context(creating(server, name, b"before ", complete))
        reader = stack.enter_context(following(server, name))
        ENDS[end](producer)
        wait_until(lambda: log_of(server, name) == ("interrupted", b"before "), "the server sees it")
        assert look(server, location).progress == (204, "?0", "7")
        assert append(server, location, 7, b"after", WHOLE).progress == (201, "?1", "12")
        assert_reader_ends(reader, b"before after", Ending.CLEAN)


@ends
@pytest.mark.parametrize("length", [(), ("Content-Length: 10",)], ids=["chunked", "length"])
def test_what_arrived_before_an_append_broke_off_counts(
    server: Server, name: str, length: tuple[str, ...], end: str
) -> None:
    """Its beginning, without a gap; in the middle of a chunk, too."""
    location = create(server, name, b"begun ").location
    with contextlib.closing(server.connect(producer=True)) as producer:
        ask(producer, "PATCH", location, PARTIAL, "Upload-Offset: 6", WHOLE, INTERIM, *(length or (CHUNKED,)))
        producer.send(b"half" if length else b"a\r\nhalf")
        wait_for_offset(producer, 10)
        ENDS[end](producer)
    assert look(server, location).progress == (204, "?0", "10")
    assert append(server, location, 10, b" whole", WHOLE).progress == (201, "?1", "16")
    assert log_of(server, name) == ("complete", b"begun half whole")


@pytest.mark.parametrize("missing", [b"", b"0", b"0\r\n", b"0\r\nTrailer: x\r\n"])
def test_upload_is_not_complete_before_the_framing_ends(server: Server, name: str, missing: bytes) -> None:
    """All of the content is there, but not the end of the body."""
    with creating(server, name, b"all of it") as (producer, location):
        producer.send(missing)
    assert look(server, location).progress == (204, "?0", "9")
    assert append(server, location, 9, None, WHOLE).progress == (201, "?1", "9")


def test_malformed_chunk_ends_the_request_and_not_the_upload(server: Server, name: str) -> None:
    with creating(server, name, b"well framed") as (producer, location):
        producer.send(b"nonsense\r\n")
        assert producer.wait_head().status == 400
    assert look(server, location).progress == (204, "?0", "11")


@pytest.mark.parametrize("seed", range(4))
def test_upload_cut_at_any_byte_is_the_whole_log(server: Server, name: str, seed: int) -> None:
    """Again and again, anywhere in the framing; nobody waits for the server between a cut and the next try."""
    chance = random.Random(seed)
    content = chance.randbytes(50_000)
    location = create(server, name).location
    with following(server, name) as reader:
        offset, cuts = 0, 0
        while cuts < 20:
            rest = content[offset:]
            body = b"".join(chunk(rest[start : start + 1000]) for start in range(0, len(rest), 1000))
            with sending(server, "PATCH", location, PARTIAL, f"Upload-Offset: {offset}", WHOLE) as producer:
                producer.send(body[: chance.randrange(4000)])
                ENDS[chance.choice(list(ENDS))](producer)
            before, offset, cuts = offset, int(told(look(server, location).head, "Upload-Offset")), cuts + 1
            assert offset >= before
        assert append(server, location, offset, content[offset:], WHOLE).status == 201
        assert_reader_ends(reader, content, Ending.CLEAN)


# Taking over.


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_retrieval_breaks_off_who_still_seems_to_send(server: Server, name: str, method: str) -> None:
    """So that the offset it tells is accepted, whatever the old connection still brings."""
    with creating(server, name, b"old") as (stale, location):
        state = look(server, location, method=method)
        assert state.progress == (204, "?0", "3")
        stale.send(chunk(b" too late"))
        assert status(stale) is None
        assert append(server, location, 3, b" new", WHOLE).progress == (201, "?1", "7")
    assert log_of(server, name) == ("complete", b"old new")


def test_append_breaks_off_who_still_seems_to_send(server: Server, name: str) -> None:
    """Creation or append: the next one begins where the last one ended."""
    with creating(server, name, b"one ") as (first, location):
        headers = (PARTIAL, "Upload-Offset: 4", WHOLE)
        with sending(server, "PATCH", location, *headers) as second:
            second.send(chunk(b"two "))
            wait_for_offset(second, 8)
            assert status(first) is None
            assert append(server, location, 8, b"three", WHOLE).progress == (201, "?1", "13")
            assert status(second) is None
    assert log_of(server, name) == ("complete", b"one two three")


def test_cancellation_breaks_off_who_still_seems_to_send(server: Server, name: str) -> None:
    """Its readers are told at once."""
    with creating(server, name, b"old") as (stale, location), following(server, name) as reader:
        assert look(server, location, method="DELETE").status == 204
        assert status(stale) is None
        assert_reader_ends(reader, b"old", Ending.CUT)
    assert look(server, location).status == 410


def test_requests_that_are_refused_disturb_nobody_who_sends(server: Server, name: str) -> None:
    """Of those who do not know the address, and those that are no requests to append."""
    with creating(server, name, b"mine ") as (producer, location):
        wrong = location.replace("/upload/", "/upload/A", 1)
        for method in ("HEAD", "DELETE"):
            assert look(server, wrong, method=method).status == 404
        assert append(server, wrong, 5, b"!", WHOLE).status == 404
        assert request(server, "PATCH", location, PARTIAL, MORE, content=b"!").status == 400
        assert request(server, "PATCH", location, MORE, "Upload-Offset: 5", content=b"!").status == 415
        assert create(server, name, b"!").status == 409
        producer.send(chunk(b"alone") + chunk(b""))
        assert status(producer) == 201
    assert log_of(server, name) == ("complete", b"mine alone")


def test_one_of_many_appends_at_the_same_offset_wins(server: Server, name: str) -> None:
    """The others are broken off, or told that they are too late. No byte of theirs is in the log."""
    location = create(server, name, b"begun ").location
    contents = [b"%d" % number * 1000 for number in range(8)]
    with contextlib.ExitStack() as stack:
        producers = []
        for content in contents:
            producer = stack.enter_context(contextlib.closing(server.connect(producer=True)))
            ask(producer, "PATCH", location, PARTIAL, "Upload-Offset: 6", WHOLE, f"Content-Length: {len(content)}")
            producers.append(producer)
        for producer, content in zip(producers, contents, strict=True):
            producer.send(content)
        answers = [status(producer) for producer in producers]
    state, log = log_of(server, name)
    winner = contents.index(log.removeprefix(b"begun "))
    # Who wins may be broken off before the answer: HEAD would tell it that its upload is complete.
    assert (state, answers.pop(winner) in (201, None)) == ("complete", True)
    assert set(answers) <= {409, None}


def test_uploads_of_several_logs_do_not_touch_each_other(server: Server) -> None:
    """Part by part in turn; one is cut, one is cancelled, the others know nothing of it."""
    names = [new_name() for _ in range(5)]
    locations = [create(server, name, name.encode()).location for name in names]
    offsets = [len(name) for name in names]
    for number in range(3):
        for index, location in enumerate(locations):
            answer = append(server, location, offsets[index], b"-%d-%d" % (index, number))
            assert answer.progress == (204, "?0", str(offsets[index] + 4))
            offsets[index] += 4
    with sending(server, "PATCH", locations[0], PARTIAL, f"Upload-Offset: {offsets[0]}", WHOLE) as cut:
        cut.send(b"5\r\nab")
        wait_for_offset(cut, offsets[0] + 2)
    assert look(server, locations[1], method="DELETE").status == 204
    for index in (2, 3, 4):
        assert append(server, locations[index], offsets[index], b".", WHOLE).status == 201
    wait_until(lambda: log_of(server, names[0])[0] == "interrupted", "the cut is seen")
    ends = [b"ab", b"", b".", b".", b"."]
    states = ["interrupted", "aborted", "complete", "complete", "complete"]
    for index, name in enumerate(names):
        parts = b"".join(b"-%d-%d" % (index, number) for number in range(3))
        assert log_of(server, name) == (states[index], name.encode() + parts + ends[index])


# Replaced, removed, given up.


@pytest.mark.parametrize("headers", [(), (MORE,), (WHOLE,)], ids=["plain", "part", "whole"])
def test_new_log_replaces_an_interrupted_one(server: Server, name: str, headers: tuple[str, ...]) -> None:
    """Readers of the old one are cut, with all that it had; its address is nothing any more."""
    location = create(server, name, b"old").location
    with following(server, name) as reader:
        reader.wait(lambda answer: answer.body == b"old", "old")
        assert request(server, "PUT", f"/log/{name}", *headers, content=b"new").status == (
            201 if MORE in headers else 200
        )
        assert_reader_ends(reader, b"old", Ending.CUT)
    assert look(server, location).status == append(server, location, 3, b"!", WHOLE).status == 404
    assert log_of(server, name) == ("interrupted" if MORE in headers else "complete", b"new")


def test_who_asks_for_an_upload_breaks_off_no_log_that_just_replaces_it(server: Server, name: str) -> None:
    """However close they are: the new log is not the upload's."""
    for _ in range(20):
        location = create(server, name, b"old").location
        with (
            contextlib.closing(server.connect(producer=True)) as newer,
            contextlib.closing(server.connect(producer=True)) as older,
        ):
            ask(newer, "PUT", f"/log/{name}", "Content-Length: 3")
            ask(older, "HEAD", location)
            newer.send(b"new")
            assert (status(newer), older.wait_head().status in (204, 404)) == (200, True)
        assert log_of(server, name) == ("complete", b"new")


def test_upload_whose_log_is_removed_is_nothing(server: Server, name: str) -> None:
    location = create(server, name, b"old").location
    assert request(server, "DELETE", f"/log/{name}").status == 204
    assert look(server, location).status == append(server, location, 3, b"!", WHOLE).status == 404


def test_upload_that_nobody_goes_on_with_is_given_up() -> None:
    """After the grace time, which `max-age` tells in whole seconds, never more than there are. Its readers are cut then."""
    with running({"LIVELOG_RESUME_GRACE": "0.3"}) as server:
        answer = create(server, "log", b"part")
        assert answer.head.get("Upload-Limit") == "max-age=0"
        with following(server, "log") as reader:
            assert_reader_ends(reader, b"part", Ending.CUT)
        assert look(server, answer.location).status == append(server, answer.location, 4, b"!", WHOLE).status == 410
        assert log_of(server, "log") == ("aborted", b"part")


def test_producer_that_asks_for_the_offset_has_the_whole_grace_time_again() -> None:
    """As `max-age` says in that answer: who asks now and then need not hurry."""
    with running({"LIVELOG_RESUME_GRACE": "4"}) as server:
        location = create(server, "log", b"part").location
        begun = time.monotonic()
        while time.monotonic() < begun + 4.5:
            answer = look(server, location)
            assert (answer.progress, answer.head.get("Upload-Limit")) == ((204, "?0", "4"), "max-age=4")
            elapse(0.1)
        assert append(server, location, 4, b"ed", WHOLE).status == 201


# The server dies.


def test_what_was_acknowledged_outlives_the_server(tmp_path: Path) -> None:
    """By interim responses, and by the answer to a part: killed at once behind it, and started again."""
    data = {"LIVELOG_DATA_DIR": str(tmp_path)}
    with serving(data) as server, contextlib.ExitStack() as stack:
        between = create(server, "between", b"part").location
        _, within = stack.enter_context(creating(server, "within", b"x" * 300_000))
        server.stop(signal.SIGKILL)
    with running(data) as server:
        for name, location, length in (("between", between, 4), ("within", within, 300_000)):
            assert log_of(server, name)[0] == "interrupted"
            assert look(server, location).progress == (204, "?0", str(length))
            assert append(server, location, length, b"!", WHOLE).progress == (201, "?1", str(length + 1))
        assert log_of(server, "between") == ("complete", b"part!")
        assert log_of(server, "within") == ("complete", b"x" * 300_000 + b"!")


def test_what_an_upload_began_with_binds_it_behind_a_restart(tmp_path: Path) -> None:
    """Its length, its digest, and the digest that it asked for."""
    data = {"LIVELOG_DATA_DIR": str(tmp_path)}
    right = digest("Repr-Digest", b"right")
    with serving(data) as server:
        locations = [create(server, name, b"rig", "Upload-Length: 5", right).location for name in ("right", "wrong")]
        asking = create(server, "asking", b"rig", "Want-Repr-Digest: sha-256=1").location
        server.stop(signal.SIGKILL)
    with running(data) as server:
        assert look(server, locations[0]).head.get("Upload-Length") == "5"
        assert append(server, locations[0], 3, b"ht!", WHOLE).problem["type"] == "inconsistent-upload-length"
        assert append(server, locations[0], 3, b"ht", WHOLE).progress == (201, "?1", "5")
        assert append(server, locations[1], 3, b"te", WHOLE).problem["type"] == "digest-mismatching-values"
        assert f"Repr-Digest: {append(server, asking, 3, b'ht', WHOLE).head.get('Repr-Digest')}" == right


def test_upload_of_which_a_part_was_lost_is_over(tmp_path: Path) -> None:
    """Here, the end of its file."""
    data = {"LIVELOG_DATA_DIR": str(tmp_path)}
    with running(data) as server:
        location = create(server, "log", b"part").location
    (file,) = (tmp_path / "logs").glob("*/*.log")
    os.truncate(file, 3)
    with running(data) as server:
        assert look(server, location).status == append(server, location, 3, b"t", WHOLE).status == 410
        assert log_of(server, "log") == ("aborted", b"par")


def test_upload_that_was_lost_with_the_server_is_nothing() -> None:
    """Without a data directory, the next server knows neither the log nor the address."""
    with running() as server:
        location = create(server, "log", b"part").location
    with running() as server:
        assert look(server, location).status == append(server, location, 4, b"!", WHOLE).status == 404
