"""What all tests share: programs that some need, and what happens where one is missing.

A test marked `needs("nginx")` fails in CI if there is no nginx, and is skipped elsewhere, which the summary tells.
`needs("root")` asks for a user who may mount file systems.
"""

import os
import shutil
import signal

import pytest

PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and have the terminal's signals do what they do in front of one."""
    config.addinivalue_line("markers", "needs(*programs): programs that must be installed, or root")
    # Jobs in the background of a script, or under nohup, ignore these, and so would all that tests start.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests whose programs this machine does not have, but not in CI, which has them all.

    The files that take longest come first, so that they are not what everybody waits for at the end.
    """
    items.sort(key=lambda item: not item.nodeid.startswith("tests/viewer/"))
    for item in items:
        needed = [program for mark in item.iter_markers("needs") for program in mark.args]
        missing = [program for program in needed if not _is_there(program)]
        if missing and not os.environ.get("CI"):
            item.add_marker(pytest.mark.skip(reason=f"NOT RUN, this machine lacks: {', '.join(missing)}"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail in CI where a program is missing, by its name rather than by what breaks without it."""
    missing = [program for mark in item.iter_markers("needs") for program in mark.args if not _is_there(program)]
    if missing:
        pytest.fail(f"not installed: {', '.join(missing)}")


def _is_there(program: str) -> bool:
    return os.geteuid() == 0 if program == "root" else shutil.which(program, path=PATH) is not None
