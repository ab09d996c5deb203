"""Kinds of failure of a venue, and one occurrence of a kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Failure", "FailureKind"]


class FailureKind(StrEnum):
    """Why a venue's executed state was unusable; docs/concepts.md defines each kind."""

    TRAILING = "trailing"
    """Too many nodes' executed state is behind the first node's."""
    DOWN = "down"
    """Too many nodes do not run."""
    CUT_OFF = "cut-off"
    """Too many nodes cannot reach, or do not hear, a quorum."""
    STANDSTILL = "standstill"
    """No node executes anything though messages wait."""
    STALE = "stale"
    """Even the most recent executed state lacks outside news."""


@dataclass(frozen=True)
class Failure:
    """A kind of failure in one run."""

    kind: FailureKind
    first_ns: int
    """When it began for the first time."""
    total_s: float
    """Its total duration, s."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"kind": str(self.kind), "first_ns": self.first_ns, "total_s": self.total_s}
