"""Who made whom due: hand-made trees, and whole worlds whose outside price is known."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.measure.cascades import cascade_measures, causes
from surgetank.simulate import simulate
from surgetank.testing import make_trace
from surgetank.trace import MarketKind, Trace

MS = 1_000_000
STEP_NS = 50 * MS
FALL = 0.06
START_USD = 50_000.0


def venue(impact: float) -> st.Scenario:
    """60 leveraged longs, a sequencer with a block every 50 ms, and keepers who see the price fall
    by 6 % in four seconds along a line without noise. Positions close at the mark."""
    line = {
        "kind": "points",
        "at_s": [0.0, 1.0, 5.0],
        "price_usd": [START_USD, START_USD, START_USD * (1 - FALL)],
        "volatility": 0.0,
    }
    return st.Scenario.build(
        {
            "name": "cascade",
            "duration_s": 8.0,
            "warmup_s": 0.0,
            "drain_s": 1.0,
            "flow": {
                "arrivals": {"kind": "poisson", "rate_per_s": 5.0},
                "client_link": {"fixed_ms": 5.0, "jitter_ms": 0.0},
                "keepers": {"count": 2, "reaction_ms": 5.0, "watch": "outside"},
            },
            "network": {"nodes": 1},
            "layer": {
                "gossip": {"kind": "direct"},
                "consensus": {"kind": "single", "window_ms": 50.0},
            },
            "market": {
                "price": {
                    "path": line,
                    "feed": "block",
                    "step_ms": STEP_NS / MS,
                    "impact_bp_per_musd": impact,
                },
                "margin": {"initial": 0.02, "maintenance": 0.01, "insurance_usd": 1e6}
                | {"close_out": "oracle"},
                "positions": {"count": 60, "notional_usd": 60_000.0, "long_share": 1.0}
                | {"leverage_min": 15.0, "leverage_max": 50.0},
            },
        }
    )


def rows(trace: Trace, *kinds: str) -> pl.DataFrame:
    return trace["market"].filter(pl.col("kind").is_in([MarketKind.named(kind) for kind in kinds]))


def values(trace: Trace) -> dict[str, float | None]:
    return {m.name: m.value for m in cascade_measures(trace)}


def test_a_tree_by_hand() -> None:
    # 1 → 2, 3; 3 → 4 (in two parts, the first of which → 5); 6 alone; 7 was never called.
    def call(t: int, account: int, by: int | None = None, at: int | None = None) -> dict[str, Any]:
        ref_ns = None if at is None else at * MS
        cells = {"account": account, "other": by, "ref_ns": ref_ns}
        return {"time_ns": t * MS, "kind": MarketKind.MARGIN_CALL, **cells}

    def done(t: int, account: int, qty: int = -5) -> dict[str, Any]:
        kind = MarketKind.LIQUIDATED
        return {"time_ns": t * MS, "kind": kind, "account": account, "qty": qty}

    market = [
        call(10, 1), call(10, 6), done(11, 1), done(11, 6),
        call(20, 2, 1, 11), call(20, 3, 1, 11), done(21, 3), done(22, 2),
        call(30, 4, 3, 21), done(31, 4, 0), done(32, 4), call(33, 5, 4, 32), done(34, 4),
        done(35, 7), done(36, 5),
    ]  # fmt: skip
    trace = make_trace({"market": market})
    assert causes(trace).select("account", "cause", "generation", "cascade").rows() == [
        (1, None, 0, 0),
        (6, None, 0, 1),
        (3, 0, 1, 0),
        (2, 0, 1, 0),
        (4, 2, 2, 0),
        (7, None, 0, 5),
        (5, 4, 3, 0),
    ]
    found = values(trace)
    assert found == {
        "branching_ratio": pytest.approx(4 / 7),
        "cascades": 1,
        "cascade_size_max": 5,
        "cascade_generations_max": 3,
    }


def test_an_account_called_again_is_liquidated_again() -> None:
    market = [
        {
            "time_ns": t * MS,
            "kind": MarketKind.named(kind),
            "account": 1,
            "qty": -1,
            "other": by,
            "ref_ns": at,
        }
        for t, kind, by, at in (
            (10, "margin-call", None, None),
            (11, "liquidated", None, 10 * MS),
            (20, "margin-call", 1, 11 * MS),
            (21, "liquidated", None, 20 * MS),
        )
    ]
    found = causes(make_trace({"market": market}))
    assert found["cause"].to_list() == [None, 0], "its own sale brought the rest of it down"


@pytest.mark.parametrize("seed", range(1, 7))
def test_without_impact_nothing_is_caused(seed: int) -> None:
    trace = simulate(venue(0.0), seed=seed)
    assert rows(trace, "liquidated").height > 30, "a crash that liquidates most of them"
    assert values(trace) == {
        "branching_ratio": 0.0,
        "cascades": 0,
        "cascade_size_max": 0,
        "cascade_generations_max": 0,
    }


def test_impact_raises_them() -> None:
    levels = (0.0, 5.0, 20.0, 60.0)
    means = []
    for impact in levels:
        found = [values(simulate(venue(impact), seed=seed)) for seed in range(1, 7)]
        means.append({name: sum(f[name] or 0 for f in found) / len(found) for name in found[0]})
    for name in ("branching_ratio", "cascade_size_max", "cascade_generations_max"):
        series = [mean[name] for mean in means]
        assert series == sorted(series), f"{name}: {series}"
        assert series[1] < series[-1], f"{name}: {series}"
    assert means[-1]["cascade_size_max"] > 30, "supercritical: the first brings most of them down"


def free_ticks(trace: Trace, at_ns: int) -> float:
    """The line of `venue` at the step before `at_ns`, in ticks: what the price would be if no one
    had been liquidated."""
    s = (at_ns // STEP_NS) * STEP_NS / 1e9
    share = min(max((s - 1.0) / 4.0, 0.0), 1.0)
    usd = math.exp(math.log(START_USD) + share * math.log(1 - FALL))
    return usd / trace.stats.tick_usd


@pytest.mark.parametrize("seed", range(1, 5))
def test_causes_are_those_of_the_counterfactual(seed: int) -> None:
    """Every margin call, judged anew from the known line and the trades of the liquidations.

    The core scales the mark, which is a whole tick, so a tick either way is not distinguished.
    """
    impact = 10.0
    trace = simulate(venue(impact), seed=seed)
    quantum = trace.stats.quantum_usd
    fills = [
        (time_ns, account, math.copysign(price * abs(qty) * quantum / 1e6 * impact / 1e4, qty))
        for time_ns, account, price, qty in rows(trace, "liquidation-trade")
        .select("time_ns", "account", "price", "qty")
        .iter_rows()
    ]
    caused = 0
    calls = rows(trace, "margin-call").select("time_ns", "account", "other", "amount", "ref_ns")
    assert calls.height > 30
    for time_ns, _account, other, trigger, ref_ns in calls.iter_rows():
        step_ns = time_ns // STEP_NS * STEP_NS
        price = free_ticks(trace, time_ns)
        if other is None:
            assert price <= trigger + 1, "through its trigger all the same"
            continue
        caused += 1
        assert price > trigger - 1, "not through its trigger without liquidations"
        before = sum(log for at, _, log in fills if at < ref_ns)
        own = [log for at, account, log in fills if (at, account) == (ref_ns, other)]
        block = [(account, log) for at, account, log in fills if at == ref_ns]
        before += sum(log for account, log in block[: [a for a, _ in block].index(other)])
        assert ref_ns < step_ns, "the outside price had felt it"
        assert price * math.exp(before) > trigger - 1, "not before this liquidation"
        assert price * math.exp(before + sum(own)) <= trigger + 1, "but after it"
    assert caused > 5
