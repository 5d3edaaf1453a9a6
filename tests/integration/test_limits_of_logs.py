"""What a server keeps of many logs, and what goes: who brings too much is refused, and nobody else loses a byte.

Categories: the largest log · the number of logs · the bytes of all · their age · room on the disk · file descriptors ·
connections of readers · logs that are removed. With and without a data directory where that differs.
"""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.wire import Ending
from tests.harness import TOKEN, Server, ask, chunk
from tests.sample import sample

from .disks import memory_disk
from .logs import CHUNKED, begin, finish, follow, names, path_of, read, request, send, status_of
from .pattern import Producer, Reader
from .servers import running, wait_until

pytestmark = pytest.mark.needs("prlimit")

KIB = 1024
MIB = 1024 * KIB

as_root = pytest.mark.needs("root", "mount")

kept_or_not = pytest.mark.parametrize("kept", sample([True, False], True), ids=["data directory", "temporary"])


@contextlib.contextmanager
def limited(folder: Path, *, kept: bool = True, **limits: str) -> Iterator[Server]:
    """A server with `limits`, whose logs are in `folder`."""
    place = {"LIVELOG_DATA_DIR" if kept else "LIVELOG_TEMP_DIR": str(folder)}
    with running({**place, **{f"LIVELOG_{name.upper()}": value for name, value in limits.items()}}) as server:
        yield server


def logs_on_disk(folder: Path) -> set[str]:
    """The names of the logs whose files are in a data directory."""
    return {path.parent.name for path in (folder / "logs").glob("*/*.log")}


def fill(place: Path) -> None:
    """Leave no room on the disk that is mounted at `place`, by a file `hog`."""
    with (place / "hog").open("wb", buffering=0) as hog, contextlib.suppress(OSError):
        while True:
            hog.write(bytes(4096))


# The largest log.


@pytest.mark.parametrize("complete", [(), ("Upload-Complete: ?1",)], ids=["plain", "resumable"])
def test_log_that_is_announced_too_large_never_begins(tmp_path: Path, complete: tuple[str, ...]) -> None:
    """413 instead of 100 (Continue), with the limit; the log of that name that is there stays as it is."""
    with limited(tmp_path, max_log_size="1K") as server:
        send(server, "a", b"old")
        before = status_of(server, "a")
        for name in ("a", "new"):
            producer = server.connect(producer=True)
            ask(producer, "PUT", path_of(name), "Content-Length: 1025", "Expect: 100-continue", *complete)
            answer = finish(producer)
            assert (answer.status, answer["Upload-Limit"]) == (413, "max-size=1024, max-age=60")
            assert answer.body == b"the log is larger than this server takes: at most 1024 bytes\n"
        assert status_of(server, "a") == before
        assert names(server) == ["a"]
        assert send(server, "a", bytes(1024)).status == 200


@pytest.mark.parametrize("complete", [(), ("Upload-Complete: ?1",)], ids=["plain", "resumable"])
def test_log_that_gets_too_large_is_aborted_at_the_limit(tmp_path: Path, complete: tuple[str, ...]) -> None:
    """It has exactly as many bytes, readers get all of them and the cut, and another log goes on."""
    with limited(tmp_path, max_log_size="1K") as server:
        other = begin(server, "other")
        producer = begin(server, "a", *complete)
        reader = follow(server, "a")
        producer.send(chunk(b"x" * 1000))
        reader.wait(lambda answer: len(answer.body) == 1000, "what fits")
        producer.send(chunk(b"y" * 25) + chunk(b""))
        assert finish(producer).status == 413
        cut = finish(reader)
        assert (cut.body, cut.ending) == (b"x" * 1000 + b"y" * 24, Ending.CUT)
        told = status_of(server, "a")
        assert (told["state"], told["size"]) == ("aborted", 1024)
        assert told["reason"] == "the log is larger than this server takes: at most 1024 bytes"
        other.send(chunk(b"z" * 1024) + chunk(b""))
        assert finish(other).status == 201


# The number of logs.


