"""Attacks: each pays where it is said to, and not where a rule is said to stop it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import surgetank as st
from surgetank.measure.attack import edges
from surgetank.measure.ledger import ledger
from surgetank.measure.statistics import student_t
from surgetank.scenario.attack import ATTACKS
from surgetank.simulate import simulate
from surgetank.trace import MarketKind, MessageClass, Outcome, OutcomeReason, Source
from venue_under_attack import outcome, value, venue

TENDERMINT: dict[str, Any] = {
    "layer__consensus": {"kind": "tendermint"},
    "layer__gossip": {"kind": "flood"},
}


def front_run(result: st.Result) -> float:
    """Share of the attacker's purchases that stand before the message that caused them.

    Found by block: the attacker's first order of a block against the large market orders there.
    """
    done = result.trace["messages"].filter(
        pl.col("outcome") == Outcome.EXECUTED, pl.col("class") == MessageClass.ORDER
    )
    own = (
        done.filter(pl.col("source") == Source.ATTACKER)
        .group_by("height")
        .agg(pl.col("position").min())
    )
    other = (
        done.filter(pl.col("source") == Source.BACKGROUND)
        .group_by("height")
        .agg(pl.col("position").min())
    )
    both = own.join(other, on="height", suffix="_other")
    return float((both["position"] < both["position_other"]).to_numpy().mean())


def test_without_an_attacker_edges_sum_to_nought() -> None:
    """Whoever buys below the outside price, somebody sells below it."""
    result = outcome(duration_s=6.0)
    rows = edges(result.trace)
    total, taken = (float(rows[name].to_numpy().sum()) for name in ("edge_usd", "taker_usd"))
    assert rows.height > 10 and abs(total) < 1e-6 * taken
    assert "attacker_gain_usd" not in result.measures
    assert value(result, "others_loss_usd") == 0


def test_an_attack_leaves_the_others_flow_alone() -> None:
    """The same background messages at the same times, whoever attacks."""
    calm = outcome(duration_s=5.0).trace["messages"].filter(pl.col("source") == Source.BACKGROUND)
    for kind in ("spam", "sandwich", "latency-race", "withhold"):
        trace = outcome(duration_s=5.0, attack__kind=kind).trace
        own = trace["messages"].filter(pl.col("source") == Source.BACKGROUND)
        assert own["created_ns"].equals(calm["created_ns"]), kind
        assert own["class"].equals(calm["class"]), kind
        assert trace["messages"].filter(pl.col("source") == Source.ATTACKER).height > 0


def test_every_kind_runs_and_is_measured() -> None:
    """Each kind with its defaults."""
    for kind, section in ATTACKS.items():
        duration_s = 12.0 if kind == "stampede" else 3.0
        votes = TENDERMINT if section.needs_votes else {}
        result = outcome(duration_s=duration_s, attack__kind=kind, **votes)
        assert ("attacker_gain_usd" in result.measures) == (kind != "none")
        assert result.trace.stats.money_conserved


def test_a_fee_buys_the_place_before_the_victim() -> None:
    """On the network the reader comes second by arrival and first by fee."""
    by_arrival = outcome(attack__kind="sandwich", layer__queue__rule="fifo")
    by_fee = outcome(attack__kind="sandwich", layer__queue__rule="fee")
    assert front_run(by_arrival) < 0.2
    assert front_run(by_fee) > 0.8
    assert value(by_fee, "attacker_gain_usd") > value(by_arrival, "attacker_gain_usd") > 0


def test_who_makes_blocks_puts_its_own_first_unless_places_are_drawn() -> None:
    """An insider under first come, first served; a draw after the sealing takes it away."""
    network = outcome(attack__kind="sandwich")
    insider = outcome(attack__kind="insider")
    drawn = outcome(attack__kind="insider", layer__queue__rule="hash")
    assert value(insider, "attacker_gain_usd") > 1.5 * value(network, "attacker_gain_usd")
    assert value(drawn, "attacker_gain_usd") < value(insider, "attacker_gain_usd")


def test_what_cannot_be_read_cannot_be_front_run_unless_keypers_are_bought() -> None:
    """Threshold encryption and commit–reveal; three of four keypers open everything."""
    for rule in ("threshold", "commit-reveal"):
        result = outcome(attack__kind="insider", layer__queue__rule=rule)
        assert result.trace.stats.attack.found == 0
        assert value(result, "attacker_gain_usd") == 0
    bought = {"kind": "keypers", "at_s": 0.0, "duration_s": 30.0, "conduct": "colluding"}
    for nodes, reads in (([0, 1], False), ([0, 1, 2], True)):
        result = outcome(
            attack__kind="insider",
            layer__queue__rule="threshold",
            faults=[bought | {"nodes": nodes}],
        )
        assert (result.trace.stats.attack.found > 0) == reads


def test_a_seed_that_is_known_before_can_be_ground() -> None:
    """Fifty accounts to choose from are first under the last block's hash, not under a beacon."""
    asked: dict[str, Any] = {"attack__kind": "grind", "layer__queue__rule": "hash"}
    known = outcome(**asked, layer__queue__seed="previous")
    beacon = outcome(**asked, layer__queue__seed="beacon")
    assert front_run(known) > 0.8
    assert front_run(beacon) < 0.5


