"""Which lease writes a name: the largest fencing number under which its logs were begun, written, ended or removed.

A log knows its own, in `LogInfo.fence`. This is about names whose log went: an older lease must not begin one either.
"""

from livelog.errors import LeaseLost

from .info import LogInfo
from .source import Source

MAX_FENCES = 10_000
"""Names without a log that are remembered: those that lost theirs last."""


class Fences:
    """The fencing numbers of names whose logs went."""

    def __init__(self) -> None:
        self._gone: dict[str, int] = {}  # the one that went first in front

    def removed(self, info: LogInfo) -> None:
        """A log went."""
        self._gone[info.name] = max(info.fence, self._gone.pop(info.name, 0))
        if len(self._gone) > MAX_FENCES:
            del self._gone[next(iter(self._gone))]

    def check(self, info: LogInfo, older: Source | None) -> None:
        """Raises: LeaseLost, if `info.fence` is too small for a log to begin where there is an `older` one of that name, or none."""
        # The older one may have begun before the log that went last.
        if info.fence < max(self._gone.get(info.name, 0), 0 if older is None else older.info.fence):
            raise LeaseLost
