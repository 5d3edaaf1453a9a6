"""The packages: installed for real into an empty Debian, unpacked as other systems do, and what is in them, by the tools that use it.

Categories: deb: installed, upgraded, removed, purged · rpm · apk · the unit · settings and secrets · man pages · completion.
"""

import gzip
import os
import re
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from livelog import cli, config
from tests.harness import reserved_port

from .artefacts import ROOT, TIMEOUT, VERSION, built, run

EXPOSURE = 2.0
"""The most that systemd may find to be exposed, of 10."""

SHARED = {
    "/usr/bin/livelog",
    "/etc/livelog/livelog.env",
    "/usr/share/bash-completion/completions/livelog",
    "/usr/share/fish/vendor_completions.d/livelog.fish",
    "/usr/share/doc/livelog/copyright",
    "/usr/share/doc/livelog/CHANGELOG.md.gz",
    "/usr/share/doc/livelog/LICENSES.txt",
    "/usr/share/man/man1/livelog.1.gz",
    *(f"/usr/share/man/man1/livelog-{name}.1.gz" for name in cli.parsers()),
}
"""What each package has."""

as_root = pytest.mark.needs("root", "mmdebstrap", "chroot")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the package for Debian."""
    folder = tmp_path_factory.mktemp("unpacked")
    run("dpkg-deb", "-x", built("livelog_VERSION_amd64.deb"), folder)
    return folder


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root directory with the smallest Debian, in which the package is installed."""
    root = tmp_path_factory.mktemp("debian") / "root"
    sources = next(
        path for path in map(Path, ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")) if path.exists()
    )
    suite = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.MULTILINE)
    assert suite is not None
    words = ("mmdebstrap", "--quiet", "--variant=essential", "--include=passwd", suite[1], root, sources)
    assert subprocess.run(words, timeout=240).returncode == 0
    shutil.copy(built("livelog_VERSION_amd64.deb"), root / "livelog.deb")
    return root


