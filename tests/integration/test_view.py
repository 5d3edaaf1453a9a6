"""The pages that show a log and the list of logs: for anybody, whole, with a policy that lets them do no more than they must; and links to them.

What the page does is shown in `tests/viewer`.
"""

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import livelog
from tests.harness import TOKEN, Server

from .logs import Answer, path_of, request, send
from .servers import running

FOLDER = Path(livelog.__file__).parent / "page"
PAGE, LIST, SEVERAL = ((FOLDER / name).read_bytes() for name in ("viewer.html", "list.html", "several.html"))
SCRIPTS = dict(re.findall(r'"?(\w+)"?:"(\1-[0-9a-f]{16}\.js)"', PAGE.decode()))
"""The addresses of the scripts that the page loads when they are used, behind `/page/`, by their names."""


def hash_of(content: bytes) -> str:
    """How a policy names a script or a style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server."""
    with running() as server:
        yield server


def view(server: Server, path: str = "/view", *headers: str, method: str = "GET") -> Answer:
    """The answer to a question for the page."""
    return request(server.get, method, path, *headers)


@pytest.mark.parametrize("path", ["/view", f"/view/{TOKEN}", "/view/wrong/builds/42", "/view/builds/42?x=1"])
def test_page_is_the_same_for_every_log_and_takes_no_token(server: Server, path: str) -> None:
    """It asks for one."""
    answer = view(server, path)
    assert (answer.status, answer.body, answer["Content-Type"]) == (200, PAGE, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "path", ["/view/", f"/view/{TOKEN}/", "/view/wrong/builds/42/", "/view/builds/?q=x", "/view//"]
)
def test_page_of_the_list_is_at_every_path_that_ends_in_a_slash(server: Server, path: str) -> None:
    """The same for everybody, and again only if it has changed."""
    answer = view(server, path)
    assert (answer.status, answer.body, answer["Content-Type"]) == (200, LIST, "text/html; charset=utf-8")
    again = view(server, path, f"If-None-Match: {answer['ETag']}")
    assert (again.status, again.body, again["ETag"]) == (304, b"", answer["ETag"])
    assert gzip.decompress(view(server, path, "Accept-Encoding: gzip").body) == LIST
    assert view(server, path, method="HEAD")["Content-Length"] == str(len(LIST))


@pytest.mark.parametrize(
    "path", ["/view/?logs=a,b", f"/view/{TOKEN}/?as=merged&logs=a", "/view/wrong/builds/42/?logs="]
)
def test_page_of_several_logs_is_in_the_place_of_the_list_if_logs_are_named(server: Server, path: str) -> None:
    answer = view(server, path)
    assert (answer.status, answer.body, answer["Content-Type"]) == (200, SEVERAL, "text/html; charset=utf-8")


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_browsers_are_led_from_the_root_to_the_list_and_others_find_nothing_there(server: Server) -> None:
    """By an address that is right behind a proxy with a prefix, too."""
    for method in ("GET", "HEAD"):
        answer = view(server, "/", f"Accept: {BROWSER}", method=method)
        assert (answer.status, answer["Location"], answer["Vary"]) == (303, "view/", "Accept")
    for path, accepted in (
        ("/", "*/*"),
        ("/", "application/json"),
        ("/", "text/html;q=0"),
        ("//", BROWSER),
        ("/x", BROWSER),
    ):
        assert view(server, path, f"Accept: {accepted}").status == 404
    assert view(server, "/").status == 404


