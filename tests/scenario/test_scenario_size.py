"""Scenarios that no machine could run, or no market could count, are refused before they begin."""

from __future__ import annotations

import math
from typing import Any

import pytest

import surgetank as st
from surgetank.errors import SurgetankError
from surgetank.scenario.flow import Fees
from surgetank.scenario.size import MESSAGE_BYTES, needs
from surgetank.simulate import simulate
from surgetank.verdict.validity import CheckKind, checks


def refused(**values: Any) -> str:
    """The error of `calm` with these values."""
    with pytest.raises(SurgetankError) as reported:
        simulate(st.load("calm").with_values({k.replace("__", "."): v for k, v in values.items()}))
    return str(reported.value)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("flow.arrivals.rate_per_s", 1e9, "flow.arrivals"),
        ("flow.makers.count", 2**31, "flow.makers.count"),
        ("flow.keepers.count", 2**31, "flow.keepers.count"),
        ("flow.oracle.interval_ms", 1e-6, "flow.oracle.interval_ms"),
        ("trace.gauge_ms", 1e-6, "trace.gauge_ms"),
        ("duration_s", 1e9, "flow.arrivals"),
        ("network.nodes", 100_000, "network.nodes"),
    ],
)
def test_what_needs_more_memory_than_there_is(key: str, value: float, named: str) -> None:
    """Before, the process was ended by the system, or sat for hours."""
    said = refused(**{key.replace(".", "__"): value})
    assert named in said and "of memory" in said and "Lower" in said


def test_keepers_that_have_no_one_to_watch() -> None:
    said = refused(flow__keepers__count=1_000_000, market__positions__count=5_000)
    assert "flow.keepers.count" in said and "days" in said


def test_the_estimate_is_a_lower_bound_and_no_fiction() -> None:
    """Messages that were sent, and what they take in the trace, are at least what was counted."""
    scenario = st.load("calm").with_values({"duration_s": 20.0})
    counted = sum(messages for _, messages, _ in needs(scenario))
    trace = simulate(scenario)
    sent = trace["messages"].height
    assert 0.3 * sent < counted < 1.1 * sent
    assert trace["messages"].estimated_size() / sent < MESSAGE_BYTES


@pytest.mark.parametrize(
    "name", ["calm", "black-thursday", "burst", "options-crash", "rollup-sequencer"]
)
def test_shipped_scenarios_are_small(name: str) -> None:
    assert sum(need[2] for need in needs(st.load(name))) < 2e9


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"market.price.path.start_usd": 1e12}, "start_usd"),
        ({"market.tick_usd": 1e-9}, "market.tick_usd"),
        ({"market.lot": 5e-324}, "lot"),
        ({"market.lot": 1e-12}, "lot"),
        ({"market.margin.insurance_usd": 1e12, "market.lot": 1e-12}, "lot"),
        ({"market.positions.notional_usd": 1e12}, "notional_usd"),
        ({"market.margin.taker_fee_bp": 10_001}, "taker_fee_bp"),
        ({"market.price.path.volatility": 1e5}, "volatility"),
        ({"layer.queue.mempool_max": 1e12}, "layer.queue.mempool_max"),
        ({"seed": True}, "seed"),
        ({"seed": "3"}, "seed"),
        ({"layer.queue.weights.cancel": "1"}, "layer.queue.weights.cancel"),
        ({"layer.queue.weights.cancel": True}, "layer.queue.weights.cancel"),
        ({"layer.tuning.bounds.weight_most": "9"}, "layer.tuning.bounds.weight_most"),
    ],
)
def test_what_the_core_cannot_count_is_named(values: dict[str, Any], named: str) -> None:
    """Before: panics of the core, an abort, "expected u32 at column 2209", or taken without a
    word."""
    with pytest.raises(SurgetankError) as reported:
        simulate(st.load("calm").with_values({"duration_s": 4.0, "warmup_s": 1.0} | values))
    assert named in str(reported.value)


def test_the_largest_bid_that_can_be_drawn_is_counted() -> None:
    """The core draws −ln(1 − u) · mean with 53 bits, and counts a bid in 32 bits of 1e-6 USD."""
    most = max(one.le for one in Fees.model_fields["background_usd"].metadata if hasattr(one, "le"))
    assert -math.log(2.0**-53) * most * 1e6 < 2**32


def test_a_price_beyond_the_integers_makes_the_run_invalid() -> None:
    """It rises above the largest price; before, the run went on with a price that was cut."""
    path = {"kind": "gbm", "start_usd": 10_000.0, "drift": 1e6, "volatility": 0.5}
    values = {"market.price.path": path, "market.tick_usd": 1e-8, "duration_s": 20.0}
    result = st.run(st.load("calm").with_values(values | {"market.lot": 1.0}))
    [check] = [one for one in checks(result.trace) if one.kind is CheckKind.NUMBERS_FIT]
    assert not check.ok and "market.tick_usd" in check.text
    assert result.verdict.status is st.Status.INVALID


def test_a_price_that_runs_away_stays_countable() -> None:
    """As much volatility as is taken: no panic, and money is conserved."""
    values = {"market.price.path.volatility": 1_000.0, "duration_s": 4.0, "warmup_s": 1.0}
    assert simulate(st.load("calm").with_values(values)).stats.money_conserved
