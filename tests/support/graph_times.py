"""When nodes that order a graph do what: the recurrence of Narwhal's rounds, and the times at which
Tusk's and Bullshark's rules decide, on links with fixed delays and no work.

Written from the papers (arXiv 2105.11827, 2209.05633), without the engines' code. Times are in ms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Rounds:
    """Rounds of nodes with these powers and delays (`delays[a][b]` from a to b, 0 on the diagonal).

    `ready`: when a node may leave a round besides having a quorum of it, by round and node.
    """

    powers: Sequence[int]
    delays: Sequence[Sequence[float]]
    wait_ms: float
    ready: Callable[[Rounds, int, int], float] = lambda _rounds, _round, _node: 0.0
    made: list[list[float]] = field(default_factory=list)
    """By round from 1 (index 0 is unused) and node: when it made its vertex."""
    parents: list[list[set[int]]] = field(default_factory=list)
    arrived: list[list[list[float]]] = field(default_factory=list)
    """By round, author and node: when the vertex was there, with its history."""
    whole: list[list[list[float]]] = field(default_factory=list)
    """By round, author and node: when it was in the node's graph."""

    def __post_init__(self) -> None:
        nodes = range(len(self.powers))
        self.made = [[], [self.wait_ms] * len(nodes)]
        self.parents = [[], [set() for _ in nodes]]
        self.arrived = [[]]
        self.whole = [[[-math.inf] * len(nodes) for _ in nodes]]

    def reached(self, times: Mapping[int, float], least: int) -> float:
        """When nodes with at least this power have done it; ∞ if they never do."""
        power = 0
        for who, at in sorted(times.items(), key=lambda one: one[1]):
            power += self.powers[who]
            if power >= least:
                return at
        return math.inf

    @property
    def quorum(self) -> int:
        """The least power above two thirds."""
        return 2 * sum(self.powers) // 3 + 1

    @property
    def third(self) -> int:
        """The least power above one third."""
        return sum(self.powers) // 3 + 1

    def support(self, round_: int, author: int, node: int) -> Mapping[int, float]:
        """When vertices of the next round that refer to this one were in the node's graph."""
        after = round_ + 1
        return {
            who: self.whole[after][who][node]
            for who in range(len(self.powers))
            if author in self.parents[after][who]
        }

    def play(self) -> None:
        """Adds a round: how its vertices spread and are certified; when the next ones are made."""
        nodes, now = range(len(self.powers)), len(self.arrived)
        made, before = self.made[now], self.whole[now - 1]
        arrived = [[0.0 for _ in nodes] for _ in nodes]
        whole = [[0.0 for _ in nodes] for _ in nodes]
        for a in nodes:
            for u in nodes:
                history = max((before[p][u] for p in self.parents[now][a]), default=0.0)
                arrived[a][u] = max(made[a] + self.delays[a][u], history)
            votes = {u: arrived[a][u] + self.delays[u][a] for u in nodes}
            certified = self.reached(votes, self.quorum)
            for u in nodes:
                whole[a][u] = max(certified + self.delays[a][u], arrived[a][u])
        self.arrived.append(arrived)
        self.whole.append(whole)
        enters = [
            max(
                self.reached({a: whole[a][u] for a in nodes}, self.quorum),
                self.ready(self, now, u),
            )
            for u in nodes
        ]
        makes = [at + self.wait_ms for at in enters]
        self.made.append(makes)
        self.parents.append([{a for a in nodes if whole[a][u] <= makes[u]} for u in nodes])

    def decided(self, anchor: tuple[int, int], node: int, by_coin: bool) -> float:
        """When the node knows that this anchor, a round and an author, has its support."""
        round_, author = anchor
        at = self.reached(self.support(round_, author, node), self.third)
        if by_coin:
            # A share is in each vertex, which the node need not have the history of.
            after = round_ + 2
            shares = {
                a: self.made[after][a] + self.delays[a][node] for a in range(len(self.powers))
            }
            at = max(at, self.reached(shares, self.third))
        return max(at, self.whole[round_][author][node])


def waits_for_anchor(rounds: Rounds, round_: int, node: int) -> float:
    """Bullshark with equal powers and a timer that never goes off: the anchor, or its support, or
    so many vertices without it that it cannot have any."""
    count = len(rounds.powers)
    if round_ % 2:
        return rounds.whole[round_][round_ // 2 % count][node]
    author = (round_ - 1) // 2 % count
    support = rounds.support(round_ - 1, author, node)
    others = {a: rounds.whole[round_][a][node] for a in range(count) if a not in support}
    return min(rounds.reached(support, rounds.third), rounds.reached(others, rounds.quorum))


def decisions(
    rounds: Rounds, anchors: Iterable[tuple[int, int]], by_coin: bool
) -> list[list[float]]:
    """By anchor and node: when it is decided, by its own support or that of a later one."""
    nodes = range(len(rounds.powers))
    own = [[rounds.decided(anchor, u, by_coin) for u in nodes] for anchor in anchors]
    return [[min(later[u] for later in own[i:]) for u in nodes] for i in range(len(own))]
