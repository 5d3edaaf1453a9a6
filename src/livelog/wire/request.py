"""A request, as parsed from its head (RFC 9110). No I/O.

It knows neither its connection nor what it asks for.
"""

import re
from collections.abc import Iterable, Mapping
from typing import overload
from urllib.parse import parse_qsl, unquote

_KEPT = re.compile("(%2[Ff]|%25)")
"""Characters that stay percent-encoded in a path: a slash, which would separate segments, and the percent sign itself."""


class Fields:
    """Header fields. Names are case-insensitive; fields of the same name keep their order."""

    __slots__ = ("_count", "_values")

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, list[str]] = {}
        self._count = 0
        for name, value in fields:
            # Bytes that are not UTF-8 are kept as surrogates: whoever reads the field decides about them.
            text = value.strip(b" \t").decode("utf-8", "surrogateescape")
            self._values.setdefault(name.decode("ascii").lower(), []).append(text)
            self._count += 1

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    @overload
    def get(self, name: str) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first field of that name, or `default`."""
        values = self._values.get(name.lower())
        return default if values is None else values[0]

    def getall(self, name: str) -> list[str]:
        """The values of all fields of that name."""
        return self._values.get(name.lower(), [])

    def joined(self, name: str) -> str:
        """The values of all fields of that name, joined with commas (RFC 9110 section 5.3)."""
        return ",".join(self.getall(name))

    def repeated(self, names: Iterable[str]) -> bool:
        """Whether a field of one of `names`, given in lower case, occurs more than once."""
        return len(self._values) < self._count and any(len(self._values.get(name, ())) > 1 for name in names)


class Request:
    """A request. It does not change, since equal heads share one.

    `target`: the path and the query, not decoded. `path` is decoded, except for encoded slashes and percent signs. `content_length`: the value of
    Content-Length in bytes; None: there is no such field. `version`: (1, 0) or (1, 1).
    """

    __slots__ = (
        "_query",
        "_query_text",
        "content_length",
        "fields",
        "has_body",
        "keep_alive",
        "method",
        "path",
        "version",
    )

    def __init__(
        self,
        method: str,
        target: tuple[str, str],
        version: tuple[int, int],
        fields: Fields,
        content_length: int | None,
    ) -> None:
        path, self._query_text = target
        self._query: dict[str, str] | None = None
        self.method = method
        self.path = path if "%" not in path else "".join(_decoded(part) for part in _KEPT.split(path))
        self.version = version
        self.fields = fields
        self.content_length = content_length
        self.has_body = bool(content_length) or "transfer-encoding" in fields
        """Whether there is a body (RFC 9112 section 6.3)."""
        options = fields.joined("connection").lower()
        names = {option.strip() for option in options.split(",")} if options else ()
        self.keep_alive = "close" not in names and (version >= (1, 1) or "keep-alive" in names)
        """Whether the client will use the connection again (RFC 9112 section 9.3)."""

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters; the first of each name counts."""
        if self._query is None:
            self._query = {}
            if self._query_text:
                for name, value in parse_qsl(self._query_text, keep_blank_values=True):
                    self._query.setdefault(name, value)
        return self._query

    def query_values(self, name: str) -> list[str]:
        """The values of all parameters of that name, in their order."""
        if name not in self.query:
            return []
        return [value for each, value in parse_qsl(self._query_text, keep_blank_values=True) if each == name]


def _decoded(part: str) -> str:
    return part if _KEPT.fullmatch(part) else unquote(part)
