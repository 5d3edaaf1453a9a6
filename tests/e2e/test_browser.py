"""What a web page can do with a log, and what a log can do to a browser: a real Chromium, a real server.

The pages come from another site than the log, as a build's page does. Chromium is not told anything about the
server, and its network is not intercepted: preflights, caches and connections are those of any user.

Categories: following (a log that is written, by every way a script can read) · resuming (from the next byte) ·
ranges and conditions (what needs a preflight, and what scripts see) · caches (what the browser kept is never wrong) ·
errors (readable by scripts) · showing (a log in a tab is text, whatever it holds) · writing (no page can).

Every wait is for an event: what a script has seen, what the server has answered. Nothing leaves this machine.
"""

import contextlib
import http.server
import random
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.chromium import chromium
from tests.conformance.link import Address, Connection
from tests.conformance.runner import tls_context
from tests.harness import TIMEOUT, TOKEN, Server, chunk, serving
from tests.integration.logs import request
from tests.integration.servers import wait_until
from tests.sample import one_of, sample

pytestmark = pytest.mark.needs("chromium")

FOREVER = "9007199254740991"
"""The last position of a range that follows (RFC 8673): the largest integer that a script holds exactly."""

HELPERS = """
// Begin a fetch. What is returned is filled as the answer comes; `text` has one character for each byte.
function follow(url, options, {byob = false, stop = Infinity, paused = false}) {
  const reading = {status: null, type: null, headers: {}, text: "", chunks: 0, end: null, go: null};
  const aborter = new AbortController();
  const resumed = paused ? new Promise(resolve => { reading.go = resolve; }) : null;
  (async () => {
    const response = await fetch(url, {...options, signal: aborter.signal});
    reading.headers = Object.fromEntries(response.headers);
    reading.type = response.type;
    reading.status = response.status;
    await resumed;
    const reader = response.body === null ? null : response.body.getReader(byob ? {mode: "byob"} : {});
    for (let buffer = new Uint8Array(1000); reader !== null;) {
      const {value, done} = await (byob ? reader.read(buffer) : reader.read());
      if (done) break;
      if (byob) buffer = new Uint8Array(value.buffer);
      let text = "";
      const bytes = byob ? value.slice() : value;
      for (let at = 0; at < bytes.length; at += 4096) {
        text += String.fromCharCode.apply(null, bytes.subarray(at, at + 4096));
      }
      reading.text += text;
      reading.chunks += 1;
      if (reading.text.length >= stop) aborter.abort();
    }
    reading.end = "done";
  })().catch(error => { reading.end = error.name; });
  return reading;
}
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page's script has seen of an answer: `end` is "done", an error's name, or None while it goes on."""

    status: int | None
    type: str | None
    headers: Mapping[str, str]
    body: bytes
    chunks: int
    end: str | None


class Reading:
    """A fetch that a page has begun."""

    def __init__(
        self,
        page: Page,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        byob: bool = False,
        stop: int | None = None,
        paused: bool = False,
    ) -> None:
        """Begin it.

        `byob`: read with a buffer of the script's own, at most 1000 bytes at a time. `stop`: abort when so many bytes
        have come. `paused`: read no byte of the body before `resume`.
        """
        how = {"byob": byob, "paused": paused} | ({} if stop is None else {"stop": stop})
        asked = {"method": method, "headers": dict(headers or {}), **(options or {})}
        self._page = page
        self._handle = page.evaluate_handle("([url, options, how]) => follow(url, options, how)", [url, asked, how])

    def resume(self) -> None:
        """Begin to read the body."""
        self._handle.evaluate("reading => reading.go()")

    def wait(self, condition: str) -> Seen:
        """What was seen when `condition`, JavaScript about `reading`, had come true."""
        try:
            self._page.wait_for_function(f"reading => {condition}", arg=self._handle)
        except PlaywrightTimeoutError:
            pytest.fail(f"never came: {condition}; seen: {self.seen()!r:.2000}")
        return self.seen()

    def wait_head(self) -> Seen:
        """Wait for the answer's head, or its failure."""
        return self.wait("reading.status !== null || reading.end !== null")

    def wait_bytes(self, count: int) -> Seen:
        """Wait for so many bytes in all."""
        return self.wait(f"reading.text.length >= {count} || reading.end !== null")

    def wait_end(self) -> Seen:
        """Wait for the end, however it is."""
        return self.wait("reading.end !== null")

    def seen(self) -> Seen:
        """What was seen so far."""
        seen: dict[str, Any] = self._handle.evaluate("({go, ...seen}) => seen")
        return Seen(body=seen.pop("text").encode("latin-1"), **seen)


