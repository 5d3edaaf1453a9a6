"""`livelog tail`, `ls`, `status`, `link`, `open`: what is shown, what is said, and what is exited with.

Categories: where it begins and ends · exit codes · broken connections and restarts · replaced logs · forms of output ·
downloads · the smaller commands · https.
"""

import json
import os
import random
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from livelog import Writer
from livelog.tokens import Access
from tests.harness import TIMEOUT, TOKEN
from tests.integration.certificates import Authority, environment
from tests.sample import one_of, sample

from .place import COMMAND, Place, Proxy, answering, lines, place, wait_until

ALL = lines(1000)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        assert (
            made.run("push", "-q", "--name", "whole", "--exit-code", "3", "--title", "a title", data=ALL).returncode
            == 0
        )
        with Writer("broken", settings=made.settings()) as log:
            log.write(b"one\ntwo\n")
            log.abort()
        yield made


# Where it begins and ends.


@pytest.mark.parametrize(
    ("words", "expected"),
    one_of(
        4,
        [
            ([], lines(100, start=900)),
            (["-n", "3"], lines(3, start=997)),
            (["-n", "0"], b""),
            (["--from-line", "1"], ALL),
            (["--from-line", "999"], lines(2, start=998)),
            (["--from-line", "5000"], b""),
            (["--bytes", "0-9"], ALL[:10]),
            (["--bytes", "100-"], ALL[100:]),
            (["--bytes", "100-1000000", "--no-follow"], ALL[100:]),
            (["--no-follow", "-n", "2"], lines(2, start=998)),
            (["-f", "-n", "2"], lines(2, start=998)),
            (["-2"], lines(2, start=998)),
            (["-2f"], lines(2, start=998)),
            (["-n", "-2"], lines(2, start=998)),
            (["-fn2"], lines(2, start=998)),
            (["-n", "+999"], lines(2, start=998)),
            (["-n+999"], lines(2, start=998)),
            (["--lines=+0"], ALL),
        ],
    ),
)
def test_shows_what_is_asked_for(here: Place, words: list[str], expected: bytes) -> None:
    done = here.run("tail", *words, "whole")
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, b"")


def test_link_and_viewers_link_show_the_same(here: Place) -> None:
    link = here.run("link", "whole").stdout.decode().strip()
    for url in (link, link.replace("/log/", "/view/") + "#L5-L9"):
        assert here.run("tail", "-n", "1", url, ACCESS_TOKEN="").stdout == lines(1, start=999)


def test_name_needs_no_token_where_the_producers_port_can_be_asked(here: Place) -> None:
    assert here.run("tail", "-n", "1", "whole", ACCESS_TOKEN="").stdout == lines(1, start=999)


def test_follows_from_the_last_lines_to_the_end(here: Place) -> None:
    with Writer("growing", settings=here.settings()) as log:
        log.write(lines(500))
        here.wait_for("growing", len(lines(500)))
        with here.started("tail", "-n", "2", "growing") as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() + reader.stdout.readline() == lines(2, start=498)
            log.write(b"more\n")
            assert reader.stdout.readline() == b"more\n"
            log.close()
            assert reader.stdout.read() == b""
            assert reader.wait(TIMEOUT) == 0


def test_no_follow_ends_at_what_there_is(here: Place) -> None:
    with Writer("unfinished", settings=here.settings()) as log:
        log.write(b"so far\n")
        here.wait_for("unfinished", 7)
        for words in ([], ["--from-line", "1"], ["--bytes", "0-"]):
            done = here.run("tail", "--no-follow", *words, "unfinished")
            assert (done.returncode, done.stdout) == (0, b"so far\n")


@pytest.mark.parametrize("words", [["-n", "100"], ["--from-line", "1"], ["-o", "{home}/unended"]])
def test_exit_status_of_a_job_that_has_not_ended_is_no_success(here: Place, words: list[str]) -> None:
    with Writer("unended", settings=here.settings()) as log:
        log.write(b"so far\n")
        here.wait_for("unended", 7)
        given = [word.format(home=here.home) for word in words]
        done = here.run("tail", "--no-follow", "--exit-status", *given, "unended")
        assert (done.returncode, b"has not ended" in done.stderr) == (8, True)
        log.exit_code = 5
    assert here.run("tail", "--no-follow", "--exit-status", *given, "unended").returncode == 5
    assert here.run("tail", "--exit-status", "--bytes", "0-1", "broken").returncode == 3


