"""Two hundred readers of one log, in one process: each asks what a page of the viewer asks, or follows the log alone.

Two hundred pages in one browser would measure the browser. It refuses to give a figure (`RunFailed`) when something that a page
needs is answered with another status than 200, or when a reader has heard nothing for five seconds at the end.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter

from benchmarks.servers import RunFailed, Site, cpu_seconds

ENDLESS = "9007199254740991"
"""The last byte of the range that a page asks for, 2**53 - 1: no log is as long."""

HEADERS = """Host: 127.0.0.1:{port}\r
Connection: keep-alive\r
sec-ch-ua-platform: "Linux"\r
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r
sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"\r
sec-ch-ua-mobile: ?0\r
Accept: */*\r
Sec-Fetch-Site: same-origin\r
Sec-Fetch-Mode: cors\r
Sec-Fetch-Dest: empty\r
Accept-Encoding: gzip, deflate, br, zstd\r
Accept-Language: en-US,en;q=0.9\r
"""
"""What Chromium sends with a page's requests."""


class Follower(asyncio.Protocol):
    """Takes in the answer to one request, which does not end."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.heard = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note when."""
        self.heard = time.monotonic()


class Reader:
    """What a reader asks of the server, by kind and when: a page of the viewer, or only the log itself."""

    def __init__(self, site: Site, name: str) -> None:
        self.asked: list[tuple[float, str]] = []
        self.follower: Follower | None = None
        self._site = site
        self._name = name
        self._began = 0.0

    def _request(self, kind: str, query: str = "", headers: str = "") -> bytes:
        self.asked.append((time.monotonic() - self._began, kind))
        path = f"/{kind}/{self._site.token}/{self._name}{query}"
        return f"GET {path} HTTP/1.1\r\n{HEADERS.format(port=self._site.get_port)}{headers}\r\n".encode()

    async def _follow(self, headers: str = "") -> None:
        follower = Follower(self._request("log", headers=headers))
        await asyncio.get_running_loop().create_connection(lambda: follower, "127.0.0.1", self._site.get_port)
        self.follower = follower

    async def read(self, delay: float, *, is_page: bool) -> None:
        """Come after a while, open the log and follow it, until cancelled."""
        await asyncio.sleep(delay)
        self._began = time.monotonic()
        if not is_page:
            await self._follow()
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", self._site.get_port)

        async def ask(kind: str, query: str = "") -> dict[str, str]:
            writer.write(self._request(kind, query))
            status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            if " 200 " not in status:
                raise RunFailed(f"{kind} was answered {status}")
            answer = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
            await reader.readexactly(int(answer["content-length"]))
            return answer

        await ask("view")
        await ask("status")
        lines = await ask("lines", "?tail=200")
        await self._follow(f"Range: bytes={lines['livelog-size']}-{ENDLESS}\r\nIf-Range: {lines['etag']}\r\n")
        await ask("groups", "?from=1")
        for turn in itertools.count(1):
            await asyncio.sleep(self._began + 5 * turn - time.monotonic())
            await ask("status")
            if turn % 2 == 0:
                await ask("groups", "?from=1")


def read_all(
    site: Site, name: str, pid: int, count: int, spread: float, seconds: float, is_page: bool
) -> tuple[float, dict[str, float]]:
    """So many readers, who come within `spread` seconds, and read for `seconds`.

    Returns the server's CPU seconds in that time, and what a reader asks in its first such time. Raises: RunFailed.
    """

    async def all_read() -> float:
        tasks = [
            asyncio.create_task(reader.read(spread * at / count, is_page=is_page)) for at, reader in enumerate(readers)
        ]
        await asyncio.sleep(spread + 0.5)
        before = cpu_seconds(pid)
        await asyncio.sleep(seconds)
        used = cpu_seconds(pid) - before
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        return used

    readers = [Reader(site, name) for _ in range(count)]
    used = asyncio.run(all_read())
    now = time.monotonic()
    left = sum(reader.follower is None or now - reader.follower.heard > 5 for reader in readers)
    if left:
        raise RunFailed(f"{left} of {count} readers heard nothing at the end")
    asked = Counter(kind for reader in readers for age, kind in reader.asked if age < seconds)
    return used, {kind: number / count for kind, number in asked.items()}
