"""What is long by nature: `make test` runs a part of it, and `make long` the rest."""

from collections.abc import Iterable
from typing import Any

import pytest


def sample(values: Iterable[Any], *kept: Any) -> list[Any]:
    """Parameters of a test: all `values`, of which those that are not `kept` are left to `make long`. Those kept must be among them.

    A tuple has several arguments.
    """
    every = list(values)
    assert all(value in every for value in kept), f"{kept} are not all among {every}"
    return [value if value in kept else pytest.param(*_arguments(value), marks=pytest.mark.long) for value in every]


def _arguments(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
