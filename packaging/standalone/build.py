"""Builds dist/livelog: the whole program in one file, which needs nothing of the machine but a Linux kernel.

It is CPython as Debian builds it, whose static library comes from Debian's package, with those extension modules that Debian
has in files of their own compiled from Debian's source package, linked statically with OpenSSL and the C library; and behind that, in the same
file, an archive with our modules, our dependencies' and the standard library's, compiled. Why so: README.md.

Refuses to build anything else: the wheel in dist/ is what goes into it.
"""

import os
import shutil
import zipfile
from collections.abc import Iterator
from typing import Any

from components import licences
from parts import CACHE, DEBIAN, ROOT, SITE, fetch, pip, run

UNUSED = frozenset(
    [
        "__pycache__",
        "ctypes",
        "curses",
        "dbm",
        "distutils",
        "doctest",
        "ensurepip",
        "idlelib",
        "lib-dynload",
        "lib2to3",
        "msilib",
        "multiprocessing",
        "pydoc",
        "pydoc_data",
        "sitecustomize",
        "sqlite3",
        "test",
        "tests",
        "this",
        "tkinter",
        "turtle",
        "turtledemo",
        "unittest",
        "venv",
        "xmlrpc",
        "zipapp",
    ]
)
"""Modules and packages of the standard library that nothing of ours uses: what they need is not there, or they are large."""

BUILT_IN = b"""
import sys
from _frozen_importlib import BuiltinImporter, ModuleSpec, module_from_spec

module = sys.modules[__name__] = module_from_spec(ModuleSpec(__name__, BuiltinImporter, origin="built-in"))
BuiltinImporter.exec_module(module)
"""
"""A module that gives way to the extension module of its name: Python looks for those that are in packages in files only."""

COMPILE = """
import importlib.util, marshal, sys, zipfile
archive, target = sys.argv[1:]
with zipfile.ZipFile(archive) as sources, zipfile.ZipFile(target, "w") as compiled:
    for entry in sources.infolist():
        content = sources.read(entry)
        if entry.filename.endswith(".py"):
            code = compile(content, entry.filename, "exec", dont_inherit=True)
            head = importlib.util.MAGIC_NUMBER + b"\\x01\\0\\0\\0" + importlib.util.source_hash(content)
            entry.filename, content = entry.filename + "c", head + marshal.dumps(code)
        compiled.writestr(entry, content)
"""
"""Run by the interpreter that the program has inside: an archive of sources becomes one of compiled modules (PEP 552, unchecked)."""


def files(parts: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """What goes into the archive: names and contents."""
    shutil.rmtree(SITE, ignore_errors=True)
    (wheel,) = (ROOT / "dist").glob("livelog_server-*.whl")
    version = ("--only-binary", ":all:", "--python-version", str(parts["python"]))
    pip("install", "--no-compile", "--target", SITE, *version, "--constraint", ROOT / "requirements-dev.txt", wheel)
    extensions = {name.replace(".", "/") + ".py" for name in parts["modules"]}
    yield from ((name, BUILT_IN) for name in extensions)
    yield "livelog/commit.txt", os.environ["COMMIT"].encode()
    yield "LICENSES.txt", licences(os.environ["VERSION"]).encode()
    yield "livelog/page/livelog.pyz", (ROOT / "dist/livelog.pyz").read_bytes()
    for root in (DEBIAN / f"usr/lib/python{parts['python']}", SITE):
        for path in root.rglob("*"):
            name = path.relative_to(root)
            if path.is_file() and not UNUSED & {name.parts[0], name.stem} and not name.parts[0].startswith("config-"):
                wanted = path.suffix == ".py" or (root == SITE and name.parts[0] == "livelog")
                if wanted and str(name) not in extensions:
                    yield str(name), path.read_bytes()


def main() -> None:
    """Build it."""
    parts = fetch()
    sources, compiled, result = CACHE / "sources.zip", CACHE / "compiled.zip", ROOT / "dist/livelog"
    with zipfile.ZipFile(sources, "w") as archive:
        for name, content in sorted(files(parts)):
            archive.writestr(zipfile.ZipInfo(name), content)  # the time is that of the first of all archives
    interpreter = DEBIAN / f"usr/bin/python{parts['python']}"
    run(interpreter, "-S", "-P", "-c", COMPILE, sources, compiled, env={"PYTHONHOME": str(DEBIAN / "usr")})
    with zipfile.ZipFile(sources) as archive:
        (ROOT / "dist/LICENSES.txt").write_bytes(archive.read("LICENSES.txt"))
    result.unlink(missing_ok=True)
    result.write_bytes((CACHE / "program").read_bytes() + compiled.read_bytes())
    result.chmod(0o755)


if __name__ == "__main__":
    main()
