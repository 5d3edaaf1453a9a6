"""The levels of log records: in JSON, in logfmt, and as words where loggers write them. No I/O.

A word in the middle of a text is not taken for a level: see `failures` for such lines.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .collecting import ERROR, WARNING

NONE = ""
"""The level of a record that is no problem, such as INFO or DEBUG."""

MAX_JSON = 32 * 1024
"""The limit of a line that is parsed as JSON, in characters. In a longer line the level is looked for as in other text."""

_WORDS = {
    **dict.fromkeys(("ee", "fatal", "panic", "dpanic", "emerg", "emergency", "alert", "crit", "critical", "severe", "error", "err", "eror"), ERROR),
    **dict.fromkeys(("warn", "warning", "wrn", "warnings", "ww", "critical warning"), WARNING),
    **dict.fromkeys(("ftl", "fail", "failure"), ERROR),
    **dict.fromkeys(("notice", "info", "information", "informational", "debug", "trace", "verbose", "inf", "dbg", "trc", "fine", "config"), NONE),
}  # fmt: skip

_KEYS = ("level", "severity", "lvl", "log.level", "levelname", "level_name", "loglevel", "log_level", "@l", "severity_text",
         "severityText", "Level", "LogLevel", "PRIORITY")  # fmt: skip
_TEXTS = (
    "message",
    "msg",
    "@m",
    "@mt",
    "MESSAGE",
    "Message",
    "event",
    "text",
    "body",
    "short_message",
    "err",
    "error",
    "exception",
    "reason",
)
_CAUSES = ("error", "err", "exception", "@x")


class Levelled(NamedTuple):
    """A log record: its level (`NONE`: it is no problem), its message, and the place in the sources that wrote it, if known."""

    level: str
    message: str
    file: str | None = None
    row: int | None = None
    column: int | None = None


def level_of(value: object) -> str | None:
    """The level that a word or a number (of pino and bunyan) means; None: it means no level."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = value.strip().lower()
        if not value.isascii() or not value.isdigit():
            return _WORDS.get(value)
        value = int(value[:9])
    if not isinstance(value, int | float) or value < 10:
        return None
    return ERROR if value >= 50 else WARNING if value >= 40 else NONE


def _severity(value: object) -> str | None:
    """The level of a severity of syslog, 0 to 7 (RFC 5424 section 6.2.1), as systemd's PRIORITY and GELF have it."""
    text = str(value)
    return None if text not in tuple("01234567") else ERROR if text < "4" else WARNING if text == "4" else NONE


def from_json(text: str) -> Levelled | None:
    """The record in a line of JSON; None: the line is no JSON object, or has no level."""
    if not text.startswith("{") or not text.endswith("}") or len(text) > MAX_JSON:
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _record(record) if isinstance(record, dict) else None


def _record(record: Mapping[str, Any]) -> Levelled | None:
    if isinstance(log := record.get("log"), Mapping) and "level" in log:  # ECS
        record = {**record, "level": log["level"]}
    if isinstance(inner := record.get("message"), Mapping) and "level" in inner:
        return _compiler_message(inner)
    if record.get("Action") in ("fail", "build-fail") and isinstance(record.get("Package"), str):  # go test -json
        return (
            Levelled(ERROR, f"{record.get('Test') or record['Package']} failed")
            if record.get("Test") or "FailedBuild" in record
            else None
        )
    for key in _KEYS:
        if key not in record:
            continue
        level = _severity(record[key]) if key == "PRIORITY" or "short_message" in record else level_of(record[key])
        if level is not None:
            return Levelled(level, _message(record), *_place(record))
    return None


def _message(record: Mapping[str, Any]) -> str:
    message = ""
    for key in _TEXTS:
        if message := _text(record.get(key)):
            break
    for key in _CAUSES:
        if (cause := _text(record.get(key))) and cause not in message:
            return f"{message}: {cause}"
    return message


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("message") or value.get("msg")
    return value.strip() if isinstance(value, str) else ""


