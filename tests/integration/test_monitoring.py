"""What operators and their machines are told: /healthz, /readyz, and the figures of /metrics, which move as logs do.

Categories: well and ready, and why not · both formats, read by others' parsers · what is counted, figure by figure ·
what is documented · nothing of single logs.
"""

import contextlib
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

import livelog
from tests.conformance.link import Connection
from tests.harness import TOKEN, Server, ask, chunk

from .disks import image_disk, memory_disk
from .logs import Answer, begin, finish, follow, names, path_of, read, request, send
from .pattern import Producer, Reader
from .servers import running, wait_until

as_root = pytest.mark.needs("root", "mount")

OPENMETRICS = "Accept: application/openmetrics-text; version=1.0.0"

WRITE_TOKEN = "the-producers-own"

Figures = dict[str, float]
"""Values by name and labels, written as in the documents: `livelog_logs{state="live"}`."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server without limits."""
    with running() as server:
        yield server


def ready(server: Server) -> Answer:
    """The answer of /readyz."""
    return request(server.put, "GET", "/readyz")


def families(server: Server) -> dict[str, Metric]:
    """All metrics, by name, as Prometheus' own parser reads them."""
    text = request(server.put, "GET", "/metrics").body.decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def figures(server: Server) -> Figures:
    """All values."""
    return {written(sample): sample.value for family in families(server).values() for sample in family.samples}


def written(sample: Sample) -> str:
    """A figure's name and labels."""
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}}" if labels else sample.name


def moved(before: Figures, after: Figures) -> Figures:
    """What has changed of livelog's own figures, and by how much; but for what moves by itself, and what only looking moves."""
    by_itself = re.compile("process_|livelog_event_loop|livelog_connections|.*_(bucket|sum|created)")
    return {
        name: value - before.get(name, 0)
        for name, value in after.items()
        if value != before.get(name, 0) and not by_itself.match(name)
    }


# Well and ready.


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_server_that_is_well_says_so(server: Server, path: str) -> None:
    """200, by GET and HEAD, and nobody keeps the answer; other methods get 405."""
    for method, body in (("GET", b"ok\n"), ("HEAD", b"")):
        answer = request(server.put, method, path)
        assert (answer.status, answer.body, answer["Cache-Control"]) == (200, body, "no-store")
    for method in ("PUT", "POST", "DELETE", "OPTIONS"):
        answer = request(server.put, method, path)
        assert (answer.status, answer["Allow"]) == (405, "GET, HEAD")


def assert_not_ready(server: Server, reason: str) -> None:
    """No log can begin, which /readyz says with the reason, and a PUT finds to be true; the server is well all the same."""
    answer = ready(server)
    assert (answer.status, answer["Retry-After"]) == (503, "10")
    assert answer.body.startswith(b"no log can begin: ")
    assert reason.encode() in answer.body
    assert send(server, "refused", b"x").status in (429, 507)
    assert request(server.put, "GET", "/healthz").status == 200


def test_server_with_as_many_logs_as_there_may_be_is_not_ready() -> None:
    """Until one of them can go."""
    with running({"LIVELOG_MAX_LOGS": "2"}) as server:
        producers = [begin(server, name) for name in ("a", "b")]
        assert_not_ready(server, "the limit of 2 logs is reached (LIVELOG_MAX_LOGS), and all of them are in use")
        for producer in producers:
            end(producer)
        assert ready(server).status == 200
        assert names(server) == ["b", "a"], "to ask removes nothing"


def test_server_whose_logs_have_all_the_bytes_that_there_may_be_is_not_ready() -> None:
    """Until one of them can go."""
    with running({"LIVELOG_MAX_TOTAL_SIZE": "1000"}) as server:
        producer = begin(server, "a")
        reader = follow(server, "a")
        producer.send(chunk(bytes(1000)))
        reader.wait(lambda answer: len(answer.body) == 1000, "what there is room for")
        assert_not_ready(server, "the limit of 1000 bytes for all logs is reached (LIVELOG_MAX_TOTAL_SIZE)")
        end(producer)
        finish(reader)
        wait_until(lambda: ready(server).status == 200, "the log is read no more")
        assert "a" in names(server), "to ask removes nothing"


