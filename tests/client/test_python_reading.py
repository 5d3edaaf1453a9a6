"""`import livelog`: lines with their times, searches, and the list of logs, sync and asyncio.

Categories: times · searches · comparisons · lists · asyncio. What they have in common with a reader of bytes is tested there.
"""

import asyncio
import json
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import assert_type
from urllib.parse import urlencode, urlsplit

import pytest

import livelog
from tests.harness import TIMEOUT, TOKEN

from .place import Place, Proxy, lines, place


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home"), variables={"LIVELOG_KEEP_ATTEMPTS": "2"}) as made:
        yield made


def reader(here: Place, name: str, **options: object) -> livelog.Reader:
    return livelog.Reader(f"{here.readers}/log/{name}", token=TOKEN, **options)  # type: ignore[arg-type]


def write(here: Place, name: str, data: bytes, **options: object) -> None:
    with livelog.Writer(name, settings=here.settings(), **options) as log:  # type: ignore[arg-type]
        log.write(data)


def attempt(here: Place, name: str, data: bytes, exit_code: int) -> None:
    with livelog.Writer(name, settings=here.settings()) as log:
        log.write(data)
        log.exit_code = exit_code


def told(here: Place, name: str) -> list[tuple[int, int, datetime]]:
    """Of each line, what the server tells of it: number, offset, time."""
    connection = HTTPConnection(urlsplit(here.readers).netloc, timeout=TIMEOUT)
    connection.request("GET", f"/lines/{TOKEN}/{name}?{urlencode({'as': 'ndjson'})}")
    found = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    connection.close()
    return [(line["line"], line["offset"], datetime.fromisoformat(line["time"])) for line in found]


# Times.


def test_lines_have_their_times_while_they_come_and_thereafter(here: Place) -> None:
    before = datetime.now(UTC) - timedelta(seconds=0.02)
    with livelog.Writer("times", settings=here.settings()) as log:
        assert log.link
        found, seen = list[livelog.TimedLine](), threading.Semaphore(0)

        def follow() -> None:
            for line in reader(here, "times").lines(times=True):
                found.append(line)
                seen.release()

        thread = threading.Thread(target=follow)
        thread.start()
        for number in range(4):
            log.write(b"line %d\n" % number)
            assert seen.acquire(timeout=TIMEOUT)
        log.write(b"no newline")
    thread.join(TIMEOUT)
    assert b"".join(line.data for line in found) == lines(4) + b"no newline"
    assert [(line.line, line.offset, line.time) for line in found] == told(here, "times")
    times = [line.time for line in found]
    assert times == sorted(times)
    assert before <= times[0] <= times[-1] <= datetime.now(UTC)
    assert list(reader(here, "times").lines(times=True)) == found
    assert found[-1].text == "no newline"


def test_each_byte_comes_once_over_a_network_that_is_cut(here: Place) -> None:
    chance = random.Random(7)
    parts = [
        b"".join(chance.choice((b"plain\n", "grüße\r\n".encode(), b"\xff\xfe\n", b"\xe2\x82", b"\n", b"x" * 300)) for _ in range(200))
        for _ in range(12)
    ]  # fmt: skip
    with Proxy(here.readers, [chance.randrange(500, 9000) for _ in range(8)]) as proxy:
        with livelog.Writer("cut", settings=here.settings()) as log:
            log.write(parts[0])
            here.wait_for("cut", len(parts[0]))
            found = list[livelog.TimedLine]()
            follower = livelog.Reader(f"{proxy.url}/log/cut", token=TOKEN)
            thread = threading.Thread(target=lambda: found.extend(follower.lines(times=True)))
            thread.start()
            for part in parts[1:]:
                log.write(part)
        thread.join(TIMEOUT)
        assert not thread.is_alive()
        assert proxy.cut > 2
    assert b"".join(line.data for line in found) == b"".join(parts)
    assert [(line.line, line.offset, line.time) for line in found] == told(here, "cut")
    assert (follower.offset, follower.state) == (len(b"".join(parts)), "complete")


