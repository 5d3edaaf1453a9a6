"""What of the standalone program does not change with our sources: the program without its archive, and the standard library.

Fetched from Debian's packages and compiled once, and kept in .cache/dist/standalone until this recipe changes. Packages are unpacked there, and
not installed. Needs gcc and dpkg-dev.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
CACHE = ROOT / ".cache/dist/standalone"
DEBIAN = CACHE / "debian"
OBJECTS = CACHE / "objects"
SITE = CACHE / "site"

MODULES = {
    "_asyncio": "_asynciomodule",
    "_contextvars": "_contextvarsmodule",
    "_hashlib": "_hashopenssl",
    "_json": "_json",
    "_queue": "_queuemodule",
    "_ssl": "_ssl",
    "_typing": "_typingmodule",
    "_zoneinfo": "_zoneinfo",
    "mmap": "mmapmodule",
    "resource": "resource",
    "termios": "termios",
    "_multibytecodec": "cjkcodecs/multibytecodec",
    **{f"_codecs_{name}": f"cjkcodecs/_codecs_{name}" for name in ("cn", "hk", "iso2022", "jp", "kr", "tw")},
}
"""Extension modules of the standard library that we need, wherever Debian has them, and their sources in `Modules`."""

FLAGS = (
    "-O2",
    "-g0",
    "-fPIC",
    "-fwrapv",
    "-fstack-protector-strong",
    "-ffunction-sections",
    "-fdata-sections",
    "-DNDEBUG",
    "-w",
)


def run(*words: str | Path, **options: object) -> str:
    """Run a program. Returns its output. Raises: SystemExit, with what it said, if it fails."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return str(done.stdout)


