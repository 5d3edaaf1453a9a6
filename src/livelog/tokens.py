"""Tokens: who may read or write a log, and how to keep secrets out of sight. No I/O.

    ACCESS_TOKEN          opens every log, and the list of them
    a log's read token    opens that log only, for ever or until a time: a code (HMAC-SHA256) of its name and that time
    LIVELOG_WRITE_TOKEN   lets a producer write, where it is set
    an upload's key       in the address of one upload, so that it cannot be guessed: a code of its generation

Codes are made with ACCESS_TOKEN as the key: nothing has to be stored, and whoever changes it revokes them all.
Refuses to print a token. Comparison takes the same time whatever was sent.
"""

import base64
import enum
import hmac
import re
from collections.abc import Iterable

CODE_SIZE = 24
"""Bytes of a code, 192 bits. A read token's is followed by a dot and the time at which it expires, if it does."""

_CODE = re.compile(rf"[A-Za-z0-9_-]{{{4 * CODE_SIZE // 3}}}(?:\.[0-9]{{1,12}})?", re.ASCII)

_EXPIRY = re.compile("[0-9]{1,12}", re.ASCII)


class Verdict(enum.Enum):
    """What a token does for its bearer."""

    OPENS = "opens"
    """It opens the log."""
    EXPIRED = "expired"
    """It is the log's own read token, and its time is over."""
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
        _, dot, expires = presented.partition(".")
        whole = bool(expires) and _EXPIRY.fullmatch(expires) is not None
        expected = self.read_token(name, int(expires) if whole else None)
        # Everything is compared, whatever came out before.
        is_token, is_code = self.opens_all(presented), _equal(presented, expected)
        if is_token or (is_code and (not dot or int(expires) > now)):
            return Verdict.OPENS
        return Verdict.EXPIRED if is_code else Verdict.WRONG

    def may_write(self, presented: str) -> bool:
        """Whether `presented` lets its bearer write; without a write token, everybody may."""
        return self._write_token is None or _equal(presented, self._write_token)

    def is_told_by(self, name: str, others: Iterable[str] = ()) -> bool:
        """Whether a name has a secret in it, or is what a link has behind /log/: it must not become a log's, which is told and kept.

        `others`: the names of logs, whose own tokens are secrets, too.
        """
        if codes := [segment for segment in name.split("/") if _CODE.fullmatch(segment)]:
            expiries = [int(code.partition(".")[2]) if "." in code else None for code in codes]
            for other in others:
                if any(
                    _equal(code, self.read_token(other, expires)) for code, expires in zip(codes, expiries, strict=True)
                ):
                    return True
        secrets = [secret for secret in (self._access_token, self._write_token) if secret is not None]
        first, _, rest = name.partition("/")
        return (
            self.judge(first, rest, 0) is Verdict.OPENS
            or sum(_equal(segment, secret) for segment in name.split("/") for secret in secrets) > 0
        )

    def read_token(self, name: str, expires: int | None = None) -> str:
        """The token that opens the log of that name only, until `expires` (seconds since the epoch), if that is given."""
        code = self._code("read", name, "" if expires is None else str(expires))
        return code if expires is None else f"{code}.{expires}"

    def link(self, readers_url: str, name: str, expires: int | None = None, resource: str = "log") -> str:
        """The address at which the log of that name can be read, with its `read_token`; `view`: by people."""
        return f"{readers_url}/{resource}/{self.read_token(name, expires)}{'/' if name else ''}{name}"

    def upload_key(self, generation: str) -> str:
        """What the address of an upload holds, so that only those who were told can go on with it."""
        return self._code("upload", generation)

    def is_upload_key(self, presented: str, generation: str) -> bool:
        """Whether `presented` is the key of the upload that makes this generation."""
        return _equal(presented, self.upload_key(generation))

    def _code(self, *parts: str) -> str:
        code = self._keyed.copy()
        code.update("\0".join(("livelog", *parts)).encode("utf-8", "surrogatepass"))
        return base64.urlsafe_b64encode(code.digest()[:CODE_SIZE]).decode()


def bearer(authorization: str) -> str:
    """The token in an Authorization header (RFC 6750 section 2.1); empty if there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _equal(presented: str, token: str) -> bool:
    return hmac.compare_digest(presented.encode("utf-8", "surrogatepass"), token.encode())
