"""The encoding of a log's text, by its Content-Type. No I/O.

Only encodings in which a byte 0A is always a newline are supported: not UTF-16. Some names stand for a larger encoding that contains the
named one, as in browsers (WHATWG Encoding Standard, section 4.2).
"""

import codecs
import re

UTF_8 = "utf-8"

_LARGER = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "shift_jis": "cp932", "gb2312": "gbk", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
"""The larger encodings that replace others, by the names of these. All names are Python's."""

_KNOWN = {
    UTF_8, "cp866", "cp874", "cp932", "cp949", "gbk", "gb18030", "big5hkscs", "euc_jp", "koi8-r", "koi8-u", "mac-roman",
    *(f"cp125{number}" for number in range(9)), *(f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
}  # fmt: skip

_CHARSET = re.compile(r"""; {0,9}charset {0,9}= {0,9}"?([^\s";]{1,40})""", re.IGNORECASE)


def encoding_of(content_type: str) -> str:
    """Python's name of the encoding that a Content-Type declares; UTF-8, if it declares none, or one that is not supported."""
    declared = _CHARSET.search(content_type)
    if declared is None or not declared[1].isascii():
        return UTF_8
    try:
        name = codecs.lookup(
            {"x-sjis": "cp932", "windows-31j": "cp932", "macintosh": "mac-roman"}.get(declared[1].lower(), declared[1])
        ).name
    except LookupError:
        return UTF_8
    name = _LARGER.get(name, name)
    return name if name in _KNOWN else UTF_8