@kept_or_not
def test_log_that_ended_first_makes_room_for_a_new_one(tmp_path: Path, *, kept: bool) -> None:
    """In the order of their ends, not of their beginnings, and only as many as it takes."""
    with limited(tmp_path, kept=kept, max_logs="3") as server:
        first = begin(server, "began-first")
        send(server, "ended-first")
        send(server, "ended-second")
        first.send(chunk(b""))
        assert finish(first).status == 201
        for newcomer, left in (
            ("four", ["four", "ended-second", "began-first"]),
            ("five", ["five", "four", "began-first"]),
            ("four", ["four", "five", "began-first"]),  # it replaces one: no more room is needed
            ("six", ["six", "four", "five"]),
        ):
            assert send(server, newcomer).status in (200, 201)
            assert names(server) == left
        assert read(server, "began-first").status == 404
        if kept:
            wait_until(lambda: logs_on_disk(tmp_path) == {"four", "five", "six"}, "files of removed logs are gone")


@kept_or_not
def test_log_that_is_written_read_or_interrupted_never_goes_to_make_room(tmp_path: Path, *, kept: bool) -> None:
    """Then a new one is refused with 429, until one of them is left alone; its readers get all of it."""
    size = 20 * MIB  # more than the system takes for a reader that does not read
    with limited(tmp_path, kept=kept, max_logs="3") as server:
        with Producer(server) as producer:
            producer.send(size)
            assert producer.finish() == 201
        live = begin(server, "live")
        assert send(server, "interrupted", b"x", "Upload-Complete: ?0").status == 201
        with Reader(server.get, receive_buffer=4096) as reader:
            reader.read(1)
            for _ in range(2):
                refused = send(server, "new")
                assert (refused.status, refused["Retry-After"]) == (429, "60")
                assert (
                    refused.body == b"the limit of 3 logs is reached (LIVELOG_MAX_LOGS), and all of them are in use\n"
                )
            assert names(server) == ["interrupted", "live", ""]
            assert send(server, "interrupted", b"replaced", "Upload-Complete: ?0").status == 201
            reader.hurry()
            assert reader.read_to_end() is Ending.CLEAN
            assert reader.offset == size
        wait_until(lambda: send(server, "new").status == 201, "the log that nobody reads any more has gone")
        assert names(server) == ["new", "interrupted", "live"]
        live.send(chunk(b"still here") + chunk(b""))
        assert finish(live).status == 201
        assert read(server, "live").body == b"still here"


def test_without_a_data_directory_file_descriptors_bound_the_number_of_logs() -> None:
    """An eighth of them; live logs fill the bound, and go on when others are refused."""
    with running(wrapper=("prlimit", "--nofile=240:240")) as server, contextlib.ExitStack() as stack:
        producers = [stack.enter_context(contextlib.closing(begin(server, f"log/{number}"))) for number in range(30)]
        assert send(server, "log/30").status == 429
        for number, producer in enumerate(producers):
            producer.send(chunk(b"%d" % number) + chunk(b""))
            assert finish(producer).status == 201
        assert read(server, "log/29").body == b"29"
        assert send(server, "log/30").status == 201
        assert names(server)[-1] == "log/1"


# The bytes of all logs.


@kept_or_not
def test_bytes_of_ended_logs_make_room_for_new_ones(tmp_path: Path, *, kept: bool) -> None:
    """LIVELOG_MAX_TOTAL_SIZE: what ended first goes, while the new one grows, and only as much as it takes."""
    with limited(tmp_path, kept=kept, max_total_size="100K") as server:
        for name in ("one", "two", "three"):
            send(server, name, bytes(30 * KIB))
        producer = begin(server, "grows")
        assert names(server) == ["grows", "three", "two", "one"]
        for size, left in (
            (10 * KIB, ["grows", "three", "two", "one"]),
            (1, ["grows", "three", "two"]),
            (60 * KIB, ["grows"]),
        ):
            reader = follow(server, "grows", query="?tail=0")
            producer.send(chunk(bytes(size)))
            reader.wait(lambda answer, size=size: len(answer.body) == size, "what was sent")  # type: ignore[misc]
            reader.close()
            assert names(server) == left
        producer.send(chunk(b""))
        assert finish(producer).status == 201
        if kept:
            wait_until(lambda: logs_on_disk(tmp_path) == {"grows"}, "files of removed logs are gone")