class Debian:
    """Packages of the release of Debian that this machine runs: fetched with its own sources and keys, unpacked, and not installed."""

    def __init__(self) -> None:
        self._lists = CACHE / "lists"
        (self._lists / "partial").mkdir(parents=True, exist_ok=True)
        self._sources = CACHE / "sources"
        self._sources.mkdir(exist_ok=True)
        for path in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")):
            if path.is_file() and "debian" in (text := path.read_text(encoding="utf-8")):
                text = re.sub(r"^Types:.*", "Types: deb deb-src", text, flags=re.MULTILINE)
                text = re.sub(r"^deb (.*)", r"deb \1\ndeb-src \1", text, flags=re.MULTILINE)
                (self._sources / (path.name if path.suffix else f"{path.name}.list")).write_text(text, encoding="utf-8")
        self._apt("apt-get", "-qq", "update")
        self.python = self._field("python3", "Version").rpartition(".")[0]
        """The version of Python that this release of Debian has: 3.11, for instance."""

    def _apt(self, *words: str, folder: Path = CACHE) -> str:
        options = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self._sources,
            "Dir::State::lists": self._lists,
            "Dir::Cache": CACHE / "apt",
            "APT::Sandbox::User": "",
        }
        (CACHE / "apt/archives/partial").mkdir(parents=True, exist_ok=True)
        return run(*words, *(f"-o{name}={value}" for name, value in options.items()), cwd=folder)

    def _field(self, package: str, field: str) -> str:
        match = re.search(
            rf"^{field}: ([\d.]+)", self._apt("apt-cache", "show", "--no-all-versions", package), re.MULTILINE
        )
        assert match is not None, package
        return match[1]

    def unpack(self, *packages: str) -> dict[str, str]:
        """Unpack packages below `DEBIAN`. Returns the versions that they have."""
        folder = CACHE / "packages"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self._apt("apt-get", "-qq", "download", *packages, folder=folder)
        versions = {}
        for package in sorted(folder.glob("*.deb")):
            run("dpkg", "-x", package, DEBIAN)
            name, version = run("dpkg-deb", "-W", "--showformat=${Package} ${Version}", package).split()
            versions[name] = version
        return versions

    def source(self, package: str) -> tuple[Path, str]:
        """Unpack the newest source package that can be had. Returns its folder and its version."""
        folder = CACHE / "source"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        known = re.findall(r"^Version: (\S+)", self._apt("apt-cache", "showsrc", package), re.MULTILINE)
        newest_first: list[str] = []
        for version in known:
            place = next((n for n, other in enumerate(newest_first) if _is_newer(version, other)), len(newest_first))
            newest_first.insert(place, version)
        for version in newest_first:
            try:
                self._apt("apt-get", "-qq", "source", f"{package}={version}", folder=folder)
            except SystemExit as error:  # a mirror may tell of a package before it has it
                print(f"   {package} {version} is not to be had: {str(error).splitlines()[-1]}", file=sys.stderr)
                continue
            (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
            return unpacked, version
        sys.exit(f"no version of the source package {package} is to be had")


def _is_newer(one: str, other: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", one, "gt", other], check=False).returncode == 0


def fetch() -> dict[str, Any]:
    """Fetch and compile it, unless that has been done. Returns the versions of what it is made of."""
    known = CACHE / "parts.json"
    recipe = "".join((HERE / name).read_text(encoding="utf-8") for name in ("parts.py", "main.c")) + httptools_version()
    if known.exists():
        kept: dict[str, Any] = json.loads(known.read_text(encoding="utf-8"))
        if kept["recipe"] == recipe:
            return kept
    for program in ("gcc", "dpkg-source"):
        if shutil.which(program) is None:
            sys.exit("the standalone program needs: apt-get install gcc libc6-dev dpkg-dev")
    shutil.rmtree(CACHE, ignore_errors=True)
    OBJECTS.mkdir(parents=True)
    debian = Debian()
    python = f"python{debian.python}"
    versions = debian.unpack(
        f"lib{python}-dev", f"lib{python}-minimal", f"lib{python}-stdlib", f"{python}-minimal",
        "libssl-dev", "zlib1g-dev", "libexpat1-dev", "libbluetooth-dev",
    )  # fmt: skip
    # The C library is the one that belongs to the compiler.
    versions["libc6-dev"] = run("dpkg-query", "-W", "-f", "${Version}", "libc6-dev")
    source, source_version = debian.source(python)
    include = DEBIAN / "usr/include"
    system = (f"-I{include / python}", f"-I{include}", f"-I{next(include.glob('*-linux-gnu'))}")
    interpreter = DEBIAN / f"usr/bin/{python}"
    environment = {"PYTHONHOME": str(DEBIAN / "usr"), "PATH": os.environ["PATH"]}
    built_in = run(interpreter, "-S", "-c", "import sys; print(*sys.builtin_module_names)", env=environment).split()
    table = {}
    for name, file in MODULES.items():
        if name not in built_in:
            table[name] = f"PyInit_{name}"
            core = ("-DPy_BUILD_CORE_BUILTIN", f"-I{include / python / 'internal'}", f"-I{source / 'Modules'}")
            compile_c(source / f"Modules/{file}.c", name, *core, *system)
    table |= httptools(system)
    with (OBJECTS / "modules.h").open("w", encoding="utf-8") as header:
        header.writelines(f"extern PyObject *{function}(void);\n" for function in table.values())
        rows = "".join(f'    {{"{name}", {function}}},\n' for name, function in table.items())
        header.write(f"static struct _inittab modules[] = {{\n{rows}    {{NULL, NULL}}}};\n")
    compile_c(HERE / "main.c", "main", f"-I{OBJECTS}", *system)
    library = next((DEBIAN / "usr/lib").glob("*-linux-gnu"))
    archives = [
        *(DEBIAN / f"usr/lib/{python}").glob(f"config-*/lib{python}-pic.a"),
        *(library / f"lib{name}.a" for name in ("ssl", "crypto", "expat", "z")),
    ]
    run(
        "gcc", "-static-pie", "-s", "-Wl,--gc-sections,--build-id=none,-z,relro,-z,now,-z,noexecstack", "-o", CACHE / "program",
        *sorted(OBJECTS.glob("*.o")), *archives, "-lm",
    )  # fmt: skip
    parts: dict[str, Any] = {
        "python": debian.python,
        "packages": versions,
        "source": [python, source_version],
        "httptools": httptools_version(),
        "modules": [name for name in table if "." in name],
        "recipe": recipe,
    }
    known.write_text(json.dumps(parts), encoding="utf-8")
    return parts


def compile_c(source: Path, name: str, *options: str) -> None:
    """Compile one file."""
    run("gcc", *FLAGS, *options, "-c", source, "-o", OBJECTS / f"{name}.o")


def httptools_version() -> str:
    """The version of httptools that we are tested with."""
    match = re.search(r"^httptools==(\S+)", (ROOT / "requirements-dev.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert match is not None
    return match[1]


def httptools(system: tuple[str, ...]) -> dict[str, str]:
    """Compile httptools' extension modules. Returns their names and functions."""
    folder = CACHE / "httptools"
    pip("download", "--no-deps", "--no-binary", "httptools", "--dest", folder, f"httptools=={httptools_version()}")
    (archive,) = folder.glob("*.tar.gz")
    run("tar", "xzf", archive, "--strip-components=1", "-C", folder)
    vendor = folder / "vendor"
    llhttp = (f"-I{vendor}/llhttp/include", f"-I{vendor}/llhttp/src")
    for file in sorted((vendor / "llhttp/src").glob("*.c")):
        compile_c(file, f"llhttp_{file.stem}", *llhttp)
    compile_c(vendor / "http-parser/http_parser.c", "http_parser", f"-I{vendor}/http-parser")
    table = {}
    for name in ("parser", "url_parser"):
        table[f"httptools.parser.{name}"] = function = f"PyInit_httptools_{name}"
        options = (f"-DPyInit_{name}={function}", *llhttp, f"-I{vendor}/http-parser", *system)
        compile_c(folder / f"httptools/parser/{name}.c", f"httptools_{name}", *options)
    return table


def pip(*words: str | Path) -> None:
    """Run pip."""
    run(sys.executable, "-m", "pip", words[0], "--quiet", "--disable-pip-version-check", *words[1:])