class Site:
    """A web site that has one page, empty but for `HELPERS`; `asked` is what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                body = f"<!doctype html><title>page</title><script>{HELPERS}</script>".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def url(self, host: str = "builds.example") -> str:
        """The page's address at one of the site's names."""
        return f"http://{host}:{self._server.server_port}/"

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Preflights:
    """Knows the preflights that a page causes, by the addresses they are about."""

    def __init__(self, page: Page, logs: "Logs") -> None:
        self._page = page
        self._last = logs.url() + "?follow=0&last="
        self._urls: list[str] = []
        self._session = page.context.new_cdp_session(page)
        self._session.on("Network.requestWillBeSent", self._note)
        self._session.send("Network.enable")

    def _note(self, event: dict[str, Any]) -> None:
        if event["request"]["method"] == "OPTIONS":
            self._urls.append(event["request"]["url"])

    def count(self) -> int:
        """How many there were so far."""
        # The browser tells of them in order, but later than scripts see answers: wait for a last one.
        last = f"{self._last}{len(self._urls)}"
        Reading(self._page, last, headers={"Prefer": "wait=0"}).wait_end()
        deadline = time.monotonic() + TIMEOUT
        while last not in self._urls:
            assert time.monotonic() < deadline, "the browser tells of no preflight"
            self._page.evaluate("null")  # takes in what the browser tells
        return sum(not url.startswith(self._last) for url in self._urls)


class Logs:
    """A server's log, and the producers that a test has for it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._producers = contextlib.ExitStack()

    def url(self, path: str = f"/log/{TOKEN}") -> str:
        """Where a page reads the log."""
        get = self._server.get
        return f"{'http' if get.tls is None else 'https'}://{get.authority}{path}"

    def write_url(self, host: str = "localhost") -> str:
        """Where a producer on this machine writes the log."""
        return f"http://{host}:{self._server.put.port}/log"

    def begin(self, data: bytes = b"", *headers: str) -> Connection:
        """A producer whose log has begun, and has `data`."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            producer = self._server.begin_put("Expect: 100-continue", *headers)
            self._producers.callback(producer.close)
            answer = producer.wait(lambda answer: bool(answer.heads), "100 Continue")
            if answer.head is None:
                break
            # The producer of the test before was cut off, which the server has yet to notice.
            assert answer.head.status == 409 and time.monotonic() < deadline
        producer.send(chunk(data) if data else b"")
        # Asked for without its bytes: who is told a tag with less than the whole log takes 304 from all (see protocol.md).
        wait_until(lambda: self._size() >= len(data), "the log has begun")
        return producer

    def _size(self) -> int:
        answer = request(self._server.get, "HEAD", f"/log/{TOKEN}?follow=0")
        return int(answer["Content-Length"]) if answer.status == 200 else -1

    def finish(self, producer: Connection) -> None:
        """End the log as complete."""
        producer.send(chunk(b""))
        assert producer.wait_head().status in (200, 201)

    def write(self, data: bytes, *headers: str) -> None:
        """Write a whole log."""
        self.finish(self.begin(data, *headers))

    def wait_ended(self) -> None:
        """Wait until the log has ended, however it does."""
        self._server.read_log()

    def begun(self) -> bool:
        """Whether any log has begun."""
        head = self._server.read_log(query="?follow=0").head
        assert head is not None and head.status in (200, 404)
        return head.status == 200 or "log begun" in self._server.log()

    @contextlib.contextmanager
    def of_a_test(self) -> Iterator["Logs"]:
        """These, for a test: its producers are gone afterwards, and nothing it did was a surprise to the server."""
        logged = len(self._server.log())
        with self._producers:
            yield self
        assert "Traceback" not in self._server.log()[logged:]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser with a profile that is new, and gone afterwards."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile: cookies, caches and preflights of its own."""
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(TIMEOUT * 1000)
    yield context
    context.close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Another site than the log's."""
    site = Site()
    yield site
    site.stop()


@pytest.fixture
def page(context: BrowserContext, site: Site) -> Page:
    """A page of another site."""
    return open_page(context, site.url())


@pytest.fixture(scope="module")
def http_logs() -> Iterator[Logs]:
    """A server for all tests that do not mind what was written to it before."""
    with serving() as server:
        yield Logs(server)


