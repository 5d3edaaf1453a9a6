"""Tokens of prefixes: which logs, and which part of the list, they open for readers and for producers.

Categories: every resource of the logs of a prefix, and of no other · the list · tokens that expire · links from both places · what
producers may do with a prefix's write token.
"""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from livelog import cli
from livelog.tokens import Access, write_token
from tests.harness import TOKEN, Server

from .commands import run
from .logs import Answer, path_of, request, send, status_of
from .servers import running

WRITE_TOKEN = "pen~0f.the-producers"

AS_PRODUCER = f"Authorization: Bearer {WRITE_TOKEN}"

ACCESS = Access(TOKEN, WRITE_TOKEN)

INSIDE = ("builds/42/linux", "builds/42/linux/test", "builds/42/~")

OUTSIDE = ("", "builds", "builds/42", "builds/421/linux", "builds/4/2", "other/builds/42/linux")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with a write token, and logs inside and outside of builds/42/."""
    with running({"LIVELOG_WRITE_TOKEN": WRITE_TOKEN}) as server:
        for name in (*OUTSIDE, *INSIDE):
            assert send(server, name, name.encode() + b"\n", AS_PRODUCER).status == 201
        yield server


def get(server: Server, path: str, *headers: str) -> Answer:
    """The answer to a GET on the readers' port."""
    return request(server.get, "GET", path, *headers)


def listed(server: Server, path: str, *headers: str) -> list[str]:
    """The names on a page of the list."""
    answer = get(server, path, *headers)
    assert answer.status == 200, answer.body
    return [log["name"] for log in answer.json["logs"]]


def writing(prefix: str, expires: int | None = None) -> str:
    """The header field with a prefix's write token."""
    return f"Authorization: Bearer {write_token(WRITE_TOKEN, prefix, expires)}"


RESOURCES = {"log": "", "status": "", "lines": "?tail=1", "search": "?q=linux", "events": "", "groups": ""}


@pytest.mark.parametrize("prefix", ["builds/42/", "builds/"])
def test_prefix_token_opens_every_resource_of_its_logs_and_of_no_other(server: Server, prefix: str) -> None:
    """In the path, and as Bearer."""
    token = ACCESS.prefix_token(prefix)
    bearer = f"Authorization: Bearer {token}"
    for resource, query in RESOURCES.items():
        for name in (*INSIDE[:1], *OUTSIDE) if resource != "log" else (*INSIDE, *OUTSIDE):
            expected = 200 if name.startswith(prefix) else 401
            assert get(server, path_of(name, token, resource) + query).status == expected, (resource, name)
            assert get(server, path_of(name, "", resource) + query, bearer).status == expected, (resource, name)
    assert get(server, path_of(f"{prefix}not/begun", token)).status == 404
    assert get(server, path_of("not/begun", token)).status == 401


def test_path_that_is_a_prefix_is_no_log(server: Server) -> None:
    """400 for those to whom it is open, 401 for others."""
    token = ACCESS.prefix_token("builds/42/")
    for resource in ("log", "status", "events"):
        assert get(server, f"/{resource}/{token}/builds/42/").status == 400
        for path in ("builds/", "builds/421/", ""):
            assert get(server, f"/{resource}/{token}/{path}").status == 401, path


def test_prefix_token_opens_the_list_of_its_logs_and_of_narrower_prefixes(server: Server) -> None:
    """By the path, and by the parameter; from the newest to the oldest."""
    token = ACCESS.prefix_token("builds/42/")
    bearer = f"Authorization: Bearer {token}"
    all_of_them = list(reversed(INSIDE))
    for path, headers in (
        (f"/logs/{token}/builds/42/", ()), ("/logs/builds/42/", (bearer,)), ("/logs?prefix=builds/42/", (bearer,)),
        (f"/logs/{token}?prefix=builds%2F42%2F", ()),
    ):  # fmt: skip
        assert listed(server, path, *headers) == all_of_them, path
    for path in (f"/logs/{token}/builds/42/linux/", f"/logs/{token}?prefix=builds/42/linux/"):
        assert listed(server, path) == ["builds/42/linux/test"]
    assert listed(server, f"/logs/{token}?prefix=builds/42/l") == all_of_them[1:]
    assert listed(server, f"/logs/{token}/builds/42/none/") == []
    assert listed(server, f"/logs/{token}/builds/42/?prefix=other/") == []
    assert listed(server, f"/logs/{token}/other/?prefix=builds/42/") == [], "both hold"
    for path in (
        "",
        "/",
        "/builds/",
        "/builds/421/",
        "/other/",
        "?prefix=",
        "?prefix=builds/42",
        "?prefix=builds/",
        "/builds/42",
    ):
        assert get(server, f"/logs/{token}{path}").status == 401, path
        assert get(server, f"/logs{path}", bearer).status == 401, path


