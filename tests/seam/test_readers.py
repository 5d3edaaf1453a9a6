"""Readers over HTTP, over both implementations of `Source`: a server whose log another catalogue, or another process, writes."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from livelog.config import Settings
from livelog.log.catalogue import Catalogue
from livelog.log.source import Source
from livelog.read.handlers import Readers
from livelog.tokens import Access
from livelog.wire.listener import Listener
from tests.sample import sample
from tests.unit.live import on_loop, turns

from .writers import Elsewhere, Here, Writer, on_both, told
from .writing import FIRST, NAME

Kind = type[Here] | type[Elsewhere]

TOKEN = "secret-puppy_42"

LINES = "".join(f"line {number} of the seam\n" for number in range(20_000))


@dataclass(frozen=True)
class Answer:
    """An answer to its end, which is `clean` unless it was broken off."""

    status: int
    head: str
    body: bytes
    clean: bool


class Port:
    """A readers' port in this process, with one log that its catalogue finds elsewhere."""

    def __init__(self, writer: Writer, folder: Path) -> None:
        self.source: Source | None = writer.source
        self.asked = 0
        """How often somebody asked elsewhere."""
        self.catalogue = Catalogue(Settings(access_token=TOKEN, temp_dir=str(folder)), self._elsewhere)
        self._readers = Readers(Settings(access_token=TOKEN), Access(TOKEN, None), self.catalogue)
        self._listener = Listener(
            "readers", self._readers.answer, headers={}, max_connections=100, idle_timeout=60.0, stall_timeout=60.0, tls=None
        )  # fmt: skip
        self._socket = socket.create_server(("127.0.0.1", 0))

    async def _elsewhere(self, name: str) -> Source | None:
        self.asked += 1
        await asyncio.sleep(0)
        return self.source if name == NAME else None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Port"]:
        """Answer requests meanwhile."""
        self._listener.listen([self._socket])
        try:
            yield self
        finally:
            self._listener.stop_listening()
            self.catalogue.close()
            await self._listener.close(0)
            self._listener.failed.cancel()
            await self._readers.queries.close()
            self._socket.close()
            self.catalogue.stop()

    async def get(self, resource: str, query: str = "", *headers: str, method: str = "GET") -> Answer:
        """A request on a connection of its own."""
        reader, writer = await asyncio.open_connection(*self._socket.getsockname())
        lines = (
            f"{method} /{resource}/{TOKEN}/{NAME}{query} HTTP/1.1",
            "Host: x",
            "Connection: close",
            *headers,
            "",
            "",
        )
        writer.write("\r\n".join(lines).encode())
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while more := await reader.read(1 << 20):
                data += more
        writer.close()
        head, _, body = data.partition(b"\r\n\r\n")
        text = head.decode()
        clean = True
        if "transfer-encoding: chunked" in text.lower():
            body, clean = dechunked(body)
        elif method != "HEAD" and (length := re.search(r"(?i)content-length: (\d+)", text)):
            clean = len(body) == int(length[1])
        return Answer(int(text[9:12]), text, body, clean)


def dechunked(body: bytes) -> tuple[bytes, bool]:
    """The content of a chunked body, and whether its last chunk is there."""
    content, place = b"", 0
    while place < len(body):
        end = body.index(b"\r\n", place)
        size = int(body[place:end], 16)
        if not size:
            return content, True
        content += body[end + 2 : end + 2 + size]
        place = end + 4 + size
    return content, False


@contextlib.asynccontextmanager
async def serving(kind: Kind, folder: Path) -> AsyncIterator[tuple[Writer, Port]]:
    """A writer, and a port on which its log is read."""
    async with kind(folder) as writer, Port(writer, folder).open() as port:
        yield writer, port


async def grown(writer: Writer, text: str) -> None:
    """Append, and wait until readers may have it."""
    wanted = writer.source.length + len(text)
    async with told(writer.source, lambda: writer.source.length == wanted):
        await writer.do("append", text)


