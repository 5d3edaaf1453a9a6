"""Names that keep their last logs: each is found on every resource, by its number and by its generation, and removed.

Categories: what each resource answers · what is not kept · what links and followers have · DELETE · figures · kills.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.wire import Ending
from tests.harness import TOKEN, Server, ask, chunk
from tests.sample import sample

from .kept import last_words
from .logs import Answer, begin, finish, follow, path_of, read, request, send, status_of
from .servers import running, wait_until
from .test_kills import killing


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that keeps three logs of each name."""
    with running({"LIVELOG_KEEP_ATTEMPTS": "3"}) as server:
        yield server


def three(server: Server, name: str) -> list[str]:
    """Three logs of a name. Returns their generations, the newest in front."""
    for number in range(4):
        send(
            server,
            name,
            b"attempt %d\n::group::%d\nx\n::endgroup::\n" % (number, number),
            f"Livelog-Exit-Code: {number}",
        )
    return [one["generation"] for one in status_of(server, name)["attempts"]]


def get(server: Server, resource: str, name: str, query: str, *headers: str, method: str = "GET") -> Answer:
    """What a resource of a log answers."""
    return request(server.get, method, path_of(name, TOKEN, resource) + query, *headers)


def remove(server: Server, name: str, query: str = "", *headers: str) -> int:
    """DELETE. Returns the status."""
    return request(server.put, "DELETE", path_of(name) + query, *headers).status


# What each resource answers.


def test_each_resource_of_a_log_opens_the_attempt_that_is_named(server: Server) -> None:
    """By number and by generation; without either, the newest. What is told of it stays what it was."""
    generations = three(server, "resources")
    for place, generation in enumerate(generations):
        number, etag = 3 - place, f'"{generation}"'
        for query in (f"?attempt={-place}", f"?generation={generation}", *([""] if not place else [])):
            more = f"{query}&" if query else "?"
            text = b"attempt %d\n" % number
            answer = get(server, "log", "resources", query)
            assert (answer.body[:10], answer["ETag"]) == (text, etag)
            assert get(server, "log", "resources", query, "Range: bytes=8-8").body == b"%d" % number
            assert get(server, "log", "resources", query, f"If-None-Match: {etag}").status == 304
            assert get(server, "log", "resources", query, method="HEAD")["ETag"] == etag
            assert get(server, "log", "resources", f"{more}tail=4").body == answer.body
            lines = get(server, "lines", "resources", f"{more}from=1&count=1")
            assert (lines.body, lines["Livelog-First-Line"], lines["ETag"]) == (text, "1", etag)
            found = [
                json.loads(line) for line in get(server, "search", "resources", f"{more}q=attempt").body.splitlines()
            ]
            assert [hit["text"] for hit in found if "text" in hit] == [f"attempt {number}"]
            events = get(server, "events", "resources", query)
            assert events.body.count(b"attempt %d" % number) == 1
            assert events.body.count(b"event: end") == 1
            groups = json.loads(get(server, "groups", "resources", query).body)["groups"]
            assert [group["title"] for group in groups] == [str(number)]
            status = status_of(server, "resources", query)
            assert (status["generation"], status["exit_code"], status["size"]) == (generation, number, len(answer.body))


def test_status_and_list_tell_which_attempts_there_are(server: Server) -> None:
    generations = three(server, "told")
    status = status_of(server, "told")
    assert [(one["attempt"], one["generation"], one["exit_code"]) for one in status["attempts"]] == [
        (-place, generation, 3 - place) for place, generation in enumerate(generations)
    ]
    for one in status["attempts"]:
        whole = status_of(server, "told", f"?generation={one['generation']}")
        assert whole["attempts"] == status["attempts"]
        assert {member: whole[member] for member in one if member != "attempt"} == {
            member: value for member, value in one.items() if member != "attempt"
        }
    listed = json.loads(request(server.get, "GET", f"/logs/{TOKEN}?q=told").body)["logs"]
    assert [(log["generation"], log["attempts"]) for log in listed] == [(generations[0], 3)]
    shown = json.loads(request(server.put, "GET", path_of("told")).body)
    assert shown["attempts"] == status["attempts"]