def test_parts_of_a_log_are_those_of_a_reader_without_times(here: Place) -> None:
    write(here, "parts", b"one\n\ntwo\xff\r\nlast")
    for options in ({}, {"start": 2, "stop": 8}, {"tail": 2}, {"follow": False}, {"start": 5, "follow": False}, {"tail": 0}, {"start": 15}):  # fmt: skip
        plain = list(reader(here, "parts", **options).lines())
        timed = list(reader(here, "parts", **options).lines(times=True))
        assert [(line.offset, line.data, line.text) for line in timed] == [(*line, line.text) for line in plain], (
            options
        )
    with livelog.Writer("parts/live", settings=here.settings()) as log:
        log.write(b"one\ntwo\n")
        here.wait_for("parts/live", 8)
        assert [line.data for line in reader(here, "parts/live", follow=False).lines(times=True)] == [
            b"one\n",
            b"two\n",
        ]
        assert [line.line for line in reader(here, "parts/live", follow=False, tail=1).lines(times=True)] == [None]


def test_ends_and_failures_are_those_of_a_reader(here: Place) -> None:
    with livelog.Writer("ends", settings=here.settings()) as log:
        log.write(b"one\ntwo")
        log.abort()
    got: list[bytes] = []
    with pytest.raises(livelog.LogAborted, match="after 7 bytes"):
        got.extend(line.data for line in reader(here, "ends").lines(times=True))
    assert got == [b"one\n", b"two"]
    assert [line.data for line in reader(here, "ends", stop=3).lines(times=True)] == [b"one"]
    with pytest.raises(livelog.Refused, match="has not begun") as missing:
        list(reader(here, "no-such-log").lines(times=True))
    assert missing.value.status == 404
    with pytest.raises(livelog.Refused) as denied:
        list(livelog.Reader(f"{here.readers}/log/wrong/x").lines(times=True))
    assert denied.value.status == 401
    with pytest.raises(livelog.GaveUp):
        list(livelog.Reader("http://127.0.0.1:9/log/x", give_up=0.1).lines(times=True))


def test_attempt_before_is_read_by_its_link(here: Place) -> None:
    for content in (b"first error\n", b"second error\n"):
        write(here, "attempts", content)
    before = livelog.Reader(f"{here.readers}/log/{TOKEN}/attempts?attempt=-1")
    assert [line.data for line in before.lines(times=True)] == [b"first error\n"]
    assert [hit.text for hit in before.search("error")] == ["first error"]
    assert (
        b"".join(livelog.Reader(f"{here.readers}/log/{TOKEN}/attempts?generation={before.generation}"))
        == b"first error\n"
    )
    with pytest.raises(livelog.Refused, match="there is no attempt -2"):
        list(livelog.Reader(f"{here.readers}/log/{TOKEN}/attempts?attempt=-2"))


# Searches.


def test_search_finds_what_a_program_would_find(here: Place) -> None:
    write(here, "search", b"".join(b"%d %s\n" % (number, b"Fizz" * (number % 3 == 0)) for number in range(1, 31)))
    log = reader(here, "search")
    hits = list(log.search("fizz"))
    assert [hit.line for hit in hits] == [*range(3, 31, 3)]
    assert (hits[0].text, hits[0].start, hits[0].offset, hits[0].length, hits[0].context) == ("3 Fizz", 6, 8, 4, False)
    assert hits[0].time is not None
    assert list(log.search("fizz", case=True)) == []
    assert [hit.line for hit in log.search("^[12] ", regex=True)] == [1, 2]
    assert [hit.line for hit in log.search("fizz", invert=True, limit=3)] == [1, 2, 4]
    assert [hit.line for hit in log.search("fizz", backwards=True, limit=2)] == [30, 27]
    around = list(log.search("15", context=1))
    assert [(hit.line, hit.context) for hit in around] == [(14, True), (15, False), (16, True)]
    assert [hit.line for hit in log.search("15", before=2)] == [13, 14, 15]
    assert [hit.line for hit in log.search("15", context=1, after=0)] == [14, 15]
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert list(log.search("fizz", since=soon)) == []
    assert (
        len(list(log.search("fizz", since=hits[0].time, until=soon.replace(tzinfo=None) + timedelta(hours=30)))) == 10
    )
    with pytest.raises(ValueError, match="forwards"):
        log.search("x", follow=True, backwards=True)
    with pytest.raises(ValueError, match="empty"):
        log.search("")
    with pytest.raises(livelog.Refused, match="pattern"):
        list(log.search("(", regex=True))
    with pytest.raises(livelog.Refused):
        list(reader(here, "no-such-log").search("x"))


