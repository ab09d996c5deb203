"""How the venue failed in the runs just past a failure threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from surgetank.measure import FailureKind
from surgetank.search.answer import Failed
from surgetank.search.probe import RunOutcome

__all__ = ["NEAREST", "failed"]

NEAREST: Final = 20
"""Runs that are looked at: those that broke nearest to the line."""


def failed(nearest: Sequence[RunOutcome]) -> tuple[Failed, ...]:
    """Kinds of failure in these runs, what most often came first first."""
    found = [
        Failed(
            kind,
            first=sum(o.failures[:1] == (kind,) for o in nearest),
            seen=sum(kind in o.failures for o in nearest),
            runs=len(nearest),
        )
        for kind in FailureKind
    ]
    return tuple(sorted((f for f in found if f.seen), key=lambda f: (-f.first, -f.seen)))
