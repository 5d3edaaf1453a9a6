"""How long an upload may be: by what its client told, and by what the server takes.

Categories: length told by a field or by the content · contradictions · limits, told and kept. Refuses to judge the syntax
of fields: see the unit tests.
"""

import contextlib

import pytest

from tests.harness import Server, ask

from .logs import CHUNKED, INTERIM
from .uploads import (
    LARGEST,
    LIMIT,
    MORE,
    WHOLE,
    append,
    create,
    framing,
    log_of,
    look,
    request,
    request_to_send,
    step,
    told,
    wait_for_offset,
)

REFUSED = "inconsistent-upload-length"


# Length.


@pytest.mark.parametrize(
    ("headers", "length"),
    [((MORE, "Upload-Length: 9"), "9"), ((MORE,), None), ((MORE, "Upload-Length: -1"), None), ((MORE, "Upload-Length: x"), None)],
)  # fmt: skip
def test_length_is_told_if_the_client_told_it(
    server: Server, name: str, headers: tuple[str, ...], length: str | None
) -> None:
    """A malformed one is as none."""
    location = create(server, name, b"part", *headers).location
    assert look(server, location).head.get("Upload-Length") == length
    assert append(server, location, 4, b"", "Upload-Length: 9").status == 204
    assert look(server, location).head.get("Upload-Length") == "9"


@step
def test_length_follows_from_content_length_of_the_last_part(server: Server, name: str, begun: bytes) -> None:
    """Before that part has arrived."""
    method, target, headers = request_to_send(server, name, begun)
    with contextlib.closing(server.connect(producer=True)) as producer:
        ask(producer, method, target, WHOLE, INTERIM, *headers, "Content-Length: 5")
        producer.send(b"ed")
        first = wait_for_offset(producer, len(begun) + 2).interims[0]
    state = look(server, target if begun else told(first, "Location"))
    assert state.progress == (204, "?0", str(len(begun) + 2))
    assert state.head.get("Upload-Length") == str(len(begun) + 5)


def test_creation_that_tells_two_lengths_is_refused(server: Server, name: str) -> None:
    answer = create(server, name, b"four", WHOLE, "Upload-Length: 5")
    assert (answer.status, answer.problem["type"]) == (400, REFUSED)
    assert answer.head.get("Upload-Complete") == "?0"
    assert look(server, f"/log/{name}").status == 404


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        (("Upload-Length: 10",), b"ed"), (("Upload-Length: 3",), None), ((WHOLE,), b"ed"), ((WHOLE, CHUNKED), b"ed"),
        ((WHOLE,), None), ((WHOLE, "Upload-Length: 9"), b"ed"),
    ],
)  # fmt: skip
def test_append_that_tells_another_length_is_refused_and_the_upload_goes_on(
    server: Server, name: str, headers: tuple[str, ...], content: bytes | None
) -> None:
    """Than the creation; as a field, by the end of the content, or both."""
    location = create(server, name, b"part", "Upload-Length: 9").location
    answer = append(server, location, 4, content, *headers)
    assert (answer.status, answer.problem["type"]) == (400, REFUSED)
    offset = int(told(look(server, location).head, "Upload-Offset"))
    assert append(server, location, offset, b"part done"[offset:], WHOLE).progress == (201, "?1", "9")


def test_length_may_not_be_less_than_what_has_arrived(server: Server, name: str) -> None:
    location = create(server, name, b"part").location
    for content in (None, b"", b"more"):
        answer = append(server, location, 4, content, "Upload-Length: 3")
        assert (answer.status, answer.problem["type"]) == (400, REFUSED)
    state = look(server, location)
    assert (state.progress, state.head.get("Upload-Length")) == ((204, "?0", "4"), None)


@framing
def test_upload_that_exceeds_its_length_is_over(server: Server, name: str, framing: tuple[str, ...]) -> None:
    """Its offset does not pass the length, and its address is of no more use."""
    location = create(server, name, b"part", "Upload-Length: 6").location
    answer = append(server, location, 4, b"ed and more", *framing)
    assert (answer.status, answer.problem["type"]) == (400, REFUSED)
    assert log_of(server, name) == ("aborted", b"parted")
    assert look(server, location).status == append(server, location, 6, b"", WHOLE).status == 410


# Limits.


@pytest.mark.parametrize("target", ["/log", "/log/some/name", "*"])
def test_options_tells_the_limits_before_an_upload(server: Server, limited: Server, target: str) -> None:
    for asked, limit in ((server, "max-age=60"), (limited, LIMIT)):
        answer = request(asked, "OPTIONS", target)
        assert (answer.status, answer.head.get("Upload-Limit")) == (204, limit)
        assert "POST" in told(answer.head, "Allow")


def test_options_of_an_upload_tells_what_may_be_done_with_it(server: Server, name: str) -> None:
    """No upload can be created there, so no limits are told."""
    answer = request(server, "OPTIONS", create(server, name).location)
    assert answer.head.get("Allow") == "DELETE, GET, HEAD, OPTIONS, PATCH"
    assert (answer.head.get("Accept-Patch"), answer.head.get("Upload-Limit")) == ("application/partial-upload", None)
    refused = request(server, "POST", create(server, name).location, WHOLE, content=b"")
    assert (refused.status, refused.head.get("Allow")) == (405, answer.head.get("Allow"))


def test_limits_stay_what_they_were(limited: Server, name: str) -> None:
    """On every answer: creation, retrieval, append."""
    first = create(limited, name, b"part")
    answers = [first, look(limited, first.location), append(limited, first.location, 4, b"ed", WHOLE)]
    assert [answer.head.get("Upload-Limit") for answer in answers] == [LIMIT] * 3


@pytest.mark.parametrize("size", [LARGEST, LARGEST + 1])
@pytest.mark.parametrize("announced", [(), (CHUNKED,), (CHUNKED, f"Upload-Length: {LARGEST + 1}")])
@pytest.mark.parametrize("begun", [0, 10])
def test_upload_may_be_as_large_as_the_limit_and_no_larger(
    limited: Server, name: str, begun: int, announced: tuple[str, ...], size: int
) -> None:
    """413 tells the limit; it comes at once if the length is announced, and as soon as the limit is passed if not."""
    content = b"x" * (size - begun)
    if begun:
        location = create(limited, name, b"x" * begun).location
        answer = append(limited, location, begun, content, WHOLE, *announced)
    else:
        answer = create(limited, name, content, WHOLE, *announced)
    if size == LARGEST and len(announced) < 2:
        assert answer.progress == (201, "?1", str(LARGEST))
        return
    assert (answer.status, answer.head.get("Upload-Limit")) == (413, LIMIT)
    if announced == (CHUNKED,):
        assert log_of(limited, name) == ("aborted", b"x" * LARGEST)
    elif begun:
        assert look(limited, location).progress == (204, "?0", str(begun))
    else:
        assert look(limited, f"/log/{name}").status == 404
