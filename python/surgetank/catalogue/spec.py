"""The fields of an entry of the catalogue, and limits on measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

__all__ = ["Better", "Family", "Limit", "LimitSide", "MeasureSpec", "Unit"]

Unit = Literal["ms", "s", "1/s", "s/s", "share", "1", "count", "USD", "bp"]
"""`share`: from 0 to 1, shown as a percentage; `1`: any other number without a dimension."""


class Better(StrEnum):
    """The direction in which a measure is better."""

    MORE = "more"
    LESS = "less"
    NEITHER = ""
    """Neither: it describes a run, such as what one group gains and another loses."""


class LimitSide(StrEnum):
    """The side from which a limit bounds its measure; the value is the suffix of the limit's
    name."""

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
    """The words for any member, in a sentence."""
    members: Mapping[str, str]
    """Name of a member, as it stands after the dot → its words in a sentence."""
    whole: str = ""
    """The words for the whole that the members divide, in a sentence; empty if the whole is not
    measured."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """Name of a member → its title in a heading or key, where the name itself does not serve."""

    def title(self, member: str) -> str:
        """Title of a member; of any other name, the name in words."""
        return self.titles.get(member) or member.replace("_", " ").replace("-", " ")


@dataclass(frozen=True, eq=False)
class MeasureSpec:
    """The declaration of a measure, independent of any run."""

    name: str
    """Name without a member: `delay_p99_ms` is one entry, `delay_p99_ms.cancel` one of its
    measures."""
    unit: Unit
    better: Better
    title: str
    """Title for a heading."""
    what: str
    """One sentence; `{of}` stands for the member, or for the whole."""
    source: str
    """Source of the formula: a publication, or what in the trace is counted."""
    short: str = ""
    """Title for the head of a narrow column; empty: the title itself."""
    quantile: float | None = None
    """The quantile, if the measure is a sampled one: its estimate needs enough observations beyond
    it."""
    signed: bool = False
    """Whether it can be below zero."""
    family: Family | None = None
    live_only: bool = False
    """Whether only a live target provides the data for it."""
    alone: bool = True
    """Whether the whole is measured too, and not only the members."""
    title_of: str = ""
    """Title of a member's measure, with `{of}`; empty: the title, and the member behind a dot."""

    def members(self) -> Iterator[str]:
        """Everything that has a measure: the whole (an empty name), and every member of the
        family."""
        if self.alone:
            yield ""
        yield from self.family.members if self.family else ()

    def measure(self, member: str = "") -> str:
        """Full name of the measure of a member, or of the whole."""
        return _named(self.name, member)

    @property
    def side(self) -> LimitSide | None:
        """The side from which a scenario bounds the measure; None if neither more nor less is
        better."""
        sides = {Better.LESS: LimitSide.MOST, Better.MORE: LimitSide.LEAST}
        return sides.get(self.better)

    def bounded(self, side: LimitSide) -> str:
        """Name of the limit: the measure's, with `_max` or `_min`; a name that ends in `_max`
        needs no second one."""
        doubled = side is LimitSide.MOST and self.name.endswith("_max")
        return self.name if doubled else f"{self.name}_{side}"

    def sentence(self, member: str = "") -> str:
        """`what` for a member, or for the whole; without a whole, for any member."""
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
    """The member of the measure's family; empty for the whole."""

    @property
    def name(self) -> str:
        """The name as in verdicts and on the command line: `delay_p99_ms_max.cancel`."""
        return _named(self.spec.bounded(self.side), self.member)

    @property
    def measure(self) -> str:
        """Full name of the measure that it bounds."""
        return self.spec.measure(self.member)

    def violated(self, value: float, number: float) -> bool:
        """Whether a measured value is beyond the number."""
        return value > number if self.side is LimitSide.MOST else value < number


def _named(name: str, member: str) -> str:
    return f"{name}.{member}" if member else name
