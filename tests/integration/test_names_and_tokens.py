"""Who may read and write which log, by its name and a token, and what names there are.

Categories: a log's own token, from either place that gives it · tokens that expire · the Authorization header · no answer
tells strangers which logs there are · names, good and hostile · LIVELOG_WRITE_TOKEN · what the producers' port tells ·
secrets in answers.
"""

import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import Ending
from tests.harness import TIMEOUT, TOKEN, Server, ask, chunk
from tests.sample import sample

from .commands import run
from .logs import CHUNKED, INTERIM, Answer, begin, finish, follow, names, path_of, read, request, send, status_of
from .servers import running, wait_until

WRITE_TOKEN = "pen~0f.the-producers"

AS_PRODUCER = f"Authorization: Bearer {WRITE_TOKEN}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of `server`."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A server where everybody may write."""
    with running({"LIVELOG_DATA_DIR": str(folder)}) as server:
        yield server


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server with a write token."""
    with running({"LIVELOG_WRITE_TOKEN": WRITE_TOKEN}) as server:
        yield server


def link_by_header(server: Server, name: str, *expires: str) -> str:
    """The link to a log, as the producers' port gives it."""
    return request(server.put, "HEAD", path_of(name) + "".join(f"?expires={time}" for time in expires))["Livelog-Link"]


def link_by_command(server: Server, name: str, *expires: str) -> str:
    """The link to a log, as `livelog link` prints it."""
    words = ("link", *(name and [name]), *(word for time in expires for word in ("--expires", time)))
    done = run(*words, ACCESS_TOKEN=TOKEN, LIVELOG_GET_PORT=str(server.get.port))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.removesuffix("\n")


def token_of(link: str) -> str:
    """The token in a link."""
    return urlsplit(link).path.split("/")[2]


def status(server: Server, path: str, *headers: str) -> int:
    """The status of a GET on the readers' port."""
    return request(server.get, "GET", path, *headers).status


@pytest.mark.parametrize("expires", [(), ("2h",)], ids=["for ever", "for two hours"])
@pytest.mark.parametrize("link_to", [link_by_header, link_by_command])
@pytest.mark.parametrize("name", ["own/token", ""], ids=["named", "unnamed"])
def test_own_token_opens_its_log_and_its_status_and_nothing_else(
    server: Server, name: str, link_to: Callable[..., str], expires: tuple[str, ...]
) -> None:
    """Whichever way the link was got, before or after the log began; in the path, and as Bearer."""
    link = link_to(server, name, *expires)
    send(server, name)
    send(server, "own/token/longer")
    assert link.startswith(f"http://localhost:{server.get.port}/log/")
    token = token_of(link)
    bearer = f"Authorization: Bearer {token}"
    assert request(server.get, "GET", urlsplit(link).path).body == b"some bytes\n"
    assert request(server.get, "GET", path_of(name), bearer).body == b"some bytes\n"
    assert request(server.get, "GET", path_of(name, token, "status")).json["name"] == name
    assert request(server.get, "GET", path_of(name, "", "status"), bearer).json["name"] == name
    for other in {"", "own", "own/token", "own/token/longer", "own/tokens", "not/begun"} - {name}:
        for resource in ("log", "status"):
            assert status(server, path_of(other, token, resource)) == 401, other
            assert status(server, path_of(other, "", resource), bearer) == 401, other
    assert status(server, f"/logs/{token}") == 401
    assert status(server, "/logs", bearer) == 401


def test_both_places_make_the_same_link_and_a_new_log_of_the_name_keeps_it(server: Server) -> None:
    """It belongs to the name; PUT tells it, too."""
    links = {link_by_header(server, "same/link"), link_by_command(server, "same/link")}
    links |= {send(server, "same/link", text)["Livelog-Link"] for text in (b"one", b"two")}
    assert len(links) == 1
    assert request(server.get, "GET", urlsplit(links.pop()).path).body == b"two"


def test_public_url_is_what_links_begin_with() -> None:
    """LIVELOG_PUBLIC_URL, for a server behind a proxy."""
    with running({"LIVELOG_PUBLIC_URL": "https://logs.example.org/ci/"}) as server:
        told = send(server, "a")["Livelog-Link"]
        assert told == f"https://logs.example.org/ci/log/{token_of(told.replace('/ci', ''))}/a"


