"""A server stops in an orderly way, and another one goes on with its directory, whatever it finds there.

Categories: states, readers and uploads across a restart · the grace time · damage of any kind, which is told and never
stops a start · things that are not ours · one server per directory · directories that cannot be used · what a person
sees there. Kills are in `test_kills.py`.
"""

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.wire import Ending
from tests.harness import TOKEN, Server, ask, chunk

from .commands import run
from .disks import command, memory_disk
from .kept import all_logs, stored
from .servers import running
from .uploads import (
    WHOLE,
    append,
    assert_reader_ends,
    create,
    creating,
    following,
    log_of,
    look,
    request,
    told,
    wait_for_offset,
)  # fmt: skip

SETTINGS = {"ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": "0", "LIVELOG_GET_PORT": "0"}


@contextlib.contextmanager
def keeping(directory: Path, **settings: str) -> Iterator[Server]:
    """A server that keeps its logs in `directory`, and stops with 0 at the end."""
    with running({"LIVELOG_DATA_DIR": str(directory), **settings}) as server:
        yield server


def test_logs_are_told_after_a_restart_as_before(tmp_path: Path) -> None:
    """States, times, titles, exit codes, labels, reasons; only a plain PUT that was under way is aborted now."""
    with keeping(tmp_path) as server, contextlib.closing(server.connect(producer=True)) as plain:
        fields = ("Livelog-Title: nightly", "Livelog-Exit-Code: 3", "Livelog-Label: a=b, c=d", "Content-Type: text/x")
        assert request(server, "PUT", "/log/complete", *fields, content=b"all").status == 201
        assert request(server, "DELETE", create(server, "aborted", b"some", *fields).location).status == 204
        create(server, "interrupted", b"some", *fields)
        ask(plain, "PUT", "/log/plain", "Transfer-Encoding: chunked", "Expect: 100-continue", *fields)
        plain.wait(lambda answer: bool(answer.interims), "100 Continue")
        plain.send(chunk(b"some"))
        with following(server, "plain") as reader:
            reader.wait(lambda answer: len(answer.body) == 4, "bytes")
        before = all_logs(server)
    with keeping(tmp_path) as server:
        after = all_logs(server)
        assert [after[name]["state"] for name in ("complete", "aborted", "interrupted", "plain")] == [
            "complete", "aborted", "interrupted", "aborted",
        ]  # fmt: skip
        assert stored(server, "plain") == b"some"
        assert list(after) == list(before), "not in the same order"
        for name, status in after.items():
            changed = {member for member in status if status[member] != before[name][member]}
            expected = {"state", "ended", "reason"} if name == "plain" else set()
            assert changed - {"changed"} == expected, name


def test_an_upload_goes_on_in_the_next_server_and_its_readers_with_it(tmp_path: Path) -> None:
    """SIGTERM cuts both off. They ask again, and the log is whole: nothing is missing, nothing is there twice."""
    with keeping(tmp_path) as server, creating(server, "a", b"one ") as (_, location):
        with following(server, "a") as reader:
            etag = told(reader.wait_head(), "ETag")
            reader.wait(lambda answer: answer.body == b"one ", "bytes")
            assert server.stop() == 0
            assert_reader_ends(reader, b"one ", Ending.CUT)
    with keeping(tmp_path) as server:
        assert look(server, location).progress == (204, "?0", "4")
        assert log_of(server, "a") == ("interrupted", b"one ")
        with contextlib.closing(server.connect()) as reader:
            ask(reader, "GET", f"/log/{TOKEN}/a", "Range: bytes=4-9007199254740991", f"If-Range: {etag}")
            assert (reader.wait_head().status, reader.wait_head().get("ETag")) == (206, etag)
            assert append(server, location, 4, b"two", WHOLE).status == 201
            assert_reader_ends(reader, b"two", Ending.CLEAN)
        assert log_of(server, "a") == ("complete", b"one two")


def test_the_grace_time_begins_anew_with_the_server(tmp_path: Path) -> None:
    """Nobody comes back: readers who wait are told by the cut, and the upload's address is gone."""
    with keeping(tmp_path, LIVELOG_RESUME_GRACE="1h") as server:
        location = create(server, "a", b"some").location
    with keeping(tmp_path, LIVELOG_RESUME_GRACE="1h") as server:
        assert log_of(server, "a") == ("interrupted", b"some")
    with keeping(tmp_path, LIVELOG_RESUME_GRACE="0.5") as server:
        with following(server, "a") as reader:
            assert_reader_ends(reader, b"some", Ending.CUT)
        assert look(server, location).status == 410
    with keeping(tmp_path) as server:
        assert log_of(server, "a") == ("aborted", b"some")
        assert "0.5 s" in all_logs(server)["a"]["reason"]


