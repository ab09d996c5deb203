"""What a search finds by name: not measures of a run, but ranked and titled as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["LINES", "LineSpec"]


@dataclass(frozen=True)
class LineSpec:
    """A line that a search finds; more is better of each."""

    name: str
    unit: str
    title: str
    short: str


LINES: Final[Mapping[str, LineSpec]] = {
    line.name: line
    for line in (
        LineSpec("capacity", "1/s", "Throughput capacity", "capacity"),
        LineSpec("failure-threshold", "1/s", "Failure threshold", "failure threshold"),
        LineSpec("safe-leverage", "x", "Safe leverage", "safe leverage"),
    )
}
"""By name, in the order in which they are offered."""