@kept_or_not
def test_who_brings_more_bytes_than_there_may_be_is_aborted_with_507(tmp_path: Path, *, kept: bool) -> None:
    """What others write stays, and counts; the next log takes the place of the one that was aborted."""
    with limited(tmp_path, kept=kept, max_total_size="100K") as server:
        other = begin(server, "other")
        reader = follow(server, "other")
        other.send(chunk(b"x" * 50 * KIB))
        reader.wait(lambda answer: len(answer.body) == 50 * KIB, "what the other one sent")
        much = begin(server, "much")
        witness = follow(server, "much")
        much.send(chunk(bytes(10 * KIB)))
        witness.wait(lambda answer: len(answer.body) == 10 * KIB, "what there is room for")
        much.send(chunk(bytes(50 * KIB)))
        too_much = finish(much)
        assert too_much.status == 507
        assert b"the limit of 102400 bytes for all logs is reached (LIVELOG_MAX_TOTAL_SIZE)" in too_much.body
        told = status_of(server, "much")
        assert told["state"] == "aborted"
        assert 10 * KIB <= told["size"] <= 50 * KIB
        cut = finish(witness)
        assert (len(cut.body), cut.ending) == (told["size"], Ending.CUT)
        assert send(server, "fits", bytes(50 * KIB)).status == 201
        assert names(server) == ["fits", "other"]
        other.send(chunk(b""))
        assert finish(other).status == 201
        assert finish(reader).ending is Ending.CLEAN


# Their age.


@kept_or_not
def test_logs_go_some_time_after_their_end(tmp_path: Path, *, kept: bool) -> None:
    """LIVELOG_MAX_AGE: whether complete or aborted, but none that is live, interrupted or read just now."""
    size = 20 * MIB
    with limited(tmp_path, kept=kept, max_age="0.4") as server, Producer(server) as producer:
        live = begin(server, "live")
        send(server, "interrupted", b"x", "Upload-Complete: ?0")
        producer.send(size)
        with Reader(server.get, receive_buffer=4096) as reader:
            reader.read(1)
            assert producer.finish() == 201
            send(server, "complete")
            begin(server, "aborted").reset()
            wait_until(lambda: sorted(names(server)) == ["", "interrupted", "live"], "the ended logs are gone")
            assert read(server, "complete").status == 404
            reader.hurry()
            assert reader.read_to_end() is Ending.CLEAN
        wait_until(lambda: sorted(names(server)) == ["interrupted", "live"], "the log that was read is gone, too")
        if kept:
            wait_until(lambda: logs_on_disk(tmp_path) == {"interrupted", "live"}, "files of removed logs are gone")
        live.send(chunk(b""))
        assert finish(live).status == 201
        wait_until(lambda: names(server) == ["interrupted"], "the last one is gone")
        assert server.log().count("log removed for its age") == 4


# Room on the disk.


def free_bytes(place: Path) -> int:
    """How much of a disk is free."""
    status = os.statvfs(place)
    return status.f_bavail * status.f_frsize


@kept_or_not
def test_no_log_begins_on_a_disk_with_less_than_its_reserve(tmp_path: Path, *, kept: bool) -> None:
    """507 before the body is sent, with how much must stay free."""
    with limited(tmp_path, kept=kept, disk_reserve="1000T") as server:
        producer = server.connect(producer=True)
        ask(producer, "PUT", "/log/a", CHUNKED, "Expect: 100-continue")
        answer = producer.wait_end()
        producer.close()
        assert answer.head is not None
        assert (answer.head.status, answer.interims) == (507, [])
        assert b"bytes must stay free" in answer.body
        assert names(server) == []