def test_waits_for_a_log_that_has_not_begun(here: Place) -> None:
    with here.started("tail", "--wait", "1m", "to-come") as reader:
        assert reader.stdout is not None
        with Writer("to-come", settings=here.settings()) as log:
            log.write(b"here it is\n")
            assert reader.stdout.readline() == b"here it is\n"
        assert reader.wait(TIMEOUT) == 0


@pytest.mark.parametrize(
    "words",
    one_of(4, [[], ["-o", "{home}/first.log"], ["--from-line", "2"], ["--json"], ["--json", "--from-line", "2"]]),
)
def test_waits_for_a_server_and_then_for_a_log(tmp_path: Path, words: list[str]) -> None:
    with place(tmp_path / "home", running=False) as here:
        given = [word.format(home=here.home) for word in words]
        with here.started("tail", "--wait", "1m", *given, "to-come") as reader:
            assert reader.stderr is not None
            assert b"Connection refused" in reader.stderr.readline()
            here.start()
            assert here.run("push", "-q", "--name", "to-come", data=b"one\ntwo\n").returncode == 0
            output, _ = reader.communicate(timeout=TIMEOUT)
        assert reader.returncode == 0
        shown = (here.home / "first.log").read_bytes() if "-o" in words else output
        assert shown.count(b"two") == 1
        assert shown.count(b"one") == (0 if "--from-line" in words else 1)


# Exit codes.


@pytest.mark.parametrize(
    ("words", "code", "said"),
    one_of(
        3,
        [
            (["broken"], 3, "the log was aborted after 8 bytes"),
            (["--no-follow", "broken"], 3, "the log was aborted after 8 bytes"),
            (["-o", "{home}/broken.log", "broken"], 3, "the log was aborted after 8 bytes"),
            (["no-such-log"], 4, "this log has not begun; --wait 1m waits for it\n"),
            (["--exit-status", "whole"], 3, ""),
            (["{readers}/log/wrong-token/whole"], 5, "Access denied"),
            (
                ["http://127.0.0.1:9/log/x", "--give-up", "0.1"],
                6,
                "http://127.0.0.1:9 cannot be reached: Connection refused",
            ),
            (["--bytes", "99999999-", "whole"], 1, "the log has 8890 bytes"),
            ([""], 2, "neither a link nor the name of a log"),
            (["--no-such-flag", "whole"], 2, "unrecognized arguments"),
            (["--bytes", "9-1", "whole"], 2, "'9-1' is not A-B or A-"),
            (["--bytes", "0-9", "--from-line", "5", "whole"], 2, "not allowed with argument --bytes"),
            (["-o", "{home}/x", "-n", "5", "whole"], 2, "a file gets the bytes as they are"),
            (["--give-up", "x", "whole"], 2, "'x' is not a duration, such as 90"),
            (["-n", "+", "whole"], 2, "'' is not a whole number"),
            (["{readers}/log/x/a b"], 2, "this is not the link of a log"),
            (["{readers}/log/x/é"], 2, "this is not the link of a log"),
            (["http://127.0.0.1:123456/log/x"], 2, "this is not the link of a log"),
            (["http://[/log/x"], 2, "this is not the link of a log"),
        ],
    ),
)
def test_exit_code_says_how_it_ended(here: Place, words: list[str], code: int, said: str) -> None:
    done = here.run("tail", *(word.format(home=here.home, readers=here.readers) for word in words))
    assert done.returncode == code, done.stderr
    assert said in done.stderr.decode()
    assert (done.stderr == b"") == (said == "")
    assert TOKEN.encode() not in done.stderr
    assert b"Traceback" not in done.stderr


def test_aborted_log_is_shown_whole_and_later_too(here: Place) -> None:
    assert here.run("tail", "broken").stdout == b"one\ntwo\n"
    with Writer("breaking", settings=here.settings()) as log:
        log.write(b"last words\n")
        here.wait_for("breaking", 11)
        with here.started("tail", "breaking") as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"last words\n"
            log.abort()
            assert reader.wait(TIMEOUT) == 3


def test_closed_pipe_ends_it_quietly(here: Place) -> None:
    script = f"{' '.join(COMMAND)} tail --from-line 1 whole | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], env=here.environment(), capture_output=True, timeout=60)
    # It may have written everything before the pipe was closed.
    assert done.stdout in (b"line 0\n141\n", b"line 0\n0\n")
    assert done.stderr == b""