@pytest.fixture(scope="module")
def https_logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logs]:
    """The same, with a readers' port that speaks https."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = str(folder / "server.crt"), str(folder / "server.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-days", "2", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT)
    environment = {"SERVER_CRT_FILE": certificate, "SERVER_KEY_FILE": key}
    with serving(environment, tls=Address("", 0, tls_context(insecure=True))) as server:
        yield Logs(server)


@pytest.fixture(scope="module")
def unwritten_logs() -> Iterator[Logs]:
    """A server that has no log, for the tests that make sure of that."""
    with serving() as server:
        yield Logs(server)


@pytest.fixture
def logs(http_logs: Logs) -> Iterator[Logs]:
    """The log of a server that may have had others."""
    with http_logs.of_a_test():
        yield http_logs


@pytest.fixture(params=sample(["http", "https"], "http"))
def either(request: pytest.FixtureRequest) -> Iterator[Logs]:
    """The log of a server whose readers' port speaks http, or https."""
    logs = cast(Logs, request.getfixturevalue(f"{request.param}_logs"))
    with logs.of_a_test():
        yield logs


@pytest.fixture
def unwritten(unwritten_logs: Logs) -> Iterator[Logs]:
    """A server that has no log, and shall have none."""
    with unwritten_logs.of_a_test():
        yield unwritten_logs
        assert not unwritten_logs.begun()


@pytest.fixture
def fresh() -> Iterator[Logs]:
    """A server that has no log yet."""
    with serving() as server, Logs(server).of_a_test() as logs:
        yield logs


def open_page(context: BrowserContext, url: str) -> Page:
    """Open `url` in a new tab."""
    page = context.new_page()
    page.goto(url)
    return page


def some_bytes(size: int) -> bytes:
    """Bytes of every value, each time the same."""
    return random.Random(size).randbytes(size)


# Following


@pytest.mark.parametrize("byob", sample([False, True], False), ids=["default reader", "BYOB reader"])
def test_a_script_sees_each_line_as_it_is_written_and_the_end_when_the_log_is_complete(
    page: Page, either: Logs, byob: bool
) -> None:
    producer = either.begin(b"line 0\n")
    reading = Reading(page, either.url(), byob=byob)
    written = b"line 0\n"
    assert reading.wait_bytes(len(written)).body == written
    for number in range(1, 20):
        line = b"line %d\n" % number
        producer.send(chunk(line))
        written += line
        seen = reading.wait_bytes(len(written))
        assert (seen.body, seen.end) == (written, None)
    either.finish(producer)
    seen = reading.wait_end()
    assert (seen.status, seen.type, seen.body, seen.end) == (200, "cors", written, "done")
    assert seen.chunks >= 20
    assert seen.headers["livelog-state"] == "live"


@pytest.mark.parametrize("byob", sample([False, True], True), ids=["default reader", "BYOB reader"])
def test_a_script_is_told_that_a_log_broke_off_after_all_of_its_bytes(page: Page, either: Logs, byob: bool) -> None:
    producer = either.begin(b"line 0\n")
    reading = Reading(page, either.url(), byob=byob)
    reading.wait_bytes(7)
    producer.send(chunk(b"line 1\n"))
    assert reading.wait_bytes(14).end is None
    producer.reset()
    seen = reading.wait_end()
    assert (seen.status, seen.body, seen.end) == (200, b"line 0\nline 1\n", "TypeError")


def test_what_a_browser_dropped_when_a_log_broke_off_is_there_for_who_asks_for_it(page: Page, logs: Logs) -> None:
    data = some_bytes(300_000)
    producer = logs.begin(data[:10])
    reading = Reading(page, logs.url())
    etag = reading.wait_bytes(10).headers["etag"]
    producer.send(chunk(data[10:]))
    producer.close()
    seen = reading.wait_end()
    assert seen.end == "TypeError"
    assert data.startswith(seen.body)  # Chromium drops what it has not handed over when an answer breaks off
    headers = {"Range": f"bytes={len(seen.body)}-", "If-Range": etag}
    rest = Reading(page, logs.url(), headers=headers).wait_end()
    assert rest.end == "done"
    if rest.status == 409:  # there is no more, and it is not the whole log
        assert (rest.headers["livelog-state"], seen.body) == ("aborted", data)
    else:
        assert (rest.status, rest.headers["livelog-state"], seen.body + rest.body) == (206, "aborted", data)


