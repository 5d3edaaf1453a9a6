"""Resumable uploads as the draft asks for them (draft-ietf-httpbis-resumable-upload, interop version 8), step by step.

Categories: creation · interim responses · offset retrieval · append · cancellation. Lengths and limits are in
`test_upload_lengths`, digests in `test_upload_digests`, uploads that break off in `test_interrupted_uploads`. Refuses to
judge the syntax of fields: see the unit tests.
"""

import contextlib
import re
from urllib.parse import urljoin

import pytest

from tests.harness import Server, ask, chunk

from .logs import INTERIM
from .servers import wait_until
from .uploads import (
    LIMIT,
    MORE,
    PARTIAL,
    WHOLE,
    Answer,
    acknowledged,
    append,
    create,
    creating,
    framing,
    log_of,
    look,
    new_name,
    request,
    request_to_send,
    sending,
    step,
    told,
    wait_for_offset,
)

# Creation.


@framing
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_creation_with_all_of_the_content_completes_the_upload(
    server: Server, name: str, method: str, framing: tuple[str, ...]
) -> None:
    answer = request(server, method, f"/log/{name}", WHOLE, *framing, content=b"all of it")
    assert answer.progress == (201, "?1", "9")
    assert log_of(server, name) == ("complete", b"all of it")
    replacing = request(server, method, f"/log/{name}", WHOLE, *framing, content=b"another")
    assert replacing.progress == (200, "?1", "7")


@framing
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_creation_with_a_part_answers_201_with_the_uploads_address_and_limits(
    server: Server, name: str, method: str, framing: tuple[str, ...]
) -> None:
    answer = request(server, method, f"/log/{name}", MORE, *framing, content=b"part")
    assert answer.progress == (201, "?0", "4")
    assert answer.head.get("Upload-Limit") == "max-age=60"
    assert look(server, answer.location).progress == (204, "?0", "4")
    assert log_of(server, name) == ("interrupted", b"part")


@pytest.mark.parametrize("content", [None, b""], ids=["no body", "length 0"])
@pytest.mark.parametrize(("complete", "state"), [(MORE, "interrupted"), (WHOLE, "complete")])
def test_creation_may_have_no_content(
    server: Server, name: str, content: bytes | None, complete: str, state: str
) -> None:
    answer = create(server, name, content, complete)
    assert answer.progress == (201, complete[-2:], "0")
    assert log_of(server, name) == (state, b"")


@pytest.mark.parametrize("field", [None, "1", "true", "?2", "", "?1, ?1", '"?1"'])
def test_malformed_upload_complete_is_no_upload(server: Server, name: str, field: str | None) -> None:
    """It is ignored: PUT sends a plain log then, and POST is not for that."""
    headers = () if field is None else (f"Upload-Complete: {field}",)
    refused = request(server, "POST", f"/log/{name}", INTERIM, *headers, content=b"log")
    assert (refused.status, "POST" in told(refused.head, "Allow")) == (405, False)
    plain = request(server, "PUT", f"/log/{name}", INTERIM, *headers, content=b"log")
    assert plain.interims == []
    assert (plain.status, plain.head.get("Location"), plain.head.get("Upload-Offset")) == (201, None, None)
    assert log_of(server, name) == ("complete", b"log")


def test_each_upload_has_an_address_of_its_own_that_cannot_be_guessed(server: Server, name: str) -> None:
    """One for each log, also of the same name; it holds 192 random bits, the name, and nothing else."""
    keys = set()
    for other in (name, name, new_name()):
        up, _, address = create(server, other).location.partition("upload/")
        key, _, log = address.partition("/")
        assert (up, log, len(key)) == ("../../", other, 32)
        keys.add(key)
    assert len(keys) == 3


@pytest.mark.parametrize("other", ["", "one", "a/b/c/d/e/f/g/h"])
def test_address_is_relative_to_that_of_each_request(server: Server, other: str) -> None:
    """So that it is right below any prefix that something on the way takes away."""
    with creating(server, other, b"some", MORE) as (producer, told_early):
        producer.send(chunk(b""))
        begun = Answer.of(producer.wait_end())
    asked = f"http://host/prefix/log{other and '/'}{other}"
    address = urljoin(asked, begun.location)
    assert address == urljoin(asked, told_early)
    assert re.fullmatch(f"http://host/prefix/upload/[A-Za-z0-9_-]{{32}}{other and '/'}{other}", address)
    target = address.removeprefix("http://host/prefix")
    for answer in (look(server, target), append(server, target, 4, b" more"), append(server, target, 9, b"", WHOLE)):
        assert urljoin(address, answer.location) == address