@pytest.mark.parametrize(
    "words", sample([[], ["--json"], ["--timestamps"], ["-o", "-"], ["-o", "/dev/stdout"]], [], ["-o", "-"])
)
def test_reader_that_leaves_ends_it_at_once_though_the_log_is_silent(here: Place, words: list[str]) -> None:
    with Writer("silent", settings=here.settings()) as log:
        log.write(b"starting\nready\n")
        here.wait_for("silent", 15)
        script = f"{' '.join(COMMAND)} tail {' '.join(words)} silent | grep -m1 -c ready; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", script], env=here.environment(), capture_output=True, timeout=TIMEOUT)
        assert (done.stdout, done.stderr) == (b"1\n141\n", b"")


@pytest.mark.parametrize("reached", [True, False])
def test_reader_that_leaves_ends_it_while_it_waits(tmp_path: Path, reached: bool) -> None:
    with place(tmp_path / "home", running=reached) as here:
        read, write = os.pipe()
        words = (*COMMAND, "tail", "--wait", "5m", "to-come")
        with subprocess.Popen(words, env=here.environment(), stdout=write, stderr=subprocess.PIPE) as process:
            os.close(write)
            os.close(read)
            assert process.wait(TIMEOUT) == -signal.SIGPIPE


@pytest.mark.parametrize(
    "words",
    one_of(3, [[], ["--json"], ["--from-line", "5"], ["-o", "{home}/silent"], ["--no-follow"], ["--exit-status"]]),
)
@pytest.mark.parametrize("by_name", [True, False])
def test_server_that_accepts_and_says_nothing_is_given_up(here: Place, words: list[str], by_name: bool) -> None:
    given = [word.format(home=here.home) for word in words]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        log = "x" if by_name else f"{url}/log/TOKEN/x"
        changes = {"ACCESS_TOKEN": "", "LIVELOG_SERVER": url, "LIVELOG_PUBLIC_URL": ""}
        began = time.monotonic()
        done = here.run("tail", "--give-up", "0.5", *given, log, variables=changes)
        assert (done.returncode, done.stdout) == (6, b"")
        assert time.monotonic() - began < 28  # and not the 30 s for which an answer is waited for otherwise
        assert f"livelog: {url} does not answer" in done.stderr.decode()


# Broken connections, restarts, replaced logs.


def test_server_that_is_away_is_told_once_and_with_its_address(here: Place) -> None:
    with place(here.home / "other", running=True) as other:
        log = Writer("log", settings=other.settings())
        log.write(b"first\n")
        with other.started("tail", "log") as reader:
            assert reader.stdout is not None and reader.stderr is not None
            assert reader.stdout.readline() == b"first\n"
            other.kill()
            refused = f"livelog: {other.readers} cannot be reached: Connection refused: retrying, to resume at byte 6\n".encode()
            told = [reader.stderr.readline()]
            while told[-1] != refused:
                told.append(reader.stderr.readline())
            assert len(told) <= 2, told
            assert select.select([reader.stderr], [], [], 3)[0] == []  # it is tried several times meanwhile
            other.start()
            log.write(b"second\n")
            assert reader.stdout.readline() == b"second\n"
            log.close()
            assert reader.wait(TIMEOUT) == 0
            assert reader.stderr.read() == b""