def write(content: str | bytes) -> Callable[[Path], object]:
    """Damage that replaces a file's content."""
    return lambda file: file.write_bytes(content.encode() if isinstance(content, str) else content)


def cut(file: Path) -> None:
    """Half-write a file."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def replace_by_folder(file: Path) -> None:
    """Put a folder in a file's place."""
    file.unlink()
    file.mkdir()


def replace_by_nothing(file: Path) -> None:
    """Put a link to nothing in a file's place."""
    file.unlink()
    file.symlink_to("nowhere")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": write(""),
    "half-written": cut,
    "zeros": write(bytes(500)),
    "no-text": write(b"\xff\xfe{}"),
    "no-object": write("[1, 2]"),
    "nested": write("[" * 60_000),
    "large": write("{" + " " * 1_000_000 + "}"),
    "huge-number": write('{"size": ' + "9" * 10_000 + "}"),
    "folder": replace_by_folder,
    "link-to-nothing": replace_by_nothing,
}
"""What can happen to a .json."""


def test_what_is_known_of_a_log_may_be_damaged_in_any_way(tmp_path: Path) -> None:
    """Each such log is aborted, with all its bytes; each is told in the server's log; the others are as they were."""
    with keeping(tmp_path) as server:
        for name in (*DAMAGE, "sound"):
            assert request(server, "PUT", f"/log/{name}", content=name.encode()).status == 201
    for name, damage in DAMAGE.items():
        (file,) = (tmp_path / "logs" / name).glob("*.json")
        damage(file)
    with keeping(tmp_path) as server:
        assert set(all_logs(server)) == {*DAMAGE, "sound"}
        assert log_of(server, "sound") == ("complete", b"sound")
        for name in DAMAGE:
            assert log_of(server, name) == ("aborted", name.encode())
            assert f"/logs/{name}/" in server.log(), f"{name} is not told"
        for name in DAMAGE:
            assert request(server, "PUT", f"/log/{name}", content=b"new").status == 200
    with keeping(tmp_path) as server:
        for name in DAMAGE:
            assert log_of(server, name) == ("complete", b"new")
        assert "damaged" not in server.log()


def test_a_log_whose_files_are_none_is_left_alone_and_told(tmp_path: Path) -> None:
    """It cannot be read, nor can what is left of an older one be removed; it can be replaced all the same."""
    with keeping(tmp_path) as server:
        for name in ("unreadable", "unremovable", "sound"):
            assert request(server, "PUT", f"/log/{name}", content=b"some").status == 201
    replace_by_nothing(next((tmp_path / "logs" / "unreadable").glob("*.log")))
    (tmp_path / "logs" / "unremovable" / "20200101T000000.000000Z-12345678.json").mkdir()
    for _ in range(2):
        with keeping(tmp_path) as server:
            assert set(all_logs(server)) == {"unremovable", "sound"}
            assert log_of(server, "unremovable") == ("complete", b"some")
            for name in ("unreadable", "unremovable"):
                assert re.search(f"left alone, it cannot be used: .*/logs/{name}/", server.log())
    with keeping(tmp_path) as server:
        assert request(server, "PUT", "/log/unreadable", content=b"new").status == 201
    with keeping(tmp_path) as server:
        assert log_of(server, "unreadable") == ("complete", b"new")


@pytest.mark.parametrize("content", [b"", b"123", b"1234567"])
def test_a_complete_log_of_another_length_is_aborted_and_told(tmp_path: Path, content: bytes) -> None:
    """Its file was cut, as by a power failure, or somebody has written to it."""
    with keeping(tmp_path) as server:
        assert request(server, "PUT", "/log/a", content=b"12345").status == 201
    next((tmp_path / "logs" / "a").glob("*.log")).write_bytes(content)
    with keeping(tmp_path) as server:
        assert log_of(server, "a") == ("aborted", content)
        assert f"log a has {len(content)} bytes instead of 5" in server.log()


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    """Files and folders of any name and kind, beside logs and among their files; no start minds them."""
    with keeping(tmp_path) as server:
        assert request(server, "PUT", "/log/a", content=b"some").status == 201
    logs = tmp_path / "logs"
    strays = [
        tmp_path / "notes.txt",
        logs / "file",
        logs / "a" / "backup.log",
        logs / "a" / "x.json",
        logs / "no log!" / "x",
    ]
    for stray in strays:
        stray.parent.mkdir(exist_ok=True)
        stray.write_text("mine")
    (logs / "link").symlink_to(tmp_path / "nowhere")
    with keeping(tmp_path) as server:
        assert list(all_logs(server)) == ["a"]
        for name in ("file", "link", "no log!"):
            assert f"left alone, it is no log's folder: {logs / name}\n" in server.log()
        assert request(server, "DELETE", "/log/a").status == 204
    assert [stray.read_text() for stray in strays] == ["mine"] * len(strays)


