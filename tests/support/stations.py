"""Small scenarios with known answers, run through the same code as every other scenario."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

import surgetank as st

#: Mean service time of the stations below.
SERVICE_US = 1_000.0
UNIT_NS = SERVICE_US * 1e3

CLASSES = ("price_update", "liquidation_order", "cancel", "replace", "order", "proposal", "vote")


def times(us: float) -> dict[str, float]:
    """The same time for every class."""
    return {f"{name}_us": us for name in CLASSES}


def station(
    *,
    arrivals: Mapping[str, Any],
    duration_s: float,
    distribution: Mapping[str, Any] | None = None,
    servers: int = 1,
    rule: str = "fifo",
    high: Sequence[str] = (),
    ingress_max: int = 100_000_000,
    mix: Mapping[str, float] | None = None,
    consensus: Mapping[str, Any] | None = None,
) -> st.Scenario:
    """One node whose validation server is the station; service has a mean of 1 ms."""
    return st.Scenario.model_validate(
        {
            "name": "station",
            "duration_s": duration_s,
            "warmup_s": 0.0,
            "drain_s": 10.0,
            "flow": {
                "accounts": 100,
                "arrivals": dict(arrivals),
                "mix": {"limit": 1.0, "post_only": 0.0, "market": 0.0, "ioc": 0.0, "cancel": 0.0}
                | {"replace": 0.0}
                | dict(mix or {}),
                "client_link": {"fixed_ms": 0.0, "jitter_ms": 0.0},
                "retry": {"tries_max": 0},
                "makers": {"count": 0},
                "oracle": {"count": 0},
                "keepers": {"count": 0},
                "panic": {"rate_per_s_per_pct": 0.0},
            },
            "network": {
                "nodes": 1,
                "topology": {"kind": "full"},
                "delay": {"kind": "fixed", "delay_ms": 1.0, "jitter": 0.0},
            },
            "layer": {
                "gossip": {"kind": "flood"},
                "queue": {"rule": rule, "high": list(high), "ingress_max": ingress_max},
                "service": {
                    "servers": servers,
                    "validation": times(SERVICE_US),
                    "execution": times(0.0),
                    "distribution": dict(distribution or {"kind": "exponential"}),
                },
                "consensus": dict(consensus or {"kind": "none"}),
            },
            "trace": {"receipts_every": 0, "gauge_ms": 0.0},
        }
    )


def sojourns(scenario: st.Scenario, seed: int) -> pl.DataFrame:
    """Class and time in the station (in service times), in order of arrival, without the first
    tenth."""
    messages = st.run(scenario, seed=seed).trace.tables["messages"]
    frame = messages.select(
        "class",
        "outcome",
        time=(pl.col("admitted_ns") - pl.col("gateway_ns")).cast(pl.Float64) / UNIT_NS,
    )
    return frame.slice(frame.height // 10)


def interval(values: Iterable[float], confidence: float = 0.999) -> tuple[float, float]:
    """Student's t interval for the mean of independent replicates."""
    sample = np.asarray(list(values))
    half = stats.t.ppf((1 + confidence) / 2, len(sample) - 1) * sample.std(ddof=1)
    half /= math.sqrt(len(sample))
    return float(sample.mean() - half), float(sample.mean() + half)


def assert_agrees(values: Iterable[float], theory: float, resolution: float) -> None:
    """Theory lies inside the replicates' 99.9 % interval, and that is narrow enough to mean it."""
    low, high = interval(values)
    assert low <= theory <= high, f"theory says {theory}, the simulation [{low:.4f}, {high:.4f}]"
    assert high - low <= 2 * resolution * theory, f"[{low:.4f}, {high:.4f}] is too wide to tell"
