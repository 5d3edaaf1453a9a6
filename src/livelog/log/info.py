"""The facts of a log besides its bytes: its name, its generation, when it began and ended, and why.

`LogInfo` has two forms in JSON: the one that clients get, and the document that `Directory` writes to disk. No I/O.

1. A `generation` identifies one log and is never used again. It starts with the time of the log's beginning, taken from a clock
   that may be wrong. Only `order` says which of two logs began first.
2. A document on disk may be damaged. `from_json` accepts a correct document and refuses any other one as a whole.
"""

import enum
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from .attributes import Attributes

DEFAULT_TYPE = "text/plain; charset=utf-8"
"""The content type of a log whose producer named none, or one that a browser would execute, such as HTML."""

SUPERSEDED = "another log of this name began"
"""The reason of a log that was aborted because the next log of its name began."""

GENERATION = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{8}", re.ASCII)

T = TypeVar("T")

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


class State(enum.Enum):
    """Whether a log can still grow, and how it ended. The values are those of the `Livelog-State` header."""

    LIVE = "live"
    """A producer is sending the log."""
    INTERRUPTED = "interrupted"
    """The producer's connection broke, and the producer may still resume the log."""
    COMPLETE = "complete"
    """The producer has sent the end of the log."""
    ABORTED = "aborted"
    """The log ended in any other way. Bytes may be missing at its end."""

    @property
    def ended(self) -> bool:
        """Whether the log can never grow again."""
        return self is State.COMPLETE or self is State.ABORTED


@dataclass(frozen=True, slots=True)
class Upload:
    """What the request that began a log has declared. It is kept on disk, so that the upload can be resumed after a restart."""

    resumable: bool = False
    """Whether a producer that lost its connection may resume the log."""
    replaces: bool = False
    """Whether an older log of this name existed. The final answer is then 200 instead of 201."""
    length: int | None = None
    """The length of the whole log in bytes, as the producer declared it (`Upload-Length`); None: it declared none."""
    repr_digest: Mapping[str, bytes] = field(default_factory=dict)
    """The digests of the whole log, by algorithm, as the producer declared them (`Repr-Digest`, RFC 9530 section 3)."""
    want_repr_digest: str | None = None
    """The algorithm in which the producer wants a digest of the whole log (`Want-Repr-Digest`, RFC 9530 section 4)."""

    def to_json(self) -> dict[str, object]:
        """The declarations as JSON."""
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
"""The upload of a log that comes in one plain request. All such logs share this object."""


@dataclass(slots=True)
class LogInfo:
    """The facts of one log. Times are microseconds since the epoch."""

    name: str
    generation: str
    began: int
    content_type: str = DEFAULT_TYPE
    attributes: Attributes = Attributes.NONE
    upload: Upload = PLAIN
    ended: int | None = None
    reason: str = ""
    """Why the log ended, in words; empty: it has not ended."""
    order: int = 0
    """A number that is larger for each log that begins on this server, also after a restart. It is a log's position in the list."""
    fence: int = 0
    """The largest fencing number under which the log was written (see `Lease`). A smaller one is refused. 0: there was no lease."""

    def to_json(self, state: State, size: int) -> dict[str, object]:
        """The facts that clients get. `state`: the log's present state; `size`: its length in bytes."""
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
        """The document for `from_json`: the members of `to_json`, and the server's own `order`, `fence` and `upload`."""
        own = {"order": self.order, "fence": self.fence, "upload": self.upload.to_json()}
        return {**self.to_json(state, size), **own}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> tuple["LogInfo", State, int]:
        """The reverse of `to_document`: the facts of a log, its state, and its size in bytes when the document was written.

        Raises: ValueError, if `kept` is not such a document.
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
    """A new generation for a log that began at `began` (microseconds since the epoch): its time in UTC, and 32 random bits."""
    return f"{datetime.fromtimestamp(began // 1_000_000, UTC):%Y%m%dT%H%M%S}.{began % 1_000_000:06d}Z-{os.urandom(4).hex()}"


def began(generation: str) -> int:
    """When the log with this generation began, in microseconds since the epoch; 0 if `generation` is not a generation."""
    try:
        return microseconds(f"{generation[:15]}{generation[15:22]}+00:00")
    except ValueError:
        return 0


def now() -> int:
    """The present time, in microseconds since the epoch."""
    return time.time_ns() // 1000


@lru_cache(maxsize=1024)  # the times of an ended log are asked for again and again
def timestamp(moment: int) -> str:
    """A time in microseconds since the epoch in the format of RFC 3339, in UTC, such as `2026-11-28T02:03:04.123456Z`."""
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
