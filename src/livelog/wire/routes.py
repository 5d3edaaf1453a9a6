"""Which resources a port has, and which methods each of them has. No I/O.

What follows from such a table is decided here: 404 for another path, 405 with Allow for another method, and what Allow
says. (A method that no resource has is answered with 501 before, by `wire.head`.) Refuses to know who may ask: that comes
between the path and the method.
"""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from . import problem
from .problem import Problem

H = TypeVar("H")


class Resource(Generic[H]):
    """What there is at a path: a handler for each method. `refusal`: the error of another method."""

    def __init__(self, handlers: Mapping[str, H], refusal: Problem = problem.READ_ONLY) -> None:
        self._handlers = handlers
        self._refusal = refusal

    def handler(self, method: str) -> H:
        """The handler for that method. Raises: RequestError (405), with Allow."""
        handler = self._handlers.get(method)
        if handler is None:
            raise self._refusal.error({"Allow": self.allow()})
        return handler

    def allow(self, without: Iterable[str] = ()) -> str:
        """What the Allow field says (RFC 9110 section 10.2.1), of all methods or all but some."""
        return ", ".join(sorted(set(self._handlers) - set(without)))


class Routes(Generic[H]):
    """The resources of a port, by the first segment of their paths. `refusal`: the error of another path."""

    def __init__(self, resources: Mapping[str, Resource[H]], refusal: Problem) -> None:
        self._resources = resources
        self._refusal = refusal

    def find(self, path: str) -> tuple[str, str, Resource[H]]:
        """The first segment of a path, what follows it from the slash on, and what there is. Raises: RequestError (404)."""
        name, slash, rest = path.removeprefix("/").partition("/")
        resource = self._resources.get(name)
        if resource is None:
            raise self._refusal.error()
        return name, slash + rest, resource

    def __getitem__(self, name: str) -> Resource[H]:
        return self._resources[name]
