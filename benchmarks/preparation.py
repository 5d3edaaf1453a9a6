"""What all runs share, and what is made once before the first: the C programs, a certificate, a place for logs, warm memory.

It refuses to begin (`SystemExit`) without a C compiler, or with a program that cannot be compiled. What else a machine
lacks (OpenSSL, tmpfs) is no error: the caller is told, or a warning is written, and the benchmarks go on with less.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"


@dataclass(frozen=True)
class Bench:
    """What all runs share.

    Each run makes its folder in `log_folder`; data directories of several runs are in `data_folder`. `certificate` and `key`
    are None when TLS workloads have to be skipped.
    """

    loadgen: Path
    log_folder: Path
    quick: bool
    data_folder: Path
    certificate: Path | None = None
    key: Path | None = None


def say(text: str) -> None:
    """Tell of progress on stderr: stdout is for the table."""
    print(text, file=sys.stderr, flush=True)


def build() -> tuple[Path, Path, bool]:
    """Compile both C programs; return yardstick, loadgen, and whether loadgen speaks TLS. Raises: SystemExit."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise SystemExit("benchmarks need a C compiler (cc, gcc or clang), and there is none on PATH")
    BUILD.mkdir(exist_ok=True)

    def compiled(name: str, *options: str) -> bool:
        fresh = BUILD / f"{name}.{os.getpid()}"  # replaced whole: another run may be using the old one
        command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(fresh), str(HERE / f"{name}.c"), *options]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode and not options:
            raise SystemExit(f"cannot compile {name}.c:\n{done.stderr}")
        if done.returncode == 0:
            fresh.replace(BUILD / name)
        return done.returncode == 0

    compiled("yardstick")
    has_tls = compiled("loadgen", "-DUSE_OPENSSL", "-lssl", "-lcrypto") or not compiled("loadgen")
    return BUILD / "yardstick", BUILD / "loadgen", has_tls


def make_certificate(folder: Path) -> tuple[Path, Path] | None:
    """A self-signed certificate and its key, or None without `openssl`."""
    certificate, key = folder / "server.crt", folder / "server.key"
    if not shutil.which("openssl"):
        return None
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command = ["openssl", "req", "-x509", *kind, *subject, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def choose_log_folder(quick: bool) -> Path:
    """Tmpfs, so that CPU figures hold no disk write-back; the system's temporary folder, with a warning, where it is too small."""
    tmpfs = Path("/dev/shm")
    needed = 200e6 if quick else 3e9
    if tmpfs.is_dir() and os.access(tmpfs, os.W_OK) and shutil.disk_usage(tmpfs).free >= needed:
        return tmpfs
    say(f"WARNING: no tmpfs with {needed / 1e9:.1f} GB free at {tmpfs}: logs go to disk, and CPU figures hold its cost")
    return Path(tempfile.gettempdir())


def warm_memory(folder: Path) -> None:
    """Touch most of the free memory once: a virtual machine pays for its first touch, and the first server would pay for all."""
    available = next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/meminfo").read_text().splitlines()
        if line.startswith("MemAvailable")
    )
    size = int(0.6 * min(available, shutil.disk_usage(folder).free))
    say(f"warming {size / 1e9:.0f} GB of memory ...")
    zeros = bytes(1 << 20)
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(size >> 20):
            file.write(zeros)
