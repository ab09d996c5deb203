"""Makers: they post, keep a position in bounds, pull quotes, lose money and stop."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from surgetank.measure.attack import pockets
from surgetank.measure.statistics import student_t
from surgetank.simulate import simulate
from surgetank.trace import MarketKind, MessageClass, Source, Trace
from venue_under_attack import MIX, venue

CANCEL, REPLACE, ORDER = MessageClass.CANCEL, MessageClass.REPLACE, MessageClass.ORDER
#: Rises by a hundredth a second: whoever sells into it loses.
RISE: dict[str, Any] = {
    "market__price__path": {"kind": "points", "at_s": [0.0, 20.0]}
    | {"price_usd": [200.0, 240.0], "volatility": 0.1},
}
#: Whoever is quick takes what stands at the old price; hardly anybody else trades.
RACE: dict[str, Any] = {
    "attack__kind": "latency-race",
    "flow__makers__pull_pct": 0.0,
    "flow__arrivals": {"kind": "poisson", "rate_per_s": 5.0},
}
SEEDS = range(11, 19)


def lower_end(sample: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    """Of the 95 % interval of the mean (Student's t)."""
    half = student_t(len(sample) - 1) * sample.std(ddof=1) / len(sample) ** 0.5
    return float(sample.mean() - half)


def played(seed: int = 1, **values: Any) -> Trace:
    return simulate(venue(**{"duration_s": 10.0} | values), seed=seed)


def makers_trades(trace: Trace, column: str) -> pl.DataFrame:
    """Trades with a maker as taker (`account`) or resting (`other`)."""
    first, count = trace.stats.accounts.makers
    return trace["market"].filter(
        (pl.col("kind") == MarketKind.TRADE)
        & pl.col(column).is_between(first, first + count, closed="left")
    )


def messages(trace: Trace, *classes: int) -> pl.DataFrame:
    return trace["messages"].filter(
        pl.col("source") == Source.MAKER, pl.col("class").is_in(list(classes))
    )


def test_they_never_take_unless_configured_to() -> None:
    # Others' limit orders are left behind by the price, for makers to run into.
    mix = {"limit": 0.8, "post_only": 0.0, "market": 0.1, "ioc": 0.0, "cancel": 0.1, "replace": 0.0}
    slow: dict[str, Any] = {"flow__mix": mix | {"order_usd": 5_000.0, "distance_bp": 5.0}}
    for requote in ("cancel-new", "replace"):
        posting = played(**slow, flow__makers__requote=requote)
        taking = played(**slow, flow__makers__requote=requote, flow__makers__post_only=False)
        assert makers_trades(posting, "account").is_empty()
        assert makers_trades(posting, "other").height > 10
        assert makers_trades(taking, "account").height > 0


def test_they_cancel_and_place_or_replace() -> None:
    both = played(flow__makers__requote="cancel-new")
    one = played(flow__makers__requote="replace")
    assert messages(both, REPLACE).is_empty() and messages(both, CANCEL).height > 100
    assert messages(one, REPLACE).height > 100
    assert messages(one, CANCEL).height < 0.2 * messages(one, REPLACE).height


def most_at_once(trace: Trace) -> float:
    """The most that one message took from one maker, USD."""
    rows = makers_trades(trace, "other").with_columns(
        usd=pl.col("qty").abs() * pl.col("price") * trace.stats.quantum_usd
    )
    found = rows.group_by("message", "other").agg(pl.col("usd").sum())["usd"].to_numpy()
    return float(found.max())


def test_no_quote_is_forgotten_in_the_book() -> None:
    """A replace refused because it would take leaves the old order: it is cancelled, not orphaned.

    At every moment a maker has at most one order a level, so what trades against it at one moment
    is at most its ladder.
    """
    levels, level_usd = 6, 5_000.0
    for requote in ("cancel-new", "replace"):
        trace = played(flow__makers__requote=requote, flow__makers__reaction_ms=100.0)
        assert 0 < most_at_once(trace) <= 1.05 * levels * level_usd


def test_a_cancel_that_overtook_its_order_is_sent_again() -> None:
    """On a link with much jitter, before a queue that serves cancels first, many cancels find
    nothing; their orders come later, and would rest unattended."""
    late: dict[str, Any] = {
        "layer__queue__rule": "class",
        "flow__client_link__jitter_ms": 60.0,
        "flow__mix": MIX | {"order_usd": 500_000.0},
        "flow__makers__pull_pct": 0.0,
    }
    for seed in SEEDS:
        trace = played(seed, **late)
        assert messages(trace, CANCEL).height > 100
        # What is on its way still counts: an order, its cancel, and the cancel sent again.
        assert 0 < most_at_once(trace) <= 2.5 * 6 * 5_000.0


def inventories(trace: Trace) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Greatest position of each maker, either side, USD."""
    quantum = trace.stats.quantum_usd
    resting = makers_trades(trace, "other").select(
        account="other", qty=-pl.col("qty"), price="price"
    )
    taking = makers_trades(trace, "account").select("account", "qty", "price")
    held = (
        pl.concat([resting, taking])
        .with_columns(held=pl.col("qty").cum_sum().over("account"))
        .with_columns(usd=(pl.col("held") * pl.col("price") * quantum).abs())
    )
    return held.group_by("account").agg(pl.col("usd").max())["usd"].to_numpy()


def test_a_full_maker_quotes_only_what_reduces() -> None:
    """A racer buys all the way up: a maker's short grows on without a bound, and not with one."""
    buys = RISE | RACE | {"flow__makers__skew_bp": 0.0}
    bound = 20_000.0
    free = inventories(played(**buys, flow__makers__inventory_usd=1e9))
    kept = inventories(played(**buys, flow__makers__inventory_usd=bound))
    assert kept.max() <= 1.1 * bound
    assert free.max() > 3 * kept.max()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_they_widen_while_the_price_moves(seed: int) -> None:
    """3 % in two seconds: with `widen` the spread is a multiple, and afterwards what it was."""
    path = {"kind": "points", "at_s": [0.0, 4.0, 6.0, 20.0]} | {
        "price_usd": [200.0, 200.0, 206.0, 206.0],
        "volatility": 0.1,
    }
    move: dict[str, Any] = {"market__price__path": path, "flow__makers__pull_pct": 0.0}
    move |= {"flow__arrivals": {"kind": "poisson", "rate_per_s": 2.0}, "duration_s": 14.0}
    spreads = {}
    for widen in (0.0, 0.2):
        rows = played(seed, **move, flow__makers__widen=widen)["market"].filter(
            pl.col("kind") == MarketKind.TOUCH, pl.col("price") > 0, pl.col("amount") > 0
        )
        wide = rows.select("time_ns", bp=(pl.col("amount") / pl.col("price") - 1) * 1e4)
        times = {"moving": (4.3e9, 6e9), "after": (9e9, 13e9)}
        for name, span in times.items():
            spreads[widen, name] = float(
                np.median(wide.filter(pl.col("time_ns").is_between(*span))["bp"])
            )
    assert spreads[0.2, "moving"] > 3 * spreads[0.0, "moving"]
    assert spreads[0.2, "after"] == pytest.approx(spreads[0.0, "after"], rel=0.3)


def test_skew_leads_a_position_back() -> None:
    """Over eight seeds, paired: with the shift, positions stay smaller."""
    small = {"flow__mix": MIX | {"order_usd": 1_500.0}, "flow__makers__inventory_usd": 30_000.0}
    without, shifted = (
        np.array(
            [inventories(played(seed, **small, flow__makers__skew_bp=bp)).mean() for seed in SEEDS]
        )
        for bp in (0.0, 30.0)
    )
    assert lower_end(without - shifted) > 0


def test_they_lose_money_and_stop_when_it_is_gone() -> None:
    """Slow makers in a rising market: their capital goes, they cancel everything and stay away."""
    slow = RISE | RACE | {"flow__makers__reaction_ms": 500.0, "flow__keepers__count": 1}
    slow |= {"duration_s": 20.0}
    trace = played(**slow, flow__makers__capital_usd=4_000.0)
    rich = played(**slow, flow__makers__capital_usd=1e6)
    assert trace.stats.makers_broke == 2 and rich.stats.makers_broke == 0
    last = [int(messages(t, ORDER)["created_ns"].to_numpy().max()) for t in (trace, rich)]
    assert last[0] < last[1] - 3_000_000_000
    # The loss came out of their pockets, and is less than all they had.
    total = {line.group: line.total for line in trace.stats.ledger}["makers"]
    assert -2 * 4_000.0 <= total * trace.stats.quantum_usd < -0.5 * 4_000.0


def test_they_pull_quotes_on_a_jump_and_come_back() -> None:
    jump = {"kind": "points", "at_s": [0.0, 4.0, 4.05, 10.0]} | {
        "price_usd": [200.0, 200.0, 192.0, 192.0],
        "volatility": 0.1,
    }
    trace = played(market__price__path=jump, flow__makers__pull_pct=1.0)
    brave = played(market__price__path=jump, flow__makers__pull_pct=0.0)

    def placed(trace: Trace, from_s: float, until_s: float) -> int:
        at = pl.col("created_ns").is_between(int(from_s * 1e9), int(until_s * 1e9))
        return messages(trace, ORDER).filter(at).height

    assert placed(trace, 4.1, 4.95) == 0 < placed(brave, 4.1, 4.95)
    assert placed(trace, 5.0, 6.0) > 0


def test_they_pull_quotes_when_the_venue_keeps_silent() -> None:
    """The sequencer is down for six seconds, the price moves on."""
    down = [{"kind": "crash", "at_s": 2.0, "duration_s": 6.0, "nodes": [0]}]
    cautious = played(faults=down, flow__makers__stale_ms=1_000.0)
    blind = played(faults=down, flow__makers__stale_ms=0.0)
    inside = pl.col("created_ns").is_between(3_200_000_000, 8_000_000_000)
    sent = [messages(t, ORDER, CANCEL).filter(inside).height for t in (cautious, blind)]
    assert sent[0] < 0.5 * sent[1]


def test_a_rule_that_puts_cancels_before_takers_protects_makers_who_cancel() -> None:
    """Hyperliquid's order in a block, against a racer, over eight seeds: of makers that cancel and
    place it takes less than first come, first served; of those that replace it does not."""

    def taken(rule: str, requote: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        asked = {"layer__queue__rule": rule, "flow__makers__requote": requote}
        traces = (played(seed, **asked, attack__kind="latency-race") for seed in SEEDS)
        rows = [dict(pockets(trace).iter_rows()) for trace in traces]
        return np.array([float(row.get("makers", 0)) for row in rows])

    spared = taken("fifo", "cancel-new") - taken("class", "cancel-new")
    unspared = taken("fifo", "replace") - taken("class", "replace")
    assert lower_end(spared) > 0
    assert spared.mean() > unspared.mean()
