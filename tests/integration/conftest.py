"""A server for all tests of a file, and logs of their own in it."""

from collections.abc import Iterator

import pytest

from tests.harness import Server

from .servers import running
from .uploads import LARGEST, new_name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server, with a data directory, for all tests of a file: whatever one does, the next one finds it unharmed."""
    with running({"LIVELOG_DATA_DIR": str(tmp_path_factory.mktemp("data"))}) as server:
        yield server


@pytest.fixture(scope="module")
def limited() -> Iterator[Server]:
    """A server that takes small logs only, of at most `LARGEST` bytes, and keeps them no longer than it runs."""
    with running({"LIVELOG_MAX_LOG_SIZE": str(LARGEST)}) as server:
        yield server


@pytest.fixture
def name() -> str:
    """A log of this test's own."""
    return new_name()
