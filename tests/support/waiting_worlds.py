"""Venues of seven nodes in which messages wait, each for something else."""

from __future__ import annotations

from typing import Any

import surgetank as st

SINGLE = {"kind": "single", "node": 0, "window_ms": 20.0}
TENDERMINT = {"kind": "tendermint", "timeout_commit_ms": 200.0}


#: Of a fault: all run long.
WHOLE = {"at_s": 0.0, "duration_s": 20.0}


def venue(**values: Any) -> st.Scenario:
    """Seven nodes without a market, six seconds; dotted keys are put over it."""
    data: dict[str, Any] = {
        "name": "venue",
        "duration_s": 6.0,
        "warmup_s": 0.0,
        "drain_s": 14.0,
        "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 120.0}},
        "network": {"nodes": 7, "delay": {"kind": "fixed", "delay_ms": 20.0}},
        "layer": {"consensus": TENDERMINT},
    }
    dotted = {key.replace("__", "."): value for key, value in values.items()}
    return st.Scenario.build(data).with_values(dotted)


def fault(kind: str, **more: Any) -> dict[str, Any]:
    """A fault in the middle of the run."""
    return {"kind": kind, "at_s": 2.0, "duration_s": 2.0, **more}


WORLDS: dict[str, dict[str, Any]] = {
    "consensus": {},
    "a sequencer": {"layer.consensus": SINGLE},
    "a mesh that loses": {"layer.gossip.kind": "mesh", "network.loss": 0.03},
    "narrow links": {"network.uplink_mbps": 2.0, "network.downlink_mbps": 2.0},
    "full blocks": {"layer.consensus.block_messages_max": 20},
    "a full mempool": {
        "layer.consensus.block_messages_max": 20,
        "layer.queue.mempool_max": 40,
        "flow.retry.tries_max": 5,
    },
    "a crash": {"faults": [fault("crash", nodes=[1, 2])]},
    "a cut": {"faults": [fault("partition", groups=[[0, 1, 2]])]},
    "slow nodes": {"faults": [fault("slow", nodes=[0, 1], factor=20.0)]},
    "late packets": {"faults": [fault("delay", nodes=[3], extra_ms=500.0)]},
    "rates": {
        "layer.admission.policy": "rates",
        "layer.admission.orders": {"per_s": 2.0, "burst": 1},
        "flow.accounts": 20,
        "flow.retry.tries_max": 5,
    },
    "commit and reveal": {"layer.queue.rule": "commit-reveal"},
    "keypers": {"layer.queue.rule": "threshold"},
    "an express lane": {"layer.queue.rule": "express"},
    "a fair order": {"layer.queue.rule": "themis", "layer.consensus": SINGLE},
    "priority": {"layer.queue.rule": "priority", "layer.consensus.block_messages_max": 20},
}