@pytest.mark.parametrize(
    ("stdout", "said"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_stdout_that_takes_nothing_is_told(here: Place, stdout: str, said: str) -> None:
    script = f"{' '.join(COMMAND)} tail whole {stdout}"
    done = subprocess.run(["sh", "-c", script], env=here.environment(), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr.decode()) == (1, f"livelog: reading or writing: {said}\n")


@pytest.mark.parametrize("seed", sample(range(6), 0))
def test_every_byte_comes_once_through_a_network_that_is_cut(here: Place, seed: int) -> None:
    chance = random.Random(seed)
    name, size = f"cut/{seed}", 20_000
    cuts = [chance.choice((chance.randrange(1, 700), chance.randrange(700, 60_000))) for _ in range(9)]
    with Writer(name, settings=here.settings()) as log, Proxy(here.readers, cuts) as proxy:
        log.write(lines(100))
        here.wait_for(name, 1)
        words = (["--from-line", "1"], ["-n", "1000000"], ["--bytes", "0-"])[seed % 3]
        with here.started("tail", *words, f"{proxy.url}/log/{TOKEN}/{name}") as reader:
            assert reader.stdout is not None
            for part in range(100, size, 100):
                log.write(lines(100, start=part))
            log.close()
            output, notes = reader.communicate(timeout=60)
        assert proxy.cut > 3, cuts
    assert (reader.returncode, output) == (0, lines(size)), (cuts, notes)
    assert all(line.startswith("livelog: ") for line in notes.decode().splitlines())


def test_last_lines_are_all_that_were_asked_for_however_many(here: Place) -> None:
    wide = [b"%06d" % number + b"x" * 900 + b"\n" for number in range(12_000)]
    with Writer("wide", settings=here.settings()) as log:
        log.write(b"".join(wide))
    for count in (1001, 6000, 11_000, 99_999):
        done = here.run("tail", "-n", str(count), "wide")
        assert (done.returncode, done.stdout) == (0, b"".join(wide[-count:]))


def test_last_lines_are_all_that_were_asked_for_however_long(here: Place) -> None:
    long = [bytes([65 + number]) * 1_000_000 + b"\n" for number in range(8)]
    huge = b"x" * 5_000_000 + b"\n"
    for data in (
        long,
        [*long[:-1], b"no newline" * 100_000],
        [b"a\n", huge],
        [b"a\n", huge, b"b\n"],
        [b"a\n", b"x" * 4_194_303 + b"\n", b"b\n"],
    ):
        with Writer("long", settings=here.settings()) as log:
            log.write(b"".join(data))
        for count in (1, 2, 6, 100):
            done = here.run("tail", "-n", str(count), "long")
            assert (done.returncode, done.stderr) == (0, b"")
            assert done.stdout == b"".join(data[-count:]), (len(data), count)


def test_line_that_a_server_does_not_find_is_an_error_and_nothing_is_shown(here: Place) -> None:
    answer = b"HTTP/1.1 200 OK\r\nLivelog-Offset: 12\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    unavailable = (
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlate"
    )
    for said in (answer, unavailable):
        with answering(said) as url:
            done = here.run("tail", "--give-up", "0.1", "--from-line", "5", f"{url}/log/{TOKEN}/whole")
        assert (done.returncode, done.stdout) == (6 if said is answer else done.returncode, b"")
        assert done.returncode != 0
        assert b"livelog: " in done.stderr


def test_restart_of_the_server_is_survived(tmp_path: Path) -> None:
    with place(tmp_path / "home") as here, Writer("log", settings=here.settings()) as log:
        log.write(b"before\n")
        here.wait_for("log", 7)
        with here.started("tail", "log") as reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"before\n"
            for number in range(3):
                here.kill()
                log.write(b"while it is down %d\n" % number)
                here.start()
                assert reader.stdout.readline() == b"while it is down %d\n" % number
            log.close()
            assert reader.stdout.read() == b""
            assert reader.wait(TIMEOUT) == 0


def test_log_that_was_replaced_is_said_and_never_spliced(here: Place) -> None:
    with Proxy(here.readers, []) as proxy:
        first = Writer("replaced", settings=here.settings())
        first.write(b"old\n")
        here.wait_for("replaced", 4)
        with here.started("tail", f"{proxy.url}/log/{TOKEN}/replaced") as reader:
            assert reader.stdout is not None and reader.stderr is not None
            assert reader.stdout.readline() == b"old\n"
            proxy.cut_all()
            first.abort()
            assert here.run("push", "-q", "--name", "replaced", data=b"new, and longer\n").returncode == 0
            output, notes = reader.communicate(timeout=TIMEOUT)
        # Whether it asked before the other log began decides which of the two it is told.
        assert output == b""
        assert (reader.returncode, True) in ((7, b"was replaced" in notes), (3, b"was aborted" in notes))


def test_replaced_while_the_reader_is_away_is_exit_code_7(here: Place) -> None:
    assert here.run("push", "-q", "--name", "away", data=b"old\n").returncode == 0
    generation = here.status("away")["generation"]
    part = here.home / f"away.log.{generation}.part"
    part.write_bytes(b"ol")
    assert here.run("push", "-q", "--name", "away", data=b"new\n").returncode == 0
    done = here.run("tail", "-o", str(here.home / "away.log"), "away")
    assert done.returncode == 0
    assert (here.home / "away.log").read_bytes() == b"new\n"  # the part belongs to another log: not touched
    assert part.read_bytes() == b"ol"


# Forms of output.


def test_json_has_an_object_for_each_line(here: Place) -> None:
    found = [json.loads(line) for line in here.run("tail", "--json", "--from-line", "2", "whole").stdout.splitlines()]
    assert [one["text"] for one in found] == lines(999, start=1).decode().splitlines()
    assert [one["line"] for one in found[:3]] == [2, 3, 4]
    assert all(ALL[one["byte"] :].startswith(one["text"].encode() + b"\n") for one in found)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found[0]["time"])
    (last,) = here.run("tail", "--json", "-n", "1", "whole").stdout.splitlines()
    assert json.loads(last)["line"] == 1000
    assert json.loads(last)["byte"] == len(ALL) - len("line 999\n")