def test_silence_costs_the_bond() -> None:
    """Only where there is something to reveal."""
    asked: dict[str, Any] = {"attack__kind": "withhold", "layer__queue__sealed__bond_usd": 7.0}
    silent = outcome(**asked, layer__queue__rule="commit-reveal")
    reported = silent.trace.stats.attack
    assert reported.withheld > 10 and reported.bonds_usd == 7.0 * reported.withheld
    refused = silent.trace["messages"].filter(pl.col("reason") == OutcomeReason.NOT_REVEALED)
    assert refused.height == reported.withheld
    assert value(silent, "attacker_cost_usd") >= reported.bonds_usd
    assert outcome(**asked).trace.stats.attack.withheld == 0


def test_a_censored_class_is_never_executed() -> None:
    """The only sequencer leaves cancels out."""
    result = outcome(attack__kind="censor", attack__class="cancel", duration_s=6.0)
    cancels = result.trace["messages"].filter(pl.col("class") == MessageClass.CANCEL)
    assert cancels.height > 20 and (cancels["outcome"] != Outcome.EXECUTED).all()
    assert value(result, "executed_share") < 0.95


def test_after_a_halt_all_traders_send_at_once() -> None:
    """No one of the background during the halt, then the crowd."""
    asked: dict[str, Any] = {"attack__kind": "stampede", "attack__at_s": 2.0, "attack__halt_s": 3.0}
    result = outcome(**asked, attack__messages=800, duration_s=8.0)
    messages = result.trace["messages"].with_columns(pl.col("created_ns") / 1e9)
    quiet = messages.filter(
        pl.col("source") == Source.BACKGROUND, pl.col("created_ns").is_between(2.0, 5.0)
    )
    crowd = messages.filter(
        pl.col("source") == Source.PANIC, pl.col("created_ns").is_between(5.0, 5.5)
    )
    assert quiet.height == 0 and crowd.height == 800


def test_a_short_link_and_a_fee_buy_the_stale_quotes() -> None:
    """A racer from afar gains less than one next door, and more with its fee where fees count."""
    near = outcome(attack__kind="latency-race", seed=5)
    far = outcome(attack__kind="latency-race", attack__link_ms=60.0, seed=5)
    assert value(near, "attacker_gain_usd") > value(far, "attacker_gain_usd")
    place = {}
    for rule in ("fifo", "fee"):
        trace = outcome(attack__kind="fee-jump", layer__queue__rule=rule, seed=5).trace
        own = trace["messages"].filter(
            pl.col("source") == Source.ATTACKER, pl.col("outcome") == Outcome.EXECUTED
        )
        place[rule] = float(own["position"].to_numpy().mean())
    assert place["fee"] < 0.5 * place["fifo"]


def gains(kind: str, **values: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """What the attacker's trades gained less all fees it paid, in quanta, over eight seeds."""
    asked: dict[str, Any] = {"duration_s": 10.0, "attack__kind": kind, **values}
    lines = [
        ledger(simulate(venue(**asked, attack__rate_per_s=3_000.0), seed=seed)).row(
            by_predicate=pl.col("group") == "attacker", named=True
        )
        for seed in range(101, 109)
    ]
    return np.array([line["edge"] + line["fees"] for line in lines])


def interval(sample: np.ndarray[Any, np.dtype[np.int64]]) -> tuple[float, float]:
    """95 % of the mean (Student's t)."""
    half = student_t(len(sample) - 1) * sample.std(ddof=1) / len(sample) ** 0.5
    return float(sample.mean() - half), float(sample.mean() + half)


@pytest.mark.parametrize("kind", ["spam", "sybil"])
def test_floods_of_half_price_bids_gain_nothing_where_market_orders_have_a_limit(kind: str) -> None:
    """Eight seeds. Positive control: without limits the emptied book sells into the bids."""
    assert interval(gains(kind))[1] <= 0
    assert interval(gains(kind, market__protection__slippage_bp=0.0))[0] > 0


def test_a_band_keeps_such_bids_out_of_the_book() -> None:
    """Binance refuses what is further from the mark than 5 %, on either side."""
    asked: dict[str, Any] = {"duration_s": 4.0, "attack__kind": "spam", "attack__rate_per_s": 500.0}
    free = venue(**asked, market__protection__slippage_bp=0.0)
    trace = simulate(free.with_values({"market.protection.far_bp": 500.0}), seed=1)
    assert ledger(trace).row(by_predicate=pl.col("group") == "attacker", named=True)["edge"] == 0
    first, _ = trace.stats.accounts.attackers
    assert trace["market"].filter(pl.col("other") == first).is_empty()


def test_an_attacker_trades_no_more_than_its_capital_allows() -> None:
    """5 % of initial margin: twenty times its capital at most; nothing without capital."""
    quantum = 1.0
    for capital, most in ((0.0, 0.0), (1_000.0, 21_000.0)):
        result = outcome(duration_s=5.0, attack__kind="latency-race", attack__capital_usd=capital,
                         attack__size_usd=5_000.0)  # fmt: skip
        first, _ = result.trace.stats.accounts.attackers
        quantum = result.trace.stats.quantum_usd
        own = result.trace["market"].filter(
            pl.col("kind") == MarketKind.TRADE, pl.col("account") == first
        )
        held = (own["qty"].cum_sum() * own["price"]).abs().max() if own.height else 0
        assert float(str(held)) * quantum <= most
        assert (own.height > 0) == (capital > 0)