def test_search_goes_on_with_what_comes_and_tells_how_the_log_ended(here: Place) -> None:
    with livelog.Writer("search/live", settings=here.settings()) as log:
        log.write(b"error 1\nfine\n")
        here.wait_for("search/live", 13)
        hits = reader(here, "search/live").search("error", follow=True)
        assert next(hits).text == "error 1"
        log.write(b"error 2\nerror 3")
        assert next(hits).text == "error 2"
        log.abort()
    assert next(hits).text == "error 3"
    with pytest.raises(livelog.LogAborted):
        next(hits)


def test_search_over_a_network_that_is_cut_tells_each_line_once(here: Place) -> None:
    write(here, "search/cut", lines(3000))
    with Proxy(here.readers, [4000, 9000, 20_000, 50_000]) as proxy:
        log = livelog.Reader(f"{proxy.url}/log/search/cut", token=TOKEN)
        assert [hit.text for hit in log.search("7")] == [
            f"line {number}" for number in range(3000) if "7" in str(number)
        ]
        assert proxy.cut > 2


# Comparisons.


def test_comparison_has_the_lines_that_the_last_good_log_has_not(here: Place) -> None:
    attempt(here, "compare", b"start 1\nstep\n", 0)
    attempt(here, "compare", b"start 2\nbroken\nerror 7\nerror 8\n" + b"x" * 2000 + b"\n", 1)
    new = reader(here, "compare").compare()
    assert [(line.line, line.offset, line.text, line.count, line.cut) for line in new.lines] == [
        (2, 8, "broken", 1, False),
        (3, 15, "error 7", 2, False),
        (5, 31, "x" * 1000, 1, True),
    ]
    assert [line.time for line in new.lines] == [told(here, "compare")[line.line - 1][2] for line in new.lines]
    assert (new.new, new.complete, new.attempt, new.exit_code) == (3, True, -1, 0)
    limited = reader(here, "compare").compare(limit=1)
    assert ([line.text for line in limited.lines], limited.new) == (["broken"], 3)
    assert (reader(here, "compare").compare(limit=0).lines, reader(here, "compare").compare(0).lines) == ([], [])
    assert reader(here, "compare").compare(new.generation) == new
    earlier = reader(here, "compare?attempt=-1").compare(0)
    assert ([line.text for line in earlier.lines], earlier.attempt, earlier.exit_code) == (["step"], 0, 1)
    log = reader(here, "compare")
    assert len(list(log.lines())) == 5
    write(here, "compare", b"another\n")
    with pytest.raises(livelog.Refused, match="LIVELOG_KEEP_ATTEMPTS") as nothing:  # the good one is not kept any more
        log.compare()
    assert nothing.value.status == 404
    write(here, "compare", b"another\n")
    with pytest.raises(livelog.LogReplaced):
        log.compare()
    for wrong in ({"limit": -1}, {"other": 1}):
        with pytest.raises(ValueError, match="limit|attempt"):
            reader(here, "compare").compare(**wrong)


def test_comparison_of_many_pages_over_a_network_that_is_cut_has_each_line_once(here: Place) -> None:
    words = [
        f"{chr(97 + number // 676)}{chr(97 + number // 26 % 26)}{chr(103 + number % 20)}" for number in range(12_000)
    ]
    texts = list(dict.fromkeys(words))
    attempt(here, "compare/many", b"good\n", 0)
    write(here, "compare/many", b"".join(f"{text} {'y' * 20}\n".encode() for text in texts))
    with Proxy(here.readers, [300, 20_000]) as proxy:
        new = livelog.Reader(f"{proxy.url}/log/compare/many", token=TOKEN).compare()
        assert proxy.cut == 2
    assert [line.text.split()[0] for line in new.lines] == texts
    assert (len(texts), new.new) == (len(new.lines), len(texts))


