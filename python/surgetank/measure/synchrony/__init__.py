"""Which nodes fall out of step, why, and how old the venue's state is.

Desynchronisation is defined by its effect on a venue (docs/concepts.md, decision 10): a node that
**trails** serves old prices; one that is **down** or **cut off** serves none and does not vote; at
a **standstill** every node's state is old; where **views diverge**, an order that one gateway knows
is unknown to another; a **stale** state lacks what happened outside, however well the nodes agree.
"""

from surgetank.measure.synchrony.blocks import blocks
from surgetank.measure.synchrony.budget import BUDGET, Synchrony, SynchronyBounds
from surgetank.measure.synchrony.failures import Failure, FailureKind
from surgetank.measure.synchrony.measures import synchrony
from surgetank.measure.synchrony.node_outages import crashes, cut_off
from surgetank.measure.synchrony.trailing import trailing

__all__ = [
    "BUDGET",
    "Failure",
    "FailureKind",
    "Synchrony",
    "SynchronyBounds",
    "blocks",
    "crashes",
    "cut_off",
    "synchrony",
    "trailing",
]