def test_an_aborted_log_breaks_off_for_a_script_that_comes_later_each_time_it_comes(page: Page, logs: Logs) -> None:
    logs.begin(b"half of it").reset()
    logs.wait_ended()
    for _ in range(2):
        seen = Reading(page, logs.url()).wait_end()
        assert (seen.status, seen.end, seen.headers["livelog-state"]) == (200, "TypeError", "aborted")
        assert b"half of it".startswith(seen.body)
    for path, status in ((f"/log/{TOKEN}?follow=0", 200), (f"/log/{TOKEN}?again", 206)):
        headers = {"Range": "bytes=0-"} if status == 206 else {}
        seen = Reading(page, logs.url(path), headers=headers).wait_end()
        assert (seen.status, seen.body, seen.end) == (status, b"half of it", "done")


def test_a_script_that_does_not_read_for_a_while_loses_nothing(page: Page, logs: Logs) -> None:
    data = b"".join(b"%015d\n" % number for number in range(1_000_000))
    producer = logs.begin(data[:16])
    reading = Reading(page, logs.url(), paused=True)
    reading.wait_head()
    producer.send(chunk(data[16:]))
    logs.finish(producer)  # taken whole: the page, which has read nothing, holds nobody up
    assert reading.seen().body == b""
    reading.resume()
    seen = reading.wait_end()
    assert seen.end == "done"
    assert seen.body == data


def test_two_tabs_and_two_scripts_of_one_browser_follow_the_same_log_at_once(
    page: Page, context: BrowserContext, site: Site, logs: Logs
) -> None:
    producer = logs.begin(b"one\n")
    other = open_page(context, site.url())
    readings = [Reading(tab, logs.url()) for tab in (page, page, other, other)]
    for reading in readings:
        reading.wait_bytes(4)
    producer.send(chunk(b"two\n"))
    assert [reading.wait_bytes(8).body for reading in readings] == [b"one\ntwo\n"] * 4
    logs.finish(producer)
    assert [reading.wait_end().end for reading in readings] == ["done"] * 4


@pytest.mark.parametrize("start", sample([0, 12], 0))
def test_an_event_source_is_told_of_the_end_once_and_asks_no_more(page: Page, logs: Logs, start: int) -> None:
    """Also if it has all bytes already; its script never closes it."""
    logs.write(b"all is well\n")
    seen = page.evaluate_handle(
        """url => {
          const source = new EventSource(url), seen = {source, ends: [], text: ""};
          source.addEventListener("end", event => seen.ends.push(JSON.parse(event.data)));
          source.addEventListener("message", event => { seen.text += JSON.parse(event.data).text; });
          return seen;
        }""",
        logs.url(f"/events/{TOKEN}?from={start}"),
    )
    page.wait_for_function("seen => seen.source.readyState === EventSource.CLOSED", arg=seen, timeout=1000 * TIMEOUT)
    assert seen.evaluate("seen => seen.ends") == [{"state": "complete", "size": 12}]
    assert seen.evaluate("seen => seen.text") == "all is well\n"[start:]


@pytest.mark.parametrize("way", ["query", "header"])
def test_a_script_that_asks_before_the_log_begins_can_wait_for_it(page: Page, fresh: Logs, way: str) -> None:
    url = fresh.url() + ("?wait=15" if way == "query" else "")
    with page.expect_request(url):
        reading = Reading(page, url, headers={"Prefer": "wait=15"} if way == "header" else {})
    producer = fresh.begin(b"first")
    assert reading.wait_bytes(5).body == b"first"
    fresh.finish(producer)
    assert reading.wait_end().end == "done"


def test_xmlhttprequest_shows_progress_too(page: Page, logs: Logs) -> None:
    producer = logs.begin(b"one\n")
    handle = page.evaluate_handle(
        "url => { const x = new XMLHttpRequest(); x.open('GET', url); x.send(); return x; }", logs.url()
    )
    page.wait_for_function("x => x.readyState === 3 && x.responseText === 'one\\n'", arg=handle)
    producer.send(chunk(b"two\n"))
    page.wait_for_function("x => x.readyState === 3 && x.responseText === 'one\\ntwo\\n'", arg=handle)
    logs.finish(producer)
    page.wait_for_function("x => x.readyState === 4 && x.responseText === 'one\\ntwo\\n'", arg=handle)


# Resuming


