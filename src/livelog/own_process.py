"""How this program starts processes of its own: the scanner, and the server of one `livelog run`.

A process runs `main` of one of our modules with the interpreter and the `sys.path` of this process, whatever has been installed: a wheel,
an editable tree, a zip archive (zipapp, shiv, pex), or the standalone program, which has no interpreter beside it and is started
again itself. Refuses to know what the modules do.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

BOOT = "import sys; from importlib import import_module; name, count = sys.argv[1:3]; sys.path[:] = sys.argv[3 : 3 + int(count)]; "
BOOT += "sys.argv[1:] = sys.argv[3 + int(count) :]; sys.exit(import_module(name).main())"
"""What the interpreter is told to do with: the module's name, how many folders `sys.path` has, these, the module's own words."""

STANDALONE = "-m"
"""The word by which the standalone program is told to run one of our modules: the module's name and its own words follow."""


def command(module: str, *words: str) -> tuple[str, ...]:
    """The command line of a process that calls `main()` of `module`, which finds `words` in `sys.argv[1:]`.

    No variable of the environment has a say in it, and no folder that this process would not import from.
    """
    if standalone():
        return (sys.executable, STANDALONE, module, *words)
    # -I: no variables, no folder of the user's or of the script's; -S: all folders are in the path that it is given.
    options = ("-I", "-S", *(("-B",) if sys.flags.dont_write_bytecode else ()))
    path = search_path()
    return (sys.executable, *options, "-c", BOOT, module, str(len(path)), *path, *words)


def standalone() -> bool:
    """Whether this is the standalone program: there is no interpreter to be started, only itself."""
    return getattr(sys, "frozen", False) is not False


def main(words: Sequence[str]) -> int:
    """What the standalone program does for `command`: call `main()` of the module `words[0]`. Returns the exit code."""
    sys.argv[1:] = words[1:]
    return int(import_module(words[0]).main() or 0)


def exists(module: str) -> bool:
    """Whether one of our modules is installed: `livelog.pyz` has those of the client alone."""
    return find_spec(module) is not None


def search_path() -> list[str]:
    """`sys.path` as absolute paths, at the end of which our package is found in any case."""
    # An import hook has found the package if no folder does.
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = [os.path.abspath(one) for one in sys.path if isinstance(one, str)]
    return path if home in path else [*path, home]


@contextmanager
def nowhere() -> Iterator[int]:
    """A descriptor for output that nobody wants: /dev/null, or, in a root directory without devices, a pipe without a reader."""
    try:
        fd = os.open(os.devnull, os.O_RDWR)
    except OSError:
        reader, fd = os.pipe()
        os.close(reader)
    try:
        yield fd
    finally:
        os.close(fd)
