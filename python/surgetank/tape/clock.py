"""Times of a recording: their unit and zone, detected from the first one and kept for all.

A number's unit is that in which it lies between 1990 and 2100: seconds, milliseconds, microseconds
and nanoseconds since 1970 are a factor of 1,000 apart, so at most one fits. A number that fits none
(a time counted from the recording's start, say) is refused unless its unit is given.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from surgetank.tape.lines import broken
from surgetank.tape.options import UNITS_NS, ReadOptions

__all__ = ["TimeColumn", "is_of_day", "of_day"]

_FROM_S: Final = 631_152_000  # 1990-01-01
_UNTIL_S: Final = 4_102_444_800  # 2100-01-01
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ISO: Final = re.compile(
    r"(\d{4}([-/.])\d\d\2\d\d)(?:[T ](\d{1,2}:\d\d(?::\d\d)?)(?:[.,](\d{1,9})\d*)?)?"
    r" ?(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?"
)
_OF_DAY: Final = re.compile(r"\d{1,2}:\d\d(:\d\d)?([.,]\d+)?")
_TITLES: Final = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_ENDINGS: Final = ("_s", "_ms", "_us", "_ns")
#: Where a clock's unit came from.
_BY_SIZE, _BY_NAME, _BY_OPTION = "by their size", "by the column's name", "by --time-unit"


class TimeColumn:
    """Reads the times of one column, or of the stamps before the lines of a capture."""

    def __init__(self, path: Path, options: ReadOptions, column: str = "") -> None:
        self._path, self._options = path, options
        self._zone = ZoneInfo(options.timezone) if options.timezone else UTC
        self._unit, self._how = "", ""
        self._stated: bool | None = None
        self._days: dict[str, int] = {}
        ending = next((end for end in _ENDINGS if column.lower().endswith(end)), "")
        if options.time_unit:
            self._unit, self._how = options.time_unit, _BY_OPTION
        elif ending:
            self._unit, self._how = ending[1:], _BY_NAME

    @property
    def said(self) -> str:
        """How the times were read."""
        if self._stated is not None:
            if self._stated:
                return "ISO 8601 with a zone"
            zone = self._options.timezone
            return f"ISO 8601 in {zone}" if zone else "ISO 8601 without a zone, read as UTC"
        return f"{_TITLES[self._unit]} since 1970, {self._how}" if self._unit else ""

    def ns(self, text: str, line: int) -> int:
        """Nanoseconds since 1970.

        Raises:
            SurgetankError: no time, or one that can be read in several ways.
        """
        text = text.strip()
        value: int | Decimal
        if text.isdecimal() and text.isascii():
            return self._counted(int(text[:40]), text, line)
        if match := _ISO.fullmatch(text):
            return self._calendar(match, text, line)
        if re.fullmatch(r"\d{1,4}[/.]\d{1,2}[/.]\d{1,4}.*", text):
            what = f"the time {text[:30]!r} can be read with day and month exchanged"
            raise broken(self._path, line, what, "Write the year first: 2024-08-08T23:54:15.030Z")
        if is_of_day(text):
            what = f"the time {text[:30]!r} has no date"
            hint = "Add a column `date`, or name it: --columns time=…,day=…"
            raise broken(self._path, line, what, hint)
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite():
            hint = "Write ISO 8601, or a number since 1970"
            raise broken(self._path, line, f"the time {text[:30]!r} cannot be read", hint)
        return self._counted(value, text, line)

    def _counted(self, value: int | Decimal, text: str, line: int) -> int:
        if self._stated is not None:
            what = f"the time {text[:30]!r} is a number, where earlier ones are dates"
            raise broken(self._path, line, what, "Write all times alike")
        if not self._unit:
            self._unit, self._how = _by_size(value), _BY_SIZE
            if not self._unit:
                what = f"the time {text[:30]!r} is between 1990 and 2100 in no unit"
                raise broken(self._path, line, what, "Give --time-unit s, ms, us or ns")
        if self._how == _BY_SIZE:
            unit = UNITS_NS[self._unit]
            if not _FROM_S * 10**9 <= int(value * unit) < _UNTIL_S * 10**9:
                what = f"the time {text[:30]!r} is not in {_TITLES[self._unit]} as earlier ones are"
                raise broken(self._path, line, what, "Write all times in one unit")
            return int(value * unit)
        if abs(int(value)) > 2**62:
            what = f"the time {text[:24]} {self._unit} does not fit into 64 bits of nanoseconds"
            raise broken(self._path, line, what, "Give times since 1970")
        return int(value * UNITS_NS[self._unit])

    def _calendar(self, match: re.Match[str], text: str, line: int) -> int:
        date, separator, clock, fraction, zone = match.groups()
        date, clock = date.replace(separator, "-"), clock or "00:00"
        if self._stated not in (None, bool(zone)) or (self._unit and self._how == _BY_SIZE):
            what = f"the time {text[:40]!r} is written unlike earlier ones"
            raise broken(self._path, line, what, "Write all times alike, with a zone")
        self._stated = bool(zone)
        clock = clock if clock[2] == ":" else f"0{clock}"
        nanos = int((fraction or "0").ljust(9, "0"))
        try:
            return self._seconds(date, clock, zone, text, line) * 10**9 + nanos
        except ValueError:
            hint = "Leave the line out, or correct it"
            raise broken(self._path, line, f"there is no time {text[:40]!r}", hint) from None

    def _seconds(self, date: str, clock: str, zone: str | None, text: str, line: int) -> int:
        if zone is None and self._zone is not UTC:
            when = datetime.fromisoformat(f"{date}T{clock}")
            first, second = (when.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
            if first.utcoffset() != second.utcoffset():
                name = self._options.timezone
                what = f"the time {text[:40]!r} is there twice or never in {name}, as clocks change"
                raise broken(self._path, line, what, "Write times with their offset from UTC")
            return (first - _EPOCH) // timedelta(seconds=1)
        if date not in self._days:
            since = datetime.fromisoformat(date).replace(tzinfo=UTC) - _EPOCH
            self._days[date] = since.days * 86_400
        hours, minutes, *rest = (int(part) for part in clock.split(":"))
        seconds = rest[0] if rest else 0
        if hours > 23 or minutes > 59 or seconds > 60:
            raise ValueError
        return self._days[date] + hours * 3600 + minutes * 60 + seconds - _offset(zone)


def is_of_day(text: str) -> bool:
    """Whether it is a time of a day, without the date."""
    return _OF_DAY.fullmatch(text) is not None


def _by_size(value: int | Decimal) -> str:
    found = (u for u, ns in UNITS_NS.items() if _FROM_S <= int(value * ns) // 10**9 < _UNTIL_S)
    return next(found, "")


def _offset(zone: str | None) -> int:
    """Seconds east of UTC."""
    if zone is None or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or "0")
    if hours > 23 or minutes > 59:
        raise ValueError
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


def of_day(ns: int) -> str:
    """A time as ISO 8601 in UTC, to the microsecond; "" beyond the years of the calendar."""
    try:
        return (_EPOCH + timedelta(microseconds=ns // 1_000)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return ""