@pytest.mark.parametrize(
    ("path", "page", "scripts"),
    [("/view", PAGE, [*SCRIPTS]), ("/view/", LIST, []), ("/view/?logs=a", SEVERAL, [])],
    ids=["log", "list", "several"],
)
def test_page_may_run_its_own_scripts_and_ask_its_own_server_and_no_more(
    server: Server, path: str, page: bytes, scripts: list[str]
) -> None:
    """By a header, which no page can weaken."""
    answer = view(server, path)
    policy = {name: values for name, *values in (part.split() for part in answer["Content-Security-Policy"].split(";"))}
    assert {name: policy[name] for name in ("default-src", "connect-src", "base-uri", "frame-ancestors")} == {
        "default-src": ["'none'"], "connect-src": ["'self'"], "base-uri": ["'none'"], "frame-ancestors": ["'none'"]
    }  # fmt: skip
    assert policy["require-trusted-types-for"] == ["'script'"]
    for element in ("script", "style"):
        found = re.findall(rb"<%b>(.*?)</%b>" % ((element.encode(),) * 2), page, re.DOTALL)
        files = [(FOLDER / f"{name}.js").read_bytes() for name in scripts] if element == "script" else []
        assert sorted(policy[f"{element}-src"]) == sorted(hash_of(text) for text in (*found, *files))
    assert policy["trusted-types"] == ["lit-html", "livelog"]
    assert (answer["Referrer-Policy"], answer["X-Content-Type-Options"]) == ("no-referrer", "nosniff")


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True), ("br, gzip;q=0.5", True), ("gzip ; q=1.0, br", True), ("gzip;q=0", False), ("gzip;q=0.0, br", False),
        ("identity", False), ("", False), ("nogzipped", False),
    ],
)  # fmt: skip
def test_page_is_compressed_for_whom_that_suits(server: Server, accepted: str, packed: bool) -> None:
    """With another ETag, so that a cache does not mix them up."""
    answer = view(server, "/view", f"Accept-Encoding: {accepted}")
    assert (answer["Content-Encoding"] == "gzip", answer["Vary"]) == (packed, "Accept-Encoding")
    assert (gzip.decompress(answer.body) if packed else answer.body) == PAGE
    assert (answer["ETag"] == view(server)["ETag"]) != packed


def test_page_that_a_browser_has_is_not_sent_again(server: Server) -> None:
    """304 as long as it is the same."""
    tag = view(server)["ETag"]
    answer = view(server, "/view", f"If-None-Match: {tag}")
    assert (answer.status, answer.body, answer["ETag"]) == (304, b"", tag)
    assert view(server, "/view", 'If-None-Match: "another"').status == 200
    assert view(server, "/view", 'If-Match: "another"').status == 412
    head = view(server, method="HEAD")
    assert (head.status, head["ETag"], head["Content-Length"]) == (200, tag, str(len(PAGE)))
    assert view(server, method="POST").status == 405


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_of_the_page_may_be_kept_for_ever_at_an_address_that_no_other_has(server: Server, name: str) -> None:
    content, address = (FOLDER / f"{name}.js").read_bytes(), f"/page/{SCRIPTS[name]}"
    assert hashlib.sha256(content).hexdigest()[:16] in address
    answer = view(server, address)
    assert (answer.status, answer.body, answer["Content-Type"]) == (200, content, "text/javascript; charset=utf-8")
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    packed = view(server, address, "Accept-Encoding: gzip")
    assert (packed["Content-Encoding"], gzip.decompress(packed.body)) == ("gzip", content)
    assert packed["ETag"] != answer["ETag"]
    assert view(server, address, f"If-None-Match: {answer['ETag']}").status == 304
    head = view(server, address, method="HEAD")
    assert (head.status, head["Content-Length"]) == (200, str(len(content)))
    assert view(server, address, method="POST").status == 405


@pytest.mark.parametrize(
    "path", ["", "/", "/finding.js", "/finding-0123456789abcdef.js", "/../viewer.html", "/%2e%2e/viewer.html"]
)
def test_script_that_this_page_does_not_have_is_not_there(server: Server, path: str) -> None:
    """As after an upgrade: a page that was open before asks for what was in the one before it."""
    answer = view(server, f"/page{path}")
    assert (answer.status, answer["Cache-Control"]) == (404, "")


def test_producers_are_told_where_people_can_see_their_log(server: Server) -> None:
    """With the token of the link, and as a member beside it."""
    put = send(server, "builds/log/42")
    asked = request(server.put, "GET", path_of("builds/log/42"))
    expiring = request(server.put, "HEAD", path_of("builds/log/42") + "?expires=1h")
    for answer in (put, asked, expiring):
        assert answer["Livelog-View"] == answer["Livelog-Link"].replace("/log/", "/view/", 1)
    assert asked.json["view"] == asked["Livelog-View"]
