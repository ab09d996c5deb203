"""Paths between places along links, compared with networkx."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import surgetank as st
from surgetank.scenario.paths import Edge, paths_of

PLACES = 7


@some.composite
def links(draw: some.DrawFn) -> tuple[Edge, ...]:
    """A connected graph: a random tree and more links, some given in both directions."""
    pairs = [(draw(some.integers(0, b - 1)), b) for b in range(1, PLACES)]
    all_ = [*itertools.permutations(range(PLACES), 2), (2, 2)]
    pairs += draw(some.lists(some.sampled_from(all_), max_size=12))
    # Powers of two in any order: no two sets of links, and so no two paths, have the same sum.
    found = list(dict.fromkeys(pairs))
    delays = draw(some.permutations([2.0**k for k in range(len(found))]))
    return tuple(
        Edge(a, b, ms, draw(some.sampled_from([0.0, 0.01, 0.5])), draw(some.floats(0, 9)))
        for (a, b), ms in zip(found, delays, strict=True)
    )


@settings(max_examples=150, deadline=None)
@given(links())
def test_paths_are_links_or_the_ones_of_least_delay(found: tuple[Edge, ...]) -> None:
    """Delay, loss and rate of every pair."""
    paths = paths_of(found, (), 0.5)
    given_ = {(edge.a, edge.b) for edge in found}
    graph = nx.DiGraph()
    for edge in found:
        ways = [(edge.a, edge.b)]
        ways += [] if (edge.b, edge.a) in given_ else [(edge.b, edge.a)]
        for a, b in ways:
            graph.add_edge(a, b, ms=edge.delay_ms, loss=edge.loss, mbps=edge.mbps or math.inf)
    assert paths.places == tuple(range(PLACES))
    for a, b in itertools.product(range(PLACES), repeat=2):
        if graph.has_edge(a, b):
            along = [graph[a][b]]
        elif a == b:
            assert (paths.delay_ms[a, a], paths.loss[a, a], paths.mbps[a, a]) == (0.5, 0, 0)
            continue
        else:
            way = nx.dijkstra_path(graph, a, b, weight="ms")
            along = [graph[x][y] for x, y in itertools.pairwise(way)]
        rate = min(link["mbps"] for link in along)
        assert paths.delay_ms[a, b] == pytest.approx(sum(link["ms"] for link in along))
        assert paths.loss[a, b] == pytest.approx(1 - math.prod(1 - x["loss"] for x in along))
        assert paths.mbps[a, b] == pytest.approx(0 if rate == math.inf else rate)
        assert paths.direct[a, b] == graph.has_edge(a, b)


def test_of_paths_of_equal_delay_the_one_that_loses_least_is_taken() -> None:
    """As in Shadow, which compares latency, then loss."""
    for first, second in ((0.2, 0.1), (0.1, 0.2)):
        ways = (Edge(0, 1, 5.0, first), Edge(1, 3, 5.0), Edge(0, 2, 5.0, second), Edge(2, 3, 5.0))
        paths = paths_of(ways, (), 0.5)
        assert (paths.delay_ms[0, 3], paths.loss[0, 3]) == pytest.approx((10.0, 0.1))


def test_links_without_delay_are_links() -> None:
    """Zero is a delay, and not the absence of a link."""
    paths = paths_of((Edge(0, 1, 0.0), Edge(1, 2, 0.0)), (), 0.5)
    assert (paths.delay_ms + np.eye(3) == np.eye(3) * 1.5).all()


@pytest.mark.parametrize(
    ("network", "text"),
    [
        ({"powers": [1, 1]}, "`powers` has 2 entries for 3 nodes"),
        ({"powers": [0, 0, 0]}, "their sum must be positive"),
        ({"powers": [1, -1, 1]}, "greater than or equal to 0"),
        ({"powers": [2**53 + 1, 1, 1]}, "less than or equal to"),
        ({"names": ["a", "b", "a"]}, "'a' is the name of two nodes"),
        ({"regions": ["x"]}, "`regions` has 1 entries for 3 nodes"),
        ({"machines": [{"name": "m", "nodes": [3]}]}, "nodes are 0..2, not 3"),
        (
            {"machines": [{"name": "m", "nodes": [1]}, {"name": "k", "nodes": [0, 1]}]},
            r"node 1 runs on `machines\[0\]`",
        ),
        ({"delay": {"kind": "links", "links": []}}, "at least 1 item"),
        (
            {"delay": {"kind": "links", "links": [{"between": [0, 1], "delay_ms": 1.0}]}},
            "no path from place 0 to place 2",
        ),
        (
            {"delay": {"kind": "links", "links": [{"between": [0, 1], "delay_ms": 1.0}] * 2}},
            "from place 0 to 1 is given twice",
        ),
        ({"topology": {"kind": "regions"}}, "needs `delay.kind` regions, or `regions`"),
    ],
)
def test_what_does_not_fit_the_nodes_is_refused(network: dict[str, object], text: str) -> None:
    """With the key and the reason."""
    with pytest.raises(st.SurgetankError, match=text):
        st.Scenario.build({"name": "n", "network": {"nodes": 3} | network})
