"""What is long by nature: `make test` runs a part of it, and `make long` the rest."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import settings


def examples(count: int) -> settings:
    """For a property test: `count` examples, where others try a hundred; see `tests/conftest.py`."""
    return settings(max_examples=max(5, count * settings().max_examples // 100))


def sample(values: Iterable[Any], *kept: Any) -> list[Any]:
    """Parameters of a test: all `values`, of which those that are not `kept` are left to `make long`. Those kept must be among them.

    A tuple has several arguments.
    """
    every = list(values)
    assert all(value in every for value in kept), f"{kept} are not all among {every}"
    return [value if value in kept else _long(value) for value in every]


def one_of(step: int, values: Iterable[Any]) -> list[Any]:
    """Parameters of a test: all `values`, of which those between the first, and each `step`-th behind it, are left to `make long`."""
    return [_long(value) if place % step else value for place, value in enumerate(values)]


def _long(value: Any) -> Any:
    """A parameter that is left to `make long`, and stays what else it is."""
    if isinstance(value, type(pytest.param())):
        return pytest.param(*value.values, marks=(*value.marks, pytest.mark.long), id=value.id)
    return pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.long)
