"""Tokens: who may read or write a log, and how to keep secrets out of sight. No I/O.

    ACCESS_TOKEN          opens every log, and the list of them
    a log's read token    opens that log only, for ever or until a time: a code (HMAC-SHA256) of its name and that time
    a prefix's            opens the logs whose names begin with that prefix, such as builds/42/, and the list of them: p~ and a code
    LIVELOG_WRITE_TOKEN   lets a producer write, where it is set
    a prefix's            lets a producer write the logs whose names begin with that prefix: w~ and a code
    an upload's key       in the address of one upload, so that it cannot be guessed: a code of its generation

Codes are made with ACCESS_TOKEN as the key, those of w~ with LIVELOG_WRITE_TOKEN, so that who may read all may not write: nothing has
to be stored, and whoever changes the key revokes them all. A token of a prefix tells by its first characters what it is, so a wrong one is
compared with few codes, and a name that holds one is recognised without knowing of which prefix it is.
Refuses to print a token. Comparison takes the same time whatever was sent.
"""

import base64
import enum
import hmac
import re
from collections.abc import Iterable, Sequence

from .names import prefixes

CODE_SIZE = 24
"""Bytes of a code, 192 bits. A read token's is followed by a dot and the time at which it expires, if it does."""

_CODE = re.compile(rf"[A-Za-z0-9_-]{{{4 * CODE_SIZE // 3}}}(?:\.[0-9]{{1,12}})?", re.ASCII)

READS, WRITES = "p~", "w~"
"""What a prefix's tokens begin with."""

_OF_PREFIX = re.compile(rf"[pw]~{_CODE.pattern}", re.ASCII)

_EXPIRY = re.compile("[0-9]{1,12}", re.ASCII)


class Verdict(enum.Enum):
    """What a token does for its bearer."""

    OPENS = "opens"
    """It opens the log."""
    EXPIRED = "expired"
    """It is a token of the log, or of a prefix of its name, and its time is over."""
    WRONG = "wrong"
    """It never opened this log."""


