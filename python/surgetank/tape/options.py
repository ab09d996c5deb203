"""Options with which a recording is read, where its own content does not say enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from surgetank.errors import SurgetankError

__all__ = ["UNITS_NS", "ReadOptions", "parse_columns"]

#: Nanoseconds of each unit of time.
UNITS_NS: Final[Mapping[str, int]] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@dataclass(frozen=True)
class ReadOptions:
    """How to read a recording; what is absent is detected from its content.

    Raises:
        SurgetankError: a unit, zone or number that there is not.
    """

    format: str = ""
    """A format's name; docs/tapes.md lists them."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Columns of a table by role: `{"time": "ts", "price": "px"}`; no others are read."""
    time_unit: str = ""
    """`s`, `ms`, `us` or `ns`, for times that are numbers."""
    timezone: str = ""
    """IANA name of the zone of times that state none; UTC without it."""
    bar_seconds: float | None = None
    """Length of a bar, seconds."""
    symbol: str = ""
    """The instrument to read, where a recording has several."""
    contract_size: float | None = None
    """Coins in one unit of the recorded quantities."""

    def __post_init__(self) -> None:
        if self.time_unit and self.time_unit not in UNITS_NS:
            hint = f"There are: {', '.join(UNITS_NS)}"
            raise SurgetankError(f"no unit {self.time_unit!r}", place="--time-unit", hint=hint)
        if self.timezone:
            try:
                ZoneInfo(self.timezone)
            except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError in an OSError.
                raise _no_zone(self.timezone) from None
            except KeyError:
                raise _no_zone(self.timezone) from None
        for flag, value in (
            ("--bar-seconds", self.bar_seconds),
            ("--contract-size", self.contract_size),
        ):
            if value is not None and not (math.isfinite(value) and 0 < value <= 1e9):
                what = f"{value:g} is not a positive number up to 1e+09"
                raise SurgetankError(what, place=flag, hint="Leave it out to detect it")

    def flags(self) -> list[str]:
        """The command line's options that give these."""
        roles = ",".join(f"{role}={name}" for role, name in self.columns.items())
        found: list[str] = []
        for flag, value in (
            ("--format", self.format),
            ("--columns", roles),
            ("--time-unit", self.time_unit),
            ("--timezone", self.timezone),
            ("--bar-seconds", _number(self.bar_seconds)),
            ("--symbol", self.symbol),
            ("--contract-size", _number(self.contract_size)),
        ):
            found += [flag, value] if value else []
        return found


def parse_columns(text: str, roles: tuple[str, ...]) -> dict[str, str]:
    """`time=ts,price=px` as a mapping from role to column.

    Raises:
        SurgetankError: a part that is no pair, or an unknown role.
    """
    found: dict[str, str] = {}
    for part in text.split(","):
        role, equals, name = (piece.strip() for piece in part.partition("="))
        if not (role and equals and name):
            hint = "Write ROLE=COLUMN, with commas between: time=ts,price=px"
            raise SurgetankError(f"{part!r} is no pair", place="--columns", hint=hint)
        if role not in roles:
            hint = f"There are: {', '.join(roles)}"
            raise SurgetankError(f"no role {role!r}", place="--columns", hint=hint)
        found[role] = name
    return found


def _number(value: float | None) -> str:
    return "" if value is None else repr(value).removesuffix(".0")


def _no_zone(name: str) -> SurgetankError:
    hint = "Give an IANA name, such as UTC or Europe/London"
    return SurgetankError(f"no time zone {name!r}", place="--timezone", hint=hint)
