"""`livelog tail -o`: only a regular file is replaced, whatever leads to it; everything else is written to.

Categories: files and links to them · mode and owner · devices, pipes and descriptors.
"""

import contextlib
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from livelog import Writer
from tests.harness import TIMEOUT
from tests.sample import one_of, sample

from .place import COMMAND, Place, lines, place
from .terminals import terminal

ALL = lines(500)

TAIL = f"{' '.join(COMMAND)} tail -q"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("home")) as made:
        assert made.run("push", "-q", "--name", "whole", data=ALL).returncode == 0
        with Writer("broken", settings=made.settings()) as log:
            log.write(b"half")
            log.abort()
        yield made


def shell(here: Place, script: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """What `script` writes, in bash."""
    command = ["bash", "-c", script]
    return subprocess.run(command, env=here.environment(), cwd=folder, capture_output=True, timeout=60)


# Files and links to them.


@pytest.mark.parametrize("before", [None, b"", b"old\n", ALL * 3])
def test_file_is_replaced_as_a_whole(here: Place, tmp_path: Path, before: bytes | None) -> None:
    file = tmp_path / "file"
    if before is not None:
        file.write_bytes(before)
    with file.open("rb") if before is not None else contextlib.nullcontext() as opened:
        assert here.run("tail", "-o", str(file), "whole").returncode == 0
        assert opened is None or opened.read() == before
    assert file.read_bytes() == ALL
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("links", ["absolute", "relative", "two", "dangling"])
def test_link_stays_and_what_it_leads_to_is_replaced(here: Place, tmp_path: Path, links: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file, link = folder / "file", tmp_path / "link"
    if links != "dangling":
        file.write_bytes(b"old")
    if links == "two":
        (folder / "between").symlink_to("file")
        link.symlink_to("folder/between")
    else:
        link.symlink_to(file if links == "absolute" else "folder/file")
    assert here.run("tail", "-o", str(link), "whole").returncode == 0
    assert link.is_symlink()
    assert file.read_bytes() == ALL
    assert not list(tmp_path.glob("**/*.part"))


def test_aborted_log_is_in_the_file_behind_the_link_too(here: Place, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    assert here.run("tail", "-o", str(tmp_path / "link"), "broken").returncode == 3
    assert ((tmp_path / "file").read_bytes(), (tmp_path / "link").is_symlink()) == (b"half", True)


def test_links_that_lead_nowhere_are_told(here: Place, tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    done = here.run("tail", "-o", str(tmp_path / "a"), "whole")
    assert (done.returncode, b"Too many levels of symbolic links" in done.stderr) == (1, True)
    assert b"Is a directory" in here.run("tail", "-o", str(tmp_path), "whole").stderr


# Mode and owner.


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o4711])
def test_mode_is_kept(here: Place, tmp_path: Path, mode: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(mode)
    assert here.run("tail", "-o", str(file), "whole").returncode == 0
    assert (stat.S_IMODE(file.stat().st_mode), file.read_bytes()) == (mode, ALL)


def test_part_of_a_private_file_is_private(here: Place, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(0o600)
    with Writer("private", settings=here.settings()) as log:
        log.write(b"secret\n")
        here.wait_for("private", 7)
        with here.started("tail", "-o", str(file), "private") as process:
            while not (parts := list(tmp_path.glob("*.part"))) or not parts[0].stat().st_size:
                assert process.poll() is None
            assert stat.S_IMODE(parts[0].stat().st_mode) == 0o600
            log.close()
            assert process.wait(TIMEOUT) == 0


@pytest.mark.needs("root")
def test_owner_is_kept(here: Place, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    os.chown(file, 12345, 54321)
    file.chmod(0o4750)
    assert here.run("tail", "-o", str(file), "whole").returncode == 0
    known = file.stat()
    assert (known.st_uid, known.st_gid, stat.S_IMODE(known.st_mode)) == (12345, 54321, 0o4750)
    assert file.read_bytes() == ALL


@pytest.mark.needs("root")
def test_mount_point_gets_the_content(here: Place, tmp_path: Path) -> None:
    """As a file of the host that is mounted into a container: it cannot be replaced."""
    mounted, file = tmp_path / "mounted", tmp_path / "file"
    mounted.write_bytes(ALL * 2)
    file.touch()
    script = f"mount --bind {mounted} {file} && exec {TAIL} -o {file} whole"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], env=here.environment(), capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert mounted.read_bytes() == ALL
    assert not list(tmp_path.glob("*.part"))


# Devices, pipes and descriptors.


@pytest.mark.needs("root")
@pytest.mark.parametrize("linked", [False, True])
def test_device_stays_a_device(here: Place, tmp_path: Path, linked: bool) -> None:
    device = tmp_path / "null"
    os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    name = device
    if linked:
        name = tmp_path / "link"
        name.symlink_to("null")
    assert here.run("tail", "-o", str(name), "whole").returncode == 0
    assert stat.S_ISCHR(device.stat().st_mode)
    assert name.is_symlink() == linked
    full = tmp_path / "full"
    os.mknod(full, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
    done = here.run("tail", "-o", str(full), "whole")
    assert (done.returncode, b"No space left on device" in done.stderr) == (1, True)
    assert stat.S_ISCHR(full.stat().st_mode)


def test_named_pipe_is_written_to(here: Place, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with here.started("tail", "-o", str(pipe), "whole") as process:
        assert pipe.read_bytes() == ALL
        assert process.wait(TIMEOUT) == 0
    assert pipe.is_fifo()
    with here.started("tail", "-o", str(pipe), "whole") as process:
        with pipe.open("rb", buffering=0) as opened:
            assert opened.read(1) == ALL[:1]
        assert process.wait(TIMEOUT) in (0, -signal.SIGPIPE)


@pytest.mark.parametrize(
    ("script", "expected"),
    one_of(3, [
        ("{tail} -o - whole", ALL),
        ("{tail} -o - --bytes 0-9 whole", ALL[:10]),
        ("{tail} -o /dev/stdout whole", ALL),
        ("{tail} -o /dev/stdout whole | cat", ALL),
        ("{tail} -o /proc/self/fd/1 whole", ALL),
        ("{tail} -o /dev/fd/3 whole 3>&1 >/dev/full", ALL),
        ("{tail} -o /dev/stderr whole 2>&1 >/dev/full", ALL),
        ("ln -s /dev/stdout link; {tail} -o link whole; test -L link && echo link", ALL + b"link\n"),
        ("{tail} -o >(sed s/line/LINE/ >out) whole; while ! grep -q 'LINE 499' out; do :; done; cat out",
         ALL.replace(b"line", b"LINE")),
        ("{{ echo a; {tail} -o /dev/stdout whole; echo b; }} >out; cat out", b"a\n" + ALL + b"b\n"),
        ("{{ echo a; {tail} -o - whole; echo b; }} >out; cat out", b"a\n" + ALL + b"b\n"),
        ("echo a >out; {tail} -o /dev/stdout whole >>out; cat out", b"a\n" + ALL),
        ("{tail} -o - whole | head -1; echo ${{PIPESTATUS[0]}} | grep -cE '^(0|141)$'", lines(1) + b"1\n"),
    ]),
)  # fmt: skip
def test_descriptor_is_written_to(here: Place, tmp_path: Path, script: str, expected: bytes) -> None:
    done = shell(here, script.format(tail=TAIL), tmp_path)
    assert (done.stdout, done.stderr) == (expected, b"")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", sample(["-", "/dev/stdout", "/dev/tty"], "/dev/stdout"))
def test_terminal_is_not_made_to_do_anything(here: Place, name: str) -> None:
    assert here.run("push", "-q", "--name", "hostile", data=b"\x1b]0;title\x07text\n").returncode == 0
    with terminal((*COMMAND, "tail", "-o", name, "hostile"), here.environment()) as screen:
        assert screen.wait_end() == 0
        assert screen.screen == b"text\r\n"