# Lists.


def test_logs_are_filtered(here: Place) -> None:
    write(here, "list/a", b"x", labels={"of": "list", "kind": "one"})
    write(here, "list/b", b"xy", labels={"of": "list"}, title="Second")
    settings = here.settings()
    with livelog.Writer("list/c", labels={"of": "list"}, settings=settings) as log:
        assert log.link

        def names(**options: object) -> list[str]:
            return [log.name for log in livelog.logs(settings=settings, **options)]  # type: ignore[arg-type]

        assert names(prefix="list/") == ["list/c", "list/b", "list/a"]
        assert names(prefix="list/", limit=2) == ["list/c", "list/b"]
        assert names(prefix="list/", limit=0) == []
        assert names(labels={"of": "list", "kind": None}) == ["list/a"]
        assert names(labels={"of": "list"}, state="live") == ["list/c"]
        assert names(prefix="list/", text="SECOND") == ["list/b"]
        assert names(prefix="list/", since=datetime.now(UTC) + timedelta(hours=1)) == []
        assert len(names(prefix="list/", until=datetime.now(UTC) + timedelta(hours=1))) == 3
    second = next(found for found in livelog.logs(prefix="list/b", settings=settings))
    assert (second.state, second.size, second.title, second.labels, second.attempts) == (
        "complete",
        2,
        "Second",
        {"of": "list"},
        1,
    )
    assert second.ended is not None
    assert second.began <= second.changed <= second.ended
    assert b"".join(livelog.Reader(second.link)) == b"xy"
    assert TOKEN not in f"{second}{second.link}"
    link = here.run("link", "--prefix", "list/").stdout.decode().strip()
    found = list(livelog.logs(url=link, settings=settings))
    assert [log.name for log in found] == ["list/c", "list/b", "list/a"]
    assert b"".join(livelog.Reader(found[1].link)) == b"xy"
    with pytest.raises(livelog.Refused) as denied:
        list(livelog.logs(url=here.readers, token="wrong", settings=settings))
    assert denied.value.status == 401


def test_many_logs_are_searched_the_newest_first(here: Place) -> None:
    settings = here.settings()
    for name, content in {"many/a": b"error 1\nfine\nERROR 2\n", "many/b": b"fine\n", "many/c": b"error 3\n"}.items():
        with livelog.Writer(name, labels={"of": "many", "one": name[-1]}, settings=settings) as log:
            log.write(content)

    def texts(pattern: str = "error", **options: object) -> list[tuple[str, int | None, str]]:
        hits = livelog.search(pattern, settings=settings, **{"prefix": "many/", **options})  # type: ignore[arg-type]
        return [(hit.name[-1], hit.line, hit.text) for hit in hits]

    everything = [("c", 1, "error 3"), ("a", 1, "error 1"), ("a", 3, "ERROR 2")]
    assert texts() == texts(prefix="", labels={"of": "many"}) == everything
    assert [texts(limit=limit) for limit in range(4)] == [everything[:limit] for limit in range(4)]
    assert texts(limit=2, context=1) == [*everything[:2], ("a", 2, "fine")]
    assert texts(labels={"one": "a"}, case=True, backwards=True) == [("a", 1, "error 1")]
    assert texts("^fine$", regex=True, state="complete") == [("b", 1, "fine"), ("a", 2, "fine")]
    assert texts(state="live") == []
    link = here.run("link", "--prefix", "many/").stdout.decode().strip()
    assert [hit.name for hit in livelog.search("fine", url=link, settings=settings)] == ["many/b", "many/a"]
    hits = livelog.search("error", prefix="many/", settings=settings)
    assert next(hits).name == "many/c"
    assert here.run("rm", "many/a").returncode == 0  # it was listed, and is gone when its turn comes
    assert list(hits) == []
    for wrong in ({"follow": True}, {"limit": -1}, {"context": -1}):
        with pytest.raises(ValueError, match="follow|numbers"):
            livelog.search("error", settings=settings, **wrong)