def test_access_token_lists_any_prefix(server: Server) -> None:
    """Also one that no log has; what is no prefix gets 400 from those who may ask, and 401 from others."""
    assert listed(server, f"/logs/{TOKEN}/builds/42/") == list(reversed(INSIDE))
    assert (
        len(listed(server, f"/logs/{TOKEN}/")) == len(listed(server, f"/logs/{TOKEN}?prefix=")) == len(INSIDE + OUTSIDE)
    )
    assert listed(server, f"/logs/{TOKEN}?prefix=builds/421") == ["builds/421/linux"]
    assert listed(server, "/logs/nothing/", f"Authorization: Bearer {TOKEN}") == []
    for path in ("builds/42", "builds//", "/", "../", "a/../", "a%2Fb/", "1/2/3/4/5/6/7/8/", "x" * 254 + "/", "%20/"):
        assert (answer := get(server, f"/logs/{TOKEN}/{path}")).status == 400, path
        assert b"this is not a prefix" in answer.body
        assert get(server, f"/logs/wrong/{path}").status == 401


def test_prefix_token_that_has_expired_says_so_to_its_bearer(server: Server) -> None:
    """And to nobody else; one that was changed is wrong."""
    token = ACCESS.prefix_token("builds/42/", int(time.time()) + 3600)
    assert get(server, f"/log/{token}/builds/42/linux").status == 200
    over = ACCESS.prefix_token("builds/42/", 1)
    for path in (f"/log/{over}/builds/42/linux", f"/logs/{over}/builds/42/", f"/log/{over}/builds/42/none"):
        answer = get(server, path)
        assert (answer.status, answer.body) == (401, b"this link has expired: ask for a new one")
        assert answer["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    code = over.partition(".")[0]
    forged = [code, f"{code}.{int(time.time()) + 9999}", over[2:], "w" + over[1:], f"{over}.9", f"{code[:-1]}.1"]
    for path in [f"/logs/{over}", f"/log/{over}/builds/41/x", *(f"/logs/{each}/builds/42/" for each in forged)]:
        answer = get(server, path)
        assert (answer.status, answer.body, answer["WWW-Authenticate"]) == (401, b"Access denied", "Bearer"), path


def test_link_to_a_prefix_is_given_by_the_command_and_by_the_producers_port(server: Server) -> None:
    """It is the same one; it is not given to whoever may write something else only."""
    here = {"ACCESS_TOKEN": TOKEN, "LIVELOG_GET_PORT": str(server.get.port)}
    links = {run("link", "--prefix", prefix, **here).stdout for prefix in ("builds/42/", "builds/42")}
    link = links.pop().removesuffix("\n")
    assert not links
    assert link == f"http://localhost:{server.get.port}/logs/{ACCESS.prefix_token('builds/42/')}/builds/42/"
    assert listed(server, urlsplit(link).path) == list(reversed(INSIDE))
    for header in (AS_PRODUCER, writing("builds/42/"), writing("builds/")):
        for method in ("GET", "HEAD"):
            answer = request(server.put, method, "/logs/builds/42/", header)
            assert (answer.status, answer["Livelog-Link"]) == (204, link)
            assert answer["Livelog-View"] == link.replace("/logs/", "/view/", 1)
    assert run("link", "--prefix", "builds/42", "--view", **here).stdout == link.replace("/logs/", "/view/", 1) + "\n"
    for header in ("X: y", writing("builds/42/linux/"), writing("other/")):
        assert request(server.put, "HEAD", "/logs/builds/42/", header).status == 401
    asked = run(
        "link", "--prefix", "builds/42", "--expires", "2h", LIVELOG_SERVER=f"http://127.0.0.1:{server.put.port}",
        LIVELOG_WRITE_TOKEN=WRITE_TOKEN,
    )  # fmt: skip
    assert asked.stderr == ""
    _, _, expires = asked.stdout.split("/")[4].partition(".")
    assert time.time() + 7000 < int(expires) <= time.time() + 7201
    assert listed(server, urlsplit(asked.stdout.strip()).path) == list(reversed(INSIDE))
    assert request(server.put, "GET", "/logs/builds/42/?expires=soon", AS_PRODUCER).status == 400
    assert request(server.put, "PUT", "/logs/builds/42/", AS_PRODUCER).status == 405
    for path in ("/logs", "/logs/", "/logs/builds/42", "/logs//", "/logs/a/../"):
        assert request(server.put, "GET", path, AS_PRODUCER).status == 404, path


def test_write_token_of_a_prefix_is_made_by_the_command(server: Server) -> None:
    """Of the server's own write token, which must be there."""
    here = {"LIVELOG_WRITE_TOKEN": WRITE_TOKEN}
    assert (
        run("link", "--prefix", "builds/42/", "--write", **here).stdout == f"{write_token(WRITE_TOKEN, 'builds/42/')}\n"
    )
    token = run("link", "--prefix", "made", "--write", "--expires", "1h", **here).stdout.strip()
    assert send(server, "made/by", b"x", f"Authorization: Bearer {token}").status == 201
    for variables in ({}, {"LIVELOG_WRITE_TOKEN": token}):
        done = run("link", "--prefix", "a", "--write", ACCESS_TOKEN=TOKEN, **variables)
        assert (done.returncode, done.stdout) == (78, "")
        assert "LIVELOG_WRITE_TOKEN must be that of the server" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--write"], ["--write", "a"], ["--prefix", ""], ["--prefix", "/"], ["--prefix", "a b"], ["--prefix", "a", "b"],
        ["--prefix", "a", "--write", "--view"], ["--prefix", "1/2/3/4/5/6/7/8"],
    ],
)  # fmt: skip
def test_link_to_no_prefix_is_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what is wrong, and prints nothing."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["link", *words])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert "--prefix" in err


