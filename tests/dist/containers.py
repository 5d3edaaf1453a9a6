"""A container from an image, by the kernel's own means: namespaces, a root that is read-only, the image's user and no rights.

What an engine would do with the image's configuration, without one. It shares the network of the test, so that ports can be reached.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .artefacts import TIMEOUT, run

_INSIDE = """
set -e
PATH=$PATH:/usr/sbin:/sbin
chroot=$(command -v chroot)
root=$1 volume=$2 inside=$3 user=$4; shift 4
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --bind "$volume" "$root$inside"
exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid --inh-caps=-all -- env -i "$@" "$chroot" --userspec="$user" --groups= "$root" "${command[@]}"
"""


class Image:
    """An image that was unpacked: `root` are its files, `config` is what it says of itself."""

    def __init__(self, root: Path, config: Mapping[str, Any]) -> None:
        self.root = root
        self.config = config

    @classmethod
    def unpacked(cls, layout: Path, tag: str, folder: Path) -> "Image":
        """The image with that tag in an OCI layout, unpacked into a folder that is not there yet."""
        run("umoci", "unpack", "--image", f"{layout}:{tag}", folder)
        image = json.loads(run("skopeo", "inspect", "--config", "--raw", f"oci:{layout}:{tag}"))
        return cls(folder / "rootfs", image["config"])


class Container:
    """A running container. `first` is its first process, as the test sees it; `log` is what it has written to stderr."""

    def __init__(self, process: subprocess.Popen[str], log: Path, image: Image) -> None:
        self.process = process
        self.log = log
        self._image = image
        self.ready = self._line()

    @property
    def first(self) -> int:
        """The process whose id is 1 inside."""
        return self.children(self.process.pid)[0]

    @staticmethod
    def children(pid: int) -> list[int]:
        """The processes whose parent is that one, zombies included."""
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def execute(self, *command: str, settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as the image's user with the image's variables."""
        user, group = self._image.config["User"].split(":")
        inside = (
            "nsenter",
            "--target",
            str(self.first),
            "--mount",
            "--pid",
            "--root",
            "--setuid",
            user,
            "--setgid",
            group,
        )
        variables = [*self._image.config["Env"], *(f"{name}={value}" for name, value in settings.items())]
        return subprocess.run(
            [*inside, "--", *command], env=dict(one.split("=", 1) for one in variables) | {"PATH": os.environ["PATH"]},
            capture_output=True, text=True, timeout=TIMEOUT,
        )  # fmt: skip

    def _line(self) -> str:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], TIMEOUT)[0], "no word"
        return self.process.stdout.readline()


@contextlib.contextmanager
def container(image: Image, volume: Path, *arguments: str, **settings: str) -> Iterator[Container]:
    """A container with `volume` in place of the image's only one, and these variables on top of the image's."""
    (inside,) = image.config["Volumes"]
    entry = " ".join(f"'{word}'" for word in (*image.config["Entrypoint"], *arguments))
    script = f"command=({entry}){_INSIDE}"
    variables = [*image.config["Env"], *(f"{name}={value}" for name, value in settings.items())]
    # `env -i` is given the variables through its own arguments: here they are no secrets.
    spaces = ("unshare", "--pid", "--mount", "--ipc", "--uts", "--fork", "--kill-child")
    log = volume.with_name("stderr")
    with log.open("w") as errors, subprocess.Popen(
        [*spaces, "bash", "-c", script, "bash", image.root, volume, inside, image.config["User"], *variables],
        stdout=subprocess.PIPE, stderr=errors, text=True,
    ) as process:  # fmt: skip
        try:
            yield Container(process, log, image)
        finally:
            # Both: a process that changes its user is not told any more that its parent has died.
            if process.poll() is None:
                for first in Container.children(process.pid):
                    os.kill(first, signal.SIGKILL)
            process.kill()
