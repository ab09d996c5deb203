"""Small simulated venues that fall out of step in a known way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import surgetank as st

NODES = 7
CLASSES = ("price_update", "liquidation_order", "cancel", "replace", "order")
TENDERMINT = {"kind": "tendermint", "timeout_commit_ms": 200.0}
SINGLE = {"kind": "single", "node": 0, "window_ms": 50.0}


def venue(
    faults: Sequence[Mapping[str, Any]] = (),
    *,
    rate: float = 150.0,
    consensus: Mapping[str, Any] = TENDERMINT,
    nodes: int = NODES,
    execution_us: float = 1_000.0,
    delay: Mapping[str, Any] | None = None,
    **values: Any,
) -> st.Scenario:
    """Fifteen seconds on validators that can execute 1,000 messages a second; no market."""
    execution = {f"{name}_us": execution_us for name in CLASSES}
    data: dict[str, Any] = {
        "name": "synchrony",
        "duration_s": 15.0,
        "warmup_s": 2.0,
        "drain_s": 3.0,
        "flow": {
            "accounts": 50,
            "arrivals": {"kind": "poisson", "rate_per_s": rate},
            "makers": {"count": 0},
            "oracle": {"count": 0},
            "keepers": {"count": 0},
        },
        "network": {
            "nodes": nodes,
            "delay": dict(delay or {"kind": "fixed", "delay_ms": 20.0}),
        },
        "layer": {"service": {"execution": execution}, "consensus": dict(consensus)},
        "faults": [dict(fault) for fault in faults],
        "trace": {"receipts_every": 1},
    }
    return st.Scenario.build(data | values)


def slow(nodes: Sequence[int], factor: float = 20.0) -> dict[str, Any]:
    """These nodes' machines are slower from 2 s to the end."""
    return {"kind": "slow", "at_s": 2.0, "duration_s": 60.0, "nodes": nodes, "factor": factor}


def cut(side: Sequence[int], duration_s: float) -> dict[str, Any]:
    """These nodes are cut off from the others at 5 s."""
    return {"kind": "partition", "at_s": 5.0, "duration_s": duration_s, "groups": [list(side)]}


def crash(nodes: Sequence[int]) -> dict[str, Any]:
    """These nodes are down from 5 s to 10 s."""
    return {"kind": "crash", "at_s": 5.0, "duration_s": 5.0, "nodes": list(nodes)}
