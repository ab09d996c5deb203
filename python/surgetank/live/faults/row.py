"""A row of the trace's table `faults`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity of one fault: what was asked and what was measured."""

    quantity: str
    asked: float
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
            "quantity": self.quantity,
            "asked": float(self.asked),
            "measured": self.measured,
            "samples": self.samples,
        }
