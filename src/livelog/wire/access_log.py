"""What is logged of each connection when it is over: one line, without secrets."""

import asyncio
import logging
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class ConnectionStats:
    """What a connection was used for. `began`: on the event loop's clock, in seconds."""

    peer: str
    began: float
    requests: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    """How often each status was answered."""
    log: str | None = None
    """The name of the log that was asked for last."""
    received: int = 0
    """Bytes of logs that came from the peer."""
    sent: int = 0
    """Bytes of streamed bodies that went to the peer, framing included."""
    end: str | None = None
    """Why it ended otherwise than by an orderly close, in words."""

    def answered(self, status: int) -> None:
        """Count an answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1


def write_line(port: str, stats: ConnectionStats) -> None:
    """Log a connection to `port` that is over."""
    if not stats.requests:
        return  # a port that was tried, a connection that was kept in case: of no interest to anybody
    fields = {
        "port": port, "peer": stats.peer, "requests": stats.requests,
        "statuses": ",".join(f"{status}" if count == 1 else f"{status}*{count}" for status, count in stats.statuses.items()),
        "log": stats.log, "received": stats.received, "sent": stats.sent,
        "seconds": asyncio.get_running_loop().time() - stats.began, "end": stats.end or "closed",
    }  # fmt: skip
    logger.info("connection ended", extra={"fields": fields})
