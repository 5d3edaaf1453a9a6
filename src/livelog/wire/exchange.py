"""One request and its answer, as handlers see them; and what a connection asks of whoever has accepted it."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Protocol

from .body_reader import Buffers
from .request import Request
from .response import Response

if TYPE_CHECKING:
    from .connection import Connection


class Exchange:
    """One request and its answer, and the connection by which they go."""

    __slots__ = ("connection", "request")

    def __init__(self, request: Request, connection: "Connection") -> None:
        self.request = request
        self.connection = connection


class Owner(Protocol):
    """Whoever has accepted a connection."""

    buffers: Buffers
    closing: bool
    """Whether no further request will be answered."""

    def respond_now(self, exchange: Exchange) -> Response | None:
        """The answer to a request, if that takes no waiting and is not streamed: it costs no task. Else None: `respond` gives it."""

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """Do `work` in a task."""

    async def respond(self, exchange: Exchange) -> Response:
        """Return the answer to a request. Raises: ConnectionError, if the connection is lost before."""

    def refusal(self, error: Exception, accept: str) -> Response:
        """The answer that tells of `error`; see `problem.answer` for `accept`."""

    def made(self, connection: "Connection") -> None:
        """A connection was made."""

    def lost(self, connection: "Connection") -> None:
        """A connection is closed, and its `stats` are complete."""
