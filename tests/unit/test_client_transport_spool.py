"""The spool: any order of writes, reads, releases gives back exactly what was written; disks that refuse; what is left."""

import errno
import os
import random
import re
import resource
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.client.transport import spool as module
from livelog.client.transport.spool import Spool

BYTES = random.Random(1).randbytes(200_000)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, 400)),
        st.tuples(st.just("read"), st.integers(1, 600)),
        st.tuples(st.just("release"), st.integers(0, 500)),
        st.tuples(st.just("keep"), st.just(0)),
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 300), st.integers(1, 500))
def test_what_is_read_is_what_was_written(steps: list[tuple[str, int]], memory: int, segment: int) -> None:
    """In memory, on disk, across the border of both and of segments; disk space of what is released goes."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(module, "MEMORY", memory)
        patch.setattr(module, "SEGMENT", segment)
        spool = Spool(Path(folder, "log"))
        for step, number in steps:
            if step == "write":
                spool.write(BYTES[spool.end : spool.end + number])
            elif step == "keep":
                spool.keep()
            elif step == "release":
                spool.release(spool.start + number)
            else:
                offset = spool.start + number % (spool.end - spool.start + 1)
                data = spool.read(offset, number)
                assert data == BYTES[offset : offset + len(data)]
                assert len(data) <= number
                assert data or offset == spool.end
            assert spool.start <= spool.end
            assert len(spool._memory) <= memory + 400
        read = spool.start
        while data := spool.read(read, 77):
            assert data == BYTES[read : read + len(data)]
            read += len(data)
        assert read == spool.end
        kept = sorted(Path(folder, "log").glob("0*"))
        assert all(int(one.name) + segment + memory + 400 > spool.start for one in kept)
        spool.discard()
        assert not Path(folder, "log").exists()


@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(1, 500))
def test_what_was_kept_can_be_gone_on_with(size: int, released: int, segment: int) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(module, "MEMORY", 100)
        patch.setattr(module, "SEGMENT", segment)
        first = Spool(Path(folder, "log"))
        first.about = {"name": "x"}
        for start in range(0, size, 50):
            first.write(BYTES[start : min(size, start + 50)])
        first.release(released)
        first.ended = True
        first.keep()
        again = Spool.reopen(Path(folder, "log"))
        assert again.about == {"name": "x", "whole": True}
        assert again.start <= first.start
        assert again.end == size
        read = first.start
        while data := again.read(read, 60):
            assert data == BYTES[read : read + len(data)]
            read += len(data)
        assert read == size
        for spool in (first, again):
            spool.discard()


def test_handler_of_a_signal_may_write_in_the_middle_of_a_write(tmp_path: Path) -> None:
    """Wherever it comes, also while all goes to disk: nothing is lost, doubled or out of its order, and nobody waits for ever."""
    spool, handled, handling = Spool(tmp_path / "log"), 0, False

    def handle(*_: object) -> None:
        nonlocal handled, handling
        if handling:  # a handler may be interrupted by itself, and then counts in another order
            return
        handling = True
        handled += 1
        spool.write(b"<%d>" % handled)
        handling = False

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
    try:
        number = 0
        while handled < 1500:
            spool.write(b"(%d)" % number + b"." * 30_000)
            number += 1
            spool.release(spool.end - 3 * module.MEMORY)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    spool.keep()
    offset, parts = spool.start, []
    while data := spool.read(offset, 1 << 20):
        parts.append(data)
        offset += len(data)
    assert offset == spool.end
    rest = b"".join(parts)
    for pattern, last in ((rb"<(\d+)>", handled), (rb"\((\d+)\)", number - 1)):
        found = [int(one) for one in re.findall(pattern, rest)]
        assert found == list(range(found[0], last + 1))
    spool.discard()


def test_disk_that_refuses_ends_the_log_in_front_of_what_is_lost(tmp_path: Path) -> None:
    """The limit of a file's size stands for any disk that takes a part and no more."""
    spool = Spool(tmp_path / "log")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (module.MEMORY + 10, hard))
    try:
        spool.write(b"a" * (module.MEMORY + 1))
        assert failure(spool) == 0
        spool.write(b"b" * (module.MEMORY + 1))
        assert failure(spool) == errno.EFBIG
        spool.write(b"lost")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert spool.end == 2 * (module.MEMORY + 1)
    assert spool.read(module.MEMORY, 3) == b"a"
    assert spool.read(module.MEMORY + 1, 3) == b"bbb"
    assert os.stat(tmp_path / "log" / f"{0:020}").st_size == module.MEMORY + 1  # what `cat` shows is right
    spool.discard()


def test_disk_that_refuses_at_the_end_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "log")
    spool.write(b"lost")
    assert not spool.keep()
    assert (failure(spool), spool.end) == (errno.ENOTDIR, 0)


def test_where_to_go_on_is_on_disk_before_anything_is_forgotten(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "log")
    for _ in range(6):
        spool.write(b"a" * (module.MEMORY + 1))
    spool.about["location"] = "/somewhere"
    spool.release(module.SEGMENT + module.MEMORY + 1)
    with pytest.raises(ValueError, match="another process writes or sends it"):
        Spool.reopen(tmp_path / "log")
    spool.close()
    again = Spool.reopen(tmp_path / "log")
    assert again.start > 0
    assert again.about["location"] == "/somewhere"
    again.discard()


def failure(spool: Spool) -> int:
    """The number of the error by which bytes were lost; 0: there was none."""
    return 0 if spool.failure is None else spool.failure.errno or -1


@pytest.mark.parametrize("damage", ["nothing", "a gap", "no about", "no bytes", "no folder"])
def test_folder_that_is_no_spool_is_refused(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "log"
    if damage != "no folder":
        folder.mkdir()
    if damage in ("nothing", "a gap", "no bytes"):
        (folder / "upload.json").write_text("{}")
    if damage in ("nothing", "a gap", "no about"):
        (folder / f"{0:020}").write_bytes(b"123")
    if damage == "a gap":
        (folder / f"{5:020}").write_bytes(b"6")
    if damage == "nothing":
        Spool.reopen(folder).discard()
        return
    with pytest.raises((OSError, ValueError)):
        Spool.reopen(folder)


def test_folder_is_the_users_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "deep" / "log")
    spool.write(b"x")
    spool.keep()
    assert spool.folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in spool.folder.glob("0*"))
    spool.discard()