def test_upload_address_with_another_key_or_name_is_nothing(server: Server, name: str) -> None:
    """Whoever does not know the address learns nothing, and changes nothing."""
    location = create(server, name, b"mine").location
    key = location.partition("upload/")[2].partition("/")[0]
    other = new_name()
    another = create(server, other).location.split("/")[2]
    for wrong in (
        f"/upload/{key[:-4]}AAAA/{name}",
        f"/upload/{another}/{name}",
        f"/upload/{key}/{other}",
        f"/upload/{key}",
    ):
        for method in ("HEAD", "GET", "DELETE"):
            assert look(server, wrong, method=method).status == 404
        assert append(server, wrong, 4, b"!", WHOLE).status == 404
    assert look(server, location).progress == (204, "?0", "4")


# Interim responses.


def test_creation_is_told_address_and_limits_before_its_content(limited: Server, name: str) -> None:
    with sending(limited, "PUT", f"/log/{name}", WHOLE) as producer:
        producer.wait(lambda answer: bool(answer.interims), "104")
        producer.send(chunk(b"all") + chunk(b""))
        answer = producer.wait_end()
    announced, final = answer.interims[0], answer.head
    assert final is not None
    assert (announced.status, announced.get("Upload-Draft-Interop-Version")) == (104, "8")
    assert told(announced, "Location") == told(final, "Location")
    assert told(announced, "Upload-Limit") == told(final, "Upload-Limit") == LIMIT


@step
def test_progress_is_told_by_interim_responses_while_content_comes(server: Server, name: str, begun: bytes) -> None:
    """They tell the offset and the version, and nothing else: no Location."""
    method, target, headers = request_to_send(server, name, begun)
    offset = len(begun)
    with sending(server, method, target, WHOLE, *headers) as producer:
        for line in (b"one", b"three"):
            producer.send(chunk(line))
            offset += len(line)
            wait_for_offset(producer, offset)
        producer.send(chunk(b""))
        answer = producer.wait_end()
    progress = answer.interims if begun else answer.interims[1:]
    assert acknowledged(progress) == [str(offset - 5), str(offset)]
    for head in progress:
        assert head.fields == (("Upload-Draft-Interop-Version", "8"), ("Upload-Offset", head.get("Upload-Offset")))


def test_progress_is_not_told_where_a_crash_would_undo_it(limited: Server, name: str) -> None:
    """Without a data directory, the end of the server takes what it has."""
    with sending(limited, "PUT", f"/log/{name}", WHOLE) as producer:
        producer.send(chunk(b"here"))
        wait_until(lambda: log_of(limited, name) == ("live", b"here"), "the content has arrived")
        producer.send(chunk(b""))
        assert acknowledged(producer.wait_end().interims) == []


VERSIONS = [
    ((), "1.1"), (("Upload-Draft-Interop-Version: 7",), "1.1"), (("Upload-Draft-Interop-Version: 9",), "1.1"),
    (("Upload-Draft-Interop-Version: ?1",), "1.1"), (("Upload-Draft-Interop-Version: 8, 8",), "1.1"), ((INTERIM,), "1.0"),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "version"), VERSIONS)
def test_clients_of_another_version_of_the_draft_get_no_interim_response(
    server: Server, name: str, headers: tuple[str, ...], version: str
) -> None:
    """Nor does HTTP/1.0, which has none. The upload works all the same."""
    answer = request(server, "PUT", f"/log/{name}", MORE, *headers, content=b"part", version=version)
    assert (answer.interims, answer.progress) == ([], (201, "?0", "4"))
    fields = (PARTIAL, "Upload-Offset: 4", WHOLE)
    answer = request(server, "PATCH", answer.location, *fields, *headers, content=b"ed", version=version)
    assert (answer.interims, answer.progress) == ([], (201, "?1", "6"))