@pytest.mark.parametrize("count", sample([10_001, 25_000, 10**14], 10_001))
def test_json_of_the_last_lines_has_all_of_them_however_many(here: Place, count: int) -> None:
    if "many" not in here.run("ls", "--names").stdout.decode().split():
        assert here.run("push", "-q", "--name", "many", data=b"x" * 300 + b"\n" + lines(25_999)).returncode == 0
    # The numbers of the lines are known once somebody has asked for them.
    assert here.run("tail", "--from-line", "26000", "many").stdout == lines(1, start=25_998)
    done = here.run("tail", "--json", "-n", str(count), "many")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["line"] for one in found] == list(range(max(1, 26_001 - count), 26_001))
    assert found[-1]["text"] == "line 25998"


def test_json_of_the_last_lines_has_those_beyond_4_mib(here: Place) -> None:
    assert here.run("push", "-q", "--name", "wide", data=(b"x" * 1_000_000 + b"\n") * 7).returncode == 0
    done = here.run("tail", "--json", "-n", "6", "wide")
    assert [json.loads(line)["byte"] for line in done.stdout.splitlines()] == [1_000_001 * n for n in range(1, 7)]


def test_text_of_a_line_ends_before_its_cr_lf(here: Place) -> None:
    assert here.run("push", "-q", "--name", "crlf", data=b"one\r\n\r\na\rb\r\r\n\xff\nlast").returncode == 0
    for words in (["-n", "9"], ["--from-line", "1"]):
        found = [json.loads(line) for line in here.run("tail", "--json", *words, "crlf").stdout.splitlines()]
        assert [one["text"] for one in found] == ["one", "", "a\rb", "\ufffd", "last"]
        assert [one["byte"] for one in found] == [0, 5, 7, 13, 15]
    assert here.run("tail", "crlf").stdout == here.log("crlf")


def test_timestamps_stand_before_each_line(here: Place) -> None:
    found = here.run("tail", "--timestamps", "-n", "2", "whole").stdout.decode()
    assert re.fullmatch(r"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z line 99[89]\n){2}", found)


# Downloads.


def test_download_goes_on_where_it_broke_off(here: Place) -> None:
    file = here.home / "whole.log"
    part = file.with_name(f"whole.log.{here.status('whole')['generation']}.part")
    part.write_bytes(ALL[:1234])
    with Proxy(here.readers, [2**62, 700]) as proxy:  # the first asks for the status
        done = here.run("tail", "-o", str(file), f"{proxy.url}/log/{TOKEN}/whole")
        assert proxy.cut == 1
    assert (done.returncode, done.stdout) == (0, b"")
    assert file.read_bytes() == ALL
    assert not part.exists()


def test_part_of_a_log_is_downloaded_and_goes_on_where_it_broke_off(here: Place) -> None:
    file = here.home / "some.log"
    part = file.with_name(f"some.log.{here.status('whole')['generation']}.100-4999.part")
    part.write_bytes(ALL[100:1234])
    assert here.run("tail", "--bytes", "100-4999", "-o", str(file), "whole").returncode == 0
    assert file.read_bytes() == ALL[100:5000]
    assert not part.exists()


