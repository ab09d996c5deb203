"""A row of the trace's table `faults`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from surgetank.trace import Quantity

__all__ = ["Allowed", "Row", "exactly", "in_force", "within", "within_chance"]

Allowed = tuple[float | None, float | None]
"""What a measurement may be, ends included; None = no limit on that side."""
#: Standard errors, where chance has a part in a measurement: chance alone makes no run invalid.
_SIGMAS: Final = 5.0


def exactly(value: float) -> Allowed:
    """This value and no other."""
    return value, value


def within(value: float, tolerance: float) -> Allowed:
    """This far from a value, on both sides."""
    return value - tolerance, value + tolerance


def within_chance(value: float, deviation: float, samples: int, else_: float) -> Allowed:
    """Five standard errors of a mean of so many samples of this standard deviation, and `else_`
    more."""
    return within(value, _SIGMAS * deviation / math.sqrt(max(1, samples)) + else_)


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity of one fault: what was asked, allowed and measured."""

    quantity: Quantity
    asked: float
    allowed: Allowed
    measured: float | None
    """None if nothing could be sampled."""
    samples: int

    def to_dict(
        self, index: int, kind: str, at_ns: int, until_ns: int, nodes: str
    ) -> dict[str, Any]:
        """With what all rows of the fault share; times are since the start of the run."""
        low, high = self.allowed
        return {
            "index": index,
            "kind": kind,
            "at_ns": max(0, at_ns),
            "until_ns": max(0, until_ns),
            "nodes": nodes,
            "quantity": self.quantity.label,
            "asked": float(self.asked),
            "allowed_low": low,
            "allowed_high": high,
            "measured": self.measured,
            "samples": self.samples,
        }


def in_force(asked_s: float, lasted_s: float | None) -> Row:
    """How long a fault lasted: threads and calls of the system come late by some milliseconds."""
    allowed = within(asked_s, 0.02 * asked_s + 0.25)
    return Row(Quantity.IN_FORCE, asked_s, allowed, lasted_s, int(lasted_s is not None))
