"""A venue without load and delay, for accounts whose fate is computed by hand."""

from __future__ import annotations

import surgetank as st
from stations import times

__all__ = ["venue"]


def venue(*prices: float) -> st.Scenario:
    """A venue without load whose keeper acts at once, and whose price takes these values, one a
    second; positions close at the mark."""
    path = {"kind": "points", "at_s": [float(i) for i in range(len(prices))]}
    return st.Scenario.build(
        {
            "name": "by-hand",
            "duration_s": float(len(prices) + 1),
            "warmup_s": 0.0,
            "drain_s": 1.0,
            "flow": {
                "arrivals": {"kind": "none"},
                "client_link": {"fixed_ms": 0.0, "jitter_ms": 0.0},
                "keepers": {"count": 1, "reaction_ms": 0.0, "watch": "outside"},
            },
            "network": {"nodes": 1, "delay": {"kind": "fixed", "delay_ms": 0.0}},
            "layer": {
                "gossip": {"kind": "direct"},
                "consensus": {"kind": "single", "window_ms": 0.0},
                "service": {"validation": times(0.0), "execution": times(0.0)},
            },
            "market": {
                "price": {
                    "path": path | {"price_usd": list(prices)},
                    "step_ms": 10.0,
                    "feed": "block",
                },
                "margin": {"initial": 0.1, "maintenance": 0.05, "close_out": "oracle"},
                "positions": {"count": 10, "leverage_max": 10.0},
            },
        }
    )
