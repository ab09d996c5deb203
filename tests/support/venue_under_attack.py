"""A small venue with makers and large market orders, for tests of rules and attacks."""

from __future__ import annotations

from typing import Any

import polars as pl

import surgetank as st
from surgetank.trace import MessageClass, Source

#: Market orders as large as three of the makers' levels.
MIX = {"limit": 0.1, "post_only": 0.0, "market": 0.5, "ioc": 0.0, "cancel": 0.3, "replace": 0.1} | {
    "order_usd": 20_000.0
}
MAKERS = {"count": 2, "levels": 6, "half_spread_bp": 2.0, "level_usd": 5_000.0} | {
    "reaction_ms": 5.0
}
#: Some 0.2 % up or down, twice a second.
PATH = {"kind": "gbm", "start_usd": 200.0, "volatility": 0.5} | {
    "jumps_per_day": 200_000.0,
    "jump_sd": 0.002,
}

#: A fall of a tenth in four seconds, on a venue with keepers and leveraged positions.
CRASH: dict[str, Any] = {
    "market__price__path": {"kind": "points", "at_s": [0.0, 1.0, 5.0]}
    | {"price_usd": [200.0, 200.0, 180.0], "volatility": 2.0},
    "market__positions": {"count": 60, "leverage_min": 5.0, "leverage_max": 20.0},
    "market__margin__insurance_usd": 5_000.0,
    "flow__keepers__count": 2,
    "duration_s": 6.0,
}

#: Ten times what a node can validate.
FLOOD: dict[str, Any] = {
    "duration_s": 4.0,
    "drain_s": 2.0,
    "flow__arrivals__rate_per_s": 200.0,
    "layer__consensus__block_messages_max": 20_000,
    "layer__queue__ingress_max": 2_000,
    "layer__queue__mempool_max": 4_000,
    # 2,000 a second is what a node can validate.
    **{
        f"layer__service__{part}__{name}_us": us
        for part, us in (("validation", 500.0), ("execution", 20.0))
        for name in ("price_update", "liquidation_order", "cancel", "replace", "order")
    },
}
TEN_TIMES: dict[str, Any] = {"attack__rate_per_s": 20_000.0}


def venue(**values: Any) -> st.Scenario:
    """One sequencer, three followers, two makers, steady traders, a price that jumps about.

    Dotted keys have `__` for the dot.
    """
    base = st.Scenario.build(
        {
            "name": "venue-under-attack",
            "duration_s": 20.0,
            "warmup_s": 1.0,
            "drain_s": 3.0,
            "flow": {
                "accounts": 50,
                "arrivals": {"kind": "poisson", "rate_per_s": 60.0},
                "mix": MIX,
                "client_link": {"fixed_ms": 5.0, "jitter_ms": 1.0},
                "makers": MAKERS,
                "oracle": {"count": 1, "interval_ms": 200.0},
            },
            "network": {"nodes": 4, "delay": {"kind": "fixed", "delay_ms": 10.0}},
            "layer": {
                "gossip": {"kind": "direct"},
                "consensus": {"kind": "single", "window_ms": 50.0},
            },
            "market": {
                "price": {"path": PATH},
                "margin": {"taker_fee_bp": 0.0},
            },
        },
        "venue",
    )
    return base.with_values({key.replace("__", "."): value for key, value in values.items()})


def outcome(seed: int = 3, **values: Any) -> st.Result:
    """The outcome of one run."""
    return st.run(venue(**values), seed=seed)


def value(result: st.Result, name: str) -> float:
    """A measure that must be there."""
    found = result.measures[name].value
    assert found is not None, name
    return found


def victims_of(trace: st.Trace) -> pl.DataFrame:
    """What a reader at node 0 sent on reading an order: own, front (its place), victim, at (the
    victim's); a place is null where it was not executed. Receipts of all messages must be kept."""
    messages = trace["messages"]
    place = pl.col("height").cast(pl.Int64) * 1_000_000 + pl.col("position").cast(pl.Int64)
    rows = messages.with_columns(place=place).select(
        "message", "class", "source", "created_ns", "place"
    )
    own = rows.filter(
        (pl.col("source") == Source.ATTACKER) & (pl.col("class") == MessageClass.ORDER)
    ).sort("message")
    fronts = own.group_by("created_ns", maintain_order=True).first()
    read = (
        trace["receipts"].filter(pl.col("node") == 0).select(victim="message", created_ns="time_ns")
    )
    victims = rows.filter(
        (pl.col("class") == MessageClass.ORDER) & (pl.col("source") != Source.ATTACKER)
    )
    return (
        fronts.select("created_ns", own="message", front="place")
        .join(read, on="created_ns")
        .join(victims.select(victim="message", at="place"), on="victim")
    )
