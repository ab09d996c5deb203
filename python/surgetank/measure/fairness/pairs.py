"""Pairs of messages that the nodes received in one order: violations of it, and cycles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgetank.measure.fairness.execution_order import CELLS_MAX, FirstReceipts, Ints, drawn
from surgetank.measure.measured import Measure
from surgetank.measure.statistics import Flags, Floats, ratio_interval, share_interval
from surgetank.scenario import Scenario

__all__ = ["circles", "cycles", "gamma_of", "violations", "votes"]

WINDOW: Final = 128
"""Size of a window of consecutively received messages, of which all pairs are compared."""

WINDOWS_MAX: Final = 25
BLOCKS_MAX: Final = 50
_VOTES_MAX: Final = 5_000_000

_CYCLES = ("condorcet_cycle_rate", "condorcet_share")
_NO_RECEIPTS = "no receipts were recorded (trace.receipts_every)"
_NOT_ALL = "most nodes do not receive all messages, so there is no order of receipt"


def gamma_of(scenario: Scenario) -> float:
    """γ: the share of nodes that must have received a pair in one order; 1 unless the scenario's
    order is `themis` with another (`layer.queue.fair.gamma`)."""
    queue = scenario.layer.queue
    return queue.fair.gamma if queue.order == "themis" else 1.0


def votes(times: Ints) -> NDArray[np.int32]:
    """How many nodes received row a before row b: shape (rows, rows). NEVER sorts last."""
    found = np.zeros((len(times), len(times)), dtype=np.int32)
    for column in np.ascontiguousarray(times.T):
        found += column[:, None] < column[None, :]
    return found


def circles(relations: Sequence[Flags]) -> list[Flags]:
    """For each vertex of each directed graph, given as matrices, whether it lies on a cycle.

    That is, whether its strongly connected component has more than one vertex.
    """
    sizes = [len(relation) for relation in relations]
    begins = np.concatenate(([0], np.cumsum(sizes)))
    # All graphs as one with no edge between them: scipy is called once.
    edges = [np.argwhere(r) + begin for r, begin in zip(relations, begins, strict=False)]
    tails, heads = np.concatenate([*edges, np.empty((0, 2), np.int64)]).T
    from scipy.sparse import coo_array  # slow to import
    from scipy.sparse.csgraph import connected_components

    whole = coo_array((np.ones(len(tails), np.int8), (tails, heads)), shape=(begins[-1],) * 2)
    _, label = connected_components(whole, directed=True, connection="strong")
    many: Flags = (np.bincount(label) > 1)[label]
    return np.split(many, begins[1:-1])


def violations(receipts: FirstReceipts, gamma: float) -> Measure:
    """fairness_violations: pairs that break γ-batch-order-fairness, a block being a batch.

    Of the pairs of messages that at least a share γ of the nodes received in one order, the share
    of which the later one is in an earlier block. Pairs come from windows of WINDOW messages
    received one after the other, evenly spread over the run; the interval is from the windows.
    """
    name = "fairness_violations"
    windows, times, why = _windows(receipts)
    share = f"γ = {100 * gamma:g}% of the nodes"
    note = f"{share}; {why}" if why else share
    if not windows:
        return Measure(name, None, note=note)
    # Rounded, as 0.9 * 10 need not be 9 in floats.
    least = math.ceil(round(gamma * times[0].shape[1], 9))
    broken, promised = [], []
    for window, own in zip(windows, times, strict=True):
        agreed, height = votes(own) >= least, receipts.height[window]
        broken.append(int((agreed & (height[:, None] > height[None, :])).sum()))
        promised.append(int(agreed.sum()))
    if not sum(promised):
        return Measure(name, None, note="the nodes did not agree on any pair")
    return _ratio(name, np.array(broken, np.float64), np.array(promised, np.float64), note)


def cycles(receipts: FirstReceipts) -> list[Measure]:
    """condorcet_cycle_rate and condorcet_share: cycles of "most nodes received a before b".

    The share of blocks with a cycle, and of messages that lie on one. Of blocks with at least
    three messages with recorded receipts; of a larger block the first WINDOW received. A
    strict majority of the nodes makes an edge.
    """
    times, note = _blocks(receipts)
    if not times:
        return [Measure(name, None, note=note) for name in _CYCLES]
    found = circles([2 * votes(own) > own.shape[1] for own in times])
    blocks = share_interval(np.array([own.any() for own in found], np.bool_))
    counts = np.array([[own.sum(), len(own)] for own in found], np.float64)
    rate, share = _CYCLES
    return [
        Measure(rate, blocks.value, blocks.low, blocks.high, blocks.n, note),
        _ratio(share, counts[:, 0], counts[:, 1], note),
    ]


def _windows(receipts: FirstReceipts) -> tuple[list[Ints], list[Ints], str]:
    """Indices of some stretches, `FirstReceipts.times` of each, and what to note."""
    if not receipts.kept:
        return [], [], _NO_RECEIPTS
    cells = WINDOW * max(1, receipts.nodes)
    fit = min(WINDOWS_MAX, _VOTES_MAX // (WINDOW * cells), CELLS_MAX // cells)
    count = max(1, min(fit, len(receipts) // WINDOW))
    begins = np.linspace(0, max(0, len(receipts) - WINDOW), count).astype(np.int64)
    windows = [np.arange(b, min(b + WINDOW, len(receipts)), dtype=np.int64) for b in begins]
    times = receipts.times(np.concatenate(windows))
    if 2 * times.shape[1] <= receipts.nodes:
        return [], [], _NOT_ALL
    return windows, np.split(times, np.cumsum([len(w) for w in windows])[:-1]), receipts.note


def _blocks(receipts: FirstReceipts) -> tuple[list[Ints], str]:
    """`FirstReceipts.times` of the messages of some blocks, and what to note."""
    if not receipts.kept:
        return [], _NO_RECEIPTS
    order = np.argsort(receipts.height, kind="stable")
    begins = np.flatnonzero(np.diff(receipts.height[order], prepend=-1))
    sizes = np.diff(begins, append=len(order))
    begins, sizes = begins[sizes >= 3], np.minimum(sizes[sizes >= 3], WINDOW)
    if not len(begins):
        return [], "no block with three messages with recorded receipts"
    cells = float((sizes.astype(np.float64) ** 2).mean()) * receipts.nodes
    chosen = drawn(len(begins), max(2, min(BLOCKS_MAX, int(_VOTES_MAX / cells))))
    stretches = zip(begins[chosen], sizes[chosen], strict=True)
    times = receipts.times(np.concatenate([order[b : b + size] for b, size in stretches]))
    if 2 * times.shape[1] <= receipts.nodes:
        return [], _NOT_ALL
    return np.split(times, np.cumsum(sizes[chosen])[:-1]), receipts.note


def _ratio(name: str, above: Floats, below: Floats, note: str) -> Measure:
    found = ratio_interval(above, below)
    if found.value == 0 or found.low is None or found.high is None:
        # Without any cycle the variance between slices cannot be estimated.
        return Measure(name, found.value, n=found.n, note=note)
    return Measure(name, found.value, found.low, min(1.0, found.high), found.n, note)
