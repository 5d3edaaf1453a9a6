"""Tokens: who may read or write a log. No I/O.

    ACCESS_TOKEN            opens every log, and the list of all logs
    read token of a log     opens that log only, for ever or until it expires: a code (HMAC-SHA256) of its name and expiry
    read token of a prefix  opens the logs whose names begin with the prefix, such as builds/42/, and their list: p~ and a code
    LIVELOG_WRITE_TOKEN     lets a producer write every log, where it is set
    write token of a prefix lets a producer write the logs whose names begin with the prefix: w~ and a code
    key of an upload        is in the address of one upload, so that it cannot be guessed: a code of the log's generation

The key of the codes is ACCESS_TOKEN, and LIVELOG_WRITE_TOKEN for w~, so that whoever may read everything may not write. Codes are not
stored; a new key revokes all of them. The first characters of a prefix's token show its kind: so a wrong one is compared with few
codes, and a name with such a token in it is found without knowing the prefix. Tokens are compared in constant time.
"""

import base64
import enum
import hmac
import re
from collections.abc import Iterable

from .names import prefixes

CODE_SIZE = 24
"""Bytes of a code (192 bits). A token that expires has a dot and the time behind its code, in seconds since the epoch."""

_CODE = re.compile(rf"[A-Za-z0-9_-]{{{4 * CODE_SIZE // 3}}}(?:\.[0-9]{{1,12}})?", re.ASCII)

READS, WRITES = "p~", "w~"
"""The first characters of the read and the write tokens of prefixes."""

_OF_PREFIX = re.compile(rf"[pw]~{_CODE.pattern}", re.ASCII)

_EXPIRY = re.compile("[0-9]{1,12}", re.ASCII)


class Verdict(enum.Enum):
    """The result of checking a token."""

    OPENS = "opens"
    """It opens the log."""
    EXPIRED = "expired"
    """It is a token of the log, or of a prefix of its name, and has expired."""
    WRONG = "wrong"
    """It is no token of this log."""


class Access:
    """The secrets of a server: makes and checks tokens."""

    def __init__(self, access_token: str, write_token: str | None = None) -> None:
        self._access_token = access_token
        self._keyed = hmac.new(
            access_token.encode(), digestmod="sha256"
        )  # copied for each code: setting up the key takes longer than the code
        self._write_token = write_token

    def opens_all(self, presented: str) -> bool:
        """Whether `presented` is the ACCESS_TOKEN."""
        return _equal(presented, self._access_token)

    def judge(self, presented: str, name: str, now: float) -> Verdict:
        """Whether `presented` lets its bearer read the log of that name (`now`: seconds since the epoch).

        `EXPIRED` needs a right code: a wrong one is `WRONG`, whatever its expiry.
        """
        if presented.startswith(READS):
            return self.judge_prefix(presented, name, now)
        return _verdict(presented, map(self.read_token, [name], [_expiry(presented)]), now, self._access_token)

    def judge_prefix(self, presented: str, prefix: str, now: float) -> Verdict:
        """Whether `presented` lets its bearer read all logs whose names begin with `prefix`: see `judge`.

        If `prefix` does not end in `/`, tokens of shorter prefixes count. No token but ACCESS_TOKEN opens the empty prefix: all logs.
        """
        expires = _expiry(presented)
        codes = (self.prefix_token(prefix, expires) for prefix in prefixes(prefix) if presented.startswith(READS))
        return _verdict(presented, codes, now, self._access_token)

    def judge_write(self, presented: str, path: str, now: float) -> Verdict:
        """Whether `presented` lets its bearer write the log of that name, or all logs whose names begin with that prefix: see `judge`.

        Without a write token, everybody may.
        """
        if self._write_token is None:
            return Verdict.OPENS
        expires, secret = _expiry(presented), self._write_token
        codes = (write_token(secret, prefix, expires) for prefix in prefixes(path) if presented.startswith(WRITES))
        return _verdict(presented, codes, now, secret)

    def is_secret_in(self, name: str, others: Iterable[str] = ()) -> bool:
        """Whether a name contains a secret, or is the part of a link behind /log/. Such a name must not become a log's, since names are shown and kept.

        `others`: the names of all logs, whose read tokens are secrets, too.
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
        """The address of a log with its `read_token`. `resource`: `log` for its bytes, `view` for its page.

        If `name` is a prefix, which ends in `/`: the address of the list of its logs, as JSON or as a page, with its `prefix_token`.
        """
        if name.endswith("/"):
            resource = "view" if resource == "view" else "logs"
            return f"{readers_url}/{resource}/{self.prefix_token(name, expires)}/{name}"
        return f"{readers_url}/{resource}/{self.read_token(name, expires)}{'/' if name else ''}{name}"

    def upload_key(self, generation: str) -> str:
        """The secret part of an upload's address: only who knows it can resume the upload."""
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


def _verdict(presented: str, expected: Iterable[str], now: float, secret: str) -> Verdict:
    """Compare `presented` with `secret` and the `expected` tokens, which were made with the expiry that `presented` has."""
    if _equal(presented, secret):
        return Verdict.OPENS  # before any expected token is made, which takes longer than the rest of the check
    # All are compared, whatever the first comparisons gave: the time must not depend on it.
    is_expected, expires = sum([_equal(presented, token) for token in expected]) > 0, _expiry(presented)
    if is_expected and (expires is None or expires > now):
        return Verdict.OPENS
    return Verdict.EXPIRED if is_expected else Verdict.WRONG


def _expiry(token: str) -> int | None:
    """The expiry in a token, in seconds since the epoch; None: it has none. Also for text that is no token."""
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
