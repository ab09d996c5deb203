"""Kinds of failure in the runs just past a failure threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from surgetank.measure import FailureKind
from surgetank.search.answer import Failed
from surgetank.search.probe import RunOutcome

__all__ = ["NEAREST", "failed"]

NEAREST: Final = 20
"""Number of runs examined: the failing runs nearest to the threshold."""


def failed(nearest: Sequence[RunOutcome]) -> tuple[Failed, ...]:
    """Kinds of failure in these runs, by how often each came first."""
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
