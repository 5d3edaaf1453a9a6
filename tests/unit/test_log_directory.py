"""The layout of a data directory, and what is found there whatever a kill has left.

Categories: names and files, what is written, kills between any two system calls, damage of any kind, things that are
nobody's, the lock.
"""

import json
import os
import random
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.errors import ConfigError
from livelog.log.attributes import Attributes
from livelog.log.directory import Directory, Found
from livelog.log.info import LogInfo, State, Upload, new_generation

NAME = "builds/42"


def info(name: str = NAME, began: int = 1_700_000_000_000_000, **known: Any) -> LogInfo:
    return LogInfo(name, new_generation(began), began, **{"order": began, **known})


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    opened = Directory(str(tmp_path))
    yield opened
    opened.close()


def write(directory: Directory, log: LogInfo, content: bytes, state: State | None = None) -> None:
    """Make a log; `state`: how it ends, None: not at all."""
    with directory.create(log) as file:
        file.write(content)
    if state is not None:
        log.ended = log.began + 1
        directory.save(log, state, len(content))


def files(directory: Directory) -> list[str]:
    """All files and empty folders, relative to `logs`."""
    root = Path(directory.logs)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() or not any(path.iterdir()))


def recovered(directory: Directory) -> dict[str, Found]:
    return {found.info.name: found for found in directory.recover()}


def test_a_person_can_find_and_read_a_log(directory: Directory) -> None:
    log = info(attributes=Attributes("a title", 0, {"branch": "main"}))
    write(directory, log, b"hello\n", State.COMPLETE)
    assert files(directory) == [f"builds+42/{log.generation}.json", f"builds+42/{log.generation}.log"]
    folder = Path(directory.logs) / "builds+42"
    assert (folder / f"{log.generation}.log").read_bytes() == b"hello\n"
    known = json.loads((folder / f"{log.generation}.json").read_text(encoding="utf-8"))
    assert (known["name"], known["state"], known["size"], known["title"]) == (NAME, "complete", 6, "a title")
    assert os.stat(directory.logs).st_mode & 0o077 == 0, "others do not get in"


@pytest.mark.parametrize(
    "name", ["", "a", "a/b/c/d/e/f/g/h", "~", "-rf", ".hidden", "...", "a" * 255, "A", string.digits]
)
def test_every_name_has_a_folder_of_its_own(directory: Directory, name: str) -> None:
    write(directory, info(name), b"x", State.COMPLETE)
    assert len(list(Path(directory.logs).iterdir())) == 1
    assert list(recovered(directory)) == [name]


@pytest.mark.parametrize(("state", "resumable", "found"), [
    (State.COMPLETE, False, State.COMPLETE), (State.ABORTED, True, State.ABORTED), (None, True, State.INTERRUPTED),
    (None, False, State.ABORTED),
])  # fmt: skip
def test_a_log_is_found_in_its_state(directory: Directory, state: State | None, resumable: bool, found: State) -> None:
    log = info(upload=Upload(resumable=resumable, repr_digest={"sha-256": bytes(32)}))
    write(directory, log, b"hello", state)
    (there,) = directory.recover()
    assert (there.state, there.length) == (found, 5)
    assert (there.info.generation, there.info.upload) == (log.generation, log.upload)
    assert there.changed == pytest.approx(Path(directory.logs).stat().st_mtime_ns / 1000, abs=60e6)
    assert (there.info.ended is None) is (found is State.INTERRUPTED)
    if state is None and not resumable:
        assert there.info.reason == "the server was killed"


def test_a_log_that_was_killed_on_its_way_to_the_end_can_go_on(directory: Directory) -> None:
    """When it would have ended is not told of it."""
    log = info(upload=Upload(resumable=True))
    write(directory, log, b"hello")
    log.ended, log.reason = log.began + 1, "the body ended"
    directory.save(log, State.LIVE, 5)
    (there,) = directory.recover()
    assert (there.state, there.info.ended, there.info.reason) == (State.INTERRUPTED, None, "")