@step
def test_100_continue_is_sent_beside_104(server: Server, name: str, begun: bytes) -> None:
    method, target, headers = request_to_send(server, name, begun)
    with sending(server, method, target, "Expect: 100-continue", MORE, *headers) as producer:
        producer.wait(lambda answer: 100 in [head.status for head in answer.interims], "100 Continue")
        producer.send(chunk(b"content") + chunk(b""))
        answer = producer.wait_end()
    expected = [100] if begun else [104, 100]
    assert [head.status for head in answer.interims][: len(expected)] == expected


# Offset retrieval.


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_retrieval_tells_offset_completeness_length_and_limits(server: Server, name: str, method: str) -> None:
    location = create(server, name, b"part", "Upload-Length: 6").location
    for progress in ((204, "?0", "4"), (204, "?1", "6")):
        answer = look(server, location, method=method)
        assert (answer.progress, answer.body) == (progress, b"")
        assert answer.head.get("Upload-Length") == "6"
        assert answer.head.get("Upload-Limit") == "max-age=60"
        assert answer.head.get("Cache-Control") == "no-store"
        if progress[1] == "?0":
            assert append(server, location, 4, b"ed", WHOLE).progress == (201, "?1", "6")


def test_offset_at_the_length_does_not_complete_an_upload(server: Server, name: str) -> None:
    """Only Upload-Complete does."""
    location = create(server, name, b"part", "Upload-Length: 4").location
    assert look(server, location).progress == (204, "?0", "4")
    assert log_of(server, name) == ("interrupted", b"part")
    assert append(server, location, 4, None, WHOLE).progress == (201, "?1", "4")


# Append.


@framing
def test_parts_are_appended_until_one_says_that_it_is_the_last(
    server: Server, name: str, framing: tuple[str, ...]
) -> None:
    """The last answer is the one that a single PUT would have got, and says that the upload is complete."""
    location = create(server, name, b"one ").location
    assert append(server, location, 4, b"two ", *framing).progress == (204, "?0", "8")
    assert append(server, location, 8, b"", *framing).progress == (204, "?0", "8")
    last = append(server, location, 8, b"three", WHOLE, *framing)
    assert last.progress == (201, "?1", "13")
    assert last.head.get("Livelog-Link") == look(server, f"/log/{name}").head.get("Livelog-Link")
    assert log_of(server, name) == ("complete", b"one two three")
    assert append(server, create(server, name, b"one ").location, 4, b"two", WHOLE).progress == (200, "?1", "7")


@pytest.mark.parametrize("offset", [0, 3, 5, 10**14])
@pytest.mark.parametrize("headers", [(), (WHOLE,), (WHOLE, "Upload-Length: {end}")])
def test_append_at_another_offset_is_refused_with_the_right_one(
    server: Server, name: str, headers: tuple[str, ...], offset: int
) -> None:
    """That comes first: a length that is right for the wrong offset is no other error."""
    location = create(server, name, b"part").location
    answer = append(server, location, offset, b"ed", *(header.format(end=offset + 2) for header in headers))
    assert answer.progress == (409, "?0", "4")
    problem = answer.problem
    assert problem["type"] == "mismatching-upload-offset"
    assert (problem["expected-offset"], problem["provided-offset"]) == (4, offset)
    assert look(server, location).progress == (204, "?0", "4")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((PARTIAL, MORE), 400), ((PARTIAL, MORE, "Upload-Offset: four"), 400), ((PARTIAL, MORE, "Upload-Offset: -4"), 400),
        ((PARTIAL, MORE, "Upload-Offset: 4", "Upload-Offset: 4"), 400), ((PARTIAL, "Upload-Offset: 4"), 400),
        ((PARTIAL, "Upload-Offset: 4", "Upload-Complete: 1"), 400), ((MORE, "Upload-Offset: 4"), 415),
        (("Content-Type: text/plain", MORE, "Upload-Offset: 4"), 415),
    ],
)  # fmt: skip
def test_append_must_tell_type_offset_and_completeness(
    server: Server, name: str, headers: tuple[str, ...], status: int
) -> None:
    location = create(server, name, b"part").location
    answer = request(server, "PATCH", location, *headers, content=b"ed")
    assert answer.status == status
    assert answer.head.get("Accept-Patch") == ("application/partial-upload" if status == 415 else None)
    assert log_of(server, name) == ("interrupted", b"part")