def test_download_that_is_killed_leaves_a_part_and_no_file(here: Place) -> None:
    file = here.home / "live.log"
    with Writer("live", settings=here.settings()) as log:
        log.write(lines(10))
        here.wait_for("live", 1)
        with here.started("tail", "-o", str(file), "live") as reader:
            (part,) = [file.with_name(f"live.log.{here.status('live')['generation']}.part")]
            wait_until(lambda: part.exists() and part.read_bytes() == lines(10), "the part is written")
            reader.kill()
            reader.wait()
        assert not file.exists()
        log.write(lines(10, start=10))
        log.close()
    assert here.run("tail", "-o", str(file), "live").returncode == 0
    assert file.read_bytes() == lines(20)


# The smaller commands.


def test_ls_shows_newest_first_and_filters(here: Place) -> None:
    names = here.run("ls", "--names", "-n", "500").stdout.decode().split()
    assert [name for name in names if name in ("whole", "broken")] == ["broken", "whole"]
    assert here.run("ls", "--names", "--state", "aborted").stdout.decode().split()[-1] == "broken"
    table = here.run("ls", "-n", "500").stdout.decode().splitlines()
    assert table[0].split() == ["STATE", "SIZE", "BEGAN", "EXIT", "NAME"]
    assert table[-1].split()[0] == "complete"
    assert table[-1].endswith("   3  whole  a title")
    assert json.loads(here.run("ls", "--json", "-n", "500").stdout.splitlines()[-1])["name"] == "whole"
    assert len(here.run("ls", "--names", "-n", "1").stdout.splitlines()) == 1
    refused = here.run("ls", ACCESS_TOKEN="")
    assert (refused.returncode, refused.stdout) == (78, b"")
    assert here.run("ls", ACCESS_TOKEN="wrong").returncode == 5


def test_status_is_for_people_or_as_the_server_tells_it(here: Place) -> None:
    told = here.run("status", "whole").stdout.decode()
    assert re.search(r"^exit code: +3$", told, re.MULTILINE)
    assert re.search(r"^size: +8890$", told, re.MULTILINE)
    assert json.loads(here.run("status", "--json", "whole").stdout) == here.status("whole")
    assert here.run("status", "no-such-log").returncode == 4


def test_link_is_the_same_with_and_without_the_token(here: Place) -> None:
    port = here.readers.rpartition(":")[2]
    made = here.run("link", "whole", "--get-port", port).stdout
    asked = here.run("link", "whole", ACCESS_TOKEN="").stdout
    assert made.partition(b"/log/")[2] == asked.partition(b"/log/")[2] != b""
    assert here.run("link", "-").stdout == here.run("link").stdout
    assert here.run("link", "-", ACCESS_TOKEN="").stdout == here.run("link", ACCESS_TOKEN="").stdout
    expiring = here.run("link", "whole", "--expires", "1h", ACCESS_TOKEN="").stdout.decode().strip()
    assert int(expiring.split("/")[4].partition(".")[2]) - time.time() == pytest.approx(3600, abs=30)


@pytest.mark.needs("curl")
def test_open_sends_the_browser_to_the_link_without_a_token_on_a_command_line(here: Place) -> None:
    opened, told = here.home / "opened", here.home / "told"
    browser = here.home / "browser"
    browser.write_text(
        f'#!/bin/sh\nprintf "%s" "$*" > {told}\n'
        f"curl -sS --noproxy '*' -o /dev/null -w '%{{redirect_url}}' \"$1\" > {opened}\n"
    )
    browser.chmod(0o755)
    assert here.run("open", "whole", BROWSER=str(browser)).returncode == 0
    assert told.read_text().startswith("http://127.0.0.1:")
    assert opened.read_text().split("/")[4] not in told.read_text()
    asked = here.run("link", "whole", "--view", ACCESS_TOKEN="").stdout.decode().strip()
    assert opened.read_text().partition("/view/")[2] == asked.partition("/view/")[2] != ""
    assert here.run("tail", "-n", "1", opened.read_text(), ACCESS_TOKEN="").stdout == lines(1, start=999)
    # The lists of logs: of all, of a prefix, and where nothing is known that opens one.
    narrow = Access(TOKEN).prefix_token("a/")
    for words, token, expected in (
        (["open"], TOKEN, f"{TOKEN}/"),
        (["open", "builds/42/"], TOKEN, f"{Access(TOKEN).prefix_token('builds/42/')}/builds/42/"),
        (["open", "a/"], narrow, f"{narrow}/a/"),
        (["open"], "", ""),
    ):
        assert here.run(*words, BROWSER=str(browser), ACCESS_TOKEN=token).returncode == 0
        assert opened.read_text().partition("/view/")[1:] == ("/view/", expected)