# What is not kept.


@pytest.mark.parametrize("resource", ["log", "status", "lines", "search", "groups", "events"])
def test_what_is_not_kept_and_what_is_no_attempt_is_refused(server: Server, resource: str) -> None:
    name, more = f"not/kept/{resource}", {"lines": "&tail=1", "search": "&q=x"}.get(resource, "")
    send(server, name, b"gone")
    gone = status_of(server, name)["generation"]
    newest = three(server, name)[0]
    answer = get(server, resource, name, f"?attempt=-3{more}")
    assert (answer.status, answer.body) == (
        404,
        b"there is no attempt -3 of this log: 0, the newest, to -2 are kept\n",
    )
    answer = get(server, resource, name, f"?generation={gone}{more}")
    if resource == "events":
        assert b"event: replaced" in answer.body
        assert newest.encode() in answer.body
    else:
        assert (answer.status, answer.body) == (
            412,
            b"no log of that generation is kept under this name: it was replaced or removed, or never was here\n",
        )
    for query in (
        "attempt=1",
        "attempt=",
        "attempt=x",
        "attempt=-",
        "attempt=%2B1",
        "attempt=-1.0",
        f"attempt=0&generation={newest}",
        "attempt=-" + "9" * 10,
    ):
        assert get(server, resource, name, f"?{query}{more}").status == 400, query
    for query in ("attempt=0", "attempt=-1", f"generation={gone}"):
        answer = get(server, resource, f"{name}/never", f"?{query}{more}")
        assert (answer.status, answer["Retry-After"]) == (404, "1")


# What links and followers have.


def test_who_follows_a_log_that_is_replaced_and_goes_has_all_of_it(server: Server) -> None:
    producer = begin(server, "followed", "Upload-Complete: ?1")
    reader = follow(server, "followed")
    producer.send(chunk(b"one\n"))
    reader.wait(lambda answer: answer.body == b"one\n", "what was sent")
    producer.reset()
    wait_until(lambda: status_of(server, "followed")["state"] == "interrupted", "the break")
    first = status_of(server, "followed")["generation"]
    for number in range(3):
        send(server, "followed", b"%d" % number)
    cut = finish(reader)
    assert (cut.body, cut.ending) == (b"one\n", Ending.CUT)
    assert read(server, "followed", query=f"?generation={first}").status == 412
    assert [one["state"] for one in status_of(server, "followed")["attempts"]] == ["complete"] * 3


def test_a_log_that_is_replaced_while_it_is_interrupted_is_an_aborted_attempt(server: Server) -> None:
    send(server, "aborted", b"some", "Upload-Complete: ?0")
    first = status_of(server, "aborted")["generation"]
    live = begin(server, "aborted")
    older = status_of(server, "aborted", "?attempt=-1")
    assert (older["generation"], older["state"], older["reason"]) == (
        first,
        "aborted",
        "another log of this name began",
    )
    assert older["ended"] is not None
    answer = read(server, "aborted", query=f"?generation={first}")
    assert (answer.body, answer.ending) == (b"some", Ending.CUT)
    assert [one["state"] for one in status_of(server, "aborted")["attempts"]] == ["live", "aborted"]
    live.send(chunk(b""))
    assert finish(live).status == 200


def test_a_checked_log_replaces_the_newest_only_if_it_is_right(server: Server) -> None:
    before = three(server, "checked")
    assert send(server, "checked", b"wrong", "Content-Digest: sha-256=:AAAA:").status == 400
    assert [one["generation"] for one in status_of(server, "checked")["attempts"]] == before
    assert (
        send(server, "checked", b"", "Content-Digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:").status
        == 200
    )
    assert [one["generation"] for one in status_of(server, "checked")["attempts"]][1:] == before[:2]


# DELETE.


