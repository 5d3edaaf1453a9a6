"""Links that commands print: where they lead, and for how long they open a log.

Categories: expiry by option, by variable and in CI · links that lead to where readers are · removed logs.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from livelog.client.settings import ClientSettings
from tests.harness import TOKEN, serving
from tests.integration.logs import request
from tests.sample import one_of, sample

from .place import Place, links, place

WEEK = 7 * 86400


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        yield made


def expiry(link: str) -> int | None:
    """In how many seconds a link ends to open its log; None: never."""
    token = link.split("/")[4]
    return round(int(token.partition(".")[2]) - time.time()) if "." in token else None


@pytest.mark.parametrize(
    ("words", "variables", "expected"),
    one_of(
        4,
        [
            ([], {}, None),
            (["--expires", "2h"], {}, 7200),
            (["--expires", "never"], {"LIVELOG_LINK_EXPIRES": "1h"}, None),
            ([], {"LIVELOG_LINK_EXPIRES": "1h"}, 3600),
            ([], {"CI": "true"}, WEEK),
            ([], {"CI": "1"}, WEEK),
            ([], {"CI": "false"}, None),
            (["--expires", "never"], {"CI": "true"}, None),
            ([], {"CI": "true", "LIVELOG_LINK_EXPIRES": "never"}, None),
            (["--expires", "10m"], {"CI": "true", "ACCESS_TOKEN": ""}, 600),
            ([], {"CI": "true", "LIVELOG_SERVER": "", "LIVELOG_PUBLIC_URL": ""}, WEEK),
        ],
    ),
)
def test_links_that_are_printed_open_a_log_for_as_long_as_was_said(
    here: Place, words: list[str], variables: dict[str, str], expected: int | None
) -> None:
    told = [
        *links(here.run("run", *words, "--", "echo", "hello", variables=variables).stderr),
        here.run("link", *words, "x", variables=variables).stdout.decode(),
    ]
    if variables.get("LIVELOG_SERVER") is None:
        told += links(here.run("push", *words, data=b"hello\n", variables=variables).stderr)
        assert here.run("tail", told[0], ACCESS_TOKEN="").stdout == b"hello\n"
    assert len(told) > 2
    for link in told:
        found = expiry(link)
        assert found == expected if expected is None else found == pytest.approx(expected, abs=60)


@pytest.mark.parametrize(
    "command", [["run", "--expires", "x", "--", "true"], ["push", "--expires", "0"], ["link", "--expires", "x"]]
)
def test_expiry_that_is_none_is_told(here: Place, command: list[str]) -> None:
    done = here.run(*command, data=b"")
    assert (done.returncode, done.stdout) == (125 if command[0] == "run" else 2, b"")
    assert b"is not a duration" in done.stderr
    wrong = here.run("push", data=b"", LIVELOG_LINK_EXPIRES="x")
    assert (wrong.returncode, b"LIVELOG_LINK_EXPIRES is not a duration" in wrong.stderr) == (78, True)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "GET"])
def test_server_gives_links_that_expire_to_whoever_asks(method: str) -> None:
    with serving() as server:
        request(server.put, "PUT", "/log/x", body=b"")
        for query, status in (("?expires=1h", None), ("?expires=x", 400), ("?expires=", 400)):
            name = "x" if method != "PATCH" else "y"
            headers = ("Upload-Complete: ?0",) if method == "PATCH" else ()
            if method == "PATCH":
                request(server.put, "PUT", "/log/y", *headers, body=b"")
            answer = request(server.put, method, f"/log/{name}{query}", body=b"" if method == "PUT" else None)
            if status is None:
                assert answer.status in (200, 201, 204)
                assert expiry(answer["Livelog-Link"]) == pytest.approx(3600, abs=60)
                assert expiry(answer["Livelog-View"]) == pytest.approx(3600, abs=60)
            else:
                assert answer.status == status


# Where they lead.


@pytest.mark.parametrize(
    ("server", "public", "told", "link"),
    [
        ("http://h:60022", None, "http://localhost:60023/log/T/a", "http://h:60023/log/T/a"),
        ("http://h:60022", None, "http://127.0.0.1:60023/view/T/a", "http://h:60023/view/T/a"),
        ("https://u:p@h/p", None, "http://localhost/log/T/a", "http://h/log/T/a"),
        ("http://[fe80::1]:60022", None, "http://[::1]:60023/log/T/a", "http://[fe80::1]:60023/log/T/a"),
        ("http://h:60022", None, "https://logs.example.org/log/T/a", "https://logs.example.org/log/T/a"),
        ("http://localhost:60022", None, "http://localhost:60023/log/T/a", "http://localhost:60023/log/T/a"),
        ("http://127.0.0.2:60022", None, "http://localhost:60023/log/T/a", "http://localhost:60023/log/T/a"),
        ("http://h:60022", "https://u:p@l/r", "http://localhost:60023/log/T/a", "https://l/r/log/T/a"),
        ("http://h:60022", "https://l/r", "http://x/q/log/T/a", "https://l/r/log/T/a"),
        ("http://h:60022", "https://l/r", "http://x/something/else", "http://x/something/else"),
    ],
)
def test_link_leads_to_where_readers_reach_the_server(server: str, public: str | None, told: str, link: str) -> None:
    settings = ClientSettings(
        server=server,
        public_url=public or "http://localhost:60023",
        public_chosen=public is not None,
        spool_dir=None,  # type: ignore[arg-type]
    )
    assert settings.link_for_readers(told, "a") == link


def test_server_that_was_named_is_asked_for_a_link_where_readers_reach_it_is_not_known(here: Place) -> None:
    port = here.readers.rpartition(":")[2]
    unknown = {"LIVELOG_PUBLIC_URL": ""}
    for words in (["link", "x"], ["link", "--view", "x"], ["link"]):
        asked = here.run(*words, variables=unknown)
        assert (asked.returncode, asked.stderr) == (0, b"")
        assert re.match(rf"http://localhost:{port}/(log|view)/", asked.stdout.decode())
    assert here.run("push", "-q", "--name", "found", data=b"it\n").returncode == 0
    assert here.run("tail", "found", variables=unknown).stdout == b"it\n"
    assert b"found" in here.run("ls", "--names", variables=unknown).stdout.split()
    assert here.run("status", "found", variables=unknown).returncode == 0
    away = {**unknown, "LIVELOG_SERVER": "http://192.0.2.1:60022", "http_proxy": "http://127.0.0.1:9"}
    done = here.run("link", "x", variables=away)
    assert (done.returncode, done.stdout) == (6, b"")
    assert b"http://192.0.2.1:60022 (by the proxy http://127.0.0.1:9) cannot be reached" in done.stderr


@pytest.mark.parametrize(
    "commands", sample([["tail", "push"], ["link", "status", "open", "rm", "ls", "run", "serve"]], ["tail", "push"])
)
def test_exit_codes_of_all_commands_are_the_same(tmp_path: Path, commands: list[str]) -> None:
    def chosen(*every: list[str]) -> list[list[str]]:
        return [words for words in every if words[0] in commands]

    guarded = {"LIVELOG_WRITE_TOKEN": "writers"}
    with place(tmp_path / "home", variables=guarded) as here:
        unknown = {"ACCESS_TOKEN": ""}
        away = {"LIVELOG_SERVER": "http://127.0.0.1:9", "LIVELOG_PUBLIC_URL": "http://127.0.0.1:9"}
        soon = {"tail": ["--give-up", "0.1"], "push": ["--drain", "0.1"]}
        for words in chosen(["link", "x"], ["tail", "x"], ["status", "x"], ["open", "x"], ["rm", "x"], ["push", "-q"]):
            assert here.run(*words, data=b"", variables=unknown).returncode == 5, words
            given = [*words, *soon.get(words[0], [])]
            assert here.run(*given, data=b"", variables={**unknown, **away}).returncode == 6, words
        for words in chosen(
            ["link", "--expires", "x"], ["tail", ""], ["status", ""], ["open", ""], ["rm", ""], ["ls", "-n", "x"]
        ):
            assert here.run(*words).returncode == 2, words
        for words in chosen(["tail", "x"], ["status", "x"], ["rm", "x"]):
            assert here.run(*words, variables=guarded).returncode == 4, words
        for command in commands:
            assert b"xit codes: " in here.run(command, "--help").stdout, command


# Removed logs.


def test_logs_are_removed_by_their_names(here: Place) -> None:
    for name in ("one", "a/two", "three"):
        assert here.run("push", "-q", "--name", name, data=b"bytes").returncode == 0
    assert here.run("push", "-q", "--name", "", data=b"bytes").returncode == 0
    done = here.run("rm", "one", "no-such", "a/two", "-")
    assert (done.returncode, done.stdout, done.stderr) == (4, b"", b"livelog: no-such: there is no log of that name\n")
    left = here.run("ls", "--names").stdout.split()
    assert b"three" in left and not {b"one", b"a/two", b"-"} & set(left)


def test_log_that_is_written_and_link_are_not_removed(here: Place) -> None:
    with here.started("push", "-q", "--name", "written", stdin=-1) as process:
        assert process.stdin is not None
        process.stdin.write(b"bytes")
        process.stdin.flush()
        here.wait_for("written", 5)
        done = here.run("rm", "written")
        assert (done.returncode, b"this log is being written" in done.stderr) == (1, True)
    link = here.run("link", "written").stdout.decode().strip()
    refused = here.run("rm", link)
    assert (refused.returncode, b"told by its name" in refused.stderr) == (2, True)
    assert TOKEN.encode() not in refused.stderr and link.encode() not in refused.stderr
