"""What all tests share: programs that some need, what happens where one is missing, and what is left to `make long`.

A test marked `needs("nginx")` fails in CI if there is no nginx, and is skipped elsewhere, which the summary tells.
`needs("root")` asks for a user who may mount file systems.

A test marked `long` takes long by nature: `make test` leaves it to `make long`, and tells so at its end.

A property test tries a hundred examples; with the option `--hypothesis-profile=short`, as in `make test`, a quarter of them; with `shortest`,
as in `make quick`, a tenth. It has no deadline for one example, and examples may take long to draw, since the machine may be busy. Where
`CI` is set, hypothesis takes its own profile as the base, which always tries the same examples.
"""

import fcntl
import gc
import itertools
import os
import shutil
import signal
from collections import Counter
from collections.abc import Generator, Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

settings.register_profile("whole", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("short", settings.get_profile("whole"), max_examples=25)
settings.register_profile("shortest", settings.get_profile("whole"), max_examples=10)
settings.load_profile("whole")

WAITING = ("viewer", "chaos")
"""Folders of tests that wait most of the time."""

LONGEST = ("e2e", "conformance", "client", "integration", "cost", "seam")
"""Folders of the others, those whose files take longest first; files of any other take a moment."""

LEFT = pytest.StashKey[Counter[str]]()
"""How many tests of each file were left to `make long`."""

PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, keep what hypothesis remembers in `.cache`, and have the terminal's signals do what they do in front of one."""
    config.addinivalue_line("markers", "needs(*programs): programs that must be installed, or root")
    config.addinivalue_line("markers", "long: takes long by nature; `make test` leaves it to `make long`")
    config.stash[LEFT] = Counter()
    set_hypothesis_home_dir(config.rootpath / ".cache" / "hypothesis")
    # Jobs in the background of a script, or under nohup, ignore these, and so would all that tests start.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests whose programs this machine does not have, but not in CI, which has them all.

    The files that take longest come first, so that they are not what everybody waits for at the end; and files whose tests wait most
    of the time, for a browser, take turns with files whose tests compute.
    """
    files = list(dict.fromkeys(_file_of(item) for item in items))
    waiting = [file for file in reversed(files) if _folder_of(file) in WAITING]
    computing = sorted((file for file in files if _folder_of(file) not in WAITING), key=_place_of)
    pairs = itertools.chain.from_iterable(itertools.zip_longest(waiting, computing))
    places = {file: place for place, file in enumerate(file for file in pairs if file is not None)}
    items.sort(key=lambda item: places[_file_of(item)])
    for item in items:
        needed = [program for mark in item.iter_markers("needs") for program in mark.args]
        missing = [program for program in needed if not _is_there(program)]
        if missing and not os.environ.get("CI"):
            item.add_marker(pytest.mark.skip(reason=f"NOT RUN, this machine lacks: {', '.join(missing)}"))


def _file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _folder_of(file: str) -> str:
    return file.split("/")[1] if file.count("/") > 1 else ""


def _place_of(file: str) -> int:
    folder = _folder_of(file)
    return LONGEST.index(folder) if folder in LONGEST else len(LONGEST)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Have the garbage collector never look at ten thousand tests: none of them goes before the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, object, object]:
    """Have one worker at a time import a file: the others find the bytecode, which takes longer to make than to run most tests."""
    if not isinstance(collector, pytest.Module):
        return (yield)
    with collector.path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail in CI where a program is missing, by its name rather than by what breaks without it."""
    missing = [program for mark in item.iter_markers("needs") for program in mark.args if not _is_there(program)]
    if missing:
        pytest.fail(f"not installed: {', '.join(missing)}")


@cache
def _is_there(program: str) -> bool:
    return os.geteuid() == 0 if program == "root" else shutil.which(program, path=PATH) is not None


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Note what is left to `make long`."""
    for item in items:
        if item.get_closest_marker("long") is not None:
            item.config.stash[LEFT][item.nodeid.partition("::")[0]] += 1


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each worker of xdist has left the same tests."""
    left: dict[str, int] = getattr(node, "workeroutput", {}).get("left_to_make_long", {})
    node.config.stash[LEFT] = Counter(left)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Have a worker of xdist tell what it has left."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        left = session.config.stash[LEFT]
        output["left_to_make_long"] = dict(left)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left to `make long`."""
    left = terminalreporter.config.stash[LEFT]
    if left:
        terminalreporter.write_sep("=", f"{left.total()} tests are left to `make long`")
        for file, count in sorted(left.items()):
            terminalreporter.write_line(f"{count:5} of {file}")