def test_delete_removes_all_logs_of_a_name_or_the_one_that_is_named(server: Server) -> None:
    generations = three(server, "removed")
    assert remove(server, "removed", "?attempt=-3") == 404
    assert remove(server, "removed", f"?generation={generations[1]}", f'If-Match: "{generations[0]}"') == 412
    assert remove(server, "removed", f"?generation={generations[1]}", f'If-Match: "{generations[1]}"') == 204
    assert remove(server, "removed", f"?generation={generations[1]}") == 404
    assert [one["generation"] for one in status_of(server, "removed")["attempts"]] == [generations[0], generations[2]]
    assert remove(server, "removed", "?attempt=0") == 204
    assert status_of(server, "removed")["generation"] == generations[2]
    assert send(server, "removed", b"new").status == 200
    assert remove(server, "removed", "?attempt=1") == 400
    assert remove(server, "removed") == 204
    assert remove(server, "removed") == 404
    assert read(server, "removed", query=f"?generation={generations[2]}").status == 404
    assert send(server, "removed", b"first again").status == 201


def test_an_older_log_is_removed_while_the_newest_is_written(server: Server) -> None:
    send(server, "written", b"old")
    live = begin(server, "written")
    assert (remove(server, "written"), remove(server, "written", "?attempt=0")) == (409, 409)
    assert remove(server, "written", "?attempt=-1") == 204
    live.send(chunk(b"x") + chunk(b""))
    assert finish(live).status == 200
    assert len(status_of(server, "written")["attempts"]) == 1


# Figures, and uploads.


def test_an_upload_of_a_log_that_is_an_older_attempt_by_now_is_gone() -> None:
    """Figures count all attempts."""
    with running({"LIVELOG_KEEP_ATTEMPTS": "2"}) as server:
        location = send(server, "a", b"some", "Upload-Complete: ?0")["Location"].lstrip(".")
        send(server, "a", b"new")
        assert len(status_of(server, "a")["attempts"]) == 2
        assert request(server.put, "HEAD", location).status == 404
        metrics = request(server.put, "GET", "/metrics").body.decode()
        for figure in (
            'livelog_logs{state="complete"} 1.0',
            'livelog_logs{state="aborted"} 1.0',
            "livelog_stored_bytes 7.0",
        ):
            assert figure in metrics


# Kills.


@pytest.mark.parametrize(("kept", "kills"), sample([(2, 5), (1, 12), (2, 12), (3, 12)], (2, 5)))
def test_after_a_kill_a_name_has_its_last_logs_whole_and_nothing_that_was_removed(
    tmp_path: Path, kept: int, kills: int
) -> None:
    """Logs are sent and removed, some without waiting for the answer. Each log that is there is one that was sent, the newest last."""
    chance, number = random.Random(kept), 0
    possible: list[list[int]] = [[]]  # the logs that may be there, the newest last
    for _ in range(kills + 1):
        with killing(tmp_path, LIVELOG_KEEP_ATTEMPTS=str(kept)) as server:
            found = []
            answer = get(server, "status", "a", "")
            for one in [] if answer.status == 404 else json.loads(answer.body)["attempts"]:
                content = read(server, "a", query=f"?generation={one['generation']}").body
                # One that was not answered may be there in part, and be aborted then; its number comes first.
                found.append(int(content.partition(b" ")[0] or -1))
                assert one["state"] == "complete" or found[-1] in (-1, number), one
            found.reverse()
            guesses = [[number if log == -1 else log for log in found]]
            assert any(guess in possible for guess in guesses), (found, possible)
            there = guesses[0]
            for _ in range(chance.randrange(5)):
                if chance.random() < 0.7:
                    number += 1
                    assert send(server, "a", b"%d " % number + bytes(chance.choice((0, 100_000)))).status in (200, 201)
                    there = [*there, number][-kept:]
                elif there:
                    assert remove(server, "a") == 204
                    there = []
            possible = [there]
            if chance.random() < 0.7:
                connection = server.connect(producer=True)
                if chance.random() < 0.7:
                    number += 1
                    content = b"%d " % number + bytes(50_000)
                    ask(connection, "PUT", path_of("a"), f"Content-Length: {len(content)}")
                    connection.send(content)
                    possible.append([*there, number][-kept:])
                else:
                    ask(connection, "DELETE", path_of("a"))
                    possible += [there[place:] for place in range(1, len(there) + 1)]
                server.process.kill()
                last_words(connection)
                connection.close()