def test_a_second_server_of_a_directory_exits_with_69_and_harms_nobody(tmp_path: Path) -> None:
    """One line says which directory, and who has it; when that one has stopped, another may have it."""
    with keeping(tmp_path) as server, creating(server, "a", b"one") as (producer, _):
        done = run(**SETTINGS, LIVELOG_DATA_DIR=str(tmp_path))
        assert (done.returncode, done.stdout) == (69, "")
        (line,) = done.stderr.splitlines()
        assert f"{tmp_path} is in use by another livelog, process {server.pid}:" in line
        producer.send(chunk(b" two"))
        wait_for_offset(producer, 7)
    with keeping(tmp_path) as server:
        assert log_of(server, "a") == ("interrupted", b"one two")


@pytest.mark.parametrize("place", ["file", "file/below", "folder-with-logs-file", "/proc/none"])
def test_a_directory_that_cannot_be_one_is_told_with_exit_code_78(tmp_path: Path, place: str) -> None:
    """One line names the variable, and the directory."""
    (tmp_path / "file").touch()
    (tmp_path / "folder-with-logs-file").mkdir()
    (tmp_path / "folder-with-logs-file" / "logs").touch()
    assert_refused(tmp_path / place)


def assert_refused(directory: Path) -> None:
    """A server of that directory does not start, and says why."""
    done = run(**SETTINGS, LIVELOG_DATA_DIR=str(directory))
    assert (done.returncode, done.stdout) == (78, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("livelog: LIVELOG_DATA_DIR: logs cannot be kept there: ")
    assert str(directory) in line


@pytest.mark.needs("root", "mount")
def test_a_directory_that_cannot_be_written_is_told_with_exit_code_78(tmp_path: Path) -> None:
    """New or in use before, on a file system that is mounted read-only."""
    with memory_disk(tmp_path, "4m") as place:
        with keeping(place / "used") as server:
            assert request(server, "PUT", "/log/a", content=b"some").status == 201
        command("mount", "-o", "remount,ro", place)
        assert_refused(place / "used")
        assert_refused(place / "new")


@pytest.mark.needs("root", "mount")
def test_a_person_reads_logs_with_ls_and_cat_and_may_copy_and_remove_them(tmp_path: Path) -> None:
    """As operations.md says, on a file system in memory, while the log is written and when no server runs."""
    with memory_disk(tmp_path, "4m") as place:
        with keeping(place) as server, creating(server, "builds/42", b"one\n") as (producer, _):
            assert shell("ls", place) == "livelog.lock\nlogs\n"
            assert shell("ls", place / "logs") == "builds+42\n"
            generation = all_logs(server)["builds/42"]["generation"]
            files = shell("ls", place / "logs" / "builds+42").splitlines()
            # When its bytes came is there, too, unless they came as it began.
            assert [file for file in files if file != f"{generation}.times"] == [
                f"{generation}.json",
                f"{generation}.log",
            ]
            assert shell("cat", place / "logs" / "builds+42" / f"{generation}.log") == "one\n"
            known = json.loads(shell("cat", place / "logs" / "builds+42" / f"{generation}.json"))
            assert (known["name"], known["state"]) == ("builds/42", "live")
            assert request(server, "PUT", "/log", content=b"no name").status == 201
            assert shell("ls", place / "logs") == "+\nbuilds+42\n"
            shutil.copytree(place, tmp_path / "backup")
            producer.send(chunk(b"two\n"))
            wait_for_offset(producer, 8)
        shutil.rmtree(place / "logs" / "+")
        with keeping(place) as server:
            assert list(all_logs(server)) == ["builds/42"]
            assert log_of(server, "builds/42") == ("interrupted", b"one\ntwo\n")
    with keeping(tmp_path / "backup") as server:
        assert set(all_logs(server)) == {"", "builds/42"}
        assert log_of(server, "builds/42") == ("interrupted", b"one\n")


def shell(*words: str | Path) -> str:
    """What a command prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True, env={"LC_ALL": "C"}).stdout
