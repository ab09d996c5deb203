"""A venue without delay whose outside price jumps: its bad debt has an exact distribution.

Every account has the same leverage L, so that a fall of the price to S/S₀ ≤ 1 − 1/L leaves a long
account with a loss beyond its collateral of q·(S₀·(1 − 1/L) − S): keepers see the outside price and
act at once, and a liquidation fills in full at that price.
"""

from __future__ import annotations

from typing import Any

import surgetank as st
from stations import times

#: Outside price at the start, USD.
START_USD = 100.0
SECONDS = 4.0

_QUIET: dict[str, Any] = {
    "name": "crash",
    "duration_s": SECONDS,
    "warmup_s": 0.0,
    "drain_s": 1.0,
    "flow": {
        "accounts": 1,
        "arrivals": {"kind": "none"},
        "client_link": {"fixed_ms": 0.0, "jitter_ms": 0.0},
        "retry": {"tries_max": 0},
        "makers": {"count": 0},
        "oracle": {"count": 0},
        "keepers": {"count": 1, "watch": "outside", "reaction_ms": 0.0, "orders_max": 1_000},
        "panic": {"rate_per_s_per_pct": 0.0},
    },
    "network": {
        "nodes": 1,
        "topology": {"kind": "full"},
        "delay": {"kind": "fixed", "delay_ms": 0.0, "jitter": 0.0},
    },
    "layer": {
        "gossip": {"kind": "direct"},
        "queue": {"rule": "fifo"},
        "service": {"validation": times(0.0), "execution": times(0.0)},
        "consensus": {"kind": "single", "window_ms": 0.0},
    },
    "trace": {"receipts_every": 0, "gauge_ms": 0.0},
}


def crash(path: dict[str, Any], *, leverage: float = 20.0, accounts: int = 10) -> st.Scenario:
    """Accounts of one leverage, all long, and an outside price along `path`."""
    market = {
        "tick_usd": 0.01,
        "lot": 0.001,
        "price": {"path": path, "step_ms": 100.0, "feed": "block"},
        "margin": {
            "initial": min(1 / leverage, 0.5),
            "maintenance": 0.5 * min(1 / leverage, 0.5),
            "close_out": "oracle",
            "insurance_usd": 1e9,
        },
        "positions": {
            "count": accounts,
            "notional_usd": 10_000.0,
            "leverage_min": leverage,
            "leverage_max": leverage,
            "long_share": 1.0,
        },
    }
    return st.Scenario.build(_QUIET | {"market": market})


def jumping(per_run: float, mean: float, sd: float = 0.0) -> dict[str, Any]:
    """A price that only jumps: `per_run` times on average, by a normal log jump."""
    return {
        "kind": "gbm",
        "start_usd": START_USD,
        "volatility": 0.0,
        "jumps_per_day": per_run * 86_400.0 / SECONDS,
        "jump_mean": mean,
        "jump_sd": sd,
    }


def falling(to: float) -> dict[str, Any]:
    """A price that falls in one step, in the middle of the run, to this share of its start."""
    return {
        "kind": "points",
        "at_s": [0.0, 2.0, 2.05],
        "price_usd": [START_USD, START_USD, START_USD * to],
    }