def test_a_stream_that_was_aborted_again_and_again_is_resumed_to_exactly_the_bytes(page: Page, either: Logs) -> None:
    data = some_bytes(1_000_000)
    producer = either.begin(data[:200_000])
    seen = Reading(page, either.url(), byob=True, stop=100_000).wait_end()
    assert (seen.status, seen.end) == (200, "AbortError")
    body, etag = seen.body, seen.headers["etag"]
    for stop in (1, 200_000, 300_000, None):
        headers = {"Range": f"bytes={len(body)}-{FOREVER}", "If-Range": etag}
        reading = Reading(page, either.url(), headers=headers, byob=stop is not None, stop=stop)
        seen = reading.wait_head()
        assert (seen.status, seen.headers["etag"]) == (206, etag)
        assert seen.headers["content-range"] == f"bytes {len(body)}-{FOREVER}/*"
        if stop == 200_000:
            producer.send(chunk(data[200_000:]))
        if stop is None:
            either.finish(producer)
        seen = reading.wait_end()
        assert seen.end == ("done" if stop is None else "AbortError")
        body += seen.body
    assert body == data


def test_a_stream_that_is_resumed_after_the_log_was_replaced_begins_anew(page: Page, logs: Logs) -> None:
    producer = logs.begin(b"the old log")
    seen = Reading(page, logs.url(), stop=11).wait_end()
    logs.finish(producer)
    producer = logs.begin(b"the new log, which is longer")
    headers = {"Range": f"bytes=11-{FOREVER}", "If-Range": seen.headers["etag"]}
    reading = Reading(page, logs.url(), headers=headers)
    new = reading.wait_bytes(28)
    assert (new.status, new.body) == (200, b"the new log, which is longer")
    assert new.headers["etag"] != seen.headers["etag"]
    logs.finish(producer)
    assert reading.wait_end().end == "done"


def test_a_stream_that_has_everything_is_resumed_and_waits_for_more(page: Page, logs: Logs) -> None:
    producer = logs.begin(b"0123456789")
    reading = Reading(page, logs.url(), headers={"Range": f"bytes=10-{FOREVER}"})
    assert reading.wait_head().status == 206
    producer.send(chunk(b"more"))
    assert reading.wait_bytes(4).body == b"more"
    logs.finish(producer)
    assert reading.wait_end().end == "done"
    seen = Reading(page, logs.url(), headers={"Range": f"bytes=14-{FOREVER}"}).wait_end()
    assert (seen.status, seen.headers["content-range"]) == (416, "bytes */14")


# Ranges and conditions


def test_a_range_that_follows_needs_no_preflight_and_its_headers_can_be_read(page: Page, logs: Logs) -> None:
    producer = logs.begin(b"0123456789")
    preflights = Preflights(page, logs)
    reading = Reading(page, logs.url(), headers={"Range": f"bytes=7-{FOREVER}"})
    seen = reading.wait_bytes(3)
    assert (seen.status, seen.body, seen.end) == (206, b"789", None)
    assert seen.headers["content-range"] == f"bytes 7-{FOREVER}/*"
    assert seen.headers["etag"].startswith('"')
    assert seen.headers["livelog-state"] == "live"
    assert seen.headers["accept-ranges"] == "bytes"
    producer.send(chunk(b"abc"))
    assert reading.wait_bytes(6).body == b"789abc"
    logs.finish(producer)
    assert reading.wait_end().end == "done"
    assert preflights.count() == 0


@pytest.mark.parametrize("complete", [False, True], ids=["live", "complete"])
@pytest.mark.parametrize(
    ("asked", "answered", "body", "preflighted"),
    one_of(
        2,
        [
            ("bytes=2-5", "bytes 2-5/", b"2345", False),
            ("bytes=7-", "bytes 7-9/", b"789", False),
            ("bytes=-4", "bytes 6-9/", b"6789", True),
        ],
    ),
    ids=["first to last", "first to end", "suffix"],
)
def test_a_bounded_range_ends_at_once(
    page: Page, logs: Logs, *, complete: bool, asked: str, answered: str, body: bytes, preflighted: bool
) -> None:
    producer = logs.begin(b"0123456789")
    if complete:
        logs.finish(producer)
    preflights = Preflights(page, logs)
    seen = Reading(page, logs.url(), headers={"Range": asked}).wait_end()
    assert (seen.status, seen.body, seen.end) == (206, body, "done")
    assert seen.headers["content-range"] == answered + ("10" if complete else "*")
    assert seen.headers["content-length"] == str(len(body))
    assert seen.headers["livelog-state"] == ("complete" if complete else "live")
    assert preflights.count() == preflighted


