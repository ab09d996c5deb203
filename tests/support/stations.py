"""Small scenarios with known answers, run through the same code as every other scenario."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

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
    messages = st.simulate(scenario, seed=seed)["messages"]
    frame = messages.select(
        "class",
        "outcome",
        time=(pl.col("admitted_ns") - pl.col("gateway_ns")).cast(pl.Float64) / UNIT_NS,
    )
    return frame.slice(frame.height // 10)


#: Independent runs behind a mean.
RUNS = 40


def fresh_seeds() -> range:
    """Seeds from the entropy of the system: no result depends on a choice of seeds. A failing test
    prints the first one, which repeats it."""
    first = secrets.randbits(62)
    print(f"seeds from {first}")
    return range(first, first + RUNS)


def standard_error(values: Iterable[float]) -> float:
    """Of the mean of independent runs."""
    sample = np.asarray(list(values))
    return float(sample.std(ddof=1)) / math.sqrt(len(sample))


def assert_agrees(values: Sequence[float], theory: float, tolerance: float) -> None:
    """The mean of RUNS independent runs is the theory's, up to `tolerance` (relative).

    A tolerance is at least 8 standard errors, which chance passes once in 10¹⁵ (normal), with skew
    of 0.1, the most of these means, once in 10¹¹. That it is so many is checked on the runs' own
    standard error, at 4.5 of those: 8/4.5 of its true value it exceeds once in 10¹⁰ (χ², 39 degrees
    of freedom). So a suite of 20 such assertions fails by chance once in 10⁷ times.
    """
    mean, error = float(np.mean(values)), standard_error(values)
    room = tolerance * theory
    assert abs(mean - theory) <= room, (
        f"theory says {theory}, the simulation {mean:.4f} ± {error:.4f}"
    )
    assert 4.5 * error <= room, f"a standard error of {error:.4f} is too large to tell"
