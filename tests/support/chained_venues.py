"""Venues whose engines decide blocks while later ones are proposed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import surgetank as st
from linked_venues import venue as tendermint_venue
from surgetank.trace import Trace

CHAINED = ("hotstuff", "simplex")
GRAPHS = ("bullshark", "tusk")


def chained_venue(
    kind: str,
    powers: Sequence[int],
    links: Sequence[tuple[int, int, float]],
    wait_ms: float = 0.0,
    **more: Any,
) -> st.Scenario:
    """The venue of test_powers under such an engine."""
    consensus = {"kind": kind, "propose_wait_ms": wait_ms}
    return tendermint_venue(powers, links, layer__consensus=consensus, **more)


def full(nodes: int, delay_ms: float) -> list[tuple[int, int, float]]:
    """Links between all nodes."""
    return [(a, b, delay_ms) for a in range(nodes) for b in range(a)]


def steady(trace: Trace) -> list[int]:
    """Heights beyond the first ones that all nodes have executed."""
    counts = trace["executions"].group_by("height").len().sort("height")
    nodes = trace.scenario.network.nodes
    return [h for h in counts.filter(len=nodes)["height"] if h > 2]


def busy(kind: str, **more: Any) -> st.Scenario:
    """Seven nodes with much to order."""
    scenario = {
        "name": "busy",
        "seed": 3,
        "duration_s": 4.0,
        "warmup_s": 0.5,
        "drain_s": 6.0,
        "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 300.0}},
        "network": {"nodes": 7, "delay": {"kind": "uniform", "low_ms": 1.0, "high_ms": 30.0}},
        "layer": {"consensus": {"kind": kind, "rebroadcast_ms": 300.0}},
    }
    return st.Scenario.build(scenario).with_values(
        {k.replace("__", "."): v for k, v in more.items()}
    )
