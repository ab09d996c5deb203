"""How a venue fails: the kinds that are told apart, and one occurrence of one of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Failure", "FailureKind"]


class FailureKind(StrEnum):
    """Why a venue's executed state was of no use; docs/concepts.md defines each."""

    TRAILING = "trailing"
    """Too many nodes' executed state is behind the first node's."""
    DOWN = "down"
    """Too many nodes do not run."""
    CUT_OFF = "cut-off"
    """Too many nodes cannot reach, or do not hear, a quorum."""
    STANDSTILL = "standstill"
    """Nobody executes anything though messages wait."""
    STALE = "stale"
    """Even the first node's executed state lacks what happened outside."""


@dataclass(frozen=True)
class Failure:
    """A kind of failure in one run."""

    kind: FailureKind
    first_ns: int
    """When it began for the first time."""
    total_s: float
    """How long it lasted, in all."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"kind": str(self.kind), "first_ns": self.first_ns, "total_s": self.total_s}
