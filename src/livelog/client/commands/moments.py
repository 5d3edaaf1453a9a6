"""The formats of times: for `--since` and `--until`, and for `--timestamps`. No I/O.

    5m, 1h, 2d, 90s, 1h30m       so long ago
    today, yesterday, now        midnight, in the zone of this machine, or now
    15:04, 15:04:05              today
    2026-11-28, 2026-11-28 15:04 in the zone of this machine
    2026-11-28T15:04:05.5Z       RFC 3339, with its zone
    1764295384.5                 seconds since 1970

A number below 1,000,000,000 without a unit is refused: it could mean seconds ago.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
"""The units of durations, in seconds."""

EPOCH = 1_000_000_000
"""The smallest number that is a time in seconds since 1970; smaller numbers are durations."""

FORMS = ("iso", "short", "relative", "delta")
"""The forms of a line's time."""

EXAMPLES = "such as 5m, 1h30m, yesterday, 15:04, '2026-11-28 15:04' or 2026-11-28T15:04:05Z"

_AGO = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhdw]))+", re.ASCII)
_PART = re.compile(r"([0-9.]+)(ms|[smhdw])", re.ASCII)
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?", re.ASCII)
_DATE = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt _][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII,
)


def moment(text: str, now: datetime) -> datetime:
    """The time in UTC that `text` means. `now`: the present time; its zone is used for times without one. Raises: ValueError."""
    try:
        return _moment(text.strip(), now).astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{text!r} is not a time, {EXAMPLES}") from error


def _moment(text: str, now: datetime) -> datetime:
    word = text.lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if word in ("now", "today", "yesterday"):
        return {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}[word]
    ago = re.sub(r"\s+ago$", "", word)
    if _AGO.fullmatch(ago):
        return now - timedelta(seconds=sum(float(count) * UNITS[unit] for count, unit in _PART.findall(ago)))
    if _CLOCK.fullmatch(word):
        hour, minute, second, *_ = [*word.split(":"), "0"]
        whole, _, part = second.partition(".")
        return midnight.replace(
            hour=int(hour), minute=int(minute), second=int(whole), microsecond=int(part.ljust(6, "0") or 0)
        )
    if _DATE.fullmatch(word):
        text = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", word.upper().replace("_", "T"))
        found = datetime.fromisoformat(text)
        return found if found.tzinfo is not None else found.replace(tzinfo=now.tzinfo)
    if re.fullmatch(r"[0-9]{10,11}(?:\.[0-9]+)?", word, re.ASCII) and float(word) >= EPOCH:
        return datetime.fromtimestamp(float(word), UTC)
    raise ValueError(text)


class Stamps:
    """The times of lines as one of `FORMS` shows them, each with a blank behind it.

    `iso`: RFC 3339 in UTC, or, if `zoned`, in `zone`, with milliseconds. `short`: the time of day in `zone`; of another day than `now`, with month and day. `relative`: seconds
    since the first line that was shown. `delta`: seconds since the line before.
    """

    def __init__(self, form: str, zone: tzinfo | None, now: datetime, *, zoned: bool = False) -> None:
        self._zoned = zoned
        self._form, self._zone, self._today = form, zone, now.astimezone(zone).date()
        self._first: datetime | None = None
        self._last: datetime | None = None

    def __call__(self, when: datetime | None) -> str:
        """The text before a line that arrived at this time; None: the time is unknown."""
        if when is None:
            return f"{'-':>{self._width}} "
        self._first, before, self._last = self._first or when, self._last or when, when
        if self._form == "iso":
            return f"{when.astimezone(self._zone).isoformat(timespec='milliseconds') if self._zoned else iso(when)} "
        if self._form == "short":
            local = when.astimezone(self._zone)
            day = "" if local.date() == self._today else local.strftime("%m-%d ")
            return f"{day}{local.strftime('%H:%M:%S')}.{local.microsecond // 1000:03} "
        since = (when - (self._first if self._form == "relative" else before)).total_seconds()
        return f"{since:+{self._width}.3f} "

    @property
    def _width(self) -> int:
        return {"iso": 24, "short": 12, "relative": 11, "delta": 9}[self._form]


def iso(when: datetime) -> str:
    """A time in the format of RFC 3339, in UTC, with milliseconds."""
    when = when.astimezone(UTC)
    return f"{when.strftime('%Y-%m-%dT%H:%M:%S')}.{when.microsecond // 1000:03}Z"