def test_list_is_watched_and_a_break_is_told_as_what_happened_meanwhile(tmp_path: Path) -> None:
    with place(tmp_path / "home") as here:
        write(here, "w/old", b"x")
        events = livelog.watch(prefix="w/", settings=here.settings())
        assert (first := next(events)).kind == "log"
        assert (first.log.name, first.log.state) == ("w/old", "complete")
        with livelog.Writer("w/new", settings=here.settings()) as log:
            assert log.link
            assert (event := next(events)).kind == "begun"
            assert event.log.name == "w/new"
            log.write(b"hello\n")
            kinds = [next(events)]
            while kinds[-1].log.size < 6:
                kinds.append(next(events))
            assert {event.kind for event in kinds} <= {"grew", "changed"}
        while (event := next(events)).kind != "ended":
            assert event.kind in ("grew", "changed")
        assert (event.log.name, event.log.state, event.log.size) == ("w/new", "complete", 6)
        assert here.run("rm", "w/old").returncode == 0
        assert (event := next(events)).kind == "removed"
        assert event.log.name == "w/old"
        here.kill()
        here.start()
        write(here, "w/later", b"y")
        wanted = {"begun", "ended"}
        while wanted:
            event = next(events)
            assert event.log.name == "w/later"
            wanted.discard(event.kind)


def test_log_that_is_not_selected_any_more_is_told_as_what_it_is(here: Place) -> None:
    with livelog.Writer("leaves", settings=here.settings()) as log:
        assert log.link
        events = livelog.watch(prefix="leaves", state="live", settings=here.settings())
        assert next(events).kind == "log"
    while (event := next(events)).kind == "grew":
        pass
    assert event.kind in ("changed", "ended")
    assert event.log.state != "live"


# asyncio.


def test_asyncio_has_the_same(here: Place) -> None:
    write(here, "async/one", b"an error\nfine\n")

    async def main() -> None:
        log = reader(here, "async/one")
        assert_type([line async for line in log.alines()], list[livelog.Line])
        timed = assert_type(
            [line async for line in reader(here, "async/one").alines(times=True)], list[livelog.TimedLine]
        )
        assert [line.data for line in timed] == [b"an error\n", b"fine\n"]
        hits = assert_type([hit async for hit in log.asearch("error")], list[livelog.Hit])
        assert [hit.text for hit in hits] == ["an error"]
        assert [hit.text async for hit in log.asearch("error")] == ["an error"]
        write(here, "async/one", b"another error\n")
        new = assert_type(await reader(here, "async/one").acompare(-1), livelog.Comparison)
        assert [line.text for line in assert_type(new.lines, list[livelog.NewLine])] == ["another error"]
        with pytest.raises(livelog.Refused):
            await reader(here, "async/two").acompare()
        listed = [found async for found in livelog.alogs(prefix="async/", settings=here.settings())]
        assert [found.name for found in assert_type(listed, list[livelog.LogStatus])] == ["async/one"]
        many = assert_type([hit async for hit in livelog.asearch("error", settings=here.settings())], list[livelog.Hit])
        assert [(hit.name, hit.text) for hit in many if hit.name == "async/one"] == [("async/one", "another error")]
        begun = asyncio.Event()

        async def watch() -> None:
            async for event in livelog.awatch(prefix="async/", settings=here.settings()):
                assert_type(event, livelog.LogEvent)
                begun.set()

        task = asyncio.create_task(watch())
        await asyncio.wait_for(begun.wait(), TIMEOUT)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert_type(reader(here, "async/one").compare(0), livelog.Comparison)
    assert_type([*reader(here, "async/one").lines()], list[livelog.Line])
    assert_type([*reader(here, "async/one").lines(times=True)], list[livelog.TimedLine])
    asyncio.run(main())