def test_settings_may_stand_in_a_file_that_nobody_else_reads(here: Place) -> None:
    folder = here.home / ".config"
    folder.mkdir(exist_ok=True)
    file = folder / "livelog.toml"
    file.write_text(f'public_url = "{here.readers}"\naccess_token = "{TOKEN}"\n')
    unset = {"ACCESS_TOKEN": "", "LIVELOG_PUBLIC_URL": ""}
    try:
        file.chmod(0o644)
        refused = here.run("ls", variables=unset)
        assert refused.returncode == 78
        assert f"chmod 600 {file}" in refused.stderr.decode()
        file.chmod(0o600)
        assert b"whole" in here.run("ls", "--names", "-n", "500", variables=unset).stdout.split()
        file.write_text("nonsense = 1\n")
        assert "nonsense is not one of server" in here.run("ls", variables=unset).stderr.decode()
    finally:
        file.unlink()


def test_links_begin_with_what_the_file_says(here: Place) -> None:
    folder = here.home / "settings"
    folder.mkdir()
    (folder / "livelog.toml").write_text('public_url = "https://logs.example.org"\n')
    made = here.run("link", "whole", variables={"LIVELOG_PUBLIC_URL": "", "XDG_CONFIG_HOME": str(folder)})
    assert made.stdout.startswith(b"https://logs.example.org/log/")


@pytest.mark.parametrize("words", sample(["--help", "link x", "completion bash"], "link x"))
def test_stdout_that_takes_nothing_ends_what_is_printed_without_a_traceback(here: Place, words: str) -> None:
    script = f"{' '.join(COMMAND)} {words} >/dev/full; echo $?; {' '.join(COMMAND)} {words} >&-; echo $?"
    done = subprocess.run(["sh", "-c", script], env=here.environment(), capture_output=True, timeout=60)
    assert done.stdout == b"1\n1\n"
    assert done.stderr == b"livelog: writing: No space left on device\nlivelog: writing: Bad file descriptor\n"
    read_end, write_end = os.pipe()
    os.close(read_end)
    left = subprocess.run((*COMMAND, *words.split()), env=here.environment(), stdout=write_end, stderr=subprocess.PIPE)
    os.close(write_end)
    assert (left.returncode, left.stderr) == (-signal.SIGPIPE, b"")


@pytest.mark.parametrize("variable", ["ACCESS_TOKEN", "LIVELOG_WRITE_TOKEN"])
def test_token_that_can_be_none_is_told_and_not_shown(here: Place, variable: str) -> None:
    done = here.run("ls", variables={variable: "se cret\r\n"})
    assert (done.returncode, done.stderr.decode()) == (
        78,
        f"livelog: {variable} has a character in it that no token has\n",
    )


@pytest.mark.parametrize("words", [("tail",), ("push", "-q")])
def test_authority_that_is_none_is_told_at_once(here: Place, words: tuple[str, ...]) -> None:
    file = here.home / "authority.pem"
    file.write_bytes(b"nonsense")
    for trusted in (file, file.with_name("no-such-file")):
        https = {"LIVELOG_PUBLIC_URL": "https://127.0.0.1:9", "LIVELOG_SERVER": "https://127.0.0.1:9"}
        what = str(file if words[0] == "push" else "x")
        done = here.run(*words, what, variables={**https, "LIVELOG_CA_FILE": str(trusted)})
        assert done.returncode in (1, 6)
        assert f"LIVELOG_CA_FILE has no certificates: {trusted}" in done.stderr.decode()


def test_https_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with place(tmp_path / "home", variables=environment(authority.sign("localhost"))) as here:
        readers = here.readers.replace("http:", "https:")
        assert here.run("push", "-q", "--name", "secret", data=b"hello\n").returncode == 0
        trusting = {"LIVELOG_PUBLIC_URL": readers, "LIVELOG_CA_FILE": str(authority.certificate)}
        assert here.run("tail", "secret", variables=trusting).stdout == b"hello\n"
        assert b"secret" in here.run("ls", variables=trusting).stdout
        distrusting = here.run("tail", "secret", LIVELOG_PUBLIC_URL=readers)
        assert (distrusting.returncode, distrusting.stdout) == (1, b"")
        assert b"the certificate is not trusted (" in distrusting.stderr