def inside(root: Path, *words: str, code: int = 0) -> str:
    """What a command writes in a root directory, without the variables of this process."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    command: list[str | Path] = [shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin") or "chroot", root, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def variables(*files: Path) -> dict[str, str]:
    """The variables that files of settings set."""
    lines = (line for file in files for line in file.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


# For Debian.


@as_root
def test_deb_is_installed_serves_is_upgraded_removed_and_purged(debian: Path) -> None:
    """Its whole life, by dpkg. The secrets are of the first installation; the logs outlive all of it."""
    told = inside(debian, "dpkg", "-i", "/livelog.deb")
    assert "systemctl enable --now livelog" in told
    assert inside(debian, "livelog", "--short-version") == f"{VERSION}\n"
    (user,) = (line for line in (debian / "etc/passwd").read_text().splitlines() if line.startswith("livelog:"))
    secrets = debian / "etc/livelog/secrets.env"
    assert (secrets.stat().st_mode & 0o777, secrets.stat().st_uid) == (0o600, 0)
    before = secrets.read_text()
    assert re.search(r"^ACCESS_TOKEN=[0-9a-f]{32}$", before, re.MULTILINE)
    with (debian / "etc/livelog/livelog.env").open("a") as settings:
        settings.write("LIVELOG_MAX_LOGS=7\n")
    uid, gid = map(int, user.split(":")[2:4])
    logs = debian / "var/lib/livelog"
    logs.mkdir(mode=0o700)  # as StateDirectory= does
    os.chown(logs, uid, gid)
    serve(debian, uid, gid, variables(debian / "etc/livelog/livelog.env", secrets))
    inside(debian, "dpkg", "-i", "/livelog.deb")
    assert secrets.read_text() == before
    assert "LIVELOG_MAX_LOGS=7" in (debian / "etc/livelog/livelog.env").read_text()
    inside(debian, "dpkg", "--remove", "livelog")
    assert secrets.read_text() == before
    assert not (debian / "usr/bin/livelog").exists()
    inside(debian, "dpkg", "--purge", "livelog")
    assert not (debian / "etc/livelog/secrets.env").exists()
    assert list(logs.glob("logs/kept/*.log"))


def serve(root: Path, uid: int, gid: int, settings: Mapping[str, str]) -> None:
    """Start the installed server as its user, as the unit says; send a log, read it, and stop the server."""
    unit = (root / "lib/systemd/system/livelog.service").read_text()
    (command,) = re.findall("^ExecStart=(.*)$", unit, re.MULTILINE)
    environment = dict(line.split("=", 1) for line in re.findall("^Environment=(.*)$", unit, re.MULTILINE)) | dict(
        settings
    )
    chroot = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin") or "chroot"
    with reserved_port() as put, reserved_port() as get:
        environment |= {"LIVELOG_PUT_PORT": str(put), "LIVELOG_GET_PORT": str(get), "PATH": os.environ["PATH"]}
        with subprocess.Popen(
            [chroot, f"--userspec={uid}:{gid}", "--groups=", root, *command.split()],
            env=environment, stdout=subprocess.PIPE, text=True,
        ) as server:  # fmt: skip
            try:
                assert server.stdout is not None
                assert server.stdout.readline().startswith(f"livelog {VERSION} ready: ")
                client = {
                    "LIVELOG_SERVER": f"http://localhost:{put}",
                    "LIVELOG_PUBLIC_URL": f"http://localhost:{get}",
                    "HOME": "/",
                }
                program = root / "usr/bin/livelog"
                subprocess.run(
                    [program, "push", "-q", "--name", "kept"],
                    input=b"one line\n",
                    env=client,
                    check=True,
                    timeout=TIMEOUT,
                )
                shown = subprocess.run(
                    [program, "tail", "kept"],
                    env=client | {"ACCESS_TOKEN": settings["ACCESS_TOKEN"]},
                    capture_output=True,
                    timeout=TIMEOUT,
                )
                assert (shown.returncode, shown.stdout) == (0, b"one line\n"), shown.stderr
                server.send_signal(signal.SIGTERM)
                assert server.wait(TIMEOUT) == 0
            finally:
                server.kill()


def test_deb_has_its_files_and_no_error_that_debian_knows(unpacked: Path) -> None:
    files = {f"/{path.relative_to(unpacked)}" for path in unpacked.rglob("*") if not path.is_dir()}
    own = {
        "/lib/systemd/system/livelog.service", "/usr/lib/sysusers.d/livelog.conf", "/usr/share/zsh/vendor-completions/_livelog",
        "/usr/share/doc/livelog/changelog.gz", "/usr/share/lintian/overrides/livelog",
    }  # fmt: skip
    assert files == SHARED | own
    deb = built("livelog_VERSION_amd64.deb")
    assert (
        run("dpkg-deb", "--field", deb, "Package", "Version", "Architecture")
        == f"Package: livelog\nVersion: {VERSION}\nArchitecture: amd64\n"
    )


@pytest.mark.needs("lintian")
def test_lintian_finds_no_error() -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error", built("livelog_VERSION_amd64.deb")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout


# For others.


@pytest.mark.needs("rpm", "rpm2cpio", "cpio")
def test_rpm_has_its_files_scripts_and_settings_that_an_upgrade_keeps(tmp_path: Path) -> None:
    rpm = built("livelog-VERSION-1.x86_64.rpm")
    own = {
        "/usr/lib/systemd/system/livelog.service",
        "/usr/lib/sysusers.d/livelog.conf",
        "/usr/share/zsh/site-functions/_livelog",
    }
    assert set(run("rpm", "-qpl", rpm).split()) == SHARED | own
    assert run("rpm", "-qp", "--configfiles", rpm).split() == ["/etc/livelog/livelog.env"]
    assert run("rpm", "-qp", "--queryformat", "%{NAME} %{VERSION} %{LICENSE}", rpm) == f"livelog {VERSION} MPL-2.0"
    scripts = run("rpm", "-qp", "--scripts", rpm)
    for name in ("postinstall", "preremove", "postremove"):
        assert (ROOT / "packaging/packages" / name).read_text().strip() in scripts
    archive = subprocess.run(["rpm2cpio", rpm], capture_output=True, timeout=TIMEOUT, check=True).stdout
    subprocess.run(["cpio", "-idm", "--quiet"], input=archive, cwd=tmp_path, timeout=TIMEOUT, check=True)
    assert run(tmp_path / "usr/bin/livelog", "--short-version") == f"{VERSION}\n"


def test_apk_has_its_files_and_a_service_for_openrc(tmp_path: Path) -> None:
    with tarfile.open(
        built("livelog_VERSION_x86_64.apk"), ignore_zeros=True
    ) as archive:  # three archives, one behind the other
        archive.extractall(tmp_path, filter="data")
    files = {f"/{path.relative_to(tmp_path)}" for path in tmp_path.rglob("*") if not path.is_dir()}
    own = {"/etc/init.d/livelog", "/usr/share/zsh/site-functions/_livelog"}
    assert {name for name in files if not name.startswith("/.")} == SHARED | own
    facts = dict(line.split(" = ", 1) for line in (tmp_path / ".PKGINFO").read_text().splitlines() if " = " in line)
    assert (facts["pkgname"], facts["pkgver"], facts["arch"]) == ("livelog", VERSION, "x86_64")
    assert run(tmp_path / "usr/bin/livelog", "--short-version") == f"{VERSION}\n"
    run("sh", "-n", tmp_path / "etc/init.d/livelog")


@pytest.mark.parametrize("name", ["postinstall", "preremove", "postremove"])
def test_scripts_are_of_the_shell_that_every_system_has(name: str) -> None:
    run("dash", "-n", ROOT / "packaging/packages" / name)


# The unit.


@pytest.fixture(scope="module")
def unit(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unit, with the program where it was unpacked."""
    text = (unpacked / "lib/systemd/system/livelog.service").read_text()
    file = tmp_path_factory.mktemp("unit") / "livelog.service"
    file.write_text(text.replace("/usr/bin/livelog", str(unpacked / "usr/bin/livelog")))
    return file


