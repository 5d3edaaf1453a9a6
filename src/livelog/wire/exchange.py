"""What a handler gets: a request, and what it may do with the connection; and what a connection needs of its owner, the listener."""

from collections.abc import Callable, Coroutine
from typing import Protocol, TypeVar

from .body_reader import Buffers, Limit, Sink
from .request import Request
from .response import Response

ConnectionT_contra = TypeVar("ConnectionT_contra", contravariant=True)


class Channel(Protocol):
    """What a handler may do with the connection of a request, before it returns its answer."""

    on_lost: Callable[[], None] | None
    """Called when the connection is lost: see `link.unless_lost`."""
    broken_by: str
    """Why the server reset the connection, in words; empty: it did not."""
    blocked: bool
    """Whether bytes wait for the socket to take them."""
    ended: bool
    """Whether the peer has closed its sending side; it may still read."""
    waiting: bool
    """See `link.leaving`."""

    @property
    def is_open(self) -> bool:
        """Whether the connection can be written to."""

    @property
    def is_lost(self) -> bool:
        """Whether the connection is lost."""

    @property
    def receiving(self) -> bool:
        """Whether a body is being received."""

    @property
    def received(self) -> int:
        """Bytes of logs received over the connection."""

    def reset(self, reason: str) -> None:
        """End the connection so that what is not whole does not look whole. `reason`: why, in words, for the access log."""

    def note_log(self, name: str) -> None:
        """Name the log of the request in the access log."""

    def inform(self, head: bytes) -> None:
        """Send an interim response (RFC 9110 section 15.2). Without effect on a closed connection."""

    async def receive(
        self, request: Request, sink: Sink, *, limit: Limit | None = None, on_written: Callable[[], None] | None = None
    ) -> None:
        """Receive the body of `request` into `sink`; see `BodyReader`.

        Raises: ConnectionError, if the connection is lost; RequestError, if the framing is wrong or the limit is exceeded; DiskError.
        """


class Exchange:
    """A request, and the connection that sends its answer (RFC 9110 section 3.4)."""

    __slots__ = ("connection", "request")

    def __init__(self, request: Request, connection: Channel) -> None:
        self.request = request
        self.connection = connection


class Owner(Protocol[ConnectionT_contra]):
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

    def made(self, connection: ConnectionT_contra) -> None:
        """A connection was made."""

    def lost(self, connection: ConnectionT_contra) -> None:
        """A connection is closed, and its `stats` are complete."""
