"""Which resources a port has, and which methods each of them has. No I/O.

The table decides 404 for an unknown path, 405 for a method that the resource does not have, and the value of Allow. (`wire.head` has
answered a method that no resource has with 501 before.) Tokens are not checked here: handlers do that after `find` and before `handler`.
"""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from . import problem
from .problem import Problem

H = TypeVar("H")


class Resource(Generic[H]):
    """A resource: a handler for each of its methods. `refusal`: the error for any other method."""

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
    """The resources of a port, by the first segment of their paths. `refusal`: the error for any other path."""

    def __init__(self, resources: Mapping[str, Resource[H]], refusal: Problem) -> None:
        self._resources = resources
        self._refusal = refusal

    def find(self, path: str) -> tuple[str, str, Resource[H]]:
        """Returns the first segment of `path`, the rest from the next slash on, and the resource. Raises: RequestError (404)."""
        name, slash, rest = path.removeprefix("/").partition("/")
        resource = self._resources.get(name)
        if resource is None:
            raise self._refusal.error()
        return name, slash + rest, resource

    def __getitem__(self, name: str) -> Resource[H]:
        return self._resources[name]