def test_several_ranges_come_as_parts(page: Page, logs: Logs) -> None:
    logs.write(b"0123456789")
    seen = Reading(page, logs.url(), headers={"Range": "bytes=0-1,8-9"}).wait_end()
    assert (seen.status, seen.end) == (206, "done")
    assert seen.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert b"Content-Range: bytes 8-9/10\r\n\r\n89\r\n" in seen.body


def test_a_preflight_is_asked_once_for_many_requests(page: Page, logs: Logs) -> None:
    # Not so for a request with a precondition: Chromium takes that for one that is to go past all caches.
    logs.write(b"0123456789")
    preflights = Preflights(page, logs)
    for size in range(1, 5):
        headers = {"Range": f"bytes=-{size}", "Prefer": "wait=1", "Cache-Control": "no-cache"}
        seen = Reading(page, logs.url(), headers=headers).wait_end()
        assert (seen.status, len(seen.body)) == (206, size)
    assert preflights.count() == 1


def test_a_script_may_send_each_header_that_means_something(page: Page, logs: Logs) -> None:
    logs.write(b"0123456789")
    etag = Reading(page, logs.url(), method="HEAD").wait_end().headers["etag"]
    bare = logs.url("/log/")
    for url, name, value, status in (
        (bare, "Authorization", f"Bearer {TOKEN}", 200),
        (bare, "Authorization", "Bearer wrong", 401),
        (logs.url(), "Cache-Control", "no-cache", 200),
        (logs.url(), "If-Match", etag, 200),
        (logs.url(), "If-Match", '"another"', 412),
        (logs.url(), "If-None-Match", etag, 304),
        (logs.url(), "If-None-Match", '"another"', 200),
        (logs.url(), "If-Range", '"another"', 200),
        (logs.url(), "Last-Event-ID", "4", 200),
        (
            logs.url(),
            "Accept",
            "application/problem+json, application/x-a-type-that-is-longer-than-128-characters-" + "x" * 99,
            200,
        ),
        (logs.url(), "X-Of-A-Proxy", "1", 200),
        (logs.url(), "Prefer", "wait=1", 200),
    ):
        seen = Reading(page, url, headers={name: value}).wait_end()
        assert (seen.status, seen.end) == (status, "done"), (name, value)
        if status == 200:
            assert seen.body == b"0123456789"


def test_head_answers_a_script_at_once_while_the_log_is_live(page: Page, logs: Logs) -> None:
    producer = logs.begin(b"0123456789")
    seen = Reading(page, logs.url(), method="HEAD").wait_end()
    assert (seen.status, seen.body, seen.end, seen.headers["livelog-state"]) == (200, b"", "done", "live")
    logs.finish(producer)


def test_the_last_lines_say_where_they_begin(page: Page, logs: Logs) -> None:
    producer = logs.begin(b"one\ntwo\nthree\n")
    reading = Reading(page, logs.url() + "?tail=2")
    seen = reading.wait_bytes(10)
    assert (seen.status, seen.body, seen.headers["livelog-offset"]) == (200, b"two\nthree\n", "4")
    logs.finish(producer)
    assert reading.wait_end().end == "done"


# Caches


def test_a_browser_that_kept_a_part_of_a_log_reads_the_whole_of_it(page: Page, logs: Logs) -> None:
    data = some_bytes(200_000)
    logs.write(data)
    for asked in ("bytes=1000-1999", "bytes=0-9", "bytes=150000-"):
        first, last = asked.removeprefix("bytes=").split("-")
        seen = Reading(page, logs.url(), headers={"Range": asked}).wait_end()
        assert (seen.status, seen.body) == (206, data[int(first) : int(last or len(data)) + 1])
    for _ in range(2):
        seen = Reading(page, logs.url()).wait_end()
        assert (seen.status, seen.body, seen.end) == (200, data, "done")
    seen = Reading(page, logs.url(), headers={"Range": "bytes=1500-2500"}).wait_end()
    assert (seen.status, seen.body) == (206, data[1500:2501])


def test_a_browser_that_kept_a_log_sees_that_it_was_replaced(page: Page, logs: Logs) -> None:
    logs.write(b"the old log")
    assert Reading(page, logs.url()).wait_end().body == b"the old log"
    assert Reading(page, logs.url()).wait_end().body == b"the old log"
    producer = logs.begin(b"the new log")
    reading = Reading(page, logs.url())
    assert reading.wait_bytes(11).body == b"the new log"
    logs.finish(producer)
    assert reading.wait_end().end == "done"
    assert Reading(page, logs.url(), options={"cache": "force-cache"}).wait_end().body == b"the new log"


