"""One log as a JSON object: what `LogInfo` knows, its state and size. No I/O.

`changed` is the time of the last byte; `lines` is how many there are, if somebody has asked for lines before. All of it is as of one moment.
"""

from collections.abc import Sequence

from .info import now, timestamp
from .source import Source


def describe_alone(journal: Source, attempts: Sequence[Source]) -> dict[str, object]:
    """One log that is asked for by itself: `describe`, how long, and all logs of its name, the newest in front."""
    return {**describe(journal), **durations(journal), "attempts": describe_attempts(attempts)}


def describe_attempts(logs: Sequence[Source]) -> list[dict[str, object]]:
    """All logs of a name together, the newest in front: which ones there are."""
    return [
        {
            "attempt": -place,
            "generation": log.info.generation,
            "state": log.state.value,
            "began": timestamp(log.info.began),
            "ended": timestamp(log.info.ended) if log.state.ended and log.info.ended is not None else None,
            "size": log.length,
            "exit_code": log.info.attributes.exit_code,
        }
        for place, log in enumerate(logs)
    ]


def describe(journal: Source) -> dict[str, object]:
    """One log's status, with `lines` unknown."""
    info = journal.info.to_json(journal.state, journal.length)
    if not journal.state.ended:  # it may be about to: the end's time and reason are kept before it is one
        info |= {"ended": None, "reason": ""}
    return {**info, "changed": timestamp(journal.changed), "lines": None, "readers": journal.readers}


def describe_in_list(journal: Source, kept: int) -> dict[str, object]:
    """One log of many: `describe`, and how many logs of its name are kept."""
    return {**describe(journal), "attempts": kept}


def durations(journal: Source) -> dict[str, object]:
    """`elapsed`, the seconds from the begin to the end or to now; and `idle`, those since the last byte, null after the end."""
    info, moment = journal.info, now()
    if journal.state.ended and info.ended is not None:
        return {"elapsed": _seconds(info.ended - info.began), "idle": None}
    return {"elapsed": _seconds(moment - info.began), "idle": _seconds(moment - journal.changed)}


def _seconds(microseconds: int) -> float:
    return round(max(0, microseconds) / 1e6, 3)