def test_the_newest_of_a_name_counts_and_the_others_go(directory: Directory) -> None:
    logs = [info(began=1_700_000_000_000_000 + number) for number in range(3)]
    for log in (logs[1], logs[2], logs[0]):
        write(directory, log, b"x", State.COMPLETE)
    (found,) = directory.recover()
    assert found.info.generation == logs[2].generation
    assert files(directory) == [f"builds+42/{logs[2].generation}.{suffix}" for suffix in ("json", "log")]


def test_what_a_log_is_removed_and_its_folder_with_it(directory: Directory) -> None:
    first, second = info(), info(began=1_700_000_000_000_001)
    write(directory, first, b"x", State.COMPLETE)
    write(directory, second, b"y", State.COMPLETE)
    directory.remove(first)
    assert files(directory) == [f"builds+42/{second.generation}.{suffix}" for suffix in ("json", "log")]
    directory.remove(second)
    assert files(directory) == []
    directory.remove(second)


def test_removing_a_log_leaves_none_that_it_replaced(directory: Directory) -> None:
    """A kill as that is done must not bring back what another thread was about to remove."""
    logs = [info(began=1_700_000_000_000_000 + number) for number in range(4)]
    for log in logs:
        write(directory, log, b"x", State.COMPLETE)
    directory.remove(logs[2])
    assert files(directory) == [f"builds+42/{logs[3].generation}.{suffix}" for suffix in ("json", "log")]


@pytest.mark.parametrize("kept", [1, 2, 3, 9])
def test_as_many_logs_of_a_name_are_found_as_are_kept_and_the_others_go(directory: Directory, kept: int) -> None:
    logs = [info(began=1_700_000_000_000_000 + number) for number in range(4)]
    for log in (logs[1], logs[3], logs[0], logs[2]):
        write(directory, log, b"x", State.COMPLETE)
    write(directory, info("other"), b"x", State.COMPLETE)
    for _ in range(2):
        found = [found.info.generation for found in directory.recover(kept) if found.info.name == NAME]
        assert sorted(found) == [log.generation for log in logs[-kept:]]
    assert len(files(directory)) == 2 * (min(kept, 4) + 1)


def test_only_the_newest_log_of_a_name_can_be_gone_on_with(directory: Directory) -> None:
    """A kill came before the end of the one before it was kept."""
    logs = [info(began=1_700_000_000_000_000 + number, upload=Upload(resumable=True)) for number in range(2)]
    for log in logs:
        write(directory, log, b"x")
    for _ in range(2):
        older, newest = sorted(directory.recover(2), key=lambda found: found.info.order)
        assert (newest.state, newest.info.ended) == (State.INTERRUPTED, None)
        assert (older.state, older.info.ended, older.info.reason) == (
            State.ABORTED, older.changed, "another log of this name began",
        )  # fmt: skip


def test_removing_a_log_leaves_older_ones_that_are_kept(directory: Directory) -> None:
    logs = [info(began=1_700_000_000_000_000 + number) for number in range(4)]
    for log in logs:
        write(directory, log, b"x", State.COMPLETE)
    directory.remove(logs[3], {logs[2].generation, logs[0].generation})
    assert sorted(found.info.generation for found in directory.recover(9)) == [logs[0].generation, logs[2].generation]
    directory.remove(logs[0], {logs[2].generation})
    directory.remove(logs[2])
    assert files(directory) == []


def test_an_older_log_that_cannot_be_used_is_left_alone_if_it_may_be_one_to_keep(directory: Directory) -> None:
    """Its file is a link that leads to itself: an error of the system, as of a disk that is damaged there."""
    logs = [info(began=1_700_000_000_000_000 + number) for number in range(2)]
    for log in logs:
        write(directory, log, b"x", State.COMPLETE)
    damaged = Path(directory.logs) / "builds+42" / f"{logs[0].generation}.log"
    damaged.unlink()
    damaged.symlink_to(damaged.name)
    (found,) = directory.recover(2)
    assert (found.info.generation, damaged.is_symlink()) == (logs[1].generation, True)
    (found,) = directory.recover(1)
    assert len(files(directory)) == 2


