"""What a fault's measurement may be: a row of the trace's table `faults`, and the tolerance that it
is written with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from surgetank.trace import Quantity

__all__ = ["IN_FORCE", "Row", "Tolerance"]

#: Standard errors, where chance has a part in a measurement: chance alone makes no run invalid.
SIGMAS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity of one fault: what was asked, allowed and measured."""

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
        """With what all rows of the fault share; times are since the start of the run."""
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
    """How far a measured quantity may be from what was asked. The margin is the sum of its parts;
    without any, nothing but what was asked is allowed."""

    quantity: Quantity
    share: float = 0.0
    """Of what was asked."""
    absolute: float = 0.0
    """In the quantity's own unit."""
    by_chance: bool = False
    """Five standard errors of the mean are allowed, too."""
    per_sample: float = 0.0
    """Over the number of samples."""
    below: bool = True
    """Whether there is a limit below what was asked."""
    above: bool = True
    fixed: float | None = None
    """What is asked, if that is the same for every fault of a kind."""
    case: str = ""
    """The case that it is for, if the kind has several."""

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
        """Such as `asked ± (5 % + 0.5 ms)`, for the documents."""
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


#: Threads, and calls of the operating system, are late by some milliseconds.
IN_FORCE: Final = Tolerance(Quantity.IN_FORCE, share=0.02, absolute=0.25)
