"""Measurements of faults: rows of the trace's table `faults`, and the tolerances that give their
limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from surgetank.trace import Quantity

__all__ = ["IN_FORCE", "Row", "Tolerance"]

#: Number of standard errors that are tolerated in a random measurement, so that chance alone makes
#: no run INVALID.
SIGMAS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity of one fault: requested, allowed and measured value."""

    quantity: Quantity
    asked: float
    allowed_low: float | None
    """The least that is allowed; None = no limit."""
    allowed_high: float | None
    measured: float | None
    """None if nothing could be sampled."""
    samples: int

    def to_dict(
        self, index: int, kind: str, at_ns: int, until_ns: int, nodes: str
    ) -> dict[str, Any]:
        """The row with the columns that all rows of the fault share; times are since the start of
        the run."""
        return {
            "index": index,
            "kind": kind,
            "at_ns": max(0, at_ns),
            "until_ns": max(0, until_ns),
            "nodes": nodes,
            "quantity": self.quantity.label,
            "asked": float(self.asked),
            "allowed_low": self.allowed_low,
            "allowed_high": self.allowed_high,
            "measured": self.measured,
            "samples": self.samples,
        }


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The allowed deviation of a measured quantity from the request. The margin is the sum of its
    parts; without any part only the requested value is allowed."""

    quantity: Quantity
    share: float = 0.0
    """Part of the margin as a share of the request."""
    absolute: float = 0.0
    """Part of the margin in the quantity's own unit."""
    by_chance: bool = False
    """Whether five standard errors of the mean are added to the margin."""
    per_sample: float = 0.0
    """Part of the margin that is divided by the number of samples."""
    below: bool = True
    """Whether there is a limit below the request."""
    above: bool = True
    fixed: float | None = None
    """The request, if it is the same for every fault of a kind."""
    case: str = ""
    """The case to which it applies, if the kind has several."""

    def row(
        self,
        measured: float | None,
        samples: int,
        *,
        asked: float | None = None,
        deviation: float = 0.0,
    ) -> Row:
        """A measurement: a mean of so many samples with this standard deviation."""
        if asked is None:
            asked = 0.0 if self.fixed is None else self.fixed
        n = max(1, samples)
        margin = self.share * abs(asked) + self.absolute + self.per_sample / n
        if self.by_chance:
            margin += SIGMAS * deviation / math.sqrt(n)
        low = asked - margin if self.below else None
        high = asked + margin if self.above else None
        return Row(self.quantity, asked, low, high, measured, samples)

    def __str__(self) -> str:
        """The tolerance as text for the documents, such as `asked ± (5 % + 0.5 ms)`."""
        unit = self.quantity.label.rpartition("_")[2] if self.absolute else ""
        parts = [
            f"{self.share * 100:g} %" if self.share else "",
            f"{self.absolute:,g} {unit}" if self.absolute else "",
            f"{SIGMAS:g} σ" if self.by_chance else "",
            f"{self.per_sample:g}/n" if self.per_sample else "",
        ]
        margin = " + ".join(part for part in parts if part)
        margin = f"({margin})" if margin.count(" + ") else margin
        if not margin:
            text = "as asked" if self.fixed is None else f"{self.fixed:g}"
        elif self.below and self.above:
            text = f"asked ± {margin}"
        else:
            text = f"at least asked − {margin}" if self.below else f"at most asked + {margin}"
        return f"{text} ({self.case})" if self.case else text


#: Threads and system calls are late by some milliseconds.
IN_FORCE: Final = Tolerance(Quantity.IN_FORCE, share=0.02, absolute=0.25)
