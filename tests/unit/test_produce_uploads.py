"""Resumable uploads: what header fields announce, what contradicts itself, and what is told back.

Categories: each field with values that count and values that are ignored (structured fields, RFC 9651), lengths,
digests (RFC 9530), limits, problem types.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.errors import RequestError
from livelog.log.info import Upload
from livelog.produce import uploads
from livelog.produce.uploads import Announcement, agreed, announced, digest_field, limits

SHA256 = hashlib.sha256(b"hello").digest()
SHA512 = hashlib.sha512(b"hello").digest()


def fields(**values: str | list[str]) -> Callable[[str], Sequence[str]]:
    """Field lines, with `_` for `-` in their names."""
    lines = {
        name.lower().replace("_", "-"): [value] if isinstance(value, str) else value for name, value in values.items()
    }
    return lambda name: lines.get(name.lower(), [])


def announcement(**values: str | list[str]) -> Announcement:
    return announced(fields(**values))


def test_a_plain_request_announces_nothing() -> None:
    assert announcement() == Announcement(None, None, None, False, {}, {}, None)


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("?1", True), ("?0", False), (" ?1 ", True), ("?1;a=1", True),
        ("1", None), ("true", None), ("?2", None), ("", None), ("?1, ?1", None), ("?", None), ('"?1"', None), ("é", None),
    ],
)  # fmt: skip
def test_upload_complete_is_a_boolean_or_ignored(text: str, complete: bool | None) -> None:
    assert announcement(Upload_Complete=text).complete is complete


NATURALS = [
    ("0", 0), ("5", 5), ("007", 7), ("999999999999999", 10**15 - 1), ("5;a", 5),
    ("-1", None), ("5.0", None), ("1e3", None), ("+5", None), ("", None), ("5, 5", None), ("?1", None), ("five", None),
    ("1000000000000000", None), ("\u0661", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "number"), NATURALS)
def test_offsets_and_lengths_are_non_negative_integers_or_ignored(text: str, number: int | None) -> None:
    assert announcement(Upload_Offset=text).offset == number
    assert announcement(Upload_Length=text).length == number


def test_a_field_on_two_lines_is_no_item() -> None:
    assert announcement(Upload_Offset=["5", "5"]).offset is None


@pytest.mark.parametrize(
    ("text", "interim"), [("8", True), ("7", False), ("9", False), ("", False), ("?1", False), ("8.0", False)]
)
def test_interim_responses_are_for_the_same_version_of_the_draft_only(text: str, interim: bool) -> None:
    assert announcement(Upload_Draft_Interop_Version=text).interim is interim


@pytest.mark.parametrize(
    ("complete", "length", "offset", "content_length", "whole"),
    [
        ("?1", None, 0, 10, 10), ("?1", None, 5, 10, 15), ("?1", "15", 5, 10, 15), ("?1", "15", 5, None, 15),
        ("?0", None, 5, 10, None), ("?0", "20", 5, 10, 20), ("?1", None, 5, None, None),
    ],
)  # fmt: skip
def test_the_length_is_told_by_either_indicator(
    complete: str, length: str | None, offset: int, content_length: int | None, whole: int | None
) -> None:
    values = {"Upload_Complete": complete} | ({} if length is None else {"Upload_Length": length})
    assert announcement(**values).length_at(offset, content_length) == whole


def test_indicators_that_differ_are_an_error() -> None:
    with pytest.raises(RequestError) as raised:
        announcement(Upload_Complete="?1", Upload_Length="16").length_at(5, 10)
    assert (raised.value.status, raised.value.problem) == (400, "inconsistent-upload-length")
    assert raised.value.headers == {"Upload-Complete": "?0"}
    assert not raised.value.final


@pytest.mark.parametrize("complete", ["?0", "?1"])
@pytest.mark.parametrize("content_length", [None, 0])
def test_a_length_below_the_offset_is_an_error(complete: str, content_length: int | None) -> None:
    with pytest.raises(RequestError) as raised:
        announcement(Upload_Complete=complete, Upload_Length="4").length_at(5, content_length)
    assert (raised.value.problem, raised.value.final) == ("inconsistent-upload-length", False)


def test_the_length_stays_what_it_was_told_to_be() -> None:
    known = Upload(length=10)
    assert agreed(known, 10) == agreed(known, None) == agreed(Upload(), 10) == 10
    assert agreed(Upload(), None) is None
    with pytest.raises(RequestError) as raised:
        agreed(known, 11)
    assert raised.value.problem == "inconsistent-upload-length"


def byte_sequence(data: bytes) -> str:
    return f":{base64.b64encode(data).decode()}:"


def test_digests_are_read_by_algorithm() -> None:
    told = announcement(
        Content_Digest=f"sha-256={byte_sequence(SHA256)}, sha-512={byte_sequence(SHA512)};p=1, md5={byte_sequence(b'x')}, a=1",
        Repr_Digest=[f"sha-512={byte_sequence(SHA512)}", "unixsum=5"],
    )
    assert told.content_digest == {"sha-256": SHA256, "sha-512": SHA512}
    assert told.repr_digest == {"sha-512": SHA512}


@pytest.mark.parametrize("text", ["", "sha-256", "sha-256=5", "sha-256=abc", "SHA-256=:AAAA:", "sha-256=:A", ":AAAA:"])
def test_digests_that_are_none_are_ignored(text: str) -> None:
    assert announcement(Content_Digest=text).content_digest == {}


def test_a_digest_of_a_wrong_length_is_an_error() -> None:
    with pytest.raises(RequestError) as raised:
        announcement(Repr_Digest=f"sha-512={byte_sequence(SHA256)}")
    error = raised.value
    assert (error.status, error.problem) == (400, "digest-invalid-values")
    reason = "a sha-512 digest has 64 bytes"
    assert error.members == {"invalid-digests": [{"algorithm": "sha-512", "header": "Repr-Digest", "reason": reason}]}


@pytest.mark.parametrize(
    ("text", "algorithm"),
    [
        ("sha-256=1", "sha-256"), ("sha-256=1, sha-512=10", "sha-512"), ("sha-256=5, sha-512=0", "sha-256"),
        ("md5=10, sha-256=1", "sha-256"), ("sha-256=0", None), ("md5=1", None), ("sha-256", None), ("sha-256=11", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_digest_that_is_liked_best_is_chosen(text: str, algorithm: str | None) -> None:
    assert announcement(Want_Repr_Digest=text).want_repr_digest == algorithm


def test_errors_tell_the_right_values() -> None:
    offset = uploads.mismatching_offset(7, 5)
    assert (offset.status, offset.problem) == (409, "mismatching-upload-offset")
    assert offset.headers == {"Upload-Offset": "5", "Upload-Complete": "?0"}
    assert offset.members == {"expected-offset": 5, "provided-offset": 7}
    digest = uploads.mismatching_digest("Content-Digest", "sha-256", SHA256, 5, final=False)
    assert (digest.status, digest.problem, digest.final) == (400, "digest-mismatching-values", False)
    assert digest.headers == {"Upload-Offset": "5", "Upload-Complete": "?0"}
    assert digest.members == {
        "mismatching-digests": [
            {"algorithm": "sha-256", "provided-digest": byte_sequence(SHA256), "header": "Content-Digest"}
        ]
    }
    whole = uploads.mismatching_digest("Repr-Digest", "sha-256", SHA256, 5, final=True)
    assert (whole.headers["Upload-Complete"], whole.final) == ("?1", True)
    assert digest_field("sha-256", SHA256) == f"sha-256={byte_sequence(SHA256)}"


@pytest.mark.parametrize(
    ("size", "age", "field"),
    [
        (None, 60.0, "max-age=60"), (1000, 1.5, "max-size=1000, max-age=1"), (10**15, 60.0, "max-age=60"),
        (None, 9e9, "max-age=9000000000"),
    ],
)  # fmt: skip
def test_limits_are_a_dictionary_of_integers(size: int | None, age: float, field: str) -> None:
    assert limits(size, age) == field


@given(
    st.dictionaries(
        st.sampled_from(
            ["Upload-Complete", "Upload-Offset", "Upload-Length", "Upload-Draft-Interop-Version", "Want-Repr-Digest"]
        ),
        st.lists(st.text(max_size=20), max_size=2),
    )
)
def test_any_text_is_a_value_or_ignored(values: dict[str, list[str]]) -> None:
    told = announced(lambda name: values.get(name, []))
    assert told.offset is None or 0 <= told.offset < 10**15
    assert told.content_digest == told.repr_digest == {}


@given(st.text(max_size=60))
def test_any_digest_field_is_read_ignored_or_refused(text: str) -> None:
    problem, told = "", None
    try:
        told = announcement(Content_Digest=text)
    except RequestError as error:
        problem = error.problem
    assert problem in {"", "digest-invalid-values"}
    assert told is None or set(told.content_digest) <= {"sha-256", "sha-512"}
