"""The head of an answer, as bytes: what frames the body, and what becomes of the connection."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import pytest

from livelog.wire.body_writer import BodyWriter
from livelog.wire.response import Response, head


async def nothing(_: BodyWriter) -> None:
    """A body that is never sent here."""


def fields(
    answer: Response, *, method: str = "GET", version: tuple[int, int] = (1, 1), keep: bool = True
) -> Mapping[str, str]:
    """The head's first line, under "", and its fields but for the date, which must be right in form."""
    text = head(answer, method=method, version=version, keep=keep).decode()
    assert text.endswith("\r\n\r\n")
    line, *rest = text[:-4].split("\r\n")
    found = dict(field.split(": ", 1) for field in rest)
    assert len(found) == len(rest)
    assert re.fullmatch(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT", found.pop("Date"))
    return {"": line, **found}


def test_the_date_is_that_of_the_answer() -> None:
    began = int(time.time())
    answer = head(Response(204, {}), method="GET", version=(1, 1), keep=True).decode()
    date = parsedate_to_datetime(answer.partition("Date: ")[2].partition("\r\n")[0])
    assert began <= date.timestamp() <= time.time()
    assert f"Date: {date:%a, %d %b %Y %H:%M:%S} GMT" in answer


def test_an_answer_with_a_body_has_its_length_and_a_type() -> None:
    assert fields(Response(200, {"A": "b"}, b"body")) == {
        "": "HTTP/1.1 200 OK", "A": "b", "Content-Type": "application/octet-stream", "Content-Length": "4",
    }  # fmt: skip
    assert fields(Response(404, {"Content-Type": "text/plain"}, b"")) == {
        "": "HTTP/1.1 404 Not Found", "Content-Type": "text/plain", "Content-Length": "0",
    }  # fmt: skip
    assert "Content-Type" not in fields(Response(200, {}))


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_by_its_status_says_nothing_of_one(status: int) -> None:
    assert fields(Response(status, {})).keys() == {""}
    assert fields(Response(status, {}), method="HEAD").keys() == {""}


def test_an_answer_of_unknown_length_is_chunked_or_ends_with_its_connection() -> None:
    answer = Response(200, {"Content-Type": "t"}, stream=nothing)
    assert fields(answer)["Transfer-Encoding"] == "chunked"
    assert fields(answer, version=(1, 0), keep=False) == {"": "HTTP/1.0 200 OK", "Content-Type": "t"}
    assert fields(answer, method="HEAD").keys() == {"", "Content-Type"}
    assert answer.is_streamed


def test_an_answer_to_head_has_the_fields_of_the_one_to_get() -> None:
    answer = Response(206, {"Content-Type": "t"}, stream=nothing, length=7)
    assert fields(answer) == fields(answer, method="HEAD")
    assert fields(answer)["Content-Length"] == "7"
    assert not Response(200, {}, stream=nothing, length=0).is_streamed


@pytest.mark.parametrize(
    ("version", "keep", "option"),
    [((1, 1), True, None), ((1, 1), False, "close"), ((1, 0), True, "keep-alive"), ((1, 0), False, None)],
)
def test_the_connection_option_is_named_where_it_is_not_the_versions_own(
    version: tuple[int, int], option: str | None, *, keep: bool
) -> None:
    found = fields(Response(200, {}), version=version, keep=keep)
    assert (found.get("Connection"), found[""]) == (option, f"HTTP/1.{version[1]} 200 OK")


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb"])
def test_a_line_end_in_a_value_is_never_sent(value: str) -> None:
    with pytest.raises(ValueError, match="line end"):
        head(Response(200, {"A": value}), method="GET", version=(1, 1), keep=True)
