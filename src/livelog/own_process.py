"""Child processes of livelog: the command lines of the scanner, and of the server of one `livelog run`.

A child calls `main` of a livelog module with the interpreter and the `sys.path` of this process. That works in every form of
installation: a wheel, an editable tree, a zip archive (zipapp, shiv, pex), and the standalone program, which has no interpreter and is
started again itself.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

BOOT = "import sys; from importlib import import_module; name, count = sys.argv[1:3]; sys.path[:] = sys.argv[3 : 3 + int(count)]; "
BOOT += "sys.argv[1:] = sys.argv[3 + int(count) :]; sys.exit(import_module(name).main())"
"""The program for `python -c`. Its arguments: the module's name, the number of folders in `sys.path`, the folders, the module's arguments."""

STANDALONE = "-m"
"""The argument that has the standalone program run a module of livelog. The module's name and arguments follow."""


def command(module: str, *words: str) -> tuple[str, ...]:
    """The command line of a process that calls `main()` of `module` with `words` as `sys.argv[1:]`.

    The child ignores Python's environment variables, and imports from no folder that this process does not import from.
    """
    if standalone():
        return (sys.executable, STANDALONE, module, *words)
    # -I: no variables, no folder of the user's or of the script's; -S: all folders are in the path that it is given.
    options = ("-I", "-S", *(("-B",) if sys.flags.dont_write_bytecode else ()))
    path = search_path()
    return (sys.executable, *options, "-c", BOOT, module, str(len(path)), *path, *words)


def standalone() -> bool:
    """Whether this is the standalone program, which has no interpreter beside it."""
    return getattr(sys, "frozen", False) is not False


def main(words: Sequence[str]) -> int:
    """The standalone program's part of `command`: call `main()` of the module `words[0]`. Returns the exit code."""
    sys.argv[1:] = words[1:]
    return int(import_module(words[0]).main() or 0)


def exists(module: str) -> bool:
    """Whether a module of livelog is installed: `livelog.pyz` has only those of the client."""
    return find_spec(module) is not None


def search_path() -> list[str]:
    """`sys.path` as absolute paths, with the folder of the livelog package added at the end if no other has it."""
    # An import hook has found the package if no folder does.
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = [os.path.abspath(one) for one in sys.path if isinstance(one, str)]
    return path if home in path else [*path, home]


@contextmanager
def nowhere() -> Iterator[int]:
    """A descriptor for output that is discarded: /dev/null; in a root directory without devices, a pipe without a reader."""
    try:
        fd = os.open(os.devnull, os.O_RDWR)
    except OSError:
        reader, fd = os.pipe()
        os.close(reader)
    try:
        yield fd
    finally:
        os.close(fd)
