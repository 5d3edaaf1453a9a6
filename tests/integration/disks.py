"""Disks that are full or that stall: small real file systems, made and undone by the test.

Needs root, loop devices and util-linux. Nothing is simulated: a frozen file system makes writers wait in the kernel.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path


def command(*words: str | Path) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{words[0]}: {done.stderr}"


@contextlib.contextmanager
def memory_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system in memory of a given size."""
    place = folder / "memory-disk"
    place.mkdir()
    command("mount", "-t", "tmpfs", "-o", f"size={size}", "livelog-test", place)
    try:
        yield place
    finally:
        command("umount", "-l", place)


class Disk:
    """An ext4 file system in a file, mounted at `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._frozen = False

    def freeze(self) -> None:
        """From now on each write waits in the kernel."""
        command("fsfreeze", "-f", self.place)
        self._frozen = True

    def thaw(self) -> None:
        """Let writes go on. Without effect on a disk that is not frozen."""
        if self._frozen:
            command("fsfreeze", "-u", self.place)
            self._frozen = False


@contextlib.contextmanager
def image_disk(folder: Path, size: int) -> Iterator[Disk]:
    """A file system of `size` bytes in an image file, which can be frozen."""
    image, place = folder / "disk.ext4", folder / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(size)
    command("mkfs.ext4", "-q", "-F", image)
    command("mount", "-o", "loop", image, place)
    disk = Disk(place)
    try:
        yield disk
    finally:
        disk.thaw()
        command("umount", "-l", place)