def test_write_token_of_a_prefix_writes_its_logs_and_no_other(server: Server) -> None:
    """Whatever is done with a log; and an upload, by its address. Reads nothing."""
    token = writing("jobs/7/")
    refused = writing("jobs/70/")
    for name in ("jobs/7/a", "jobs/7/b/c"):
        assert send(server, name, b"x", token).status == 201
        assert request(server.put, "HEAD", path_of(name), token)["Livelog-Link"] == ACCESS.link(
            f"http://localhost:{server.get.port}", name
        )
        for method in ("PUT", "PATCH", "GET", "DELETE", "OPTIONS"):
            assert request(server.put, method, path_of(name), refused, body=b"").status == 401
        assert get(server, path_of(name), token).status == 401
    for path in (
        "/log",
        "/log/jobs",
        "/log/jobs/7",
        "/log/jobs/70/a",
        "/log/builds/42/linux",
        "/nothing",
        "/",
        "/logs/jobs/",
        "/log/jobs/7%2Fa",
    ):
        assert request(server.put, "PUT" if path.startswith("/log/") else "GET", path, token).status == 401, path
    assert request(server.put, "OPTIONS", "*", token).status == 401
    for path in ("/log/jobs/7/", "/log/jobs/7/../70/a", "/log/jobs/7/%2e%2e/x"):
        assert request(server.put, "PUT", path, token, body=b"").status == 400, path
    begun = request(server.put, "PUT", "/log/jobs/7/up", token, "Upload-Complete: ?0", body=b"one")
    goes_on = ("Content-Type: application/partial-upload", "Upload-Offset: 3", "Upload-Complete: ?1")
    for header in (refused, "X: y"):
        assert request(server.put, "PATCH", begun["Location"], header, *goes_on, body=b"two").status == 401
    assert request(server.put, "PATCH", begun["Location"], token, *goes_on, body=b"two").status == 201
    assert status_of(server, "jobs/7/up")["size"] == 6
    assert request(server.put, "DELETE", "/log/jobs/7/up", token).status == 204


def test_write_token_that_has_expired_says_so_to_its_bearer(server: Server) -> None:
    """For its own prefix only; nothing begins."""
    over = writing("jobs/8/", 1)
    answer = send(server, "jobs/8/a", b"x", over)
    assert (answer.status, answer.body) == (401, b"this token has expired: ask for a new one")
    assert answer["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert send(server, "jobs/9/a", b"x", over).body == b"Access denied"
    assert listed(server, f"/logs/{TOKEN}/jobs/8/") == []


def test_token_of_a_prefix_becomes_no_name_and_is_in_no_log_line(server: Server) -> None:
    """Of this server or another, whatever it opens."""
    before = listed(server, f"/logs/{TOKEN}")
    for token in (
        ACCESS.prefix_token("builds/42/"),
        Access("other").prefix_token("x/", 5),
        write_token(WRITE_TOKEN, "builds/42/"),
    ):
        for name in (token, f"{token}/builds/42", f"a/{token}/b", f"logs/{token}/builds/42/x"):
            answer = request(server.put, "PUT", f"/log/{name}", AS_PRODUCER, body=b"x")
            assert (answer.status, answer["Livelog-Link"]) == (404, "")
        get(server, f"/log/{token}/other")
        assert token not in server.log()
    assert listed(server, f"/logs/{TOKEN}") == before