@as_root
@kept_or_not
def test_reserve_of_the_disk_stays_free(tmp_path: Path, *, kept: bool) -> None:
    """Ended logs make room for a new one; when none is left, it is aborted at what was written. The reserve is not touched."""
    with (
        memory_disk(tmp_path, "4m") as place,
        limited(place, kept=kept, disk_reserve="2M") as server,
    ):
        for name in ("one", "two"):
            assert send(server, name, bytes(700 * KIB)).status == 201
        assert send(server, "three", bytes(700 * KIB)).status == 201
        assert "one" not in names(server)
        assert "three" in names(server)
        producer = begin(server, "much")
        producer.send(chunk(bytes(3 * MIB)))
        refused = finish(producer)
        assert refused.status == 507
        assert b"bytes must stay free" in refused.body
        assert names(server) == ["much"]
        assert status_of(server, "much")["state"] == "aborted"
        # Files of removed logs go a moment later; folders, and what is known of logs, take some KiB.
        wait_until(lambda: free_bytes(place) >= 2 * MIB - 16 * KIB, "the reserve is free")
        assert send(server, "small").status == 201


@as_root
@kept_or_not
def test_logs_that_begin_at_once_remove_no_more_than_it_takes(tmp_path: Path, *, kept: bool) -> None:
    """One log that goes is room for all of them: none of them goes by what the disk was before."""
    with memory_disk(tmp_path, "8m") as place, limited(place, kept=kept, disk_reserve="2M") as server:
        old = [f"old/{number}" for number in range(10)]
        for name in old:
            assert send(server, name, bytes(400 * KIB)).status == 201
        (place / "hog").write_bytes(bytes(2200 * KIB))
        producers = [server.connect(producer=True) for _ in range(16)]
        for number, producer in enumerate(producers):
            ask(producer, "PUT", f"/log/new/{number}", CHUNKED)
            producer.send(chunk(b"x") + chunk(b""))
        assert {finish(producer).status for producer in producers} == {201}
        assert sorted(set(old) & set(names(server))) == old[1:]


@as_root
def test_full_disk_refuses_new_bytes_and_keeps_the_old_ones(tmp_path: Path) -> None:
    """Without any limit: 507 for who writes, and all that was there before stays, also over a restart."""
    with memory_disk(tmp_path, "1m") as place:
        with limited(place) as server:
            send(server, "old", b"old bytes", "Livelog-Title: kept")
            old, live = status_of(server, "old"), begin(server, "live", "Upload-Complete: ?0")
            reader = follow(server, "live")
            live.send(chunk(b"x" * 1000))
            reader.wait(lambda answer: answer.body == b"x" * 1000, "what there is room for")
            fill(place)
            assert request(server.put, "PATCH", path_of("live"), "Livelog-Title: not kept").status == 507
            assert status_of(server, "live")["title"] == ""
            live.send(chunk(b"y" * 100 * KIB) + chunk(b""))
            assert finish(live).status == 507
            assert send(server, "new", bytes(100 * KIB)).status == 507
            told = status_of(server, "live")
            assert (told["state"], told["reason"]) == ("aborted", "writing the log failed: No space left on device")
            cut = finish(reader)
            assert (len(cut.body), cut.ending) == (told["size"], Ending.CUT)
            assert read(server, "old").body == b"old bytes"
        with limited(place) as server:
            assert {**status_of(server, "old"), "changed": ""} == {**old, "changed": ""}
            assert read(server, "old").body == b"old bytes"
            assert read(server, "live", query="?follow=0").body == cut.body
            (place / "hog").unlink()
            assert send(server, "new", bytes(100 * KIB)).status == 201


@as_root
def test_log_that_a_full_disk_lets_nobody_replace_stays(tmp_path: Path) -> None:
    with memory_disk(tmp_path, "1m") as place:
        with limited(place) as server:
            send(server, "old", b"old bytes")
            fill(place)
            assert send(server, "old", b"new bytes").status == 507
            assert read(server, "old").body == b"old bytes"
        with limited(place) as server:
            assert read(server, "old").body == b"old bytes"
            (place / "hog").unlink()
            assert send(server, "old", b"new bytes").status == 200
            assert read(server, "old").body == b"new bytes"


@as_root
def test_server_with_a_full_disk_is_ready_if_an_older_log_can_make_room(tmp_path: Path) -> None:
    with memory_disk(tmp_path, "1m") as place, limited(place, keep_attempts="2") as server:

        def is_ready() -> int:
            return request(server.put, "GET", "/readyz").status

        send(server, "log", bytes(100 * KIB))
        fill(place)
        assert is_ready() == 503  # the only log is the newest of its name
        (place / "hog").unlink()
        send(server, "log", bytes(100 * KIB))
        fill(place)
        assert is_ready() == 200
        assert status_of(server, "log?attempt=-1")["size"] == 100 * KIB  # to be asked removes nothing
        assert send(server, "new", bytes(50 * KIB)).status == 201
        assert names(server) == ["new", "log"]


