"""What is known of a log besides its bytes: its name, which incarnation it is, when it began and ended, and how.

Values and their form in JSON, which is what `Directory` keeps and what clients are shown. No I/O.

1. A `generation` names one incarnation of one log, for ever. It begins with the time at which the log began, as the clock
   had it then: which log came first is told by `order` alone, whatever clocks do.
2. What comes back from a disk may be damaged: `from_json` takes what is right and refuses the rest as a whole.
"""

import enum
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from .attributes import Attributes

DEFAULT_TYPE = "text/plain; charset=utf-8"
"""The content type of a log whose producer named none that browsers only show."""

SUPERSEDED = "another log of this name began"
"""Why a log was aborted that had not ended when the next one of its name began."""

GENERATION = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{8}", re.ASCII)

T = TypeVar("T")

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


class State(enum.Enum):
    """Whether a log grows, and how it ended. The values are those of the `Livelog-State` header."""

    LIVE = "live"
    INTERRUPTED = "interrupted"
    """No producer is connected, but one may come back and go on."""
    COMPLETE = "complete"
    ABORTED = "aborted"

    @property
    def ended(self) -> bool:
        """Whether there will never be more bytes."""
        return self is State.COMPLETE or self is State.ABORTED


@dataclass(frozen=True, slots=True)
class Upload:
    """What was agreed with the producer: needed to go on with it, also after a restart."""

    resumable: bool = False
    """Whether a producer that lost its connection may go on where the log stopped."""
    replaces: bool = False
    """Whether there was an older log of that name."""
    length: int | None = None
    """How many bytes the producer said that the log will have."""
    repr_digest: Mapping[str, bytes] = field(default_factory=dict)
    """The digests, by algorithm, that the producer said that the whole log has (RFC 9530)."""
    want_repr_digest: str | None = None
    """The algorithm by which the producer wants to be told the digest of the whole log (RFC 9530)."""

    def to_json(self) -> dict[str, object]:
        """Its form in JSON."""
        return {
            "resumable": self.resumable,
            "replaces": self.replaces,
            "length": self.length,
            "repr_digest": {algorithm: digest.hex() for algorithm, digest in self.repr_digest.items()},
            "want_repr_digest": self.want_repr_digest,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Upload":
        """The reverse of `to_json`. Raises: ValueError, KeyError, TypeError, AttributeError."""
        upload = cls(
            resumable=_checked(kept["resumable"], bool),
            replaces=_checked(kept["replaces"], bool),
            length=_optional(kept["length"], int),
            repr_digest={name: bytes.fromhex(digest) for name, digest in kept["repr_digest"].items()},
            want_repr_digest=_optional(kept["want_repr_digest"], str),
        )
        return PLAIN if upload == PLAIN else upload


PLAIN = Upload()
"""Nothing was agreed: the log is what one request brings. One value for all such logs."""


@dataclass(slots=True)
class LogInfo:
    """What is known of one log. Times are microseconds since the epoch."""

    name: str
    generation: str
    began: int
    content_type: str = DEFAULT_TYPE
    attributes: Attributes = Attributes.NONE
    upload: Upload = PLAIN
    ended: int | None = None
    reason: str = ""
    """Why the log ended, in words."""
    order: int = 0
    """Grows from each log of a server to the next one that begins, also over restarts. Clients see it as a place in the list."""
    fence: int = 0
    """The largest fencing number under which the log was written (see `Lease`): a smaller one is refused. 0: there was no lease."""

    def to_json(self, state: State, size: int) -> dict[str, object]:
        """What is known of a log that has that `state` and `size` (bytes), for clients to read."""
        return {
            "name": self.name,
            "generation": self.generation,
            "state": state.value,
            "size": size,
            "content_type": self.content_type,
            "began": timestamp(self.began),
            "ended": timestamp(self.ended) if self.ended is not None else None,
            "reason": self.reason,
            **self.attributes.to_json(),
        }

    def to_document(self, state: State, size: int) -> dict[str, object]:
        """As `to_json`, with what is the server's business besides: `order`, `fence` and `upload`. For `from_json`."""
        own = {"order": self.order, "fence": self.fence, "upload": self.upload.to_json()}
        return {**self.to_json(state, size), **own}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> tuple["LogInfo", State, int]:
        """The log, its state and its size when it was kept: the reverse of `to_document`.

        Raises: ValueError, if that is not what `kept` is.
        """
        try:
            began = microseconds(kept["began"])
            info = cls(
                name=_checked(kept["name"], str),
                generation=_checked(kept["generation"], str),
                began=began,
                content_type=_checked(kept["content_type"], str),
                attributes=Attributes.from_json(kept),
                upload=Upload.from_json(kept["upload"]),
                ended=microseconds(kept["ended"]) if kept["ended"] is not None else None,
                reason=_checked(kept["reason"], str),
                order=_checked(kept.get("order", began), int),
                fence=_checked(kept.get("fence", 0), int),
            )
            if not GENERATION.fullmatch(info.generation) or re.search(r"[^\x20-\x7e]", info.content_type):
                raise ValueError("the generation or the content type is not one")
            if info.content_type == DEFAULT_TYPE:
                info.content_type = DEFAULT_TYPE  # one text for all, instead of one for each
            return info, State(kept["state"]), _checked(kept["size"], int)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error


def new_generation(began: int) -> str:
    """A generation that no other log has, of a log that began at that time."""
    return f"{datetime.fromtimestamp(began // 1_000_000, UTC):%Y%m%dT%H%M%S}.{began % 1_000_000:06d}Z-{secrets.token_hex(4)}"


def began(generation: str) -> int:
    """When the log of that generation began, in microseconds since the epoch; 0, if that is none."""
    try:
        return microseconds(f"{generation[:15]}{generation[15:22]}+00:00")
    except ValueError:
        return 0


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


@lru_cache(maxsize=1024)  # of a log that is over they are asked for again and again
def timestamp(moment: int) -> str:
    """Microseconds since the epoch as RFC 3339 has them, in UTC."""
    return f"{datetime.fromtimestamp(moment // 1_000_000, UTC).isoformat()[:19]}.{moment % 1_000_000:06d}Z"


def microseconds(text: str) -> int:
    """The reverse of `timestamp`. Raises: ValueError, TypeError."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


def _checked(value: object, kind: type[T]) -> T:
    if type(value) is not kind:
        raise ValueError(f"{value!r} is not of type {kind.__name__}")
    return value


def _optional(value: object, kind: type[T]) -> T | None:
    return None if value is None else _checked(value, kind)
