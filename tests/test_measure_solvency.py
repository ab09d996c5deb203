"""Money and lateness on hand-made markets, with known answers."""

from typing import Any

import pytest

from surgetank.measure import Measures, measure
from surgetank.measure.solvency import due_episodes
from surgetank.testing import make_trace
from surgetank.trace import MARKET_KINDS, Trace

MS = 1_000_000
KIND = {name: number for number, name in enumerate(MARKET_KINDS)}


def market(*facts: tuple[int, str, dict[str, Any]], **more: Any) -> Trace:
    rows = [{"time_ns": t * MS, "kind": KIND[kind], **cells} for t, kind, cells in facts]
    return make_trace({"market": rows}, **more)


def values(trace: Trace, **more: Any) -> dict[str, float | None]:
    found: Measures = measure(trace, **more)
    return {name: m.value for name, m in found.items()}


def test_no_market_no_measures() -> None:
    assert "bad_debt_usd" not in measure(make_trace())


def test_episodes_by_hand() -> None:
    trace = market(
        (100, "due", {"account": 1}),
        (150, "due", {"account": 2}),
        (160, "due", {"account": 3}),
        (200, "recovered", {"account": 2}),
        (400, "liquidated", {"account": 1, "ref_ns": 100 * MS, "qty": -5}),
        (500, "due", {"account": 1}),
        (520, "deleveraged", {"account": 1, "other": 9, "price": 10_000, "qty": 20}),
        end_ns=1000 * MS,
    )
    assert due_episodes(trace).rows() == [
        (1, 100 * MS, 400 * MS, "liquidated"),
        (2, 150 * MS, 200 * MS, "recovered"),
        (3, 160 * MS, None, None),
        (1, 500 * MS, 520 * MS, "liquidated"),
    ]
    found = values(trace, late_after_ms=250)
    assert found["due"] == 4
    assert found["liquidations"] == 1
    assert found["unliquidated"] == 1
    # Account 1 after 300 ms; account 3 still due after 840 ms.
    assert found["late_liquidations"] == 2
    assert found["late_share"] == pytest.approx(2 / 3)
    # Times 20, 50+ (recovered), 300, 840+: S = 3/4, then 3/4·1/2 = 3/8.
    assert found["liquidation_delay_p50_ms"] == 300
    assert found["liquidation_delay_p99_ms"] == float("inf")
    # 10,000 ticks of 0.01 USD, 20 lots of 0.001 coins.
    assert found["deleveraged_usd"] == pytest.approx(100 * 0.02)


def test_money() -> None:
    trace = market(
        (1, "insurance", {"amount": 9_000_000}),
        (2, "insurance", {"amount": 9_500_000}),
        (3, "insurance", {"amount": 7_500_000}),
        (4, "bad-debt", {"account": 1, "amount": 3_000_000}),
        scenario={"market": {"margin": {"insurance_usd": 10.0, "late_after_ms": 5.0}}},
    )
    found = values(trace)
    assert found["insurance_drawn_usd"] == pytest.approx(1 + 2)
    assert found["bad_debt_usd"] == pytest.approx(3)
    assert found["late_liquidations"] == 0


def test_staleness_counts_from_observation() -> None:
    trace = market(
        (5, "trade", {}),
        (10, "oracle", {"ref_ns": 7 * MS}),
        (10, "trade", {}),
        (30, "liquidation-trade", {}),
        (30, "oracle", {"ref_ns": 29 * MS}),
        (31, "liquidated", {}),
    )
    found = measure(trace)["staleness_p50_ms"]
    assert (found.value, found.n) == (3, 3)
    assert measure(trace)["staleness_p99_ms"].value == 23