def test_which_log_is_the_newest_is_none_of_the_clocks_business(directory: Directory) -> None:
    """A log of 2099, and those that replaced it once the clock was right."""
    began = (4_070_908_800_000_000, 1_700_000_000_000_000, 1_800_000_000_000_000)
    logs = [info(began=moment, order=number) for number, moment in enumerate(began)]
    for log in logs:
        write(directory, log, b"x", State.COMPLETE)
    directory.remove(logs[1])
    assert {file[10:-4] for file in files(directory) if file.endswith(".log")} == {logs[2].generation}
    write(directory, logs[0], b"x", State.COMPLETE)
    (found,) = directory.recover()
    assert (found.info.generation, found.info.order) == (logs[2].generation, 2)
    assert len(files(directory)) == 2


def test_a_log_that_was_kept_without_an_order_has_its_place_by_its_time(directory: Directory) -> None:
    log = info(began=1_700_000_000_000_000, order=5)
    write(directory, log, b"x", State.COMPLETE)
    path = Path(directory.logs) / "builds+42" / f"{log.generation}.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept.pop("order") == 5
    path.write_text(json.dumps(kept), encoding="utf-8")
    (found,) = directory.recover()
    assert found.info.order == log.began


def test_a_draft_is_nothing_before_it_is_published(directory: Directory) -> None:
    old, draft = info(order=1), info(order=2)
    write(directory, old, b"old", State.COMPLETE)
    with directory.draft(draft) as file:
        file.write(b"new one")
    (found,) = directory.recover()
    assert (found.info.generation, len(files(directory))) == (old.generation, 2)
    for again in (False, True):
        with directory.draft(draft) as file:
            file.write(b"new one")
        if not again:
            directory.discard(draft)
            assert len(files(directory)) == 2
    draft.order = 3
    directory.publish(draft, 7)
    directory.remove(old)
    (found,) = directory.recover()
    assert (found.info.generation, found.info.order, found.length) == (draft.generation, 3, 7)


def test_names_that_differ_by_case_are_two_logs_where_the_file_system_takes_them_for_one(tmp_path: Path) -> None:
    """What tells is that the lock is found under another name, too."""
    (tmp_path / "LIVELOG.LOCK").touch()
    directory = Directory(str(tmp_path))
    logs = [info(name) for name in ("Builds/A", "builds/A", "builds/a", "B=UILDS".replace("=", "-"))]
    for log in logs:
        write(directory, log, log.name.encode(), State.COMPLETE)
    folders = [folder.name for folder in Path(directory.logs).iterdir()]
    assert (
        sorted(folders)
        == sorted({folder.lower() for folder in folders})
        == ["=b-=u=i=l=d=s", "=builds+=a", "builds+=a", "builds+a"]
    )
    (Path(directory.logs) / "Other").mkdir()
    assert {name: found.info.generation for name, found in recovered(directory).items()} == {
        log.name: log.generation for log in logs
    }
    directory.remove(logs[0])
    assert sorted(recovered(directory)) == ["B-UILDS", "builds/A", "builds/a"]
    directory.close()


# Kills.


class Killed(BaseException):
    """The process ends here."""