@on_both
@pytest.mark.parametrize("end", ["complete", "aborted", "lost"])
@on_loop
async def test_all_who_follow_get_every_byte_and_only_a_complete_log_ends_cleanly(
    kind: Kind, tmp_path: Path, end: str
) -> None:
    async with serving(kind, tmp_path) as (writer, port):
        reading = [asyncio.ensure_future(port.get("log")) for _ in range(10)]
        reading.append(asyncio.ensure_future(port.get("log", "", "Range: bytes=5-9007199254740991")))
        for start in range(0, len(LINES), len(LINES) // 10):
            await grown(writer, LINES[start : start + len(LINES) // 10])
            reading.append(asyncio.ensure_future(port.get("log")))
        await turns(lambda: len(writer.source.watchers) > 1)
        async with told(writer.source, lambda: writer.source.at_end):
            await (writer.be_lost() if end == "lost" else writer.do("end", end))
        content = FIRST + LINES.encode()
        for number, answer in enumerate(await asyncio.gather(*reading)):
            assert answer.body == (content[5:] if number == 10 else content)
            assert answer.clean is (end == "complete")
        late = await port.get("log")
        assert (late.body, late.clean) == (content, end == "complete")


@on_both
@pytest.mark.parametrize("ended", [False, True])
@on_loop
async def test_ranges_are_those_of_the_bytes(kind: Kind, tmp_path: Path, *, ended: bool) -> None:
    async with serving(kind, tmp_path) as (writer, port):
        await grown(writer, LINES)
        content = FIRST + LINES.encode()
        size = len(content)
        if ended:
            async with told(writer.source, lambda: writer.source.state.ended):
                await writer.do("end", "complete")
        for text, start, stop in (
            ("0-0", 0, 1),
            (f"7-{size}", 7, size),
            ("-9", size - 9, size),
            (f"{size - 1}-", size - 1, size),
        ):
            answer = await port.get("log", "", f"Range: bytes={text}")
            assert (answer.status, answer.body, answer.clean) == (206, content[start:stop], True)
            assert f"content-range: bytes {start}-{stop - 1}/{size if ended else '*'}" in answer.head.lower()
        refused = await port.get("log", "", f"Range: bytes={size + 1}-")
        assert refused.status == 416
        if ended:  # a follower does not know what other processes have answered: it confirms nothing
            same = await port.get("log", "", f"If-None-Match: {writer.source.etag}")
            assert same.status == (304 if kind is Here else 200)
        tail = await port.get("log", "?tail=2&follow=0")
        assert tail.body == b"".join(content.splitlines(keepends=True)[-2:])


@on_both
@on_loop
async def test_status_tells_what_is_known_and_of_each_change(kind: Kind, tmp_path: Path) -> None:
    async with serving(kind, tmp_path) as (writer, port):
        first = json.loads((await port.get("status")).body)
        assert (first["name"], first["state"], first["size"]) == (NAME, "live", len(FIRST))
        waiting = asyncio.ensure_future(port.get("status", f"?wait=60&size={len(FIRST)}"))
        await turns(lambda: len(writer.source.watchers) > 1)
        assert not waiting.done()
        await grown(writer, "more\n")
        assert json.loads((await waiting).body)["size"] == len(FIRST) + 5
        async with told(writer.source, lambda: writer.source.info.attributes.title == "told"):
            await writer.do("title", "told")
        async with told(writer.source, lambda: writer.source.state.ended):
            await writer.do("end", "complete")
        last = json.loads((await port.get("status")).body)
        assert (last["title"], last["state"], last["reason"]) == ("told", "complete", "the test ended it")
        assert last["ended"] is not None


@on_both
@pytest.mark.parametrize("end", ["complete", "lost"])
@on_loop
async def test_events_tell_the_text_and_the_end_of_a_complete_log_only(kind: Kind, tmp_path: Path, end: str) -> None:
    async with serving(kind, tmp_path) as (writer, port):
        events = asyncio.ensure_future(port.get("events"))
        await turns(lambda: len(writer.source.watchers) > 1)
        await grown(writer, LINES)
        async with told(writer.source, lambda: writer.source.at_end):
            await (writer.be_lost() if end == "lost" else writer.do("end", end))
        answer = await events
        kinds = re.findall(rb"^event: (\w+)$", answer.body, re.MULTILINE)
        data = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: ")]
        text = "".join(each if isinstance(each, str) else each.get("text", "") for each in data)
        assert text == FIRST.decode() + LINES
        assert (kinds.count(b"end"), answer.clean) == ((1, True) if end == "complete" else (0, False))


@on_both
@on_loop
async def test_lines_groups_and_searches_are_those_of_the_bytes(kind: Kind, tmp_path: Path) -> None:
    async with serving(kind, tmp_path) as (writer, port):
        await grown(writer, LINES)
        content = FIRST + LINES.encode()
        every = content.splitlines(keepends=True)
        answer = await port.get("lines", "?from=19000&count=3")
        assert answer.body == b"".join(every[18_999:19_002])
        assert "livelog-first-line: 19000" in answer.head.lower()
        found = [json.loads(line) for line in (await port.get("search", "?q=line+1999&limit=1000")).body.splitlines()]
        hits = [hit["line"] for hit in found if "line" in hit]
        assert sorted(hits) == [number for number, line in enumerate(every, 1) if b"line 1999" in line]
        assert (await port.get("groups")).status == 200


@on_both
@pytest.mark.parametrize("end", sample(["complete", "aborted"], "complete"))
@on_loop
async def test_filters_that_follow_tell_lines_and_times_of_a_log_that_grows(
    kind: Kind, tmp_path: Path, end: str
) -> None:
    async with serving(kind, tmp_path) as (writer, port):
        filtering = asyncio.ensure_future(port.get("search", "?q=line+1999&follow=1&lines=1&context=1"))
        objects = asyncio.ensure_future(port.get("lines", "?from=2&as=ndjson"))
        await turns(lambda: len(writer.source.watchers) > 1)
        for start in range(0, len(LINES), len(LINES) // 5):
            await grown(writer, LINES[start : start + len(LINES) // 5])
        async with told(writer.source, lambda: writer.source.at_end):
            await writer.do("end", end)
        every = (FIRST + LINES.encode()).splitlines()
        *found, last = [json.loads(line) for line in (await filtering).body.splitlines()]
        found = [one for one in found if "line" in one]
        wanted = {number for number, line in enumerate(every, 1) if b"line 1999" in line}
        near = {number + by for number in wanted for by in (-1, 0, 1)} & set(range(1, len(every) + 1))
        assert [one["line"] for one in found] == sorted(near)
        assert {one["line"] for one in found if "context" not in one} == wanted
        assert (last["hits"], last["state"]) == (len(wanted), end)
        assert [one["text"].encode() for one in found] == [every[one["line"] - 1] for one in found]
        times = [one["time"] for one in found]
        assert times == sorted(times)
        await objects
        told_again = [json.loads(line) for line in (await port.get("lines", "?as=ndjson")).body.splitlines()]
        assert {one["line"]: one["time"] for one in told_again if one["line"] in near} == dict(
            zip(sorted(near), times, strict=True)
        )


@on_loop
async def test_who_waits_for_a_log_gets_it_when_it_is_adopted_and_all_share_one(tmp_path: Path) -> None:
    async with Elsewhere(tmp_path) as writer, Port(writer, tmp_path).open() as port:
        port.source = None
        assert (await port.get("status")).status == 404
        waiting = [asyncio.ensure_future(port.get("status", "?wait=60")) for _ in range(3)]
        await turns(lambda: port.asked >= 4)
        port.catalogue.adopt(writer.source)
        assert [answer.status for answer in await asyncio.gather(*waiting)] == [200] * 3
        asked = port.asked
        answers = await asyncio.gather(*(port.get("log", "?follow=0") for _ in range(5)))
        assert {answer.body for answer in answers} == {FIRST}
        assert port.asked == asked, "nobody asked elsewhere for a log that was adopted"
        async with told(writer.source, lambda: writer.source.at_end):
            await writer.be_lost()
        assert (await port.get("status")).status == 404, "it is not known here any more"
        assert port.asked == asked + 2
