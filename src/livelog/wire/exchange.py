"""The exchange that a handler gets, and the interface of a connection's owner, the listener."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Protocol

from .body_reader import Buffers
from .request import Request
from .response import Response

if TYPE_CHECKING:
    from .connection import Connection


class Exchange:
    """A request, and the connection that sends its answer (RFC 9110 section 3.4)."""

    __slots__ = ("connection", "request")

    def __init__(self, request: Request, connection: "Connection") -> None:
        self.request = request
        self.connection = connection


class Owner(Protocol):
    """The owner of connections: it has accepted them, and answers their requests."""

    buffers: Buffers
    closing: bool
    """Whether no further request will be answered."""

    def respond_now(self, exchange: Exchange) -> Response | None:
        """The answer to a request that needs no wait, and is not streamed, without the cost of a task. None: call `respond`."""

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """Start a task that runs `work`."""

    async def respond(self, exchange: Exchange) -> Response:
        """Return the answer to a request. Raises: ConnectionError, if the connection is lost before."""

    def refusal(self, error: Exception, accept: str) -> Response:
        """The answer for `error`. `accept`: see `problem.answer`."""

    def made(self, connection: "Connection") -> None:
        """A connection was made."""

    def lost(self, connection: "Connection") -> None:
        """A connection is closed, and its `stats` are complete."""
