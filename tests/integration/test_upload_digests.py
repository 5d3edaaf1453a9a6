"""Digests of uploads (RFC 9530, and the draft of resumable uploads): nothing counts that is not what was sent.

Categories: of the content of one request · of the whole upload · asked for · that cannot be digests. Refuses to judge
the syntax of fields: see the unit tests.
"""

import gzip

import pytest

from tests.harness import Server, chunk

from .logs import CHUNKED, INTERIM
from .uploads import MORE, PARTIAL, WHOLE, append, create, digest, log_of, look, sending, told


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
@pytest.mark.parametrize("begun", [False, True], ids=["creation", "append"])
def test_content_counts_only_if_it_has_its_digest(server: Server, name: str, begun: bool, algorithm: str) -> None:
    location = create(server, name, b"", MORE).location if begun else ""
    right = digest("Content-Digest", b"right", algorithm)
    if begun:
        refused = append(server, location, 0, b"wrong", right)
    else:
        refused = create(server, name, b"wrong", right, INTERIM)
        location = told(refused.interims[0], "Location")
    assert (refused.progress, refused.problem["type"]) == ((400, "?0", "0"), "digest-mismatching-values")
    assert look(server, location).progress == (204, "?0", "0")
    assert append(server, location, 0, b"right", right, WHOLE).progress == (201, "?1", "5")
    assert log_of(server, name) == ("complete", b"right")


def test_content_with_a_digest_that_breaks_off_does_not_count(server: Server, name: str) -> None:
    """What arrived of it cannot be checked."""
    location = create(server, name, b"begun ").location
    headers = (PARTIAL, "Upload-Offset: 6", WHOLE, digest("Content-Digest", b"half and half"))
    with sending(server, "PATCH", location, *headers, "Expect: 100-continue") as producer:
        producer.wait(lambda answer: bool(answer.interims), "100 Continue")
        producer.send(chunk(b"half"))
    assert look(server, location).progress == (204, "?0", "6")
    assert append(server, location, 6, b"half and half", headers[-1], WHOLE).progress == (201, "?1", "19")
    assert log_of(server, name) == ("complete", b"begun half and half")


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
def test_upload_is_complete_only_if_it_has_its_digest(server: Server, name: str, algorithm: str) -> None:
    whole = digest("Repr-Digest", b"right", algorithm)
    for end, progress, state in ((b"ht", (201, "?1", "5"), "complete"), (b"te", (400, "?1", "5"), "aborted")):
        location = create(server, name, b"rig", whole).location
        answer = append(server, location, 3, end, WHOLE)
        assert answer.progress[1:] == progress[1:]
        assert log_of(server, name) == (state, b"rig" + end)
    assert (answer.status, answer.problem["type"]) == (400, "digest-mismatching-values")
    assert look(server, location).status == 410


@pytest.mark.parametrize(("wanted", "algorithm"), [("sha-256=1", "sha-256"), ("sha-256=3, sha-512=5", "sha-512")])
def test_digest_that_was_asked_for_at_the_creation_is_told_at_the_end(
    server: Server, name: str, wanted: str, algorithm: str
) -> None:
    whole = digest("Repr-Digest", b"right", algorithm).partition(": ")[2]
    assert create(server, name, b"right", WHOLE, f"Want-Repr-Digest: {wanted}").head.get("Repr-Digest") == whole
    location = create(server, name, b"rig", f"Want-Repr-Digest: {wanted}").location
    assert append(server, location, 3, b"ht", WHOLE).head.get("Repr-Digest") == whole


@pytest.mark.parametrize("field", ["Content-Digest", "Repr-Digest"])
def test_digest_that_cannot_be_one_is_refused_before_anything_begins(server: Server, name: str, field: str) -> None:
    answer = create(server, name, b"log", f"{field}: sha-256=:{'A' * 8}:")
    assert (answer.status, answer.problem["type"]) == (400, "digest-invalid-values")
    assert look(server, f"/log/{name}").status == 404


def test_digest_is_that_of_the_bytes_as_they_are_sent(server: Server, name: str) -> None:
    """Of coded content its coded bytes, and of chunked content what is in the chunks."""
    coded = gzip.compress(b"log")
    headers = ("Content-Encoding: gzip", digest("Repr-Digest", coded), digest("Content-Digest", coded))
    assert create(server, name, coded, WHOLE, CHUNKED, *headers).progress == (201, "?1", str(len(coded)))