@pytest.mark.parametrize("headers", [("Upload-Offset: 3", MORE), ("Upload-Offset: 4",)])
def test_refusal_of_an_append_comes_before_its_content(server: Server, name: str, headers: tuple[str, ...]) -> None:
    """A client that waits for `100 Continue` is refused instead, and need not send it."""
    location = create(server, name, b"part").location
    with sending(server, "PATCH", location, PARTIAL, "Expect: 100-continue", *headers) as producer:
        answer = producer.wait_end()
    assert answer.head is not None
    assert (answer.interims, answer.head.status) == ([], 409 if MORE in headers else 400)
    assert log_of(server, name) == ("interrupted", b"part")


def test_whole_upload_goes_over_one_connection(server: Server, name: str) -> None:
    """As clients that keep connections do it, refusals included."""
    with contextlib.closing(server.connect(producer=True)) as connection:

        def answer(method: str, target: str, *headers: str, content: bytes = b"") -> tuple[int, str | None]:
            # In one piece: a server that refuses before the content has come does not wait for it.
            ask(connection, method, target, INTERIM, f"Content-Length: {len(content)}", *headers, content=content)
            head = connection.wait_end().head
            connection.settle()
            assert head is not None
            locations.append(head.get("Location"))
            return head.status, head.get("Upload-Offset")

        locations: list[str | None] = []
        assert answer("POST", f"/log/{name}", MORE, content=b"one ") == (201, "4")
        location = locations[0]
        assert location is not None
        assert answer("PATCH", location, PARTIAL, MORE, "Upload-Offset: 4", content=b"two ") == (204, "8")
        assert answer("PATCH", location, PARTIAL, MORE, "Upload-Offset: 4", content=b"two ") == (409, "8")
        assert answer("HEAD", location) == (204, "8")
        assert answer("PATCH", location, PARTIAL, WHOLE, "Upload-Offset: 8", content=b"three") == (201, "13")
    assert log_of(server, name) == ("complete", b"one two three")


@pytest.mark.parametrize("content", [None, b""], ids=["no body", "length 0"])
def test_answer_that_was_lost_is_given_again(server: Server, name: str, content: bytes | None) -> None:
    location = create(server, name, b"part").location
    first = append(server, location, 4, b"ed", WHOLE)
    again = append(server, location, 6, content, WHOLE)
    for field in ("Location", "Upload-Length", "Livelog-Link"):
        assert told(again.head, field) == told(first.head, field)
    assert again.progress == first.progress == (201, "?1", "6")


@pytest.mark.parametrize(
    ("offset", "content", "headers"), [(6, b"!", ()), (6, b"!", (WHOLE,)), (6, b"", ()), (4, b"!", ())]
)
def test_nothing_is_appended_to_an_upload_that_is_complete(
    server: Server, name: str, offset: int, content: bytes, headers: tuple[str, ...]
) -> None:
    """The right offset is told, as it always is; but the answer is not the log's."""
    location = create(server, name, b"parted", WHOLE).location
    assert append(server, location, offset, content, *headers).progress == (409, "?0", "6")
    assert log_of(server, name) == ("complete", b"parted")


# Cancellation.


def test_upload_that_is_cancelled_is_over(server: Server, name: str) -> None:
    """What arrived can be read, as of any log that was aborted."""
    location = create(server, name, b"part").location
    assert look(server, location, method="DELETE").status == 204
    assert log_of(server, name) == ("aborted", b"part")
    for method in ("HEAD", "GET", "DELETE"):
        assert look(server, location, method=method).status == 410
    assert append(server, location, 4, b"ed", WHOLE).status == 410


def test_upload_that_is_complete_cannot_be_cancelled(server: Server, name: str) -> None:
    location = create(server, name, b"whole", WHOLE).location
    assert look(server, location, method="DELETE").status == 409
    assert log_of(server, name) == ("complete", b"whole")
