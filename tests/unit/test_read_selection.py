"""Which logs a list is asked for: the parameters of /logs, one by one and together, and what is none of them."""

from urllib.parse import urlencode

import pytest

from livelog.errors import RequestError
from livelog.log.attributes import Attributes
from livelog.log.info import LogInfo, State, microseconds
from livelog.read.selection import Selection, state_named
from livelog.wire.request import Fields, Request

NOON = microseconds("2026-11-28T12:00:00Z")


def asked(*parameters: tuple[str, str], prefix: str = "") -> Selection:
    """The selection of a request with that query."""
    request = Request("GET", ("/logs", urlencode(parameters)), (1, 1), Fields([]), None)
    return Selection.of(request, prefix)


def takes(selection: Selection, state: State = State.LIVE) -> bool:
    """Whether one log is selected: builds/42/Linux, which began at noon."""
    attributes = Attributes("Größe: Nightly", 0, {"branch": "main", "os": "linux:x=y"})
    return selection.takes(LogInfo("builds/42/Linux", "", NOON), state, attributes)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ([], True),
        ([("prefix", "builds/42/")], True),
        ([("prefix", "builds/4")], True),
        ([("prefix", "")], True),
        ([("prefix", "builds/43/")], False),
        ([("prefix", "Builds/")], False),
        ([("label", "branch")], True),
        ([("label", "branch:main")], True),
        ([("label", "branch=main")], True),
        ([("label", "branch:mai")], False),
        ([("label", "branch:")], False),
        ([("label", "none")], False),
        ([("label", "os:linux:x=y")], True),
        ([("label", "branch:main"), ("label", "os")], True),
        ([("label", "branch:main"), ("label", "none")], False),
        ([("label", "branch:main"), ("label", "branch:other")], False),
        ([("state", "live")], True),
        ([("state", "complete")], False),
        ([("since", "2026-11-28T12:00:00Z")], True),
        ([("since", "2026-11-28T13:00:00+01:00")], True),
        ([("since", "2026-11-28T13:00:00 01:00")], True),
        ([("since", "2026-11-28T12:00:00.000001Z")], False),
        ([("until", "2026-11-28T12:00:00Z")], False),
        ([("until", "2026-11-28T12:00:00.000001Z")], True),
        ([("since", str(NOON // 1_000_000))], True),
        ([("since", str(NOON // 1_000_000 + 1))], False),
        ([("until", f"{NOON // 1_000_000}.5")], True),
        ([("since", "0"), ("until", "99999999999")], True),
        ([("q", "")], True),
        ([("q", "linux")], True),
        ([("q", "S/42/l")], True),
        ([("q", "GRÖSSE")], True),
        ([("q", "nightly")], True),
        ([("q", "main")], False),
        ([("q", "nightly"), ("state", "live"), ("label", "os"), ("prefix", "b"), ("since", "1")], True),
        ([("q", "nightly"), ("state", "aborted")], False),
        ([("other", "x")], True),
    ],
)
def test_a_log_is_selected_if_everything_holds(parameters: list[tuple[str, str]], *, expected: bool) -> None:
    assert takes(asked(*parameters)) is expected


def test_the_prefix_of_the_path_and_that_of_the_query_both_hold() -> None:
    assert takes(asked(("prefix", "builds/42/"), prefix="builds/"))
    assert not takes(asked(("prefix", "other/"), prefix="builds/"))
    assert not takes(asked(prefix="other/"))
    assert asked(("prefix", "a/"), prefix="a/") == asked(prefix="a/"), "the same logs are the same selection"


@pytest.mark.parametrize(
    ("parameter", "text", "said"),
    [
        ("state", "dead", "is not one of live"),
        ("label", "", "KEY or KEY:VALUE"),
        ("label", "UPPER", "KEY or KEY:VALUE"),
        ("label", ":x", "KEY or KEY:VALUE"),
        ("label", "a b:x", "KEY or KEY:VALUE"),
        ("label", "n" * 64, "KEY or KEY:VALUE"),
        ("since", "", "parameter since"),
        ("since", "soon", "parameter since"),
        ("since", "2026-11-28T12:00:00", "parameter since"),
        ("until", "-1", "parameter until"),
        ("until", "1e9", "parameter until"),
        ("until", "9" * 4000, "parameter until"),
        ("until", "nan", "parameter until"),
    ],
)
def test_what_is_no_selection_is_refused(parameter: str, text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said) as error:
        asked((parameter, text))
    assert error.value.status == 400


def test_a_search_selects_logs_by_prefix_label_and_state_alone() -> None:
    query = urlencode(
        {"prefix": "builds/", "label": "branch:main", "state": "live", "q": "nowhere", "since": "2027-01-01T00:00:00Z"}
    )
    request = Request("GET", ("/search", query), (1, 1), Fields([]), None)
    assert Selection.below(request, "builds/42/") == Selection(
        ("builds/42/", "builds/"), (("branch", "main"),), State.LIVE
    )


@pytest.mark.parametrize("state", State)
def test_states_have_their_names(state: State) -> None:
    assert state_named(state.value) is state
    assert takes(asked(("state", state.value)), state)