@as_root
def test_what_a_full_disk_does_not_keep_of_an_append_is_not_told(tmp_path: Path) -> None:
    with memory_disk(tmp_path, "1m") as place, limited(place) as server:
        location = send(server, "log", b"part", "Upload-Complete: ?0")["Location"]
        fill(place)
        step = ("Content-Type: application/partial-upload", "Upload-Complete: ?0")
        more = request(
            server.put, "PATCH", location, *step, "Upload-Offset: 4", "Upload-Length: 9", "Livelog-Title: x", body=b""
        )
        assert more.status == 507
        told = request(server.put, "HEAD", location)
        assert (told.status, told["Upload-Offset"], told["Upload-Length"]) == (204, "4", "")
        assert (status_of(server, "log")["state"], status_of(server, "log")["title"]) == ("interrupted", "")


# File descriptors.


def leave_one_descriptor(server: Server) -> None:
    """From now on the server can open one file or socket at a time, besides those that it has."""
    taken = {int(path.name) for path in Path(f"/proc/{server.pid}/fd").iterdir()}
    limit = max(taken) + 2
    while limit - sum(number < limit for number in taken) > 1:
        limit -= 1
    hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, hard))


def test_without_file_descriptors_new_requests_are_told_and_others_go_on(tmp_path: Path) -> None:
    """503 with Retry-After for a new log and for a reader of one that nobody has open; none of it does any harm."""
    with limited(tmp_path) as server:
        send(server, "ended")
        before = status_of(server, "ended")
        producer = begin(server, "live")
        reader = follow(server, "live")
        usual = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)

        def starved() -> bool:
            """Whether nothing can be opened; what was open for a moment when that was arranged is not open any more."""
            leave_one_descriptor(server)
            return all(read(server, "ended").status == 503 for _ in range(3))

        wait_until(starved, "it can open no file")
        for refused in (send(server, "new"), send(server, "ended"), read(server, "ended"), read(server, "ended")):
            assert (refused.status, refused["Retry-After"]) == (503, "1")
            assert refused.body.endswith(b"the log's file failed: Too many open files\n")
        producer.send(chunk(b"goes on"))
        reader.wait(lambda answer: answer.body == b"goes on", "what the other one sent")
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, usual)
        assert names(server) == ["live", "ended"]
        assert status_of(server, "ended") == before
        assert read(server, "ended").body == b"some bytes\n"
        assert send(server, "new").status == 201
        producer.send(chunk(b""))
        assert finish(producer).status == 201
        assert finish(reader).ending is Ending.CLEAN


# Connections of readers.


def test_limit_of_readers_is_for_all_logs_together_and_not_for_producers() -> None:
    """503 with Retry-After for the one beyond, whatever it asks for."""
    with running({"LIVELOG_MAX_READERS": "2"}) as server:
        producers = [begin(server, name) for name in ("a", "b", "c", "d")]
        readers = [follow(server, name) for name in ("a", "b")]
        for path in (path_of("c", TOKEN), path_of("a", TOKEN, "status"), f"/logs/{TOKEN}", "/log/wrong"):
            refused = request(server.get, "GET", path)
            assert (refused.status, refused["Retry-After"]) == (503, "1")
        for producer in producers:
            producer.send(chunk(b"x") + chunk(b""))
            assert finish(producer).status == 201
        for reader in readers:
            assert finish(reader).ending is Ending.CLEAN
        wait_until(lambda: request(server.get, "HEAD", path_of("c", TOKEN)).status == 200, "there is place again")


# Logs that are removed.


def remove(server: Server, name: str) -> int:
    """DELETE a log. Returns the status."""
    return request(server.put, "DELETE", path_of(name)).status


