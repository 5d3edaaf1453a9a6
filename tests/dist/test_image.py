"""The container image: what it says of itself, what is in it, and a container of it, as its user, with a root that is read-only.

Categories: sizes, settings, files · a container: producer and reader, health, search, signals, orphans, restart · the Containerfile.
"""

import contextlib
import json
import os
import signal
import stat
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import reserved_port
from tests.integration.servers import wait_until

from .artefacts import ROOT, TIMEOUT, VERSION, built, run
from .containers import Container, Image, container

pytestmark = pytest.mark.needs("root", "umoci", "skopeo", "unshare", "setpriv", "nsenter")

READERS, PRODUCERS = "only-readers", "only-producers"


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layout")
    with tarfile.open(built("livelog-image-VERSION.oci.tar")) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def image(layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    return Image.unpacked(layout, VERSION, tmp_path_factory.mktemp("bundle") / "bundle")


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume, as an engine makes one: the folder of the image, with its owner and mode."""
    folder = tmp_path / "volume"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65532, 65532)
    return folder


@contextlib.contextmanager
def serving(image: Image, volume: Path, *arguments: str) -> Iterator[tuple[Container, dict[str, str]]]:
    """A container that serves, and its settings."""
    with reserved_port() as put, reserved_port() as get:
        settings = {"LIVELOG_PUT_PORT": str(put), "LIVELOG_GET_PORT": str(get)}
        with container(
            image, volume, *arguments, ACCESS_TOKEN=READERS, LIVELOG_WRITE_TOKEN=PRODUCERS, **settings
        ) as running:
            assert running.ready.startswith(f"livelog {VERSION} ready: "), running.log.read_text()
            yield running, settings


def send(settings: dict[str, str], name: str, content: bytes) -> int:
    """Send a log. Returns the status of the answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings['LIVELOG_PUT_PORT']}/log/{name}", content, method="PUT"
    )
    request.add_header("Authorization", f"Bearer {PRODUCERS}")
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
        return int(answer.status)


def read(settings: dict[str, str], path: str) -> bytes:
    """What the readers' port answers."""
    url = f"http://127.0.0.1:{settings['LIVELOG_GET_PORT']}/{path}"
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        return bytes(answer.read())


# What it says of itself, and what is in it.


def test_image_is_small_in_both_forms() -> None:
    assert built("livelog-image-VERSION.oci.tar").stat().st_size < 30_000_000
    assert built("livelog-image-root-VERSION.tar.gz").stat().st_size < 30_000_000
    assert built("livelog-image-VERSION.docker.tar").stat().st_size < 60_000_000  # not compressed


def settings_of(source: str) -> dict[str, Any]:
    """The configuration of an image, anywhere that skopeo can read it."""
    config: dict[str, Any] = json.loads(run("skopeo", "inspect", "--config", "--raw", source))["config"]
    return config