def test_access_token_opens_all(server: Server) -> None:
    """Every log, its status, and the list, in the path and as Bearer; Basic is no Bearer."""
    bearer = f"Authorization: bEaReR {TOKEN}"
    for name in ("", "opened", "opened/too"):
        send(server, name)
        for resource in ("log", "status"):
            assert status(server, path_of(name, TOKEN, resource)) == 200
            assert status(server, path_of(name, "", resource), bearer) == 200
            assert status(server, path_of(name, "", resource), f"Authorization: Basic {TOKEN}") == 401
    assert status(server, f"/logs/{TOKEN}") == status(server, "/logs", bearer) == 200


def test_token_in_the_path_wins_over_the_header(server: Server) -> None:
    """A right one is enough; a wrong one makes the path another name."""
    send(server, "path/wins")
    assert status(server, path_of("path/wins", TOKEN), "Authorization: Bearer wrong") == 200
    assert status(server, path_of("path/wins", "wrong"), "Authorization: Bearer wrong") == 401
    assert status(server, path_of("path/wins", "wrong"), f"Authorization: Bearer {TOKEN}") == 404
    own = token_of(link_by_header(server, "path/wins"))
    assert status(server, path_of("path/wins", "wrong"), f"Authorization: Bearer {own}") == 401


def test_link_expires_and_whoever_reads_reads_on(server: Server) -> None:
    """Nobody can be let in later than its time, whatever is made of the token; an answer that has begun goes on."""
    producer = begin(server, "expiring")
    token = token_of(link_by_header(server, "expiring", "5"))
    reader = follow(server, "expiring", token)
    path = path_of("expiring", token)
    assert status(server, path + "?follow=0") == 200
    wait_until(lambda: request(server.get, "HEAD", path).status == 401, "the link has expired")
    bearer = f"Authorization: Bearer {token}"
    for answer in (request(server.get, "GET", path), request(server.get, "GET", path_of("expiring", ""), bearer)):
        assert answer.body == b"this link has expired: ask for a new one"
        assert answer["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
        error_id = answer["Livelog-Error"]
        assert f"error {error_id}: 401 this link has expired" in server.log()
    assert token not in server.log()
    assert request(server.put, "HEAD", "/log/expiring?expires=1h").status == 200
    code, _, moment = token.partition(".")
    later = str(int(moment) + 3600)
    for forged in (code, f"{code}.", f"{code}.{later}", f"{code}.{moment}.{later}", f"{code}.0{later}", f"{code}.-1"):
        for resource in ("log", "status"):
            answer = request(server.get, "GET", path_of("expiring", forged, resource))
            assert (answer.status, answer.body) == (401, b"Access denied"), forged
    assert request(server.get, "GET", path_of("another", token)).body == b"Access denied"
    producer.send(chunk(b"read on") + chunk(b""))
    assert finish(producer).status == 201
    rest = finish(reader)
    assert (rest.body, rest.ending) == (b"read on", Ending.CLEAN)


@pytest.mark.parametrize("link_to", [link_by_header, link_by_command])
def test_link_opens_for_at_least_the_time_that_was_asked_for(server: Server, link_to: Callable[..., str]) -> None:
    """Its time is told in whole seconds: it is rounded up, never down."""
    before = time.time()
    link = link_to(server, "rounded", "1.5")
    assert before + 1.5 <= int(token_of(link).partition(".")[2]) <= time.time() + 2.5


@pytest.mark.parametrize("changed", ["earlier", "later", "no time", "another code", "cut", "longer", "upper case"])
def test_token_that_was_changed_opens_nothing(server: Server, changed: str) -> None:
    """Each part of it is covered by the code."""
    send(server, "tampered")
    token = token_of(link_by_header(server, "tampered", "1h"))
    assert status(server, path_of("tampered", token)) == 200
    code, _, moment = token.partition(".")
    forged = {
        "earlier": f"{code}.{int(moment) - 1}",
        "later": f"{code}.{int(moment) + 1}",
        "no time": code,
        "another code": f"{token_of(link_by_header(server, 'tampered'))}.{moment}",
        "cut": f"{code[:-1]}.{moment}",
        "longer": f"{code}A.{moment}",
        "upper case": f"{code.swapcase()}.{moment}",
    }[changed]
    assert status(server, path_of("tampered", forged)) == 401


@pytest.mark.parametrize("time", ["0", "-1", "soon", "1y", "1e99", "%00"])
def test_time_that_is_none_is_refused(server: Server, time: str) -> None:
    """400 from the server; the command says the same."""
    answer = request(server.put, "GET", f"/log/some?expires={time}")
    assert answer.status == 400
    assert b"the query parameter expires is not a duration" in answer.body
    assert not answer["Livelog-Link"]


def test_what_stands_in_a_query_is_not_in_the_log(server: Server) -> None:
    """It may be a token that somebody has put there by mistake."""
    assert request(server.put, "GET", "/log/some?expires=of-no-use").status == 400
    assert "of-no-use" not in server.log()


def nothing_told(answer: Answer) -> tuple[object, ...]:
    """An answer without what differs from one to the next in any case."""
    fields = [(name, value) for name, value in answer.head.fields if name not in ("Date", "Livelog-Error")]
    return (answer.status, fields, answer.body)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
@pytest.mark.parametrize("resource", ["log", "status"])
def test_strangers_are_not_told_which_logs_there_are(server: Server, method: str, resource: str) -> None:
    """With a wrong token, or none, all answers are the same, byte for byte, and come at once; also for what is no name."""
    send(server, "there")
    live = begin(server, "there/live")
    answers = [
        request(server.get, method, path_of(name, token, resource) + query, *headers)
        for name in ("there", "there/live", "not/there", "no//name", "..", "")
        for token, headers in (("wrong", ()), ("", ("Authorization: Bearer wrong",)))
        for query in ("", "?wait=300", "?tail=x")
    ]
    live.reset()
    assert len({repr(nothing_told(answer)) for answer in answers}) == 1
    assert answers[0].status == 401
    assert answers[0]["WWW-Authenticate"] == "Bearer"
    assert answers[0].body == (b"" if method == "HEAD" else b"Access denied")


GOOD_NAMES = {
    "x" * 255: "x" * 255,
    "1/2/3/4/5/6/7/8": "1/2/3/4/5/6/7/8",
    "~tilde-and_more.txt": "~tilde-and_more.txt",
    ".../.hidden/-rf": ".../.hidden/-rf",
    "%6e%61me/%7Ed": "name/~d",
    "log/log": "log/log",
    "CON/nul": "CON/nul",
}


@pytest.mark.parametrize(("written", "name"), GOOD_NAMES.items(), ids=range(len(GOOD_NAMES)))
def test_good_name_is_a_log(server: Server, written: str, name: str) -> None:
    """All characters that are allowed, and as many; percent-encoding of them is undone on both ports."""
    answer = request(server.put, "PUT", f"/log/{written}", body=name.encode())
    assert answer.status == 201
    assert answer["Livelog-Link"].endswith(f"/{name}")
    for path in (written, name):
        assert read(server, path).body == name.encode()
    assert status_of(server, name)["name"] == name


HOSTILE_NAMES = [
    "..", ".", "../..", "a/..", "../a", "a/../b", "a/./b", "%2e%2e", "%2e", "a/%2e%2e/b", ".%2E", "..%2f..%2fetc%2fpasswd",
    "a//b", "/a", "a/", "//", "/", "a%2Fb", "a%2fb", "%2f", "a%252Fb", "%5c", "a\\b",
    "%00", "a%00b", "a%0d%0ab", "a%0aX-Header:%20b", "%1b[31m", "a%7f", "a%20b", "%20", "a%09b",
    "x" * 256, "x/" * 7 + "x" * 250, "1/2/3/4/5/6/7/8/9", "x" * 7000, "/".join("x" * 3000),
    "%C3%A9", "%ff", "%ED%A0%80", "a%E2%80%AEb", "%c0%ae%c0%ae",
    "a%", "a%zz", "%u002e", "a+b", "a:b", "a;b", "a,b", "a@b", "a*", "a=b", "a&b", "$(a)", "'a'", "{a}", "<a>", "a|b",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_hostile_name_is_refused_on_both_ports(server: Server, folder: Path, name: str) -> None:
    """Whatever the method: nothing is made, nothing is opened."""
    before, files = names(server), sorted(folder.rglob("*"))
    answers = [request(server.put, method, f"/log/{name}") for method in ("PUT", "GET", "PATCH", "DELETE", "OPTIONS")]
    answers += [request(server.get, "GET", f"/{resource}/{TOKEN}/{name}") for resource in ("log", "status")]
    assert {answer.status for answer in answers} == {400}
    for answer in answers:
        assert b"name" in answer.body
    assert (names(server), sorted(folder.rglob("*"))) == (before, files)


@pytest.mark.parametrize("name", ["\0", "a\rb", "a\x1bb", "a b", "\x7f", "é", "\u202e"], ids=repr)
def test_name_with_what_no_request_line_may_hold_is_no_request(server: Server, name: str) -> None:
    """Control characters, spaces, and what is no ASCII, as they are: 400 by the parser of heads, and the connection is closed."""
    before = names(server)
    for address, path in ((server.put, f"/log/{name}"), (server.get, path_of(name, TOKEN))):
        answer = request(address, "PUT" if address == server.put else "GET", path)
        assert answer.status == 400
        assert answer["Connection"] == "close" or answer.head.version == "1.0"
    assert names(server) == before


@pytest.mark.parametrize("place", ["{}", "a/{}", "{}/a", "a/{}/b"])
@pytest.mark.parametrize("secret", ["access token", "write token", "read token"])
def test_name_that_holds_a_token_never_becomes_a_log(guarded: Server, secret: str, place: str) -> None:
    """Names are told and kept. A producer that was given a reader's link by mistake is one who does this."""
    if secret == "read token":
        link = request(guarded.put, "HEAD", "/log/" + place.format("linked"), AS_PRODUCER)["Livelog-Link"]
        token, name = token_of(link), urlsplit(link).path.removeprefix("/log/")
    else:
        token = TOKEN if secret == "access token" else WRITE_TOKEN
        name = place.format(token)
    before = names(guarded)
    for method in ("PUT", "POST", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"):
        answer = request(guarded.put, method, f"/log/{name}", AS_PRODUCER, "Upload-Complete: ?1")
        assert (answer.status, answer["Livelog-Link"]) == (404, ""), method
    assert names(guarded) == before
    assert token not in guarded.log()


# Who may write.

PRODUCERS_REQUESTS = [
    (method, path)
    for method in ("PUT", "POST", "PATCH", "DELETE", "HEAD", "GET", "OPTIONS", "TRACE")
    for path in ("/log", "/log/kept", "/log/never/begun", "/log/no//name", "/upload/wrong/kept", "/nothing", "/")
] + [("OPTIONS", "*"), ("GET", "/logs/" + TOKEN), ("POST", "/healthz/"), ("GET", "/metrics/x"), ("GET", "//metrics")]


@pytest.mark.parametrize(
    "headers",
    [(), ("Authorization: Bearer wrong",), (f"Authorization: Bearer {TOKEN}",), (f"Authorization: Basic {WRITE_TOKEN}",),
     ("Authorization: Bearer",), (f"Authorization: Bearer {WRITE_TOKEN}x",), (f"Authorization: Bearer {WRITE_TOKEN[:-1]}",)],
    ids=["none", "wrong", "ACCESS_TOKEN", "Basic", "empty", "longer", "shorter"],
)  # fmt: skip
def test_without_the_write_token_nothing_can_be_done_or_learnt(guarded: Server, headers: tuple[str, ...]) -> None:
    """Every method, every path: one and the same answer, and nothing is changed."""
    request(guarded.put, "PUT", "/log/kept", AS_PRODUCER, body=b"kept")
    before = status_of(guarded, "kept")
    answers = {
        repr(nothing_told(answer))
        for method, path in PRODUCERS_REQUESTS
        if method != "HEAD"
        and (answer := request(guarded.put, method, path, *headers, "Upload-Complete: ?0", "Livelog-Title: x"))
    }
    assert len(answers) == 1
    heads = {request(guarded.put, "HEAD", path, *headers).status for _, path in PRODUCERS_REQUESTS if path != "*"}
    assert heads == {401}
    assert "Access denied" in answers.pop()
    assert status_of(guarded, "kept") == before
    assert "never/begun" not in names(guarded)


def test_upload_address_alone_is_not_enough_where_there_is_a_write_token(guarded: Server) -> None:
    """Going on, asking, giving up: each of them needs the token, too."""
    begun = request(guarded.put, "PUT", "/log/part", AS_PRODUCER, "Upload-Complete: ?0", body=b"one")
    address = begun["Location"]
    goes_on = ("Content-Type: application/partial-upload", "Upload-Offset: 3", "Upload-Complete: ?1")
    for method in ("HEAD", "GET", "DELETE", "PATCH", "OPTIONS"):
        assert request(guarded.put, method, address, *goes_on).status == 401
    assert status_of(guarded, "part")["state"] == "interrupted"
    assert request(guarded.put, "PATCH", address, AS_PRODUCER, *goes_on, body=b"two").status == 201
    assert read(guarded, "part").body == b"onetwo"


def test_refusal_of_a_producer_comes_before_its_body(guarded: Server) -> None:
    """No 100 (Continue), no 104, no log."""
    connection = guarded.connect(producer=True)
    ask(connection, "PUT", "/log/unasked", CHUNKED, "Expect: 100-continue", "Upload-Complete: ?1", INTERIM)
    answer = connection.wait_end()
    connection.close()
    assert answer.head is not None
    assert (answer.head.status, answer.interims) == (401, [])
    assert "unasked" not in names(guarded)


def test_write_token_lets_producers_do_everything_and_readers_nothing(guarded: Server) -> None:
    """The same requests with it; and it opens nothing on the other port."""
    assert request(guarded.put, "PUT", "/log/written", AS_PRODUCER, body=b"x").status == 201
    assert request(guarded.put, "HEAD", "/log/written", AS_PRODUCER).status == 200
    assert request(guarded.put, "OPTIONS", "*", AS_PRODUCER).status == 204
    assert request(guarded.put, "PATCH", "/log/written", AS_PRODUCER).status == 409
    for path in (path_of("written", WRITE_TOKEN), f"/logs/{WRITE_TOKEN}"):
        assert status(guarded, path) == 401
    for path in ("/log/written", "/status/written", "/logs"):
        assert status(guarded, path, AS_PRODUCER) == 401
    assert request(guarded.put, "DELETE", "/log/written", AS_PRODUCER).status == 204


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_monitoring_needs_no_token(guarded: Server, path: str) -> None:
    """With or without one, with GET or HEAD."""
    for headers in ((), ("Authorization: Bearer wrong",), (AS_PRODUCER,)):
        assert request(guarded.put, "GET", path, *headers).status == 200
        assert request(guarded.put, "HEAD", path, *headers).status == 200
        assert request(guarded.put, "PUT", path, *headers).status == 405
    assert status(guarded, path) == 404


@pytest.mark.parametrize("hosts", sample(["0.0.0.0", "::", "127.0.0.1, 0.0.0.0", "192.0.2.1"], "127.0.0.1, 0.0.0.0"))
@pytest.mark.parametrize(
    "waiver", [{}, {"LIVELOG_WRITE_TOKEN": ""}, {"LIVELOG_PUT_UNGUARDED": "0"}], ids=["", "empty", "0"]
)
def test_server_does_not_start_with_an_open_door_for_producers(hosts: str, waiver: dict[str, str]) -> None:
    """Exit code 78, and one line that names both ways out."""
    ports = {"LIVELOG_PUT_PORT": "0", "LIVELOG_GET_PORT": "0"}
    done = run(ACCESS_TOKEN=TOKEN, LIVELOG_PUT_HOST=hosts, **ports, **waiver)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (78, "", 1)
    assert re.match("livelog: LIVELOG_PUT_HOST .* LIVELOG_WRITE_TOKEN .* LIVELOG_PUT_UNGUARDED=1", done.stderr)


@pytest.mark.parametrize(
    ("setting", "value", "open_to_all"),
    [("LIVELOG_PUT_UNGUARDED", "1", True), ("LIVELOG_WRITE_TOKEN", WRITE_TOKEN, False)],
)
def test_door_beyond_loopback_opens_if_that_is_said_or_guarded(setting: str, value: str, *, open_to_all: bool) -> None:
    """Then any Host is right, and the write token decides, if there is one."""
    with running({"LIVELOG_PUT_HOST": "0.0.0.0", setting: value}) as server:
        connection = Connection(server.put, TIMEOUT)
        connection.ask("PUT", "1.1", b"PUT /log/a HTTP/1.1\r\nHost: logs.example.org\r\nContent-Length: 0\r\n\r\n")
        assert finish(connection).status == (201 if open_to_all else 401)
        assert request(server.put, "PUT", "/log/b", AS_PRODUCER).status == 201


# What is told.


def test_producers_port_tells_the_status_and_the_link(server: Server) -> None:
    """GET and HEAD of a log, while it is live and afterwards."""
    producer = begin(server, "told", "Livelog-Title: told")
    for state in ("live", "complete"):
        answer = request(server.put, "GET", "/log/told")
        assert answer.status == 200
        assert answer["Cache-Control"] == "no-store"
        known = status_of(server, "told")
        durations = {name: known[name] for name in ("elapsed", "idle")}  # as of now
        assert answer.json | durations == {
            **known,
            "link": answer["Livelog-Link"],
            "view": answer["Livelog-View"],
        }
        assert (answer.json["state"], answer.json["title"]) == (state, "told")
        assert answer["ETag"] == f'"{answer.json["generation"]}"'
        head = request(server.put, "HEAD", "/log/told")
        assert (head.status, head["Livelog-Link"], head.body) == (200, answer["Livelog-Link"], b"")
        # Durations are as of now, and may take a digit more in one of the two answers.
        wait_until(
            lambda: (
                request(server.put, "HEAD", "/log/told")["Content-Length"]
                == str(len(request(server.put, "GET", "/log/told").body))
            ),
            "HEAD tells the length of GET",
        )
        if state == "live":
            producer.send(chunk(b""))
            assert finish(producer).status == 201


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_link_is_told_before_the_log_begins(server: Server, method: str) -> None:
    """404, with the link, by which a reader can wait for it already."""
    name = f"later/{method}"
    answer = request(server.put, method, f"/log/{name}")
    assert answer.status == 404
    reader = server.connect()
    ask(reader, "GET", urlsplit(answer["Livelog-Link"]).path + "?wait=60")
    wait_until(
        lambda: b'livelog_connections{port="readers"} 1' in request(server.put, "GET", "/metrics").body, "it waits"
    )
    send(server, name)
    assert finish(reader).body == b"some bytes\n"


@pytest.mark.parametrize("step", sample([1, 7], 7))
def test_secrets_are_in_no_answer_but_where_they_belong(guarded: Server, step: int) -> None:
    """A log's own token in Livelog-Link and Livelog-View (and the links of its status), an upload's key in Location; the others nowhere."""
    begun = request(guarded.put, "PUT", "/log/secret", AS_PRODUCER, "Upload-Complete: ?1", body=b"one")
    key, own = begun["Location"].split("upload/")[1].split("/")[0], token_of(begun["Livelog-Link"])
    every = (TOKEN, WRITE_TOKEN, key, own)
    answers = [begun]
    methods = ("GET", "HEAD", "OPTIONS", "PATCH", "DELETE", "TRACE")
    paths = ("/log/{}/secret", "/status/{}/secret", "/logs/{}", "/{}", "/log/x?{}=", "/upload/{}/x", "/log/secret", "/log/{}%00",
             "/log/{0}/secret?tail={0}")  # fmt: skip
    asked = itertools.product((guarded.put, guarded.get), methods, (*every, "none"), paths, (AS_PRODUCER, ""))
    for address, method, token, path, header in itertools.islice(asked, 0, None, step):
        if method != "DELETE" or path != "/log/secret":
            bearer = header or f"Authorization: Bearer {token}"
            answers.append(request(address, method, path.format(token), bearer, "Accept: application/problem+json"))
    answers.append(request(guarded.put, "GET", begun["Location"], AS_PRODUCER))
    assert len({answer.status for answer in answers}) > 5
    for answer in answers:
        text = "\n".join(f"{name}: {value}" for name, value in answer.head.fields)
        text = re.sub("^Livelog-(Link|View): .*|^Location: .*", "", text, flags=re.MULTILINE)
        text += re.sub('"(link|view)": "[^"]*"', "", answer.body.decode())
        for secret in every:
            assert secret not in text, (answer.status, text)