@kept_or_not
def test_removed_log_is_read_to_the_end_by_who_reads_it_and_gone_for_others(tmp_path: Path, *, kept: bool) -> None:
    """204, then 404 for everybody else, and no file is left; the next log of that name replaces none."""
    size = 20 * MIB
    with limited(tmp_path, kept=kept) as server:
        with Producer(server) as producer:
            producer.send(size)
            assert producer.finish() == 201
        with Reader(server.get, receive_buffer=4096) as reader:
            reader.read(1)
            assert remove(server, "") == 204
            assert read(server, "").status == 404
            assert request(server.get, "GET", path_of("", TOKEN, "status")).status == 404
            assert remove(server, "") == 404
            assert names(server) == []
            reader.hurry()
            assert reader.read_to_end() is Ending.CLEAN
            assert reader.offset == size
        assert send(server, "").status == 201
        assert remove(server, "") == 204
        if kept:
            wait_until(lambda: not list((tmp_path / "logs").iterdir()), "nothing of it is left on the disk")


def test_log_changes_only_if_it_is_the_one_that_if_match_names(tmp_path: Path) -> None:
    """412 to who means another one, or one where there is none, and nothing happens."""
    with limited(tmp_path) as server:
        assert send(server, "log", b"x", 'If-Match: "other"').status == 412
        assert names(server) == []
        send(server, "log", b"part", "Upload-Complete: ?0")
        etag = request(server.put, "HEAD", path_of("log"))["ETag"]
        for condition in ('If-Match: "other"', f"If-Match: W/{etag}", f"If-None-Match: {etag}"):
            for method, told in (("PUT", ()), ("PATCH", ("Livelog-Title: no",)), ("DELETE", ())):
                assert request(server.put, method, path_of("log"), *told, condition).status == 412, (method, condition)
        assert [status_of(server, "log")[member] for member in ("state", "title")] == ["interrupted", ""]
        assert request(server.put, "PATCH", path_of("log"), f"If-Match: {etag}").status == 204
        assert send(server, "log", b"new", f"If-Match: {etag}").status == 200
        assert request(server.put, "DELETE", path_of("log"), f"If-Match: {etag}").status == 412
        assert request(server.put, "DELETE", path_of("log"), "If-Match: *").status == 204


def test_link_that_names_a_generation_opens_that_log_and_no_other(tmp_path: Path) -> None:
    """A link sends no If-Match."""
    with limited(tmp_path) as server:
        send(server, "log", b"old")
        query = f"?generation={status_of(server, 'log')['generation']}"
        assert read(server, "log", query=query).body == b"old"
        assert read(server, "log", "Range: bytes=1-", query=query).body == b"ld"
        send(server, "log", b"new")
        for more in ("", "&follow=0", "&tail=1"):
            answer = read(server, "log", query=query + more)
            assert (answer.status, answer.body) == (
                412,
                b"no log of that generation is kept under this name: it was replaced or removed, or never was here\n",
            )
        assert read(server, "log", query="?generation=").status == 412


@kept_or_not
def test_log_that_is_written_is_not_removed(tmp_path: Path, *, kept: bool) -> None:
    """409, and its producer and readers notice nothing."""
    with limited(tmp_path, kept=kept) as server:
        producer = begin(server, "a")
        reader = follow(server, "a")
        assert remove(server, "a") == 409
        producer.send(chunk(b"whole") + chunk(b""))
        assert finish(producer).status == 201
        answer = finish(reader)
        assert (answer.body, answer.ending) == (b"whole", Ending.CLEAN)
        assert remove(server, "a") == 204


@kept_or_not
def test_interrupted_log_that_is_removed_is_aborted_for_its_readers(tmp_path: Path, *, kept: bool) -> None:
    """They get what there is, then the cut; nobody can go on with it, nor does it come back after a restart."""
    with limited(tmp_path, kept=kept) as server:
        address = send(server, "a", b"half", "Upload-Complete: ?0")["Location"]
        reader = follow(server, "a")
        assert remove(server, "a") == 204
        answer = finish(reader)
        assert (answer.body, answer.ending) == (b"half", Ending.CUT)
        assert request(server.put, "HEAD", address).status == 404
        assert names(server) == []
    with limited(tmp_path, kept=kept) as server:
        assert names(server) == []
