"""What a network is like before anything runs on it: powers, regions, delays, time of a quorum."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surgetank.scenario.delay import FixedDelay, LinksDelay, RegionsDelay
from surgetank.scenario.network import Network

__all__ = ["DelaySpread", "Proposers", "Region", "Summary", "mean_delays_ms", "summarise"]

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Region:
    """Nodes of one region."""

    name: str
    nodes: int
    share: float
    """Of all voting power."""


@dataclass(frozen=True)
class DelaySpread:
    """Mean one-way delays between the ordered pairs of nodes, ms."""

    pairs: int
    median_ms: float
    p90_ms: float
    most_ms: float
    furthest: tuple[str, str]
    loss_most: float
    """Largest probability of loss between two nodes."""
    unlinked: int
    """Ordered pairs without a link, whose packets pass other places; 0 where there are no links."""


@dataclass(frozen=True)
class Proposers:
    """Estimated time from a proposal until nodes with more than 2/3 of the power have decided.

    Three hops (proposal, prevotes, precommits) over mean delays, each until a quorum of the power
    is heard: without validation, transmission, loss and jitter.
    """

    mean_ms: float
    """Over proposers, each as often as it proposes."""
    least_ms: float
    least: str
    most_ms: float
    most: str
    by_node_ms: tuple[float | None, ...]
    """For each node as the proposer; None without voting power."""


@dataclass(frozen=True)
class Summary:
    """A network in numbers."""

    nodes: int
    validators: int
    """Nodes with voting power."""
    names: tuple[str, ...]
    shares: tuple[float, ...]
    """Share of the voting power of each node."""
    largest_share: float
    largest: str
    nakamoto: int
    """Least number of validators with more than a third of the power, which can halt the chain."""
    quorum_least: int
    """Least number of validators with more than two thirds."""
    regions: tuple[Region, ...]
    delays: DelaySpread | None
    """None for a single node."""
    proposers: Proposers | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def mean_delays_ms(network: Network) -> Matrix:
    """Mean one-way delay from row to column, ms, shape (nodes, nodes); 0 on the diagonal."""
    n, delay = network.nodes, network.delay
    if isinstance(delay, RegionsDelay):
        at = delay.placed(n)
        matrix = np.array(delay.matrix_ms, dtype=np.float64)
        np.fill_diagonal(matrix, delay.intra_ms)
        found = matrix[np.ix_(at, at)]
    elif isinstance(delay, LinksDelay):
        paths = delay.paths(n)
        at = [paths.places.index(place) for place in delay.placed(n)]
        found = paths.delay_ms[np.ix_(at, at)]
    elif isinstance(delay, FixedDelay):
        found = np.full((n, n), delay.delay_ms)
    else:
        found = np.full((n, n), (delay.low_ms + delay.high_ms) / 2 * (1 + delay.jitter / 2))
    found = found.copy()
    np.fill_diagonal(found, 0.0)
    return found


def summarise(network: Network) -> Summary:
    """The summary of a scenario's network.

    The Nakamoto coefficient is the least number of validators that together have more than a third
    of the power (B. S. Srinivasan and L. Lee, "Quantifying Decentralization", 2017, for the share
    that a chain's consensus tolerates).
    """
    weights = np.array(network.weights, dtype=np.float64)
    shares = weights / weights.sum()
    names = tuple(network.names or (f"node {k}" for k in range(network.nodes)))
    delay = mean_delays_ms(network)
    alone = network.nodes < 2
    return Summary(
        nodes=network.nodes,
        validators=int((weights > 0).sum()),
        names=names,
        shares=tuple(shares.tolist()),
        largest_share=float(shares.max()),
        largest=names[int(shares.argmax())],
        nakamoto=_least_above(network.weights, 1),
        quorum_least=_least_above(network.weights, 2),
        regions=_regions(network, shares),
        delays=None if alone else _delays(network, delay, names),
        proposers=None if alone else _proposers(delay, network.weights, names),
    )


def _least_above(weights: list[int], thirds: int) -> int:
    """The least number of nodes with more than so many thirds of the weight; whole numbers, so that
    exactly a third is not more."""
    have = 0
    for count, weight in enumerate(sorted(weights, reverse=True), 1):
        have += weight
        if 3 * have > thirds * sum(weights):
            return count
    raise AssertionError("all nodes have more than any part")


def _regions(network: Network, shares: Matrix) -> tuple[Region, ...]:
    of_nodes = network.region_of_nodes
    count = Counter(of_nodes)
    power = dict.fromkeys(count, 0.0)
    for name, share in zip(of_nodes, shares, strict=False):
        power[name] += float(share)
    ranked = sorted(count, key=lambda name: (-power[name], -count[name], name))
    return tuple(Region(name, count[name], float(power[name])) for name in ranked)


def _delays(network: Network, delay: Matrix, names: tuple[str, ...]) -> DelaySpread:
    n = network.nodes
    pairs = delay[~np.eye(n, dtype=np.bool_)]
    a, b = np.unravel_index(int(delay.argmax()), delay.shape)
    loss, unlinked = network.loss, 0
    if isinstance(network.delay, LinksDelay):
        paths = network.delay.paths(n)
        at = [paths.places.index(place) for place in network.delay.placed(n)]
        path_loss = float(paths.loss[np.ix_(at, at)].max())
        loss = 1 - (1 - loss) * (1 - path_loss)
        apart = np.not_equal.outer(at, at)
        unlinked = int((apart & ~paths.direct[np.ix_(at, at)]).sum())
    return DelaySpread(
        pairs=len(pairs),
        median_ms=float(np.median(pairs)),
        p90_ms=float(np.quantile(pairs, 0.9)),
        most_ms=float(pairs.max()),
        furthest=(names[int(a)], names[int(b)]),
        loss_most=float(loss),
        unlinked=unlinked,
    )


def _proposers(delay: Matrix, weights: list[int], names: tuple[str, ...]) -> Proposers:
    power = np.array(weights, dtype=np.int64)
    voters = np.flatnonzero(power)
    spans: list[float | None] = [None] * len(weights)
    to_node = np.ascontiguousarray(delay.T)
    for proposer in voters.tolist():
        prevoted = delay[proposer]
        precommitted = np.maximum(prevoted, _quorum_ms(prevoted + to_node, power))
        decided = np.maximum(prevoted, _quorum_ms(precommitted + to_node, power))
        # Until nodes with more than two thirds of the power have decided.
        spans[proposer] = float(_quorum_ms(decided[np.newaxis], power)[0])
    known = np.array([spans[k] for k in voters], dtype=np.float64)
    best, worst = voters[known.argmin()], voters[known.argmax()]
    return Proposers(
        mean_ms=float(np.average(known, weights=power[voters])),
        least_ms=float(known.min()),
        least=names[best],
        most_ms=float(known.max()),
        most=names[worst],
        by_node_ms=tuple(spans),
    )


def _quorum_ms(arrivals: Matrix, power: NDArray[np.int64]) -> Matrix:
    """When each node (row) has heard from nodes (columns) with more than 2/3 of the power."""
    order = np.argsort(arrivals, axis=1)
    first = (np.cumsum(power[order], axis=1) > 2 * int(power.sum()) // 3).argmax(axis=1)
    rows = np.arange(len(arrivals))
    found: Matrix = arrivals[rows, order[rows, first]]
    return found