def test_a_browser_keeps_nothing_of_a_log_that_is_live(page: Page, logs: Logs) -> None:
    producer = logs.begin(b"0123456789")
    bounded = logs.url() + "?follow=0"
    assert Reading(page, bounded).wait_end().body == b"0123456789"
    assert Reading(page, logs.url(), headers={"Range": "bytes=0-4"}).wait_end().body == b"01234"
    assert Reading(page, logs.url(), stop=10).wait_end().body == b"0123456789"
    producer.send(chunk(b"abc"))
    logs.finish(producer)
    for url in (bounded, logs.url()):
        seen = Reading(page, url, options={"cache": "force-cache"}).wait_end()
        assert (seen.status, seen.body, seen.end) == (200, b"0123456789abc", "done")
        assert seen.headers["livelog-state"] == "complete"


# Errors


def test_a_script_can_read_that_its_token_is_wrong(page: Page, logs: Logs) -> None:
    logs.write(b"secret")
    for path in ("/log/wrong", "/log/", "/log/wrong/name"):
        seen = Reading(page, logs.url(path)).wait_end()
        assert (seen.status, seen.type, seen.end) == (401, "cors", "done")
        assert b"Access denied" in seen.body


def test_a_script_can_read_when_to_ask_again_for_a_log_that_has_not_begun(page: Page, fresh: Logs) -> None:
    seen = Reading(page, fresh.url()).wait_end()
    assert (seen.status, seen.type, seen.end) == (404, "cors", "done")
    assert int(seen.headers["retry-after"]) > 0
    assert b"not begun" in seen.body


@pytest.mark.parametrize("complete", [False, True], ids=["live", "complete"])
def test_a_script_can_read_how_long_the_log_is_that_does_not_have_its_range(
    page: Page, logs: Logs, complete: bool
) -> None:
    producer = logs.begin(b"0123456789")
    if complete:
        logs.finish(producer)
    seen = Reading(page, logs.url(), headers={"Range": "bytes=11-"}).wait_end()
    assert (seen.status, seen.type, seen.end) == (416, "cors", "done")
    assert seen.headers["content-range"] == "bytes */10"
    assert seen.headers["livelog-state"] == ("complete" if complete else "live")
    assert seen.headers["etag"].startswith('"')
    assert b"10 bytes" in seen.body


def test_a_script_can_read_that_it_asked_wrongly(page: Page, logs: Logs) -> None:
    logs.write(b"log")
    assert Reading(page, logs.url(), method="POST").wait_end().status == 405
    assert Reading(page, logs.url() + "?tail=x").wait_end().status == 400
    assert Reading(page, logs.url("/elsewhere")).wait_end().status == 404
    seen = Reading(page, logs.url(), method="DELETE").wait_end()
    assert (seen.status, seen.end) == (None, "TypeError")  # its preflight said that only reading is allowed


# Showing

SCRIPT = (
    "<!doctype html><title>taken over</title><script>document.title='ran';fetch('{0}ran')</script><img src='{0}img'>"
)


@pytest.mark.parametrize(
    "content_type",
    sample(["text/html", "image/svg+xml", "text/plain, text/html", None], "text/html", None),
)
def test_a_log_in_a_tab_is_shown_as_text_and_nothing_in_it_runs(
    context: BrowserContext, site: Site, logs: Logs, content_type: str | None
) -> None:
    asked = len(site.asked)
    text = SCRIPT.format(site.url())
    logs.write(text.encode(), *([f"Content-Type: {content_type}"] if content_type else []))
    tab = context.new_page()
    response = tab.goto(logs.url())
    assert response is not None
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"]
    assert tab.evaluate("document.contentType") == "text/plain"
    assert tab.evaluate("document.body.innerText") == text
    assert tab.evaluate("document.querySelectorAll('script, img').length") == 0
    assert tab.title() == ""
    assert site.asked[asked:] == []


def test_a_log_in_a_tab_grows_while_it_is_written(context: BrowserContext, either: Logs) -> None:
    producer = either.begin(b"<b>one</b>\n", "Content-Type: text/html")
    tab = context.new_page()
    tab.goto(either.url(), wait_until="commit")
    expect(tab.locator("pre")).to_have_text("<b>one</b>\n")
    # Chromium sometimes paints the newest piece only when the next one has come, so each line is expected behind the next.
    for line in ("zwölf\n", "thirteen\n", "fourteen\n"):
        producer.send(chunk(line.encode()))
        expect(tab.locator("pre")).to_contain_text("<b>one</b>" if line == "zwölf\n" else "zwölf")
    either.finish(producer)
    expect(tab.locator("pre")).to_have_text("<b>one</b>\nzwölf\nthirteen\nfourteen\n")
    tab.wait_for_load_state("load")
    assert tab.evaluate("document.contentType") == "text/plain"


