"""What is known of a log: states, times, generations, and that what was kept comes back or is refused as a whole.

Categories: states, generations and their order, times to the microsecond, JSON and back, damaged JSON of any kind.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.log.attributes import Attributes
from livelog.log.info import (
    DEFAULT_TYPE,
    GENERATION,
    PLAIN,
    LogInfo,
    State,
    Upload,
    began,
    microseconds,
    new_generation,
    now,
    timestamp,
)

MOMENTS = st.integers(0, 4_000_000_000_000_000)


def kept(info: LogInfo, state: State = State.LIVE, size: int = 0) -> dict[str, Any]:
    """What a data directory keeps, after a round through JSON."""
    document = info.to_document(state, size)
    return dict(json.loads(json.dumps(document)))


ABOUT = LogInfo("builds/42", new_generation(1_700_000_000_000_001), 1_700_000_000_000_001)


def test_a_log_that_has_ended_gets_no_more_bytes() -> None:
    assert [state for state in State if state.ended] == [State.COMPLETE, State.ABORTED]


@given(MOMENTS, MOMENTS)
def test_generations_are_in_the_order_of_time(one: int, other: int) -> None:
    first, second = new_generation(one), new_generation(other)
    assert GENERATION.fullmatch(first)
    assert first != new_generation(one)
    if one != other:
        assert (first < second) is (one < other)


@given(MOMENTS)
def test_times_keep_their_microseconds(moment: int) -> None:
    assert microseconds(timestamp(moment)) == moment


def test_times_are_in_utc_and_now_is_now() -> None:
    assert timestamp(1_700_000_000_000_001) == "2023-11-14T22:13:20.000001Z"
    before = now()
    assert before <= now() < before + 60_000_000


@given(
    st.builds(
        LogInfo,
        name=st.text(),
        generation=MOMENTS.map(new_generation),
        began=MOMENTS,
        content_type=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
        attributes=st.builds(Attributes, st.text(), st.integers() | st.none(), st.dictionaries(st.text(), st.text())),
        upload=st.builds(
            Upload,
            st.booleans(),
            st.booleans(),
            st.integers(0) | st.none(),
            st.dictionaries(st.text(), st.binary()),
            st.text() | st.none(),
        ),
        ended=MOMENTS | st.none(),
        reason=st.text(),
        order=st.integers(),
    ),
    st.sampled_from(State),
    st.integers(0),
)
def test_what_is_kept_comes_back(info: LogInfo, state: State, size: int) -> None:
    assert LogInfo.from_json(kept(info, state, size)) == (info, state, size)


def test_common_values_are_shared() -> None:
    info, _, _ = LogInfo.from_json(kept(ABOUT))
    assert info.content_type is DEFAULT_TYPE
    assert info.attributes is Attributes.NONE
    assert info.upload is PLAIN


@pytest.mark.parametrize("document", [None, [], "text", 7, {}])
def test_what_is_no_document_is_refused(document: Any) -> None:
    with pytest.raises(ValueError):
        LogInfo.from_json(document)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", 1), ("generation", "1"), ("generation", "../../etc/passwd"), ("began", "soon"), ("began", 1),
        ("began", "9999-99-99T00:00:00Z"), ("content_type", "text/plain\r\nX: y"), ("content_type", None), ("upload", []),
        ("upload", None), ("ended", 5), ("reason", None), ("state", "dead"), ("state", []), ("size", "7"), ("size", True),
        ("size", None), ("labels", 5), ("title", None),
    ],
)  # fmt: skip
def test_a_wrong_member_is_refused(member: str, value: object) -> None:
    with pytest.raises(ValueError):
        LogInfo.from_json({**kept(ABOUT), member: value})


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("resumable", 1), ("replaces", None), ("length", "5"), ("repr_digest", {"sha-256": "xx"}), ("repr_digest", []),
        ("want_repr_digest", 1),
    ],
)  # fmt: skip
def test_a_wrong_member_of_the_upload_is_refused(member: str, value: object) -> None:
    document = kept(ABOUT)
    with pytest.raises(ValueError):
        LogInfo.from_json({**document, "upload": {**document["upload"], member: value}})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_refused_with_a_value_error(document: Any) -> None:
    with pytest.raises(ValueError):
        LogInfo.from_json(document)


@given(MOMENTS)
def test_a_generation_tells_when_its_log_began(moment: int) -> None:
    assert began(new_generation(moment)) == moment


@pytest.mark.parametrize("text", ["", "x", "20261332T051234.000000Z-00000000", "another-generation-00000000"])
def test_what_is_no_generation_tells_no_beginning(text: str) -> None:
    assert began(text) == 0
