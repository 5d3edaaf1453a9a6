"""Names of logs, and prefixes of names. No I/O."""

import re

MAX_NAME = 255
"""The longest name, in bytes: the name of its folder, which file systems limit to 255."""

MAX_SEGMENTS = 8

_URL_SAFE = re.compile(r"[A-Za-z0-9._~-]+", re.ASCII)

_SEGMENT = rf"(?!\.\.?(?:/|\Z)){_URL_SAFE.pattern}"

_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,{MAX_SEGMENTS - 1}}}", re.ASCII)


def is_url_safe(text: str) -> bool:
    """Whether `text` has only characters that are unreserved in URLs (RFC 3986 section 2.3), and is not empty."""
    return _URL_SAFE.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether `text` may be the name of a log: 1 to 8 URL-safe segments, joined by `/`, none of them `.` or `..`."""
    return len(text) <= MAX_NAME and _NAME.fullmatch(text) is not None


def is_prefix(text: str) -> bool:
    """Whether `text` ends in `/`, and logs can have names that begin with it: 1 to 7 segments, of at most 254 bytes with that `/`."""
    return len(text) < MAX_NAME and text.count("/") < MAX_SEGMENTS and text.endswith("/") and is_name(text[:-1])


def prefixes(path: str) -> list[str]:
    """The prefixes of a name, or of a prefix, itself included: of `a/b/c` and of `a/b/`, `a/` and `a/b/`. The first 7, if there are more."""
    segments = path.split("/", MAX_SEGMENTS - 1)
    return ["/".join(segments[:count]) + "/" for count in range(1, len(segments))]


def valid_name(text: str) -> str:
    """A valid name made from any text, such as the name of a branch: `text` itself if it is a name, else the nearest one.

    Letters lose their accents, other characters than those of a name become `-`, segments without any are left out, and what is too
    long or too deep is cut or joined. Then `-` follows, and 8 hexadecimal digits of the SHA-256 of `text`: two texts stay two names.
    """
    if is_name(text):
        return text
    import hashlib  # noqa: PLC0415  # rarely needed
    import unicodedata  # noqa: PLC0415

    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    segments = (re.sub("[^A-Za-z0-9._~-]+", "-", segment).strip("-") for segment in plain.split("/"))
    kept = [segment for segment in segments if segment.strip(".")]
    deepest = ["-".join(kept[MAX_SEGMENTS - 1 :])] if len(kept) >= MAX_SEGMENTS else []
    digest = hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:8]
    name = "/".join([*kept[: MAX_SEGMENTS - 1], *deepest])[: MAX_NAME - 1 - len(digest)].rstrip("/")
    return f"{name or 'log'}-{digest}"