def test_the_sandbox_of_a_log_in_a_tab_is_in_force(context: BrowserContext, site: Site, logs: Logs) -> None:
    asked = len(site.asked)
    logs.write(b"a log")
    tab = context.new_page()
    tab.goto(logs.url())
    # As if a way had been found to put markup into the page: no origin to act for, no script, no picture.
    assert tab.evaluate("self.origin") == "null"
    with tab.expect_event("requestfailed") as refused:
        tab.evaluate(
            """source => {
              const script = document.createElement("script");
              script.textContent = "window.ran = true";
              document.body.append(script);
              const image = document.createElement("img");
              image.src = source;
              document.body.append(image);
            }""",
            site.url() + "img",
        )
    assert (refused.value.url, refused.value.failure) == (site.url() + "img", "csp")
    assert tab.evaluate("window.ran === undefined")
    assert site.asked[asked:] == []


@pytest.mark.parametrize(
    "content_type", sample(["text/javascript", "text/plain", "application/json"], "text/javascript")
)
def test_a_log_that_a_page_embeds_as_its_script_does_not_run(page: Page, logs: Logs, content_type: str) -> None:
    logs.write(b"window.ran = true;", f"Content-Type: {content_type}")
    outcome = page.evaluate(
        """url => new Promise(resolve => {
          const script = document.createElement("script");
          script.onload = () => resolve("loaded");
          script.onerror = () => resolve("refused");
          script.src = url;
          document.head.append(script);
        })""",
        logs.url(),
    )
    assert (outcome, page.evaluate("window.ran === undefined")) == ("refused", True)


# Writing


def test_the_writing_port_can_be_reached_from_this_browser(context: BrowserContext, fresh: Logs) -> None:
    # What makes the refusals below mean something: the port's own page, which only it could serve, may write.
    tab = open_page(context, fresh.write_url() + "/nothing")
    tab.add_script_tag(content=HELPERS)
    seen = Reading(tab, fresh.write_url(), method="PUT", options={"body": "a log"}).wait_end()
    assert seen.status == 201
    assert fresh.begun()


@pytest.mark.parametrize("host", sample(["builds.example", "localhost", "127.0.0.1"], "builds.example", "127.0.0.1"))
def test_a_page_from_elsewhere_cannot_write(context: BrowserContext, site: Site, unwritten: Logs, host: str) -> None:
    page = open_page(context, site.url(host))
    for method, mode in (("PUT", "cors"), ("PUT", "no-cors"), ("POST", "cors")):
        options = {"mode": mode, "body": "not a log"}
        seen = Reading(page, unwritten.write_url(), method=method, options=options).wait_end()
        assert (seen.status, seen.end) == (None, "TypeError"), (method, mode)
        assert not unwritten.begun()
    # This one is sent, and refused, which the script cannot see.
    options = {"mode": "no-cors", "body": "not a log"}
    seen = Reading(page, unwritten.write_url(), method="POST", options=options).wait_end()
    assert (seen.type, seen.body) == ("opaque", b"")


def test_a_form_of_a_page_from_elsewhere_cannot_write(page: Page, unwritten: Logs) -> None:
    with page.expect_navigation(url=unwritten.write_url()) as navigation:
        page.evaluate(
            """url => {
              const form = document.createElement("form");
              form.action = url;
              form.method = "post";
              form.enctype = "text/plain";
              document.body.append(form);
              form.submit();
            }""",
            unwritten.write_url(),
        )
    assert navigation.value is not None
    assert navigation.value.status == 403


def test_a_page_whose_name_now_leads_to_this_machine_cannot_write(context: BrowserContext, unwritten: Logs) -> None:
    # DNS rebinding: to the browser it is the page's own server.
    url = unwritten.write_url("rebound.example")
    tab = context.new_page()
    response = tab.goto(url)
    assert response is not None and response.status == 403
    tab.add_script_tag(content=HELPERS)
    seen = Reading(tab, url, method="PUT", options={"body": "not a log"}).wait_end()
    assert (seen.status, seen.type) == (403, "basic")
