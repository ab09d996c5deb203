"""The measures of a run, declared once: name, unit, better direction, title, sentence, source.

Limits of a scenario, verdicts, reports, leagues and docs/measures.md derive from these entries.
A measure is the function in `surgetank.measure` that computes it, and its entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from surgetank.catalogue import delay, fairness, flow, liquidations, money, synchrony
from surgetank.catalogue.risk import RISK_LIMITS, RISK_NAMES, RISKS
from surgetank.catalogue.spec import Better, Family, Limit, LimitSide, MeasureSpec
from surgetank.catalogue.thresholds import THRESHOLDS, ThresholdSpec

__all__ = [
    "CATALOGUE",
    "LIMITS",
    "MEASURES",
    "RISKS",
    "RISK_LIMITS",
    "RISK_NAMES",
    "THRESHOLDS",
    "Better",
    "Family",
    "Limit",
    "LimitSide",
    "MeasureSpec",
    "ThresholdSpec",
    "short_of",
    "title_of",
    "what_of",
]

_PARTS: Final = (delay, flow, synchrony, fairness, liquidations, money)

CATALOGUE: Final[Mapping[str, MeasureSpec]] = {
    spec.name: spec for part in _PARTS for spec in part.MEASURES
}
"""Entries by name, in the order in which a reader meets them."""

MEASURES: Final[Mapping[str, MeasureSpec]] = {
    spec.measure(member): spec for spec in CATALOGUE.values() for member in spec.members()
}
"""Entry of every measure by its full name: `delay_p99_ms`, `delay_p99_ms.cancel`, …"""

_ENTRIES: Final[Mapping[str, tuple[MeasureSpec, str]]] = {
    **RISK_NAMES,
    **{spec.measure(of): (spec, of) for spec in CATALOGUE.values() for of in spec.members()},
}

LIMITS: Final[Mapping[str, Limit]] = {
    limit.name: limit
    for measure, spec in MEASURES.items()
    for limit in (Limit(spec, side, _ENTRIES[measure][1]) for side in LimitSide)
}
"""Every limit that `judge` knows, by name: each measure from either side. A scenario sets those of
the side from which `MeasureSpec.side` says that a measure is bounded."""


def what_of(measure: str) -> str:
    """One sentence on a measure, by its full name."""
    spec, member = _ENTRIES[measure]
    return spec.sentence(member)


def title_of(measure: str) -> str:
    """A title, by the full name of a measure or of a quantity of `RISK_NAMES`."""
    spec, member = _ENTRIES[measure]
    if spec.family is None or not member:
        return spec.title
    if spec.title_of:
        return spec.title_of.format(of=spec.family.members[member])
    return f"{spec.title} · {spec.family.title(member)}"


def short_of(measure: str) -> str:
    """A title for the head of a narrow column, by a measure's full name."""
    spec, member = _ENTRIES[measure]
    short = spec.short or spec.title
    return f"{member} {short}" if member else short