def killed_before(monkeypatch: pytest.MonkeyPatch, count: int, act: Callable[[], None]) -> bool:
    """Do something, and be killed before the system call of that number. Returns whether that many were made."""
    left = count

    def counting(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return call(*arguments, **keywords)

        return counted

    with monkeypatch.context() as patched:
        for name in ("mkdir", "open", "rename", "unlink", "rmdir", "pwrite", "ftruncate"):
            patched.setattr(os, name, counting(getattr(os, name)))
        try:
            act()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("replaces", [False, True])
def test_a_kill_at_any_call_of_a_log_that_begins_leaves_the_old_one_or_the_new_one(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, replaces: bool
) -> None:
    old, count = info(began=1), 0
    while True:
        if replaces:
            write(directory, old, b"old", State.COMPLETE)
        new = info(began=1_700_000_000_000_000 + count)
        killed = killed_before(monkeypatch, count, lambda new=new: directory.create(new).close())  # type: ignore[misc]
        found = recovered(directory)
        generations = {log.info.generation for log in found.values()}
        allowed = [{old.generation}, {new.generation}] if replaces else [set(), {new.generation}]
        assert generations in allowed, f"killed before call {count}"
        assert len(files(directory)) == 2 * len(found), "nothing else is left"
        for log in found.values():
            directory.remove(log.info)
        if not killed:
            assert generations == {new.generation}
            break
        count += 1
    assert count >= 3


def test_a_kill_at_any_call_of_a_draft_that_is_published_leaves_the_old_log_or_all_of_the_new_one(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, killed = 0, True
    while killed:
        old, new = info(order=1), info(order=2)
        write(directory, old, b"old", State.COMPLETE)

        def replace(old: LogInfo = old, new: LogInfo = new) -> None:
            with directory.draft(new) as file:
                file.write(b"new one")
            directory.publish(new, 7)
            directory.remove(old)

        killed = killed_before(monkeypatch, count, replace)
        (found,) = directory.recover()
        assert (found.info.generation, found.length) in ((old.generation, 3), (new.generation, 7))
        assert len(files(directory)) == 2, "nothing else is left"
        directory.remove(found.info)
        count += 1
    assert found.info.generation == new.generation
    assert count >= 5


@pytest.mark.parametrize("way", ["begin", "publish"])
@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_kill_at_any_call_of_a_replacement_keeps_the_log_before_it_or_comes_before_its_begin(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, kept: int, way: str
) -> None:
    """There are as many logs as are kept, the last of which is interrupted: the first one goes when the new one is there."""
    count, killed = 0, True
    while killed:
        *older, new = [info(order=order, upload=Upload(resumable=True)) for order in range(kept + 1)]
        for log in older:
            write(directory, log, b"old", State.COMPLETE if log is not older[-1] else None)

        def replace(older: list[LogInfo] = older, new: LogInfo = new) -> None:
            with directory.create(new) if way == "begin" else directory.draft(new) as file:
                file.write(b"new one")
            if way == "publish":
                directory.publish(new, 7)
            directory.save(older[-1], State.ABORTED, 3)
            directory.remove(older[0], {log.generation for log in older[1:]})

        killed = killed_before(monkeypatch, count, replace)
        found = sorted(directory.recover(kept), key=lambda one: one.info.order)
        told = [(one.info.generation, one.length) for one in found]
        before, after = (
            [(log.generation, 3) for log in older],
            [*((log.generation, 3) for log in older[1:]), (new.generation, 7)],
        )
        if way == "begin" and (new.generation, 0) in told:
            after[-1] = (new.generation, 0)
        assert told in (before, after), f"killed before call {count}"
        assert [one.state.ended for one in found] == [*[True] * (kept - 1), False]
        assert len(files(directory)) == 2 * len(found), "nothing else is left"
        directory.remove(found[-1].info)
        assert files(directory) == []
        count += 1
    assert told == after
    assert count >= 8


@pytest.mark.parametrize("alone", [False, True])
def test_a_kill_at_any_call_of_a_removal_leaves_no_older_log_without_the_newer_ones(
    directory: Directory, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    """If the newest is removed `alone`, those before it stay, whatever happens."""
    count, killed = 0, True
    while killed:
        logs = [info(began=4 - order, order=order) for order in range(3)]  # the clock goes backwards
        for log in logs:
            write(directory, log, b"x", State.COMPLETE)
        kept = [log.generation for log in logs[:-1]] if alone else []
        killed = killed_before(monkeypatch, count, lambda logs=logs, kept=kept: directory.remove(logs[-1], kept))  # type: ignore[misc]
        found = [one.info.generation for one in sorted(directory.recover(3), key=lambda one: one.info.order)]
        generations = [log.generation for log in logs]
        assert found in ([generations, generations[:-1]] if alone else [generations[place:] for place in range(4)])
        assert len(files(directory)) == 2 * len(found)
        directory.remove(logs[-1])
        count += 1
    assert count >= 4


def test_a_kill_at_any_call_of_a_change_leaves_what_was_known_or_what_is_new(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, count = info(upload=Upload(resumable=True)), 0
    write(directory, log, b"hello")
    while True:
        changed = info(upload=log.upload, attributes=Attributes(f"title {count}"))
        changed.generation = log.generation
        killed = killed_before(monkeypatch, count, lambda changed=changed: directory.save(changed, State.LIVE, 5))  # type: ignore[misc]
        (found,) = directory.recover()
        assert (found.state, found.length) == (State.INTERRUPTED, 5)
        assert found.info.attributes in (log.attributes, changed.attributes)
        assert len(files(directory)) == 2
        if not killed:
            assert found.info.attributes == changed.attributes
            break
        count += 1


def test_a_kill_at_any_call_of_a_removal_leaves_all_of_it_or_nothing(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, killed = 0, True
    while killed:
        log = info()
        write(directory, log, b"hello", State.COMPLETE)
        killed = killed_before(monkeypatch, count, lambda log=log: directory.remove(log))  # type: ignore[misc]
        found = list(directory.recover())
        assert [(there.state, there.length) for there in found] in ([(State.COMPLETE, 5)], [])
        assert len(files(directory)) == 2 * len(found)
        for there in found:
            directory.remove(there.info)
        count += 1
    assert count >= 3


# Damage.


@given(st.binary(max_size=200))
def test_any_json_that_is_damaged_leaves_an_aborted_log_with_its_bytes(damage: bytes) -> None:
    import tempfile  # noqa: PLC0415  # hypothesis runs a test many times: a folder each

    with tempfile.TemporaryDirectory() as folder:
        directory = Directory(folder)
        log = info()
        write(directory, log, b"hello", State.COMPLETE)
        (Path(directory.logs) / "builds+42" / f"{log.generation}.json").write_bytes(damage)
        (found,) = directory.recover()
        assert (found.state, found.length) == (State.ABORTED, 5)
        assert (found.info.name, found.info.generation, found.info.began) == (NAME, log.generation, log.began)
        assert (found.info.reason, found.info.ended) == ("what was known of it is lost", found.changed)
        directory.close()


def test_a_json_that_is_cut_off_anywhere_never_stops_a_start(directory: Directory) -> None:
    log = info(attributes=Attributes("été ✓", 1, {"a": "b"}))
    write(directory, log, b"hello", State.COMPLETE)
    path = Path(directory.logs) / "builds+42" / f"{log.generation}.json"
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        (found,) = directory.recover()
        assert found.length == 5
        assert found.state is (State.COMPLETE if size >= len(whole) - 1 else State.ABORTED)


@pytest.mark.parametrize("member", ["name", "generation"])
def test_another_logs_json_does_not_count(directory: Directory, member: str) -> None:
    log = info()
    write(directory, log, b"hello", State.COMPLETE)
    path = Path(directory.logs) / "builds+42" / f"{log.generation}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    other = {"name": "other", "generation": new_generation(5)}[member]
    path.write_text(json.dumps({**document, member: other}), encoding="utf-8")
    (found,) = directory.recover()
    assert (found.info.name, found.info.generation, found.state) == (NAME, log.generation, State.ABORTED)


@pytest.mark.parametrize("size", [0, 4, 6])
def test_a_complete_log_of_another_size_is_not_complete(directory: Directory, size: int) -> None:
    log = info()
    write(directory, log, b"hello", State.COMPLETE)
    os.truncate(Path(directory.logs) / "builds+42" / f"{log.generation}.log", size)
    (found,) = directory.recover()
    assert (found.state, found.length) == (State.ABORTED, size)
    assert "changed by others" in found.info.reason


@pytest.mark.parametrize("state", [State.LIVE, State.INTERRUPTED])
@pytest.mark.parametrize(("size", "found"), [(0, State.ABORTED), (4, State.ABORTED), (6, State.INTERRUPTED)])
def test_an_upload_that_has_lost_bytes_cannot_be_gone_on_with(
    directory: Directory, state: State, size: int, found: State
) -> None:
    """One that has more than was kept of it was only killed before that was kept."""
    log = info(upload=Upload(resumable=True))
    write(directory, log, b"hello")
    directory.save(log, state, 5)
    os.truncate(Path(directory.logs) / "builds+42" / f"{log.generation}.log", size)
    (there,) = directory.recover()
    assert (there.state, there.length) == (found, size)
    assert (there.info.ended is None) is (found is State.INTERRUPTED)


def test_bytes_without_what_is_known_of_them_are_an_aborted_log(directory: Directory) -> None:
    log = info()
    write(directory, log, b"hello", State.COMPLETE)
    (Path(directory.logs) / "builds+42" / f"{log.generation}.json").unlink()
    (found,) = directory.recover()
    assert (found.state, found.length, found.info.name) == (State.ABORTED, 5, NAME)


def test_a_name_that_only_looks_like_a_time_is_taken_for_one_all_the_same(directory: Directory) -> None:
    folder = Path(directory.logs) / "a"
    folder.mkdir()
    (folder / "99999999T999999.999999Z-00000000.log").write_bytes(b"hello")
    (found,) = directory.recover()
    assert (found.state, found.info.began) == (State.ABORTED, found.changed)


def test_what_is_not_ours_is_left_alone(directory: Directory, tmp_path: Path) -> None:
    root = Path(directory.logs)
    (root / "notes.txt").write_text("mine")
    (root / "a b").mkdir()
    (root / "a b" / "x.log").write_text("mine")
    (root / "empty+folder").mkdir()
    log = info()
    write(directory, log, b"hello", State.COMPLETE)
    (root / "builds+42" / "README").write_text("mine")
    (tmp_path / "other").write_text("mine")
    assert list(recovered(directory)) == [NAME]
    directory.remove(log)
    assert files(directory) == ["a b/x.log", "builds+42/README", "notes.txt"]
    assert (tmp_path / "other").exists()


def test_any_mess_of_our_own_files_is_put_in_order(directory: Directory) -> None:
    chance = random.Random(1)
    for _ in range(300):
        logs = [info(began=number) for number in range(1, 4)]
        for log in logs:
            write(directory, log, b"hello"[: chance.randrange(6)], chance.choice([None, *State]))
            for suffix in ("log", "json", "new"):
                path = Path(directory.logs) / "builds+42" / f"{log.generation}.{suffix}"
                if chance.random() < 0.3:
                    path.unlink(missing_ok=True)
                elif chance.random() < 0.2:
                    path.write_bytes(chance.randbytes(chance.randrange(5)))
        found = list(directory.recover())
        assert len(found) <= 1
        left = files(directory)
        assert all(path.endswith((".log", ".json")) for path in left)
        assert len(left) in ((1, 2) if found else (0,))
        assert [again.info.generation for again in directory.recover()] == [there.info.generation for there in found]
        for there in found:
            directory.remove(there.info)


# The lock.


@pytest.mark.usefixtures("directory")
def test_a_directory_in_use_names_its_user(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"process {os.getpid()}: stop that one"):
        Directory(str(tmp_path))


def test_a_directory_is_free_when_its_user_has_closed_it(tmp_path: Path) -> None:
    for _ in range(2):
        Directory(str(tmp_path)).close()
    (tmp_path / "livelog.lock").write_text("9" * 100)
    Directory(str(tmp_path)).close()
    assert (tmp_path / "livelog.lock").read_text() == f"{os.getpid()}\n"
