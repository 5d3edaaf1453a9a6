"""Resumable uploads: parsing of their request fields, and making of their response fields and errors. No I/O.

draft-ietf-httpbis-resumable-upload, interop version 8, and RFC 9530 (digests); "section" below is one of that draft.
The fields are structured fields (RFC 9651). Offsets and lengths are in bytes.

1. A field whose value is not as the draft defines it is ignored as a whole, as if it were missing.
2. Fields that contradict each other are an error before any content is read.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from livelog.errors import RequestError
from livelog.log.info import Upload

from . import problems

INTEROP_VERSION = 8
"""The implemented interop version of the draft. Only clients with the same version are sent interim responses."""

PARTIAL_UPLOAD = "application/partial-upload"
"""The media type of content that is appended to an upload (section "Media Type")."""

MAX_FIELD = 8 * 1024
"""The longest field that is parsed, in bytes: many times any valid one. A longer field is ignored."""

DIGESTS: Mapping[str, Callable[[], Any]] = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
"""The active algorithms of RFC 9530 section 5. The others are deprecated."""

Fields = Callable[[str], Sequence[str]]
"""Returns the values of all field lines of a name, which is in lower case."""


class Announcement(NamedTuple):
    """The upload fields of a request. A member is None if its field is missing or ignored."""

    complete: bool | None
    """Upload-Complete: whether the content of this request is the end of the upload."""
    offset: int | None
    """Upload-Offset: where in the upload the content begins."""
    length: int | None
    """Upload-Length: the bytes of the whole upload."""
    interim: bool
    """Whether the client understands 104 (Upload Resumption Supported)."""
    content_digest: Mapping[str, bytes]
    """Digests of the content of this request, by algorithm."""
    repr_digest: Mapping[str, bytes]
    """Digests of the whole upload, by algorithm."""
    want_repr_digest: str | None
    """Want-Repr-Digest: the preferred algorithm of a digest of the whole upload."""

    def length_at(self, offset: int, content_length: int | None) -> int | None:
        """The length of the whole upload in bytes; None: the request does not tell. `offset`: where its content begins.

        Raises: RequestError, if its fields tell two different lengths (section "Length").
        """
        if self.length is not None and self.length < offset:
            raise inconsistent_length(f"Upload-Length is {self.length}, but the upload has {offset} bytes already")
        if not self.complete or content_length is None:
            return self.length
        length = offset + content_length
        if self.length is not None and self.length != length:
            raise inconsistent_length(
                f"Upload-Length is {self.length}, but the content of this request ends at {length}"
            )
        return length


def announced(fields: Fields) -> Announcement:
    """Parse the header `fields` of a request. Raises: RequestError (400), for malformed digests."""
    version = _item(fields, "Upload-Draft-Interop-Version", int)
    return Announcement(
        complete=_item(fields, "Upload-Complete", bool),
        offset=_natural(fields, "Upload-Offset"),
        length=_natural(fields, "Upload-Length"),
        interim=version == INTEROP_VERSION,
        content_digest=_digests(fields, "Content-Digest"),
        repr_digest=_digests(fields, "Repr-Digest"),
        want_repr_digest=_preferred(fields, "Want-Repr-Digest"),
    )


def agreed(upload: Upload, length: int | None) -> int | None:
    """The length of an upload for which a request announces `length`. Raises: RequestError, if another one was announced before."""
    if length is not None and upload.length is not None and length != upload.length:
        raise inconsistent_length(f"this upload was announced with {upload.length} bytes, not {length}")
    return upload.length if length is None else length


def inconsistent_length(message: str, *, final: bool = False) -> RequestError:
    """The error for two different lengths of one upload (section "Inconsistent Length")."""
    return problems.INCONSISTENT_LENGTH.error({"Upload-Complete": "?0"}, final=final, reason=message)


def mismatching_offset(provided: int, offset: int) -> RequestError:
    """The error for a request to append at another offset than the upload's (section "Mismatching Offset")."""
    return problems.WRONG_OFFSET.error(
        {"Upload-Offset": str(offset), "Upload-Complete": "?0"},
        members={"expected-offset": offset, "provided-offset": provided},
        offset=offset,
        provided=provided,
    )


def mismatching_digest(field: str, algorithm: str, provided: bytes, offset: int | None, *, final: bool) -> RequestError:
    """The error for content that does not match its digest (draft-ietf-httpapi-digest-fields-problem-types).

    `offset`: that of the upload; None: there is no upload. `final`: the digest was that of the whole upload, which is aborted.
    """
    return problems.WRONG_DIGEST.error(
        {} if offset is None else {"Upload-Complete": "?1" if final else "?0", "Upload-Offset": str(offset)},
        members={
            "mismatching-digests": [
                {"algorithm": algorithm, "provided-digest": _byte_sequence(provided), "header": field}
            ]
        },
        final=final,
        field=field,
    )


def limits(max_size: int | None, max_age: float) -> str:
    """The value of Upload-Limit (section "Limits"): `max_size` in bytes, `max_age` in seconds; None: no limit of the size."""
    size = f"max-size={max_size}, " if max_size is not None and max_size < 10**15 else ""
    return f"{size}max-age={min(int(max_age), 10**15 - 1)}"


def digest_field(algorithm: str, digest: bytes) -> str:
    """A Repr-Digest field (RFC 9530 section 3)."""
    return f"{algorithm}={_byte_sequence(digest)}"


def _byte_sequence(data: bytes) -> str:
    return f":{base64.b64encode(data).decode()}:"


def _parsed(fields: Fields, name: str, kind: str) -> Any:
    """The value of a structured field; None: it is missing or malformed."""
    values = fields(name)
    if not values or sum(map(len, values)) > MAX_FIELD:
        return None
    from http_sf import StructuredFieldError, parse  # noqa: PLC0415  # takes 10 ms, and plain producers do not need it

    try:
        # RFC 9651 section 4.2: several lines are one, joined by commas.
        return parse(", ".join(values).encode("ascii"), tltype=kind)
    except (StructuredFieldError, UnicodeEncodeError):
        return None


def _item(fields: Fields, name: str, kind: type) -> Any:
    item = _parsed(fields, name, "item")
    return item[0] if item is not None and type(item[0]) is kind else None


def _natural(fields: Fields, name: str) -> int | None:
    value = _item(fields, name, int)
    return value if value is not None and value >= 0 else None


def _digests(fields: Fields, name: str) -> dict[str, bytes]:
    digests = {}
    for algorithm, (value, _parameters) in (_parsed(fields, name, "dictionary") or {}).items():
        if algorithm not in DIGESTS or not isinstance(value, bytes):
            continue  # RFC 9530 section 2: what is not known may be ignored
        if len(value) != DIGESTS[algorithm]().digest_size:
            reason = f"a {algorithm} digest has {DIGESTS[algorithm]().digest_size} bytes"
            raise problems.NOT_A_DIGEST.error(
                members={"invalid-digests": [{"algorithm": algorithm, "header": name, "reason": reason}]},
                field=name,
                reason=f"{reason}, not {len(value)}",
            )
        digests[algorithm] = value
    return digests


def _preferred(fields: Fields, name: str) -> str | None:
    """The most preferred algorithm of an integrity preference field (RFC 9530 section 4); None: no known one. A preference of 0 is not acceptable."""
    wanted = {
        algorithm: value
        for algorithm, (value, _parameters) in (_parsed(fields, name, "dictionary") or {}).items()
        if algorithm in DIGESTS and type(value) is int and 0 < value <= 10
    }
    return max(wanted, key=lambda algorithm: wanted[algorithm], default=None)