def _place(record: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """The file and the line of the sources that wrote a record, if it names them."""
    for key in ("caller", "source", "location", "src", "file", "filename", "pathname"):
        value = record.get(key)
        if isinstance(value, Mapping):
            name, row = value.get("file") or value.get("path"), value.get("line")
        else:
            name, row = value, record.get("line", record.get("lineno", record.get("line_number")))
        if not isinstance(name, str) or not name or len(name) > 500:
            continue
        head, colon, tail = name.rpartition(":")
        if colon and tail.isascii() and tail.isdigit() and len(tail) < 10:
            return head, int(tail)
        if isinstance(row, int) and not isinstance(row, bool):
            return name, row
        if "." in name and "/" in name:
            return name, None
    return None, None


def _compiler_message(message: Mapping[str, Any]) -> Levelled | None:
    """The record in a message of `cargo --message-format=json`; None: it has no level."""
    level, spans = level_of(message["level"]), message.get("spans")
    file = row = column = None
    for span in spans if isinstance(spans, list) else ():
        if isinstance(span, Mapping) and span.get("is_primary"):
            file, row, column = span.get("file_name"), span.get("line_start"), span.get("column_start")
            break
    if level is None:
        return None
    return Levelled(
        level, _text(message.get("message")), file if isinstance(file, str) else None,
        row if isinstance(row, int) else None, column if isinstance(column, int) else None,
    )  # fmt: skip


_LOGFMT = re.compile(r"(?:^|[\s{,])(?:level|lvl|severity|loglevel)=\"?([A-Za-z]{1,12})\b\"?(?=[\s,}]|$)", re.IGNORECASE)
_LOGFMT_VALUE = re.compile(
    r"(?<![^\s{,])(msg|message|error|err|reason|caller|source)=(?:\"((?:[^\"\\]|\\.)*+)\"|([^\s\"]++))"
)


def from_logfmt(text: str) -> Levelled | None:
    """The record in a line of logfmt (`key=value`); None: it has no level."""
    small = text.lower()
    if not ("level=" in small or "lvl=" in small or "severity=" in small):  # most lines
        return None
    found = _LOGFMT.search(text)
    if found is None or (level := level_of(found[1])) is None:
        return None
    values: dict[str, str] = {}
    for match in _LOGFMT_VALUE.finditer(text):
        values.setdefault(match[1], re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3])
    return Levelled(level, _message(values) or text, *_place(values))


