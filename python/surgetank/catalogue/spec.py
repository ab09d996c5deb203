"""The fields of an entry of the catalogue, and limits on measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

__all__ = ["Better", "Family", "Limit", "LimitSide", "MeasureSpec", "Unit"]

Unit = Literal["ms", "s", "1/s", "s/s", "share", "1", "count", "USD", "bp"]
"""`share`: from 0 to 1, shown as a percentage; `1`: any other number without a dimension."""


class Better(StrEnum):
    """Which way a measure is better."""

    MORE = "more"
    LESS = "less"
    NEITHER = ""
    """Neither: it describes a run, such as what one group gains and another loses."""


class LimitSide(StrEnum):
    """From which side a limit bounds its measure; the value stands at the end of its name."""

    MOST = "max"
    LEAST = "min"

    @property
    def phrase(self) -> str:
        """`at most` or `at least`."""
        return "at most" if self is LimitSide.MOST else "at least"


@dataclass(frozen=True, eq=False)
class Family:
    """A set of members by which a measure is divided: classes, resources, …"""

    name: str
    one: str
    """Any member, in a sentence."""
    members: Mapping[str, str]
    """Name of a member, as it stands behind the dot → the same in a sentence."""
    whole: str = ""
    """What they are parts of, in a sentence, if measures of it are taken as well."""


@dataclass(frozen=True, eq=False)
class MeasureSpec:
    """The declaration of a measure, independent of any run."""

    name: str
    """Without a member: `delay_p99_ms` is one entry, `delay_p99_ms.cancel` a measure of it."""
    unit: Unit
    better: Better
    title: str
    """For a heading."""
    what: str
    """One sentence; `{of}` stands for the member, or for the whole."""
    source: str
    """Where the formula is from: a publication, or what in the trace is counted."""
    short: str = ""
    """For the head of a narrow column; empty: as the title."""
    quantile: float | None = None
    """Of a sampled quantile, which: an estimate needs enough observations beyond it."""
    signed: bool = False
    """Whether it can be below zero."""
    family: Family | None = None
    alone: bool = True
    """Whether it is measured of the whole, too, and not only of members."""
    title_of: str = ""
    """Title of a member's measure, with `{of}`; empty: the title, and the member behind a dot."""

    def members(self) -> Iterator[str]:
        """What it is measured of: the whole (an empty name), and every member of its family."""
        if self.alone:
            yield ""
        yield from self.family.members if self.family else ()

    def measure(self, member: str = "") -> str:
        """Full name of the measure of a member, or of the whole."""
        return _named(self.name, member)

    @property
    def side(self) -> LimitSide | None:
        """From which side a scenario bounds it; None if neither more nor less is better."""
        sides = {Better.LESS: LimitSide.MOST, Better.MORE: LimitSide.LEAST}
        return sides.get(self.better)

    def bounded(self, side: LimitSide) -> str:
        """Name of the limit: the measure's, with `_max` or `_min`; a name that ends in `_max`
        needs no second one."""
        doubled = side is LimitSide.MOST and self.name.endswith("_max")
        return self.name if doubled else f"{self.name}_{side}"

    def sentence(self, member: str = "") -> str:
        """`what`, of a member or of the whole; without a whole, of any member."""
        family = self.family
        if family is None:
            return self.what
        of = family.members[member] if member else family.whole if self.alone else family.one
        return self.what.format(of=of)


@dataclass(frozen=True)
class Limit:
    """A bound on a measure; the number itself is the scenario's."""

    spec: MeasureSpec
    side: LimitSide
    member: str = ""
    """Of the measure's family; empty for the whole."""

    @property
    def name(self) -> str:
        """As in verdicts and on the command line: `delay_p99_ms_max.cancel`."""
        return _named(self.spec.bounded(self.side), self.member)

    @property
    def measure(self) -> str:
        """Full name of the measure that it bounds."""
        return self.spec.measure(self.member)

    def broken(self, value: float, number: float) -> bool:
        """Whether a measured value is beyond the number."""
        return value > number if self.side is LimitSide.MOST else value < number


def _named(name: str, member: str) -> str:
    return f"{name}.{member}" if member else name
