"""Nodes on links without jitter, where nothing but the links takes time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import surgetank as st
from surgetank.trace import Trace

MS = 1_000_000
COMMIT_MS = 100.0
FREE = {f"{name}_us": 0.0 for name in ("price_update", "liquidation_order", "cancel", "replace")}
FREE |= {f"{name}_us": 0.0 for name in ("order", "proposal", "vote")}


def venue(
    powers: Sequence[int], links: Sequence[tuple[int, int, float]], **more: Any
) -> st.Scenario:
    """Nodes on links (place, place, ms) without jitter, where nothing but the links takes time."""
    network = {
        "nodes": len(powers),
        "powers": list(powers),
        "uplink_mbps": 0.0,
        "delay": {
            "kind": "links",
            "jitter": 0.0,
            "links": [{"between": [a, b], "delay_ms": ms} for a, b, ms in links],
        },
    }
    scenario = {
        "name": "powers",
        "duration_s": 4.0,
        "warmup_s": 0.5,
        "drain_s": 1.0,
        "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 2.0}, "oracle": {"count": 0}},
        "network": network,
        "layer": {
            "service": {"validation": FREE, "execution": FREE},
            "consensus": {"kind": "tendermint", "timeout_commit_ms": COMMIT_MS},
        },
    }
    return st.Scenario.build(scenario).with_values(
        {k.replace("__", "."): v for k, v in more.items()}
    )


CHAIN = ((0, 1, 10.0), (1, 2, 30.0))


def decided_ms(trace: Trace, height: int) -> list[float]:
    """When each node decided the height, in ms after its proposal."""
    proposed = trace["blocks"].filter(height=height)["proposed_ns"][0]
    rows = trace["executions"].filter(height=height).sort("node")
    return [(ns - proposed) / MS for ns in rows["decided_ns"]]
