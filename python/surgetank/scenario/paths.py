"""Paths between places along links.

Two linked places use their link. Others use the path of least delay (of equal delays the one that
loses least), whose delay is the sum of its links', whose loss is that of any of them, and whose
rate is that of the slowest: so does Shadow route between the nodes of its network graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Edge", "Paths", "paths_of"]

Matrix = NDArray[np.float64]

#: Weight of the loss beside the delay: it decides between paths of equal delay only.
_LOSS_WEIGHT_MS = 1e-9
#: Least delay of a link, one nanosecond; scipy takes a weight of 0 for no link.
_LEAST_MS = 1e-6


class Edge(NamedTuple):
    """A link from one place to another."""

    a: int
    b: int
    delay_ms: float
    loss: float = 0.0
    """Probability that a packet is lost."""
    mbps: float = 0.0
    """Rate in Mbit/s; 0 = unlimited."""


@dataclass(frozen=True, eq=False)
class Paths:
    """Delay, loss and rate between any two of n places: matrices (n, n), from row to column."""

    places: tuple[int, ...]
    """The number of each place in the links, ascending."""
    delay_ms: Matrix
    """Infinite where there is no path."""
    loss: Matrix
    """Probability of loss."""
    mbps: Matrix
    """Mbit/s; 0 = unlimited."""
    direct: NDArray[np.bool_]
    """Whether the path is one link."""

    def apart(self) -> tuple[int, int] | None:
        """The first two places without a path from the first to the second."""
        missing = np.argwhere(np.isinf(self.delay_ms))
        if not len(missing):
            return None
        a, b = missing[0]
        return self.places[a], self.places[b]


@lru_cache(maxsize=8)
def paths_of(
    links: tuple[Edge, ...], others: tuple[int, ...], intra_ms: float, *, detours: bool = False
) -> Paths:
    """The paths between the places that the links name and the `others`.

    A link that is given in one direction only holds in both. Inside a place without a link to
    itself the delay is `intra_ms`. With `detours`, linked places too have the path of least delay.
    """
    places = sorted({*others, *(edge.a for edge in links), *(edge.b for edge in links)})
    rank = {place: i for i, place in enumerate(places)}
    n = len(places)
    delay, loss, mbps = np.full((n, n), np.inf), np.zeros((n, n)), np.zeros((n, n))
    direct = np.zeros((n, n), dtype=np.bool_)
    given = {(edge.a, edge.b) for edge in links}
    for edge in links:
        a, b = rank[edge.a], rank[edge.b]
        ways = [(a, b)] if (edge.b, edge.a) in given else [(a, b), (b, a)]
        for way in ways:
            delay[way], loss[way], mbps[way] = edge.delay_ms, edge.loss, edge.mbps
            direct[way] = True
    alone = np.flatnonzero(~np.diagonal(direct))
    delay[alone, alone] = intra_ms
    _complete(delay, loss, mbps, detours=detours)
    return Paths(tuple(places), delay, loss, mbps, direct)


def _complete(delay: Matrix, loss: Matrix, mbps: Matrix, *, detours: bool) -> None:
    """Fills in the pairs without a link; with `detours`, all pairs."""
    n = len(delay)
    linked = np.isfinite(delay) & ~np.eye(n, dtype=np.bool_)
    if linked.sum() == n * (n - 1) and not detours:
        return
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    rows, columns = np.nonzero(linked)
    weights = np.maximum(delay[rows, columns], _LEAST_MS)
    weights -= _LOSS_WEIGHT_MS * np.log1p(-loss[rows, columns])
    graph = csr_array((weights, (rows, columns)), shape=(n, n))
    lengths, before = dijkstra(graph, return_predecessors=True)
    given = delay.copy(), loss.copy(), mbps.copy()
    kept = np.eye(n, dtype=np.bool_) | (linked & (not detours))
    for source in range(n):
        order = np.argsort(lengths[source], kind="stable")
        along = _along(source, order, before[source], given)
        to = ~kept[source]
        for matrix, row in zip((delay, loss, mbps), along, strict=True):
            matrix[source, to] = row[to]


def _along(
    source: int,
    nearest: NDArray[np.int64],
    before: Sequence[int] | NDArray[np.int32],
    given: tuple[Matrix, Matrix, Matrix],
) -> tuple[Matrix, Matrix, Matrix]:
    """Delay, loss and rate from one place to each, along the tree of least delays."""
    n = len(nearest)
    total, arrives, rate = np.full(n, np.inf), np.ones(n), np.full(n, np.inf)
    total[source] = 0.0
    for place in nearest:
        last = before[place]
        if last < 0:
            continue
        total[place] = total[last] + given[0][last, place]
        arrives[place] = arrives[last] * (1.0 - given[1][last, place])
        rate[place] = min(rate[last], given[2][last, place] or np.inf)
    return total, 1.0 - arrives, np.where(np.isinf(rate), 0.0, rate)
