"""The file of a log's notes: made when there is something to note, gone on with, replaced if it is of the former format; never an error."""

import contextlib
import errno
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from zlib import crc32

import pytest

from livelog.log.directory import Directory
from livelog.log.info import State
from livelog.log.times import MAX_KEPT, TimesFile, read_notes
from livelog.times import FORMER_BLOCK, Note, Times

from .live import append, info, on_loop, open_disk, open_file
from .test_log_directory import files, killed_before
from .test_log_directory import info as known

BEGAN = 1_700_000_000_000

FORMER = b"".join(tick.to_bytes(4, "little") for tick in (0, 7, 9))


def times_file(directory: Directory, log: object) -> TimesFile:
    return TimesFile(BEGAN, partial(directory.open_times, log), partial(directory.replace_times, log))  # type: ignore[arg-type]


def notes_in(file: TimesFile) -> list[Note]:
    assert file.file is not None
    fd = file.file.fileno()
    return list(Times(BEGAN, partial(read_notes, fd), os.fstat(fd).st_size).notes(0, 1 << 60))


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    opened = Directory(str(tmp_path))
    yield opened
    opened.close()


def test_nothing_is_made_before_the_first_note_and_what_was_noted_is_gone_on_with(directory: Directory) -> None:
    log = known()
    directory.create(log).close()
    first = times_file(directory, log)
    first.open()
    assert first.file is None
    assert len(files(directory)) == 2
    first.append([(10, BEGAN + 50), (20, BEGAN + 90)], 10)
    first.append([(20, BEGAN + 95)], 20)
    assert notes_in(first) == [(0, BEGAN), (10, BEGAN + 50), (20, BEGAN + 90)]
    first.close()
    second = times_file(directory, log)
    second.append([(20, BEGAN + 2000), (30, BEGAN + 1000)], 20)  # of byte 20 nothing came in the first server
    second.append([(40, BEGAN + 3000)], 40)
    assert notes_in(second) == [(0, BEGAN), (10, BEGAN + 50), (20, BEGAN + 2000), (40, BEGAN + 3000)]
    second.close()
    assert [file.rpartition(".")[2] for file in files(directory)] == ["json", "log", "times"]
    directory.remove(log)
    assert files(directory) == []


def test_note_that_cannot_be_written_is_written_with_the_next_one() -> None:
    full = [True]

    def find(make: bool) -> object:
        assert make
        if full[0]:
            raise OSError(errno.EMFILE, "no descriptors left")
        return open_file()

    file = TimesFile(BEGAN, find)  # type: ignore[arg-type]
    for number in range(1, MAX_KEPT + 5):
        file.append([(number, BEGAN + 10 * number)], number)
    assert file.file is None
    full[0] = False
    file.append([], MAX_KEPT)
    assert notes_in(file)[1:] == [(number, BEGAN + 10 * number) for number in range(1, MAX_KEPT + 1)]
    file.append([(5000, BEGAN + 10**6)], 5000)
    assert notes_in(file)[-1] == (5000, BEGAN + 10**6)
    file.close()


def test_kill_at_any_call_leaves_a_log_and_times_that_are_right(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the file of notes is made, as one of the former format is replaced, and as they are removed."""
    for former in (False, True):
        count, killed = 0, True
        while killed:
            log = known()
            with directory.create(log) as file:
                file.write(bytes(3 * FORMER_BLOCK))
            directory.save(log, State.ABORTED, 3 * FORMER_BLOCK)
            path = Path(directory.logs) / "builds+42" / f"{log.generation}.times"
            if former:
                path.write_bytes(crc32(FORMER).to_bytes(4, "little") + FORMER)

            def use(log: object = log) -> None:
                times = times_file(directory, log)
                with contextlib.closing(times):
                    times.open()
                    times.append([(2 * FORMER_BLOCK + 1, BEGAN + 500)], 2 * FORMER_BLOCK + 1)
                directory.remove(log)  # type: ignore[arg-type]

            killed = killed_before(monkeypatch, count, use)
            found = list(directory.recover())
            assert not [file for file in files(directory) if file.endswith(".new")]
            assert all(file.endswith((".json", ".log", ".times")) for file in files(directory))
            for there in found:
                assert (there.state, there.length) == (State.ABORTED, 3 * FORMER_BLOCK)
                times = times_file(directory, log)
                times.open()
                if times.file is not None:
                    told = notes_in(times)
                    assert not former or told[:3] == [
                        (0, BEGAN),
                        (FORMER_BLOCK, BEGAN + 70),
                        (2 * FORMER_BLOCK, BEGAN + 90),
                    ]
                    assert [note for note in told if note[0] % FORMER_BLOCK] in (
                        [],
                        [(2 * FORMER_BLOCK + 1, BEGAN + 500)],
                    )
                    times.close()
                directory.remove(there.info)
            assert files(directory) == [], "nothing is left"
            count += 1
        assert count >= 8


def test_former_format_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / "former"
    path.write_bytes(crc32(FORMER).to_bytes(4, "little") + FORMER)

    def replace(_: bytes) -> object:
        raise OSError(errno.ENOSPC, "the disk is full")

    times = TimesFile(BEGAN, lambda _: path.open("r+b", buffering=0), replace)  # type: ignore[arg-type]
    times.open()
    assert [moment for _, moment in notes_in(times)] == [BEGAN, BEGAN + 70, BEGAN + 90]
    times.close()
    assert path.read_bytes()[4:] == FORMER


@pytest.mark.parametrize("content", [b"", b"x", bytes(5000), crc32(b"").to_bytes(4, "little")])
def test_damaged_file_has_no_notes_and_takes_new_ones(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(content)
    times = TimesFile(BEGAN, lambda _: path.open("r+b", buffering=0))
    times.open()
    assert notes_in(times) == [(0, BEGAN)]
    times.append([(5, BEGAN + 20)], 5)
    assert notes_in(times) == [(0, BEGAN), (5, BEGAN + 20)]
    times.close()


def test_file_that_cannot_be_opened_or_read_is_no_error(tmp_path: Path) -> None:
    def refuse(_: bool) -> object:
        raise OSError(errno.EACCES, "others do not get in")

    times = TimesFile(BEGAN, refuse)  # type: ignore[arg-type]
    times.open()
    assert times.file is None
    times.close()
    folder = os.open(tmp_path, os.O_RDONLY)
    assert read_notes(folder, 0, 10) == b""
    os.close(folder)


@on_loop
async def test_journal_notes_each_write_that_comes_10_ms_after_the_last(tmp_path: Path) -> None:
    """Many small writes at once are one note; an idle log has no file for them, and one that is written has the note before the bytes."""
    from livelog.log.journal import Journal  # noqa: PLC0415
    from tests.integration.servers import elapse  # noqa: PLC0415

    with open_disk(str(tmp_path)) as disk:
        journal = Journal(info("a"), disk, file=open_file())
        journal.info.began = 0
        for number in range(4):
            elapse(0.011)
            for _ in range(3):
                journal.append([b"x" * 10], lambda: None)
            await append(journal, b"y" * 10)
            assert [offset for offset, _ in journal.times().notes(0, journal.length)] == [
                40 * each for each in range(number + 1)
            ]
        moments = [moment for _, moment in journal.times().notes(0, journal.length)]
        assert moments == sorted(set(moments))
        assert abs(journal.changed // 1000 - moments[-1]) < 10
        journal.release()
        assert journal.times_fileno() is None
        assert list(journal.times().notes(0, 5)) == [(0, 0)]