def test_both_forms_have_the_same_settings() -> None:
    config = settings_of(f"oci-archive:{built('livelog-image-VERSION.oci.tar')}")
    assert config == settings_of(f"docker-archive:{built('livelog-image-VERSION.docker.tar')}")
    assert config["User"] == "65532:65532"
    assert set(config["ExposedPorts"]) == {"60022/tcp", "60023/tcp"}
    assert set(config["Volumes"]) == {"/var/lib/livelog"}
    assert config["Healthcheck"]["Test"] == ["CMD", "/usr/bin/livelog", "health"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert (labels["title"], labels["version"], labels["licenses"]) == ("livelog", VERSION, "MPL-2.0")
    assert {"description", "created", "revision"} <= set(labels)


def test_image_for_docker_has_its_name_and_version() -> None:
    with tarfile.open(built("livelog-image-VERSION.docker.tar")) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        (tag,) = (tag for image in json.load(manifest) for tag in image["RepoTags"])
    assert (
        tag.rpartition("/")[2] == f"livelog:{VERSION}"
    )  # before it, Docker's own registry, which Docker does not show


def test_only_the_folder_of_the_logs_is_not_roots_and_nothing_has_special_rights(image: Image) -> None:
    """No shell either, and no set-user-id."""
    for folder, folders, files in os.walk(image.root):
        for name in (*folders, *files):
            path = Path(folder, name)
            state = path.lstat()
            logs = path == image.root / "var/lib/livelog"
            assert (state.st_uid, state.st_gid) == ((65532, 65532) if logs else (0, 0)), path
            assert not state.st_mode & (stat.S_ISUID | stat.S_ISGID), path
            writable = state.st_mode & 0o022 and not stat.S_ISLNK(state.st_mode)
            assert not writable or path == image.root / "tmp", path
    assert sorted(path.name for path in (image.root / "usr/bin").iterdir()) == ["livelog", "tini"]
    assert "OpenSSL" in (image.root / "usr/share/doc/livelog/LICENSES.txt").read_text()
    assert (image.root / "var/lib/livelog").stat().st_mode & 0o777 == 0o700


# A container.


def test_container_takes_and_gives_logs_and_searches_as_its_user_with_a_read_only_root(
    image: Image, volume: Path
) -> None:
    with serving(image, volume) as (running, settings):
        (server,) = running.children(running.first)
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{server}/status").read_text().splitlines())
        assert status["Uid"].split() == ["65532"] * 4
        assert (int(status["CapEff"], 16), int(status["CapPrm"], 16), status["NoNewPrivs"]) == (0, 0, "1")
        assert (Path(f"/proc/{server}/status").read_text().split("NSpid:")[1].splitlines()[0]).split()[-1] != "1"
        assert send(settings, "builds/42", b"one\ntwo needles\nthree\n" * 1000) == 201
        assert read(settings, f"log/{READERS}/builds/42?tail=1") == b"three\n"
        assert b"two needles" in read(settings, f"search/{READERS}/builds/42?q=needle")
        assert b"<!doctype html>" in read(settings, f"view/{READERS}/builds/42").lower()
    assert list(volume.glob("logs/builds+42/*.log"))


def test_health_check_is_the_images_own(image: Image, volume: Path) -> None:
    """The command that it names, inside; well, then not well, since the server is stopped."""
    with serving(image, volume) as (running, settings):
        kind, *command = image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        done = running.execute(*command, settings=settings)
        assert (done.returncode, done.stdout) == (0, f"http://127.0.0.1:{settings['LIVELOG_PUT_PORT']}: ok\n"), (
            done.stderr
        )
        os.kill(running.children(running.first)[0], signal.SIGSTOP)
        assert running.execute(*command, "--timeout", "0.5", settings=settings).returncode == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_to_the_first_process_ends_the_server_with_0(image: Image, volume: Path, number: signal.Signals) -> None:
    with serving(image, volume) as (running, _):
        os.kill(running.first, number)
        assert running.process.wait(TIMEOUT) == 0


def test_first_process_reaps_orphans(image: Image, volume: Path) -> None:
    """A process whose parent inside has gone becomes a child of the first one, ends, and leaves no zombie."""
    with serving(image, volume) as (running, _):
        here = ("nsenter", "--target", str(running.first), "--pid", "--")
        # The orphan ends when its input does, which is when all others have gone.
        with subprocess.Popen(
            [*here, "sh", "-c", "exec 3<&0; (cat <&3 >&2; exit 3) & :"], stdin=subprocess.PIPE
        ) as parent:
            wait_until(lambda: len(running.children(running.first)) == 2, "the orphan has come to the first process")
            assert parent.stdin is not None
            parent.stdin.close()
            wait_until(lambda: len(running.children(running.first)) == 1, "the orphan is reaped")


def test_logs_are_there_in_the_next_container_of_the_volume(image: Image, volume: Path) -> None:
    """Also if the first one was killed."""
    with serving(image, volume) as (running, settings):
        assert send(settings, "kept", b"all of it\n") == 201
        os.kill(running.first, signal.SIGKILL)  # and all others with it
        running.process.wait(TIMEOUT)
    with serving(image, volume) as (_, settings):
        assert read(settings, f"log/{READERS}/kept") == b"all of it\n"


def test_container_without_a_write_token_does_not_start_and_says_why(image: Image, volume: Path) -> None:
    """Its ports can be reached by others, since that is what a container's are for."""
    with container(image, volume, ACCESS_TOKEN=READERS, LIVELOG_PUT_PORT="0", LIVELOG_GET_PORT="0") as running:
        assert (running.ready, running.process.wait(TIMEOUT)) == ("", 78)
        assert "set LIVELOG_WRITE_TOKEN" in running.log.read_text()


def test_arguments_are_the_commands(image: Image, volume: Path) -> None:
    with container(image, volume, "--version") as running:
        assert (running.ready.split()[:2], running.process.wait(TIMEOUT)) == (["livelog", VERSION], 0)


# The Containerfile.


@pytest.mark.needs("buildah")
def test_containerfile_makes_the_same_image(tmp_path: Path) -> None:
    """Built by Buildah: its settings and its files, but for the label of who built it."""
    storage = ("--root", str(tmp_path / "storage"), "--runroot", str(tmp_path / "run"), "--storage-driver", "vfs")
    commit = settings_of(f"oci-archive:{built('livelog-image-VERSION.oci.tar')}")["Labels"][
        "org.opencontainers.image.revision"
    ]
    run(
        "buildah", *storage, "bud", "--isolation", "chroot", "--format", "docker", "--file", ROOT / "packaging/image/Containerfile",
        "--build-arg", f"VERSION={VERSION}", "--build-arg", f"COMMIT={commit}", "--tag", "livelog:test",
        "--signature-policy", policy(tmp_path), ROOT / "dist",
    )  # fmt: skip
    run(
        "buildah", *storage, "push", "--quiet", "--signature-policy", policy(tmp_path), "--format", "docker", "livelog:test",
        f"docker-archive:{tmp_path / 'image.tar'}:livelog:test",
    )  # fmt: skip
    made, ours = (
        settings_of(f"docker-archive:{tmp_path / 'image.tar'}"),
        settings_of(f"oci-archive:{built('livelog-image-VERSION.oci.tar')}"),
    )
    for label in ("io.buildah.version", "org.opencontainers.image.created"):
        made["Labels"].pop(label, None)
        ours["Labels"].pop(label, None)
    assert {name: value for name, value in made.items() if value and name in ours} == ours
    assert not [name for name in ("Cmd", "OnBuild", "Shell") if made.get(name)]
    assert files(tmp_path / "image.tar") == files(built("livelog-image-VERSION.docker.tar"))


def policy(folder: Path) -> Path:
    """A policy of signatures that takes local images: an engine's own may not be installed."""
    file = folder / "policy.json"
    file.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    return file


def files(archive: Path) -> dict[str, tuple[object, ...]]:
    """The files of an image for Docker: owners, modes and sizes."""
    found = {}
    with tarfile.open(archive) as image:
        manifest = image.extractfile("manifest.json")
        assert manifest is not None
        for layer in json.load(manifest)[0]["Layers"]:
            member = image.getmember(layer)
            with tarfile.open(fileobj=image.extractfile(member)) as content:
                for one in content:
                    found[one.name.removeprefix("./").rstrip("/")] = (
                        one.uid,
                        one.gid,
                        one.mode & 0o7777,
                        one.size,
                        one.linkname,
                    )
    return {name: facts for name, facts in found.items() if name not in ("", ".")}
