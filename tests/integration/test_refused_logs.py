"""What is refused, or turns out to be wrong, takes nothing away: the log of that name stays as it is.

Categories: content without its digest, of every kind of request, breaking off and badly framed content included · the
answer · what is right replaces · who else may do what meanwhile · changes that come with content that is wrong.
"""

import contextlib
from collections.abc import Iterator

import pytest

from tests.conformance.link import Connection
from tests.harness import TOKEN, Server, ask, chunk

from .logs import CHUNKED, INTERIM, read, send, status_of
from .servers import running
from .uploads import MORE, PARTIAL, WHOLE, append, create, digest, log_of, look, request

RIGHT = digest("Content-Digest", b"right")

KINDS = {
    "PUT": (RIGHT,),
    "PUT, chunked": (RIGHT, CHUNKED),
    "PUT, two digests": (f"{RIGHT}, {digest('', b'right', 'sha-512')[2:]}",),
    "PUT, digest of all": (digest("Repr-Digest", b"right"),),
    "PUT, digest of all, chunked": (digest("Repr-Digest", b"right", "sha-512"), CHUNKED),
    "upload": (RIGHT, WHOLE),
    "upload, chunked": (RIGHT, WHOLE, CHUNKED, INTERIM),
    "upload that will have more": (RIGHT, MORE, INTERIM),
}

kinds = pytest.mark.parametrize("headers", KINDS.values(), ids=KINDS)


@pytest.fixture(scope="module", params=["with a data directory", "without"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    kept = (
        {"LIVELOG_DATA_DIR": str(tmp_path_factory.mktemp("data"))} if request.param == "with a data directory" else {}
    )
    with running(kept) as server:
        yield server


@kinds
def test_content_that_is_wrong_replaces_nothing(place: Server, name: str, headers: tuple[str, ...]) -> None:
    assert send(place, name, b"a good log\n").status == 201
    before = status_of(place, name)
    refused = request(place, "PUT", f"/log/{name}", *headers, content=b"wrong")
    assert (refused.status, refused.problem["type"]) == (400, "digest-mismatching-values")
    assert not [field for field, _ in refused.head.fields if field.lower().startswith(("upload-", "location"))]
    assert not refused.interims
    assert status_of(place, name) == before
    assert read(place, name).body == b"a good log\n"
    replacing = request(place, "PUT", f"/log/{name}", *headers, content=b"right")
    assert replacing.status == (201 if MORE in headers else 200)
    assert log_of(place, name) == ("interrupted" if MORE in headers else "complete", b"right")
    assert status_of(place, name)["generation"] != before["generation"]


def test_a_plain_log_that_is_wrong_never_was(place: Server, name: str) -> None:
    assert request(place, "PUT", f"/log/{name}", RIGHT, content=b"wrong").status == 400
    assert look(place, f"/log/{name}").status == 404
    assert request(place, "PUT", f"/log/{name}", RIGHT, content=b"right").status == 201


@pytest.mark.parametrize("end", ["breaks off", "bad framing"])
@kinds
def test_content_that_does_not_all_come_replaces_nothing(
    place: Server, name: str, headers: tuple[str, ...], end: str
) -> None:
    assert send(place, name, b"a good log\n").status == 201
    before = status_of(place, name)
    with receiving(place, name, *headers) as producer:
        assert status_of(place, name) == before
        assert request(place, "PUT", f"/log/{name}", content=b"other").status == 409
        if end == "bad framing":
            producer.send(b"no chunk\r\n")
            assert producer.wait_head().status == 400
    # Its connection is closed by now, or about to be noticed.
    assert read(place, name).body == b"a good log\n"
    assert status_of(place, name) == before


@contextlib.contextmanager
def receiving(server: Server, name: str, *headers: str) -> Iterator[Connection]:
    """A producer in the middle of content whose digest it has told."""
    with contextlib.closing(server.connect(producer=True)) as producer:
        fields = [field for field in headers if field not in (CHUNKED, INTERIM)]
        ask(producer, "PUT", f"/log/{name}", CHUNKED, "Expect: 100-continue", *fields)
        producer.wait(lambda answer: bool(answer.interims), "100 Continue")
        producer.send(chunk(b"rig"))
        yield producer


def test_an_interrupted_upload_can_be_gone_on_with_if_what_would_replace_it_is_wrong(place: Server, name: str) -> None:
    location = create(place, name, b"begun ").location
    with receiving(place, name, RIGHT) as other:
        assert look(place, location).progress == (204, "?0", "6")
        assert append(place, location, 6, b"and ended", WHOLE).status == 409
        assert look(place, location, method="DELETE").status == 409
        assert look(place, f"/log/{name}", method="DELETE").status == 409
        other.send(chunk(b"ong") + chunk(b""))
        assert other.wait_head().status == 400
    assert append(place, location, 6, b"and ended", WHOLE).progress == (201, "?1", "15")
    assert log_of(place, name) == ("complete", b"begun and ended")


def test_a_reader_of_the_log_that_is_replaced_has_all_of_it(place: Server, name: str) -> None:
    location = create(place, name, b"begun ").location
    with contextlib.closing(place.connect()) as reader:
        ask(reader, "GET", f"/log/{TOKEN}/{name}")
        reader.wait(lambda answer: bytes(answer.body) == b"begun ", "what there is")
        assert request(place, "PUT", f"/log/{name}", RIGHT, content=b"right").status == 200
        assert bytes(reader.wait_end().body) == b"begun "
    assert look(place, location).status == 404


def test_what_comes_with_content_that_is_wrong_does_not_count(place: Server, name: str) -> None:
    """Neither the title, nor the length that the upload would have."""
    location = create(place, name, b"begun ", "Livelog-Title: old").location
    fields = (PARTIAL, "Upload-Offset: 6", WHOLE, RIGHT, "Livelog-Title: new")
    assert request(place, "PATCH", location, *fields, content=b"wrong and longer").progress == (400, "?0", "6")
    assert status_of(place, name)["title"] == "old"
    assert look(place, location).head.get("Upload-Length") is None
    assert request(place, "PATCH", location, *fields, content=b"right").progress == (201, "?1", "11")
    assert status_of(place, name)["title"] == "new"
    assert log_of(place, name) == ("complete", b"begun right")
