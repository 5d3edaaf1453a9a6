"""Fencing numbers of names whose logs were removed: an older lease must not begin a log there.

The number of a log that exists is in its `LogInfo.fence`.
"""

from livelog.errors import LeaseLost

from .info import LogInfo
from .source import Source

MAX_FENCES = 10_000
"""The largest number of names that are remembered. The name whose log was removed first is forgotten first."""


class Fences:
    """The largest fencing number of each name whose log was removed."""

    def __init__(self) -> None:
        self._gone: dict[str, int] = {}  # in the order of the removals

    def removed(self, info: LogInfo) -> None:
        """Remember the fencing number of a log that was removed."""
        self._gone[info.name] = max(info.fence, self._gone.pop(info.name, 0))
        if len(self._gone) > MAX_FENCES:
            del self._gone[next(iter(self._gone))]

    def check(self, info: LogInfo, older: Source | None) -> None:
        """Raises: LeaseLost, if `info.fence` is too small for a log to begin. `older`: the present log of its name; None: there is none."""
        # The older log may have begun before the one that was removed last.
        if info.fence < max(self._gone.get(info.name, 0), 0 if older is None else older.info.fence):
            raise LeaseLost
