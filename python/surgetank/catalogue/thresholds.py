"""Thresholds that a search finds: not measures of a run, but ranked and titled like them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["THRESHOLDS", "ThresholdSpec"]


@dataclass(frozen=True)
class ThresholdSpec:
    """A threshold that a search finds; of each, more is better."""

    name: str
    unit: str
    title: str
    short: str


THRESHOLDS: Final[Mapping[str, ThresholdSpec]] = {
    line.name: line
    for line in (
        ThresholdSpec("capacity", "1/s", "Throughput capacity", "capacity"),
        ThresholdSpec("failure-threshold", "1/s", "Failure threshold", "failure threshold"),
        ThresholdSpec("safe-leverage", "x", "Safe leverage", "safe leverage"),
    )
}
"""Thresholds by name, in the order in which they are offered."""