@pytest.mark.needs("systemd-analyze", "man")
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path, unpacked: Path) -> None:
    """Nor with the man pages that it names."""
    done = subprocess.run(
        ["systemd-analyze", "verify", unit],
        env={**os.environ, "MANPATH": str(unpacked / "usr/share/man")}, capture_output=True, text=True, timeout=TIMEOUT,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.needs("systemd-analyze")
def test_unit_exposes_little(unit: Path) -> None:
    told = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    match = re.search(r"Overall exposure level for livelog.service: ([0-9.]+)", told)
    assert match is not None
    assert float(match[1]) <= EXPOSURE


def test_unit_is_not_started_again_for_what_would_fail_again(unpacked: Path) -> None:
    """The exit codes of usage and of wrong settings; not 69: a port may be free later."""
    text = (unpacked / "lib/systemd/system/livelog.service").read_text()
    assert "RestartPreventExitStatus=2 64 65 66 67 78\n" in text


# Settings.


def test_each_setting_has_its_line_in_the_file_or_is_a_secret(unpacked: Path) -> None:
    """As a comment with its default, which the server takes as it stands."""
    text = (unpacked / "etc/livelog/livelog.env").read_text()
    lines = dict(re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE))
    known = {setting.metadata["variable"] for setting in fields(config.Settings)}
    assert set(lines) == known - {"ACCESS_TOKEN", "LIVELOG_WRITE_TOKEN"}
    assert not re.search("^[^#\n]", text, re.MULTILINE)
    given = config.load({"ACCESS_TOKEN": "secret", **lines}, {})
    expected = config.load({"ACCESS_TOKEN": "secret", "LIVELOG_DATA_DIR": "/var/lib/livelog"}, {})
    assert given == expected


# Man pages.


def pages(unpacked: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((unpacked / "usr/share/man/man1").iterdir()):
        yield path.name.removesuffix(".1.gz"), gzip.decompress(path.read_bytes()).decode()


@pytest.mark.needs("groff", "mandoc")
def test_man_pages_are_without_a_fault_for_both_programs_that_show_them(unpacked: Path, tmp_path: Path) -> None:
    for name, text in pages(unpacked):
        page = tmp_path / f"{name}.1"
        page.write_text(text)
        done = subprocess.run(
            ["groff", "-man", "-ww", "-z", "-Kutf8", "-Tutf8", page], capture_output=True, text=True, timeout=TIMEOUT
        )
        assert (done.returncode, done.stderr) == (0, ""), name
        done = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, timeout=TIMEOUT
        )
        assert (done.returncode, done.stdout) == (0, ""), name


@pytest.mark.needs("mandoc")
def test_man_pages_show_what_help_shows(unpacked: Path, tmp_path: Path) -> None:
    """Each option with its explanation, and each example as it can be typed."""
    shown = {}
    for name, text in pages(unpacked):
        page = tmp_path / f"{name}.1"
        page.write_text(text)
        shown[name] = run("mandoc", "-T", "ascii", "-O", "width=200", page)
    plain = {name: re.sub(".\b", "", text) for name, text in shown.items()}
    for name, parser in cli.parsers().items():
        words = " ".join(plain[f"livelog-{name}"].split())
        for action in parser._actions:
            for option in action.option_strings:
                assert option in words, (name, option)
            assert " ".join((action.help or "").split()).replace("%%", "%") in words, (name, action.dest)
        for example in re.findall(r"^  (\S.*)$", parser.description or "", re.MULTILINE):
            assert " ".join(example.split()) in words, (name, example)
        assert f"livelog-{name}(1)" in plain["livelog"]


# Completion.


@pytest.mark.parametrize(
    ("shell", "file", "script"),
    [
        ("bash", "usr/share/bash-completion/completions/livelog", 'source "$0"; COMP_WORDS=(livelog heal); COMP_CWORD=1; _livelog; echo "${COMPREPLY[@]}"'),
        pytest.param(
            "fish", "usr/share/fish/vendor_completions.d/livelog.fish", 'source $argv[1]; complete -C "livelog heal"',
            marks=pytest.mark.needs("fish"),
        ),
        pytest.param(
            "zsh", "usr/share/zsh/vendor-completions/_livelog",
            "fpath=(${0:h} $fpath); autoload -Uz compinit; compinit -u -D; echo ${_comps[livelog]}; head -1 $0",
            marks=pytest.mark.needs("zsh"),
        ),
    ],
)  # fmt: skip
def test_completion_is_where_the_shell_looks_and_is_the_programs(
    unpacked: Path, shell: str, file: str, script: str
) -> None:
    words = {"bash": ("--norc", "-c"), "fish": ("--no-config", "-c"), "zsh": ("-f", "-c")}[shell]
    told = run(shell, *words, script, unpacked / file)
    assert ("_livelog\n#compdef livelog" if shell == "zsh" else "health") in told
    assert (unpacked / file).read_text() == run(unpacked / "usr/bin/livelog", "completion", shell)
