"""The access log: one line for each connection when it has ended, without secrets."""

import asyncio
import logging
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class ConnectionStats:
    """What the access log says about one connection. `began`: seconds on the event loop's clock."""

    peer: str
    began: float
    requests: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    """The number of answers, by status."""
    log: str | None = None
    """The name of the log of the last request; None: no request named one."""
    received: int = 0
    """Bytes of logs received from the peer."""
    sent: int = 0
    """Bytes of streamed bodies sent to the peer, framing included."""
    end: str | None = None
    """Why the connection broke off, in words; None: it was closed in an orderly way."""

    def answered(self, status: int) -> None:
        """Count an answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1


def write_line(port: str, stats: ConnectionStats) -> None:
    """Log a connection to `port` that is over."""
    if not stats.requests:
        return  # a port scan, or a connection that a client opened and did not use
    fields = {
        "port": port, "peer": stats.peer, "requests": stats.requests,
        "statuses": ",".join(f"{status}" if count == 1 else f"{status}*{count}" for status, count in stats.statuses.items()),
        "log": stats.log, "received": stats.received, "sent": stats.sent,
        "seconds": asyncio.get_running_loop().time() - stats.began, "end": stats.end or "closed",
    }  # fmt: skip
    logger.info("connection ended", extra={"fields": fields})
