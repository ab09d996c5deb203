"""Sybils in gossip: what is lost and how late the rest comes (docs/gossip.md).

Usage: python benchmarks/gossip_attacks.py [SEEDS]

60 nodes with 14 neighbours each, 10 messages a second; part of the nodes takes part in the mesh,
announces messages and passes none on, from the start (cold boot) or from 20 s on (covert flash).
Messages of honest nodes at honest nodes, from 20 s after the begin of the attack. The attacks are
those of Vyzovitis et al. (GossipSub in the Filecoin and ETH2.0 networks, arXiv:2007.02754, 2020),
on a smaller network.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

import surgetank as st

NODES = 60
P3: Mapping[str, Any] = {
    "kind": "filecoin",
    "first_message_deliveries_cap": 10.0,
    "mesh_message_deliveries_weight": -50.0,
    "mesh_message_deliveries_decay": 0.8,
    "mesh_message_deliveries_cap": 50.0,
    "mesh_message_deliveries_threshold": 2.0,
    "mesh_message_deliveries_window_ms": 500.0,
    "mesh_message_deliveries_activation_ms": 5_000.0,
    "mesh_failure_penalty_weight": -50.0,
    "mesh_failure_penalty_decay": 0.99,
}
ROUTERS: Mapping[str, Mapping[str, Any]] = {
    "v1.0": {"kind": "mesh", "prune_backoff_ms": 0.0},
    "v1.1, no scores": {"kind": "gossipsub", "score": {"kind": "none"}},
    "v1.1, Filecoin's scores": {"kind": "gossipsub", "opportunistic_graft_ticks": 5},
    "the same with P3": {"kind": "gossipsub", "opportunistic_graft_ticks": 5, "score": P3},
}
ATTACKS = {
    "none": (0, 0.0),
    "half, cold boot": (30, 0.0),
    "half, covert flash": (30, 20.0),
    "two thirds, cold boot": (40, 0.0),
    "two thirds, covert flash": (40, 20.0),
}


def ran(
    router: Mapping[str, Any], sybils: Sequence[int], at_s: float, seed: int, **more: Any
) -> st.Trace:
    """One run; `more` are sections and keys of the scenario that differ."""
    scenario: dict[str, Any] = {
        "name": "gossip-attacks",
        "duration_s": 60.0,
        "drain_s": 10.0,
        "network": {"nodes": NODES, "topology": {"kind": "random-regular", "degree": 14}},
        "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 10.0}},
        "layer": {"gossip": dict(router), "consensus": {"kind": "none"}},
    } | more
    if sybils:
        scenario["attack"] = {"kind": "mute", "nodes": list(sybils), "at_s": at_s}
    return st.simulate(st.Scenario.build(scenario), seed=seed)


def outcome(trace: st.Trace, sybils: Sequence[int], since_s: float) -> tuple[float, float]:
    """Share of honest messages lost at honest nodes, and p99 of the times of the rest, ms."""
    honest = ~pl.col("gateway").is_in(list(sybils)) & (pl.col("created_ns") > since_s * 1e9)
    messages = trace["messages"].filter(honest).select("message", "gateway_ns")
    receipts = trace["receipts"].filter(~pl.col("node").is_in(list(sybils)))
    receipts = receipts.join(messages, on="message")
    times = (receipts["time_ns"] - receipts["gateway_ns"]) / 1e6
    lost = 1.0 - receipts.height / (messages.height * (NODES - len(sybils)))
    return lost, float(np.quantile(times, 0.99))


def main(seeds: int) -> None:
    """Prints a table: of each cell the share lost, and the median over seeds of the p99."""
    print(f"| sybils | {' | '.join(ROUTERS)} |")
    print("|---|" + "---:|" * len(ROUTERS))
    for name, (count, at_s) in ATTACKS.items():
        sybils = range(count)
        cells = []
        for router in ROUTERS.values():
            runs = [ran(router, sybils, at_s, seed) for seed in range(1, seeds + 1)]
            found = [outcome(run, sybils, at_s + 20.0) for run in runs]
            lost = float(np.mean([one[0] for one in found]))
            times = sorted(one[1] for one in found)
            middle, last = np.median(times), times[-1]
            cells.append(f"{100 * lost:.2g} %, {middle:,.0f} ms (≤ {last:,.0f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 16)