@as_root
@pytest.mark.parametrize("variable", ["LIVELOG_DATA_DIR", "LIVELOG_TEMP_DIR"])
def test_server_whose_disk_is_full_is_not_ready(tmp_path: Path, variable: str) -> None:
    """Until somebody makes room."""
    with memory_disk(tmp_path, "1m") as place, running({variable: str(place)}) as server:
        assert ready(server).status == 200
        with (place / "hog").open("wb", buffering=0) as hog, contextlib.suppress(OSError):
            while True:
                hog.write(bytes(4096))
        assert_not_ready(server, "No space left on device")
        (place / "hog").unlink()
        assert ready(server).status == 200


@as_root
def test_server_that_can_keep_its_reserve_by_removing_logs_is_ready(tmp_path: Path) -> None:
    """It removes none of them before a log begins."""
    mib = 1 << 20
    with (
        memory_disk(tmp_path, "4m") as place,
        running({"LIVELOG_DATA_DIR": str(place), "LIVELOG_DISK_RESERVE": "2M"}) as server,
    ):
        send(server, "old", bytes(mib))
        (place / "hog").write_bytes(bytes(mib * 3 // 2))
        assert ready(server).status == 200
        assert names(server) == ["old"]
        assert send(server, "new").status == 201
        assert names(server) == ["new"]
        (place / "hog").write_bytes(bytes(mib * 5 // 2))
        assert_not_ready(server, "of the disk, 2097152 bytes must stay free")


@pytest.mark.needs("root", "mount", "losetup", "mkfs.ext4", "fsfreeze")
def test_server_whose_disk_stalls_is_well_and_says_nothing_of_being_ready(tmp_path: Path) -> None:
    """Until the disk answers again: whoever asks gives up before, as they would on a log. Figures are told all the while."""
    with image_disk(tmp_path, 32 << 20) as disk, running({"LIVELOG_DATA_DIR": str(disk.place)}) as server:
        disk.freeze()
        waiting = server.connect(producer=True)
        ask(waiting, "GET", "/readyz")
        for path in ("/healthz", "/metrics"):
            assert request(server.put, "GET", path).status == 200
        assert not waiting.poll().begun
        disk.thaw()
        assert finish(waiting).status == 200
        assert send(server, "a").status == 201


# The formats.


def parsed(answer: Answer) -> dict[str, Metric]:
    """The metrics of an answer in the format that it says it has."""
    text, kind = answer.body.decode(), answer["Content-Type"]
    if kind.startswith("application/openmetrics-text; version=1.0.0"):
        families = openmetrics_parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
        return {family.name: family for family in families}
    assert kind.startswith("text/plain; version="), kind
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_both_formats_tell_the_same_families(server: Server) -> None:
    """OpenMetrics for who asks for it, text for all others; both in the eyes of Prometheus' own parsers."""
    text, modern = (parsed(request(server.put, "GET", "/metrics", *accept)) for accept in ((), (OPENMETRICS,)))
    assert request(server.put, "GET", "/metrics", OPENMETRICS).body.endswith(b"# EOF\n")
    assert {name: family.type for name, family in text.items() if name != "livelog_info"} == {
        name: family.type for name, family in modern.items() if name != "livelog"
    }
    assert text["livelog_info"].samples[0].labels == modern["livelog"].samples[0].labels == {
        "version": livelog.__version__
    }  # fmt: skip
    assert all(family.documentation for family in modern.values())
    head = request(server.put, "HEAD", "/metrics")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.needs("promtool")
def test_promtool_has_nothing_to_complain_of(server: Server) -> None:
    """The linter that comes with Prometheus: names, units, help texts."""
    text = request(server.put, "GET", "/metrics").body
    done = subprocess.run(("promtool", "check", "metrics"), input=text, capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# What is counted.


def end(producer: Connection) -> None:
    """End a log whose body is chunked."""
    producer.send(chunk(b""))
    assert finish(producer).status == 201


def test_figures_of_logs_follow_their_states() -> None:
    """From live to each end, replaced, removed; a log that is replaced is one, and ended twice."""
    with running() as server:
        start = figures(server)
        assert {
            start[f'livelog_logs{{state="{state}"}}'] for state in ("live", "interrupted", "complete", "aborted")
        } == {0}

        def change(act: Callable[[], object]) -> Figures:
            before = figures(server)
            act()
            return moved(before, figures(server))

        producers = []
        assert change(lambda: producers.append(begin(server, "a"))) == {'livelog_logs{state="live"}': 1}
        before = figures(server)
        producers[0].send(chunk(b"12345"))
        wait_until(lambda: figures(server)["livelog_stored_bytes"] == 5, "they are on file")
        assert moved(before, figures(server)) == {"livelog_received_bytes_total": 5, "livelog_stored_bytes": 5}
        assert change(lambda: end(producers[0])) == {
            'livelog_logs{state="live"}': -1, 'livelog_logs{state="complete"}': 1,
            'livelog_logs_ended_total{state="complete"}': 1,
        }  # fmt: skip
        assert change(lambda: send(server, "b", b"123", "Upload-Complete: ?0")) == {
            'livelog_logs{state="interrupted"}': 1, "livelog_received_bytes_total": 3, "livelog_stored_bytes": 3,
        }  # fmt: skip
        assert change(lambda: send(server, "a", b"1")) == {
            'livelog_logs_ended_total{state="complete"}': 1, "livelog_received_bytes_total": 1, "livelog_stored_bytes": -4,
        }  # fmt: skip
        assert change(lambda: request(server.put, "DELETE", "/log/b")) == {
            'livelog_logs{state="interrupted"}': -1, 'livelog_logs_ended_total{state="aborted"}': 1,
            "livelog_stored_bytes": -3,
        }  # fmt: skip
        broken = begin(server, "c")
        before = figures(server)
        broken.reset()
        wait_until(lambda: figures(server)['livelog_logs{state="aborted"}'] == 1, "the reset was seen")
        assert moved(before, figures(server)) == {
            'livelog_logs{state="live"}': -1, 'livelog_logs{state="aborted"}': 1,
            'livelog_logs_ended_total{state="aborted"}': 1,
        }  # fmt: skip


def test_logs_that_go_because_of_a_limit_are_counted() -> None:
    """Those that somebody removes are not."""
    with running({"LIVELOG_MAX_LOGS": "2"}) as server:
        for name in ("a", "b", "c", "d"):
            send(server, name)
        request(server.put, "DELETE", "/log/d")
        assert figures(server)["livelog_logs_retired_total"] == 2


def test_bytes_are_counted_on_their_way_in_and_out(server: Server) -> None:
    """Out: of a bounded answer as many as the log has; of a followed one the chunks, too. HEAD and errors count nothing."""
    before = figures(server)
    producer = begin(server, "bytes")
    reader = follow(server, "bytes")
    producer.send(chunk(b"x" * 1000) + chunk(b""))
    finish(producer)
    finish(reader)
    assert len(read(server, "bytes").body) == 1000
    assert len(read(server, "bytes", "Range: bytes=0-99").body) == 100
    request(server.get, "HEAD", path_of("bytes", TOKEN))
    request(server.get, "GET", path_of("bytes", "wrong"))
    framing = len(chunk(b"x" * 1000)) - 1000 + len(chunk(b""))
    sent = 'livelog_sent_bytes_total{port="readers"}'
    wait_until(lambda: figures(server)[sent] - before[sent] == 2100 + framing, "all of it is counted")
    after = figures(server)
    assert after["livelog_received_bytes_total"] - before["livelog_received_bytes_total"] == 1000
    assert after['livelog_sent_bytes_total{port="producers"}'] == 0


def test_readers_and_those_who_are_behind_are_counted() -> None:
    """By how much the farthest is; a reader of an ended log follows nothing."""
    size = 20 << 20
    readers, behind, lag = "livelog_readers", "livelog_readers_behind", "livelog_reader_lag_max_bytes"
    with running() as server, Producer(server) as producer, contextlib.ExitStack() as stack:
        quick = [stack.enter_context(Reader(server.get)) for _ in range(2)]
        wait_until(lambda: figures(server)[readers] == 2, "both follow")
        assert (figures(server)[behind], figures(server)[lag]) == (0, 0)
        slow = stack.enter_context(Reader(server.get, receive_buffer=4096))
        producer.send(size)
        for reader in quick:
            reader.read_to(size)
        wait_until(lambda: figures(server)[behind] == 1, "the slow one is the only one behind")
        now = figures(server)
        assert now[readers] == 3
        assert 1 << 20 < now[lag] <= size

        def is_passed() -> bool:
            """Whether bytes went out in a pass: what came before may all have been read from the file."""
            producer.send(1)
            for reader in quick:
                reader.read_to(producer.offset)
            return figures(server)["livelog_fanout_pass_seconds_count"] > 0

        wait_until(is_passed, "a pass")
        assert figures(server)["livelog_fanout_pass_seconds_sum"] > 0
        assert producer.finish() == 201
        slow.hurry()
        slow.read_to_end()
        wait_until(lambda: [figures(server)[name] for name in (readers, behind, lag)] == [0, 0, 0], "nobody follows")


def test_connections_are_counted_for_each_port(server: Server) -> None:
    """Who asks for the figures is one of the producers'."""
    name = 'livelog_connections{{port="{}"}}'
    wait_until(lambda: figures(server)[name.format("readers")] == 0, "nobody reads")
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(contextlib.closing(server.connect()))
            stack.enter_context(contextlib.closing(server.connect(producer=True)))
        producers, readers = name.format("producers"), name.format("readers")
        wait_until(lambda: (figures(server)[producers], figures(server)[readers]) == (4, 3), "all have been accepted")
    wait_until(lambda: (figures(server)[producers], figures(server)[readers]) == (1, 0), "all have left")


REFUSALS: list[tuple[str, str, tuple[str, ...], str]] = [
    ("GET", "/log/{name}", (), 'port="producers",reason="not-found"'),
    ("PUT", "/log/no//name", (), 'port="producers",reason="bad-request"'),
    ("PUT", "/log/{name}", ("Sec-Fetch-Site: cross-site",), 'port="producers",reason="forbidden"'),
    ("POST", "/log/{name}", (), 'port="producers",reason="method-not-allowed"'),
    ("PUT", "/log/{name}", ("Transfer-Encoding: gzip, chunked",), 'port="producers",reason="not-implemented"'),
    ("PUT", "/log/kept", ("If-None-Match: *",), 'port="producers",reason="precondition-failed"'),
    ("DELETE", "/log/live", (), 'port="producers",reason="conflict"'),
    ("PUT", "/log/{name}", ("Content-Length: 2000",), 'port="producers",reason='),
    ("PATCH", "{upload}", ("Content-Type: application/partial-upload", "Upload-Offset: 9", "Upload-Complete: ?1"),
     'port="producers",reason="mismatching-upload-offset"'),
    ("GET", "/log/wrong", (), 'port="readers",reason="unauthorized"'),
    ("GET", f"/log/{TOKEN}/not/begun", (), 'port="readers",reason="not-found"'),
    ("GET", f"/log/{TOKEN}/kept", ("Range: bytes=99-",), 'port="readers",reason='),
    ("GET", f"/log/{TOKEN}/kept", ('If-Match: "x"',), 'port="readers",reason="precondition-failed"'),
    ("PUT", f"/log/{TOKEN}/kept", (), 'port="readers",reason="method-not-allowed"'),
]  # fmt: skip


def test_refusals_are_counted_by_port_and_reason() -> None:
    """The status in words, or the problem's type; what is answered otherwise is no refusal."""
    with running({"LIVELOG_MAX_LOG_SIZE": "1000"}) as server:
        live = begin(server, "live")
        send(server, "kept")
        upload = send(server, "upload", b"x", "Upload-Complete: ?0")["Location"]
        assert not any(name.startswith("livelog_refusals_total") for name in figures(server))
        for method, path, headers, labels in REFUSALS:
            before = figures(server)
            address = server.get if "readers" in labels else server.put
            answer = request(address, method, path.format(name="name", upload=upload), *headers)
            change = moved(before, figures(server))
            assert len(change) == 1, (method, path, change)
            [(name, by)] = change.items()
            assert by == 1
            if labels.endswith("="):
                assert name.startswith(f"livelog_refusals_total{{{labels}")
                assert answer.status in (413, 416)
            else:
                assert name == f"livelog_refusals_total{{{labels}}}"
        live.reset()


def test_delay_of_the_event_loop_is_measured_all_the_time(server: Server) -> None:
    """Twice a second, in buckets that add up."""
    before = figures(server)["livelog_event_loop_delay_seconds_count"]
    wait_until(lambda: figures(server)["livelog_event_loop_delay_seconds_count"] > before, "one more measurement")
    for histogram in ("livelog_event_loop_delay_seconds", "livelog_fanout_pass_seconds"):
        family = families(server)[histogram]
        buckets = [sample for sample in family.samples if sample.name.endswith("_bucket")]
        counts = [sample.value for sample in buckets]
        [count] = [sample.value for sample in family.samples if sample.name.endswith("_count")]
        assert buckets[-1].labels == {"le": "+Inf"}
        assert counts == sorted(counts)
        assert counts[-1] == count


def test_process_is_told_of(server: Server) -> None:
    """Of the server, not of whoever asks."""
    now = figures(server)
    limits = Path(f"/proc/{server.pid}/limits").read_text(encoding="ascii")
    limit = re.search(r"Max open files +([0-9]+)", limits)
    assert limit is not None
    assert now["process_max_fds"] == int(limit[1])
    assert 0 < now["process_open_fds"] < 200
    assert now["process_resident_memory_bytes"] > 10 << 20


# What is documented, and what is not told.


def test_documents_name_all_figures_and_no_other(server: Server) -> None:
    """With their labels."""
    text = Path(__file__).parents[2].joinpath("docs/monitoring.md").read_text(encoding="utf-8")
    table = text[text.index("| metric | meaning |") : text.index("\n\n## Prometheus")]
    documented = {
        name: set(filter(None, labels.split(",")))
        for line in table.splitlines()
        for name, labels in re.findall(r"`(livelog_[a-z_]+)(?:\{([a-z,]+)\})?`", line.split("|")[1])
    }
    request(server.get, "GET", "/log/wrong")  # a refusal, so that there is one
    told = {
        sample.name if family.type != "histogram" else family.name: set(sample.labels) - {"le"}
        for family in families(server).values()
        for sample in family.samples
        if family.name.startswith("livelog_")
    }
    assert told == documented


def test_figures_tell_nothing_of_single_logs() -> None:
    """No name, no title, no token; there are as many of them with a hundred logs as with three."""
    with running({"LIVELOG_WRITE_TOKEN": WRITE_TOKEN}) as server:
        bearer = f"Authorization: Bearer {WRITE_TOKEN}"
        counts = []
        secrets = {TOKEN, WRITE_TOKEN}
        for logs in (range(3), range(3, 100)):
            for number in logs:
                name = f"unmistakable/{number}"
                told = ("Livelog-Title: unmistakable", "Livelog-Label: unmistakable=1", "Upload-Complete: ?0", bearer)
                answer = send(server, name, b"x", *told)
                secrets |= {answer["Location"].split("upload/")[1].split("/")[0], answer["Livelog-Link"].split("/")[4]}
                for path in (f"/log/{number}/{name}", f"/{name}", f"/log/{TOKEN}/{name}?tail=unmistakable"):
                    connection = server.connect()
                    ask(connection, "GET", path)
                    connection.wait_end()
                    connection.close()
            counts.append(len(figures(server)))
        assert counts[0] == counts[1]
        for accept in ((), (OPENMETRICS,)):
            body = request(server.put, "GET", "/metrics", *accept).body.decode()
            assert not [secret for secret in (*secrets, "unmistakable") if secret in body]
