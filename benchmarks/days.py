"""Random venues on random days of falling prices: what controllers are trained and judged on."""

from __future__ import annotations

from typing import Any

import numpy as np

import surgetank as st

__all__ = ["day"]


def _flow(draws: np.random.Generator, rate: float) -> dict[str, Any]:
    """Clients: bursts and a spike of load, makers, keepers, panic."""
    return {
        "accounts": 200,
        "arrivals": {
            "kind": "hawkes",
            "rate_per_s": rate / 2,
            "branching": float(draws.uniform(0.2, 0.8)),
            "decay_per_s": 5.0,
        },
        "profile": {
            "kind": "spike",
            "at_s": 6.0,
            "decay_s": 5.0,
            "factor": float(draws.uniform(1.0, 6.0)),
        },
        "makers": {"count": int(draws.integers(2, 7)), "levels": 3},
        "oracle": {"count": 2, "interval_ms": 500.0},
        "keepers": {"count": 3},
        "panic": {"rate_per_s_per_pct": float(draws.uniform(0.0, 100.0))},
        "retry": {"tries_max": 2, "backoff_ms": 300.0},
    }


def _market(
    draws: np.random.Generator, at_s: list[float], price_usd: list[float]
) -> dict[str, Any]:
    """A market whose outside price goes through these points."""
    return {
        "tick_usd": 0.1,
        "lot": 0.001,
        "price": {
            "impact_bp_per_musd": float(draws.choice([0.0, 3.0])),
            "path": {
                "kind": "points",
                "at_s": at_s,
                "price_usd": price_usd,
                "volatility": float(draws.uniform(0.5, 2.5)),
            },
        },
        "margin": {"initial": 0.01, "maintenance": 0.006, "insurance_usd": 20_000.0},
        "positions": {
            "count": 300,
            "notional_usd": 20_000.0,
            "leverage_min": 3.0,
            "leverage_max": float(draws.uniform(20.0, 80.0)),
        },
    }


def day(number: int) -> st.Scenario:
    """A random venue and a random fall: everything that is drawn is drawn here."""
    draws = np.random.default_rng([10, number])
    single = bool(draws.random() < 0.5)
    nodes = int(draws.integers(4, 8))
    service_us = float(draws.choice([200.0, 400.0, 800.0]))
    rate = float(draws.uniform(0.2, 0.9) / (service_us * 1e-6))
    fall, long_s = float(draws.uniform(0.0, 0.12)), float(draws.uniform(4.0, 12.0))
    start = 10_000.0
    low = start * (1 - fall)
    execution = service_us * float(draws.uniform(0.3, 1.0))
    consensus: dict[str, Any] = {"kind": "tendermint", "timeout_commit_ms": 200.0}
    if single:
        consensus = {"kind": "single", "node": 0, "window_ms": 20.0}
    size = int(draws.choice([100, 400, 1_600]))
    times = ("price_update", "liquidation_order", "cancel", "replace", "order")
    fault = draws.random()
    nodes_hit = [int(n) for n in draws.permutation(nodes)[: nodes // 3]]
    faults: list[dict[str, Any]] = []
    if fault < 0.25:
        slow = {"kind": "slow", "at_s": 7.0, "duration_s": 6.0, "nodes": nodes_hit}
        faults = [slow | {"factor": float(draws.uniform(2.0, 6.0))}]
    elif fault < 0.5 and not single:
        faults = [{"kind": "partition", "at_s": 7.0, "duration_s": 4.0, "groups": [nodes_hit]}]
    return st.Scenario.build({
        "name": f"day-{number}",
        "duration_s": 22.0,
        "warmup_s": 2.0,
        "drain_s": 8.0,
        "flow": _flow(draws, rate),
        "network": {
            "nodes": nodes,
            "delay": {"kind": "fixed", "delay_ms": float(draws.choice([5.0, 40.0, 80.0]))},
        },
        "layer": {
            "gossip": {"kind": "direct" if single else "flood"},
            "service": {
                "validation": {f"{name}_us": service_us for name in times},
                "execution": {f"{name}_us": execution for name in times},
            },
            "consensus": consensus | {"block_messages_max": size},
        },
        "market": _market(draws, [0.0, 6.0, 6.0 + long_s, 22.0], [start, start, low, low * 1.01]),
        "faults": faults,
        "trace": {"receipts_every": 0},
    })  # fmt: skip
