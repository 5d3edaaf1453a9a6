"""The attributes of a log, which its producer sets by header fields: title, exit code and labels. No I/O.

    Livelog-Title: nightly build
    Livelog-Exit-Code: 0
    Livelog-Label: branch=main, commit=1a2b3c

Text that would be ambiguous in a list of labels, such as text with a comma, is sent as a Display String (RFC 9651 section 3.3.8).
A title may be one, too:

    Livelog-Label: branch=%"a, b", author=%"J%c3%bcrgen"

The server shows attributes, and never acts on them. Invariants:

1. A log has at most 16 labels. A title or a value has at most 256 bytes. Larger values are refused; they are never truncated.
2. No title or value contains a control character, so none can break a line of output or a terminal.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self
from urllib.parse import quote, unquote_to_bytes

from livelog.errors import InvalidAttribute

MAX_VALUE = 256
"""The limit of a title, and of the value of a label, in bytes of UTF-8."""

MAX_LABELS = 16

MAX_LABELS_SIZE = 16 * 1024
"""The limit of all `Livelog-Label` fields of a request together, in characters. 16 labels have fewer, however they are quoted."""

EXIT_CODES = range(-(2**31), 2**32)
"""The accepted exit codes: POSIX has 0 to 255; Windows has 32 bits, which programs show with or without a sign."""

_LABEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)

_DISPLAY_STRING = r'%"((?:%[0-9a-f]{2}|[ !#$&-~])*)"'

_LABEL_WITH_DISPLAY_STRING = re.compile(rf"[^,=]*=[ \t]*{_DISPLAY_STRING}[ \t]*(?=,|\Z)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of one log."""

    title: str = ""
    exit_code: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    NONE: ClassVar[Self]
    """No attributes. All logs without attributes share this object."""

    def updated(self, fields: Mapping[str, Sequence[str]]) -> Self:
        """These attributes, changed by the header fields of a request. A label whose value is empty is removed.

        `fields`: the values of the field lines, by the field's name in lower case. Of several titles or exit codes the last one counts.
        Raises: InvalidAttribute, if a value is malformed, too long, or not UTF-8, or if there are too many labels.
        """
        title, exit_code, labels = self.title, self.exit_code, dict(self.labels)
        for text in fields.get("livelog-title", ())[-1:]:
            title = _text("Livelog-Title", text.strip())
        for text in fields.get("livelog-exit-code", ())[-1:]:
            if not re.fullmatch(r"-?[0-9]{1,10}", text.strip(), re.ASCII) or int(text) not in EXIT_CODES:
                raise InvalidAttribute("Livelog-Exit-Code is not a whole number of 32 bits")
            exit_code = int(text)
        for item in _items(",".join(fields.get("livelog-label", ()))):
            name, equals, value = (part.strip() for part in item.partition("="))
            if not name and not equals:
                continue  # RFC 9110 section 5.6.1.2: a recipient accepts empty list elements
            if not equals or not _LABEL_NAME.fullmatch(name):
                raise InvalidAttribute(
                    "Livelog-Label is not name=value, where a name is 1 to 63 of a-z, 0-9, '.', '_' and '-', "
                    "and begins with a letter or digit"
                )
            labels.pop(name, None)
            if text := _text("a value of Livelog-Label", value):
                labels[name] = text
        if len(labels) > MAX_LABELS:
            raise _too_many_labels(len(labels))
        return type(self)(title, exit_code, labels)

    def to_json(self) -> dict[str, object]:
        """The attributes as JSON."""
        return {"title": self.title, "exit_code": self.exit_code, "labels": dict(self.labels)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """The reverse of `to_json`; other members are ignored. Raises: ValueError, KeyError, TypeError, AttributeError."""
        title, exit_code, labels = kept["title"], kept["exit_code"], kept["labels"]
        if type(title) is not str or type(exit_code) not in (int, type(None)):
            raise ValueError("the title is no text, or the exit code no number")
        if any(type(text) is not str for pair in labels.items() for text in pair):
            raise ValueError("a label is no text")
        return cls(title, exit_code, labels) if title or labels or exit_code is not None else cls.NONE


Attributes.NONE = Attributes()


def encoded(text: str) -> str:
    """`text` as the value of a header field: unchanged, or as a Display String if it would be misread otherwise."""
    if text.strip() == text and "," not in text and not text.startswith('%"'):
        return text
    return (
        '%"'
        + re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quote(text, safe=" !#$&'()*+-./:;<=>?@[]^_`{|}~"))
        + '"'
    )


def valid_label_name(text: str) -> str:
    """A valid label name made from any text: in lower case, without accents, other characters replaced by `-`; empty if nothing is left."""
    import unicodedata  # noqa: PLC0415  # rarely needed

    plain = "".join(one for one in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(one))
    return re.sub("[^a-z0-9._-]+", "-", plain).lstrip("._-")[:63]


def _items(text: str) -> Iterator[str]:
    """The elements of a comma-separated list. Commas in Display Strings do not separate. Raises: InvalidAttribute, if it is too long."""
    if len(text) > MAX_LABELS_SIZE:
        raise _too_many_labels(text.count(",") + 1)
    position = 0
    while position <= len(text):
        match = _LABEL_WITH_DISPLAY_STRING.match(text, position)
        end = match.end() if match is not None else text.find(",", position) % (len(text) + 1)
        yield text[position:end]
        position = end + 1


def _too_many_labels(count: int) -> InvalidAttribute:
    return InvalidAttribute(f"there are {count} labels: at most {MAX_LABELS} are kept")


def _decoded(what: str, text: str) -> str:
    """The decoded text of a Display String; any other text unchanged. Raises: InvalidAttribute, if it is not UTF-8."""
    match = re.fullmatch(_DISPLAY_STRING, text, re.ASCII)
    if match is None:
        return text
    try:
        return unquote_to_bytes(match[1]).decode()
    except UnicodeDecodeError as error:
        raise InvalidAttribute(f"{what} is not UTF-8") from error


def _text(what: str, text: str) -> str:
    text = _decoded(what, text)
    try:
        # Bytes of a header field that are not UTF-8 arrive here as surrogates, which cannot be encoded.
        too_long = len(text.encode()) > MAX_VALUE
    except UnicodeEncodeError as error:
        raise InvalidAttribute(f"{what} is not UTF-8") from error
    if too_long or not text.isprintable():
        raise InvalidAttribute(f"{what} is not printable text of at most {MAX_VALUE} bytes")
    return text