class Access:
    """The secrets of a server, and what they open."""

    def __init__(self, access_token: str, write_token: str | None = None) -> None:
        self._access_token = access_token
        self._keyed = hmac.new(
            access_token.encode(), digestmod="sha256"
        )  # copied for each code: a key is dear to set up
        self._write_token = write_token

    def opens_all(self, presented: str) -> bool:
        """Whether `presented` is the ACCESS_TOKEN."""
        return _equal(presented, self._access_token)

    def judge(self, presented: str, name: str, now: float) -> Verdict:
        """Whether `presented` lets its bearer read the log of that name (`now`: seconds since the epoch).

        Only who was given a token learns that it has expired: a code that is wrong is `WRONG`, whatever its time.
        """
        if presented.startswith(READS):
            return self.judge_prefix(presented, name, now)
        return _verdict(presented, [self.read_token(name, _expiry(presented))], now, self._access_token)

    def judge_prefix(self, presented: str, prefix: str, now: float) -> Verdict:
        """Whether `presented` lets its bearer read all logs whose names begin with `prefix`: see `judge`.

        If `prefix` does not end in `/`, tokens of shorter prefixes count. No token but ACCESS_TOKEN opens the empty prefix: all logs.
        """
        expires = _expiry(presented)
        codes = [self.prefix_token(prefix, expires) for prefix in prefixes(prefix) if presented.startswith(READS)]
        return _verdict(presented, codes, now, self._access_token)

    def judge_write(self, presented: str, path: str, now: float) -> Verdict:
        """Whether `presented` lets its bearer write the log of that name, or all logs whose names begin with that prefix: see `judge`.

        Without a write token, everybody may.
        """
        if self._write_token is None:
            return Verdict.OPENS
        expires, secret = _expiry(presented), self._write_token
        codes = [write_token(secret, prefix, expires) for prefix in prefixes(path) if presented.startswith(WRITES)]
        return _verdict(presented, codes, now, secret)

    def is_told_by(self, name: str, others: Iterable[str] = ()) -> bool:
        """Whether a name has a secret in it, or is what a link has behind /log/: it must not become a log's, which is told and kept.

        `others`: the names of logs, whose own tokens are secrets, too.
        """
        segments = name.split("/")
        if any(map(is_of_prefix, segments)):
            return True
        if codes := [segment for segment in segments if _CODE.fullmatch(segment)]:
            expiries = [_expiry(code) for code in codes]
            for other in others:
                if any(
                    _equal(code, self.read_token(other, expires)) for code, expires in zip(codes, expiries, strict=True)
                ):
                    return True
        secrets = [secret for secret in (self._access_token, self._write_token) if secret is not None]
        first, _, rest = name.partition("/")
        return (
            self.judge(first, rest, 0) is Verdict.OPENS
            or sum(_equal(segment, secret) for segment in segments for secret in secrets) > 0
        )

    def read_token(self, name: str, expires: int | None = None) -> str:
        """The token that opens the log of that name only, until `expires` (seconds since the epoch), if that is given."""
        return _until(self._code("read", name, _text(expires)), expires)

    def prefix_token(self, prefix: str, expires: int | None = None) -> str:
        """The token that opens the logs whose names begin with `prefix`, and their list, until `expires`, if that is given."""
        return READS + _until(self._code("read prefix", prefix, _text(expires)), expires)

    def link(self, readers_url: str, name: str, expires: int | None = None, resource: str = "log") -> str:
        """The address at which the log of that name can be read, with its `read_token`; `view`: by people.

        Of a prefix, which ends in `/`: the address of the list of its logs, with its `prefix_token`.
        """
        if name.endswith("/"):
            return f"{readers_url}/logs/{self.prefix_token(name, expires)}/{name}"
        return f"{readers_url}/{resource}/{self.read_token(name, expires)}{'/' if name else ''}{name}"

    def upload_key(self, generation: str) -> str:
        """What the address of an upload holds, so that only those who were told can go on with it."""
        return self._code("upload", generation)

    def is_upload_key(self, presented: str, generation: str) -> bool:
        """Whether `presented` is the key of the upload that makes this generation."""
        return _equal(presented, self.upload_key(generation))

    def _code(self, *parts: str) -> str:
        code = self._keyed.copy()
        code.update(_message(*parts))
        return _encoded(code.digest())


def write_token(secret: str, prefix: str, expires: int | None = None) -> str:
    """The token with which the logs whose names begin with `prefix` can be written, until `expires`; `secret`: LIVELOG_WRITE_TOKEN."""
    digest = hmac.digest(secret.encode(), _message("write prefix", prefix, _text(expires)), "sha256")
    return WRITES + _until(_encoded(digest), expires)


def is_of_prefix(text: str) -> bool:
    """Whether `text` looks like a token of a prefix, of whatever server."""
    return _OF_PREFIX.fullmatch(text) is not None


def bearer(authorization: str) -> str:
    """The token in an Authorization header (RFC 6750 section 2.1); empty if there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _equal(presented: str, token: str) -> bool:
    return hmac.compare_digest(presented.encode("utf-8", "surrogatepass"), token.encode())


def _verdict(presented: str, expected: Sequence[str], now: float, secret: str) -> Verdict:
    """What `presented` does for its bearer: it may be `secret`, or one of the `expected` tokens, whose times are its own."""
    # Everything is compared, whatever came out before.
    is_secret, is_expected = _equal(presented, secret), sum([_equal(presented, token) for token in expected]) > 0
    expires = _expiry(presented)
    if is_secret or (is_expected and (expires is None or expires > now)):
        return Verdict.OPENS
    return Verdict.EXPIRED if is_expected else Verdict.WRONG


def _expiry(token: str) -> int | None:
    """The time at which a token expires; None: it has none. Text that is no token may have one, or none."""
    _, _, expires = token.partition(".")
    return int(expires) if _EXPIRY.fullmatch(expires) else None


def _text(expires: int | None) -> str:
    return "" if expires is None else str(expires)


def _until(code: str, expires: int | None) -> str:
    return code if expires is None else f"{code}.{expires}"


def _message(*parts: str) -> bytes:
    return "\0".join(("livelog", *parts)).encode("utf-8", "surrogatepass")


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest[:CODE_SIZE]).decode()
