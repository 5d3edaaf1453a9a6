"""What producers tell of their logs: titles, exit codes, labels, and that all of it is bounded and printable.

Categories: each field alone, updates, wrong values, limits, JSON and back.
"""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.errors import InvalidAttribute
from livelog.log.attributes import MAX_LABELS, Attributes, encoded, valid_label_name

NONE = Attributes.NONE


def told(before: Attributes = NONE, **fields: str | list[str]) -> Attributes:
    named = {"livelog-" + name.replace("_", "-"): value for name, value in fields.items()}
    return before.updated({name: [value] if isinstance(value, str) else value for name, value in named.items()})


def test_nothing_told_is_nothing_known() -> None:
    assert told() == NONE == Attributes("", None, {})


def test_titles_are_text() -> None:
    assert told(title=" nightly build, été ✓ ").title == "nightly build, été ✓"
    assert told(title=["one", "two"]).title == "two"
    assert told(told(title="one"), title="").title == ""
    assert told(title="é" * 128).title == "é" * 128


@pytest.mark.parametrize(
    ("text", "code"), [("0", 0), ("255", 255), ("-1", -1), ("4294967295", 2**32 - 1), (" 007 ", 7)]
)
def test_exit_codes_are_numbers_of_32_bits(text: str, code: int) -> None:
    assert told(exit_code=text).exit_code == code


def test_labels_are_added_changed_and_taken_away() -> None:
    one = told(label="branch=main, commit=1a2b3c,")
    assert one.labels == {"branch": "main", "commit": "1a2b3c"}
    two = told(one, label=["branch=fix/it = now", "commit=", "none="])
    assert two.labels == {"branch": "fix/it = now"}
    assert one.labels == {"branch": "main", "commit": "1a2b3c"}, "values do not change"
    assert told(one, title="x").labels == one.labels


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("title", "a\x00b"), ("title", "a\nb"), ("title", "\x1b[31m"), ("title", "x" * 257), ("title", "é" * 129),
        ("title", "a\u202eb"), ("title", "\udcff"),
        ("exit_code", ""), ("exit_code", "one"), ("exit_code", "1.0"), ("exit_code", "+1"), ("exit_code", "1_0"),
        ("exit_code", "4294967296"), ("exit_code", "-2147483649"), ("exit_code", "\u0661"), ("exit_code", "9" * 5000),
        ("label", "noequals"), ("label", "=value"), ("label", "Upper=x"), ("label", "a b=x"), ("label", "é=x"),
        ("label", "a" * 64 + "=x"), ("label", "a=" + "x" * 257), ("label", "a=b\x07"), ("label", "-a=b"), ("label", "a=\udcff"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_an_error_that_says_so(field: str, text: str) -> None:
    with pytest.raises(InvalidAttribute) as raised:
        NONE.updated({"livelog-" + field.replace("_", "-"): [text]})
    assert "Livelog-" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_there_are_at_most_so_many_labels() -> None:
    full = told(label=[f"l{number}=x" for number in range(MAX_LABELS)])
    assert len(full.labels) == MAX_LABELS
    assert told(full, label="l0=, other=x").labels["other"] == "x"
    with pytest.raises(InvalidAttribute, match="17 labels: at most 16"):
        told(full, label="other=x")


@pytest.mark.parametrize(
    ("field", "labels"),
    [
        ('a=%"b, c", d=e', {"a": "b, c", "d": "e"}),
        ('a=%"J%c3%bcrgen",b= %" x " ', {"a": "Jürgen", "b": " x "}),
        ('a=%"", b=c', {"b": "c"}),
        # No Display Strings: they are what they were before there were any.
        ('a=%"b, c=d', {"a": '%"b', "c": "d"}),
        ('a=%"%C3%BC"', {"a": '%"%C3%BC"'}),
        ('a="b", c=%41', {"a": '"b"', "c": "%41"}),
        ('a=x%"b", c=d', {"a": 'x%"b"', "c": "d"}),
        ('a=%"b"c, d=e', {"a": '%"b"c', "d": "e"}),
    ],
)
def test_label_is_a_display_string_or_the_text_that_it_is(field: str, labels: dict[str, str]) -> None:
    assert told(label=field).labels == labels


def test_title_may_be_a_display_string() -> None:
    assert told(title='%"f%c3%bcr alle, %25"').title == "für alle, %"


@pytest.mark.parametrize("text", ['a=%"%ff"', 'a=%"%0a"', 'a=%"%1b[2J"'])
def test_display_string_holds_printable_text_only(text: str) -> None:
    with pytest.raises(InvalidAttribute, match="Livelog-Label"):
        told(label=text)


PRINTABLE = st.text(max_size=60).filter(lambda text: text.isprintable())


@given(st.lists(PRINTABLE.filter(bool), max_size=5), PRINTABLE)
def test_what_a_client_encodes_is_what_the_server_keeps(values: list[str], title: str) -> None:
    named = {f"label{number}": value for number, value in enumerate(values)}
    field = ", ".join(f"{name}={encoded(value)}" for name, value in named.items())
    assert told(label=field, title=encoded(title)) == Attributes(title, None, named)


@given(st.text())
def test_label_name_that_is_made_of_any_text_is_one(text: str) -> None:
    if name := valid_label_name(text):
        assert told(label=f"{name}=x").labels == {name: "x"}
        assert valid_label_name(name) == name


@given(st.text(), st.integers(-(2**31), 2**32 - 1) | st.none(), st.dictionaries(st.text(), st.text()))
def test_what_is_kept_as_json_comes_back(title: str, exit_code: int | None, labels: dict[str, str]) -> None:
    attributes = Attributes(title, exit_code, labels)
    assert Attributes.from_json(json.loads(json.dumps(attributes.to_json()))) == attributes


def test_nothing_known_costs_nothing() -> None:
    assert Attributes.from_json(NONE.to_json()) is NONE


@pytest.mark.parametrize(
    "kept",
    [
        {}, {"title": 1, "exit_code": None, "labels": {}}, {"title": "", "exit_code": "0", "labels": {}},
        {"title": "", "exit_code": True, "labels": {}}, {"title": "", "exit_code": None, "labels": []},
        {"title": "", "exit_code": None, "labels": {"a": 1}}, {"title": "", "exit_code": None},
    ],
)  # fmt: skip
def test_what_was_damaged_does_not_come_back(kept: dict[str, object]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        Attributes.from_json(kept)


def test_labels_that_nobody_would_keep_are_not_looked_at() -> None:
    with pytest.raises(InvalidAttribute, match="labels: at most 16 are kept"):
        NONE.updated({"livelog-label": ["a=b,"] * 5000})