_LEVEL = r"(?:FATAL|EE|PANIC|EMERG(?:ENCY)?|ALERT|CRITICAL[ ]WARNING|CRIT(?:ICAL)?|SEVERE|ERROR|ERR|EROR|WARN(?:ING)?|WRN|NOTICE|INFO(?:RMATION)?|INF|DEBUG|DBG|TRACE|VERBOSE)"
_BRACKETED = re.compile(
    r"(?:\u25b2[ ]|(?:[\w./$\-]{1,80}:?[ ]{1,5}){0,2}|[\w.\-]{1,40}(?:\[\w{1,40}\])?[ ])(?:[\[(][^\[\]()]{1,80}[\])][ \-:]{0,3}){0,3}"
    rf"(?:[\[(<][ ]{{0,9}}(?:[\w.\-]{{1,40}}[:/][ ]?)?(?P<level>(?i:{_LEVEL}|WW))[ ]{{0,9}}[\])>]|(?P<letter>\[[EFWI](?=\]|[ ]\d))(?:[^\]]{{0,80}})\])"
    r"[ :\-]{0,4}(?P<text>.*)",
    re.DOTALL,
)
_PLAIN = re.compile(
    # `2026-11-28 02:03:04,123 - name - ERROR - text`, `[main] ERROR a.b.C - text`, `ERROR:name:text`, `ERROR a.b.C: text`,
    # `E, [2026-11-28T02:03:04.123456 #12] ERROR -- : text`, `2026-11-28 02:03:04.123 | ERROR    | name:function:12 - text`
    r"(?:\d{1,9}[ ]{1,3}|\|[ ]|log4j:|[DIWEFA],[ ]\[[^\[\]]{1,80}\][ ]{1,3})?(?:[\[(][^\[\]()]{0,80}[\])][ ]{0,3}){0,3}(?:-?[ ]{0,3}(?:[\w.:\-]{1,80}\t|[\w./$\-:*]{1,80}[ ]{1,40}(?:-[ ]|:[ ]|\[[^\[\]]{1,60}\][ ]{1,3})"
    r"|\w{1,40}[.$:/][\w./$\-:*]{0,80}[ ]{1,40})){0,2}?(?:-[ ])?"
    rf"(?P<level>{_LEVEL})(?![\w/=.\-])(?:[ ]{{0,9}}\[[^\[\]]{{1,80}}\])?(?:(?<=[A-Z]):[\w.\-]{{1,80}}:(?=\S))?[ \t:|\-]{{0,9}}(?P<text>.*)",
    re.DOTALL,
)
_KLOG = re.compile(
    r"([EFWI])\d{4} \d\d:\d\d:\d\d(?:\.\d{1,9})?\s{1,9}\d{1,9} ([\w.\-/]{1,100}):(\d{1,9})\] (.*)", re.DOTALL
)
_GLOG = re.compile(
    r"([EFWI])\d{4,8} \d\d:\d\d:\d\d(?:\.\d{1,9})?\s{1,9}\d{1,12} ([\w.\-/]{1,100}):(\d{1,9})\] (.*)", re.DOTALL
)
_ANDROID = re.compile(
    r"(?:\d\d-\d\d [\d:.]{8,20}\s{1,9}\d{1,9}\s{1,9}\d{1,9} ([VDIWEFA]) |\d\d-\d\d [\d:.]{8,20} ([VDIWEFA])/|([VDIWEFA])/(?=[\w.\-:]{1,60}\s{0,30}\(\s{0,9}\d))(.*)",
    re.DOTALL,
)
_TIMED = re.compile(  # Chromium, TensorFlow, Rust's env_logger
    r"\[[\d:/.]{1,60}:(?P<level>[A-Z]{1,20}):(?P<file>[\w.\-/]{1,100})[(:](?P<row>\d{1,9})\)?\][ ]?(?P<text>.*)"
    r"|(?P<letter>[EFWI])[ ](?P<source>[\w.\-/]{1,100}\.\w{1,4}):(?P<line>\d{1,9})\][ ](?P<message>.*)"
    r"|\[\d{4}-\d\d-\d\dT[\d:.]{8,20}Z?[ ](?P<word>[A-Z]{4,8})[ ]{1,3}[\w:\-]{1,100}\][ ]?(?P<rest>.*)",
    re.DOTALL,
)
_TIMED_STARTS = frozenset("[EFWI")
_LETTERS = {"E": ERROR, "F": ERROR, "A": ERROR, "W": WARNING}


def from_words(text: str) -> Levelled | None:
    """The record in a line that has a level as a word or a letter near its beginning; None: there is none."""
    if (match := _KLOG.match(text) or _GLOG.match(text)) is not None:
        return Levelled(_LETTERS.get(match[1], NONE), match[4], match[2], int(match[3]))
    if (match := _ANDROID.match(text)) is not None:
        return Levelled(_LETTERS.get(match[1] or match[2] or match[3], NONE), match[4].strip())
    if text[:1] in _TIMED_STARTS and (match := _TIMED.match(text)) is not None:
        if match["letter"]:
            return Levelled(_LETTERS.get(match["letter"], NONE), match["message"], match["source"], int(match["line"]))
        if (level := level_of(match["level"] or match["word"])) is not None:
            row = int(match["row"]) if match["row"] else None
            return Levelled(level, match["text"] or match["rest"] or "", match["file"], row)
    match = _BRACKETED.match(text)
    if match is not None and match["letter"]:
        return Levelled(_LETTERS.get(match["letter"][1], NONE), match["text"])
    match = match or _PLAIN.match(text)
    level = None if match is None else level_of(match["level"])
    if match is None or level is None:
        return None
    return Levelled(level, match["text"].strip() or ("" if level == WARNING else text.strip()))
