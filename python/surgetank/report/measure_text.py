"""Measures and failures as text."""

from __future__ import annotations

from typing import Final

from surgetank.measure import FailureKind, Measure
from surgetank.number_format import value

__all__ = ["FAILURES", "interval", "measure_text"]

FAILURES: Final = {
    FailureKind.TRAILING: "nodes trailed the first",
    FailureKind.DOWN: "nodes were down",
    FailureKind.CUT_OFF: "nodes were cut off from a quorum",
    FailureKind.STANDSTILL: "no node executed anything",
    FailureKind.STALE: "the executed state was stale",
}
"""What happened, by kind of failure."""


def measure_text(measure: Measure) -> str:
    """The value of a measure with its unit."""
    return value(measure.value, measure.unit)


def interval(measure: Measure) -> str:
    """The 95 % interval as text; empty if there is none."""
    if measure.low is None or measure.high is None:
        return ""
    return f"{value(measure.low, measure.unit)} – {value(measure.high, measure.unit)}"
