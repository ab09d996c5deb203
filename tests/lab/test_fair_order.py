"""Fair orders in the world: nothing lost, nothing twice, in the order in which nodes saw it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank import _core
from surgetank.errors import SurgetankError
from surgetank.trace import FairStats, Outcome, Source
from venue_under_attack import outcome, value

FAIR = ("themis", "median")
#: The first is ½ in thousandths: no order at all.
GAMMAS = (0.5004, 0.6, 0.75, 0.9, 1.0)

BASE: dict[str, Any] = {
    "name": "five",
    "duration_s": 6.0,
    "warmup_s": 1.0,
    "drain_s": 5.0,
    "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 80.0}},
    "network": {
        "nodes": 5,
        "topology": {"kind": "full"},
        "delay": {"kind": "uniform", "low_ms": 5.0, "high_ms": 60.0},
    },
    "layer": {"consensus": {"kind": "single"}},
    "trace": {"receipts_every": 1},
}


def fair_of(run: st.Result) -> FairStats:
    """What the leader made of all nodes' orders."""
    assert run.trace.stats.fair is not None
    return run.trace.stats.fair


def small(rule: str, **values: object) -> st.Scenario:
    """Five nodes that flood, one of which orders under the rule."""
    return st.Scenario.build(BASE).with_values({"layer.queue.rule": rule} | values)


@cache
def of(rule: str) -> st.Result:
    """A run under the rule."""
    return st.run(small(rule), seed=11)


@pytest.mark.parametrize("rule", FAIR)
def test_every_message_is_executed_once(rule: str) -> None:
    """Places (height, position) are all different, and nothing is without one."""
    messages = of(rule).trace["messages"]
    assert len(messages) > 200
    assert messages["executed_ns"].null_count() == 0
    assert not messages.select("height", "position").is_duplicated().any()


@pytest.mark.parametrize("rule", FAIR)
def test_the_order_is_nearer_to_that_of_receipt_than_the_sequencers_own(rule: str) -> None:
    """First come, first served follows what one node saw; these, what all saw."""
    fair, own = (value(of(r), "inversions_receive") for r in (rule, "fifo"))
    assert fair <= own
    assert of(rule).measures["fairness_violations"].value == 0.0


def test_the_safe_extraction_waits_longer_and_breaks_no_promise() -> None:
    """What may still have somebody before it stays for another round."""
    safe = st.run(small("themis", **{"layer.queue.fair.extraction": "safe"}), seed=11)
    reported, paper = fair_of(safe), fair_of(of("themis"))
    assert reported.ordered == paper.ordered and reported.deferred > paper.deferred
    assert safe.measures["fairness_violations"].value == 0.0
    assert value(safe, "delay_mean_ms") > value(of("themis"), "delay_mean_ms")


@pytest.mark.parametrize("rule", FAIR)
def test_same_seed_same_trace(rule: str) -> None:
    """Reports, rounds and their losses are as deterministic as the rest."""
    values = {"network.loss": 0.02}
    one, two = (st.run(small(rule, **values), seed=3).trace.trace_hash for _ in range(2))
    assert one == two


@pytest.mark.parametrize("rule", FAIR)
def test_lost_packets_lose_no_message(rule: str) -> None:
    """Every copy may be lost with 2 %, reports too; floods are redundant, reports come again."""
    run = st.run(small(rule, **{"network.loss": 0.02}), seed=4)
    assert run.trace.stats.lost_packets > 100
    assert run.trace["messages"]["executed_ns"].null_count() == 0


@pytest.mark.parametrize("rule", FAIR)
def test_a_crashed_follower_holds_no_one_up(rule: str) -> None:
    """One of five may be faulty; what has its gateway elsewhere is executed all the same."""
    crash = {"kind": "crash", "at_s": 2.0, "duration_s": 2.0, "nodes": [3]}
    run = st.run(small(rule, faults=[crash]), seed=5)
    rows = run.trace["messages"]
    elsewhere = rows.filter(rows["gateway"] != 3)
    assert elsewhere["executed_ns"].null_count() == 0
    # Only the very first round has no lists yet.
    assert fair_of(run).failed == (1 if rule == "median" else 0)


def test_the_rules_account_of_a_run() -> None:
    """Counts of rounds, messages and bytes fit together; other rules have none."""
    run = of("themis")
    reported, messages = fair_of(run), len(run.trace["messages"])
    assert reported.ordered == messages
    assert reported.rounds == pytest.approx(run.trace.end_ns / 50e6, abs=2)
    followers = 4
    # Every follower says every message once: 8 bytes each; a report 136 (64 signature, 32 chain).
    reported_bytes = 136 * reported.reports + 8 * followers * messages
    assert reported.report_bytes == pytest.approx(reported_bytes, rel=0.01)
    assert run.measures["fair_unplaced_share"].value == 0.0
    assert of("fifo").trace.stats.fair is None
    assert "fair_cycle_share" not in of("fifo").measures


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"layer.consensus": {"kind": "tendermint"}}, "consensus.kind` single"),
        ({"layer.gossip": {"kind": "direct"}}, "gossip.kind` flood or mesh"),
        ({"layer.queue.fair.faulty": 2}, "4f"),
        ({"layer.queue.fair.gamma": 0.5}, "gamma"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, object], says: str) -> None:
    """One clear error that gives a hint."""
    with pytest.raises(SurgetankError, match=says.replace(".", r"\.")):
        small("themis", **values)


@pytest.mark.parametrize(("rule", "gamma"), [("median", 1.0), *(("themis", g) for g in GAMMAS)])
def test_the_core_bears_as_many_faulty_nodes_as_a_scenario_may_ask_for(
    rule: str, gamma: float
) -> None:
    """Python refuses what the machines assert: one faulty node more is a panic of the core."""
    short = {"duration_s": 0.01, "warmup_s": 0.0, "drain_s": 0.0, "layer.queue.fair.gamma": gamma}
    for nodes in (*range(2, 15), 21):
        sizes = short | {"network.nodes": nodes}
        try:
            allowed = json.loads(small(rule, **sizes).to_core())
        except SurgetankError:
            allowed = json.loads(small(rule, **sizes | {"layer.queue.fair.gamma": 1.0}).to_core())
            allowed["layer"]["queue"]["fair"]["gamma_permille"] = round(gamma * 1e3)
            most = -1
        else:
            most = allowed["layer"]["queue"]["fair"]["faulty"]
            small(rule, **sizes | {"layer.queue.fair.faulty": most})
            _core.run(json.dumps(allowed), 1)
        with pytest.raises(SurgetankError, match=r"layer\.queue\.fair\.faulty"):
            small(rule, **sizes | {"layer.queue.fair.faulty": most + 1})
        allowed["layer"]["queue"]["fair"]["faulty"] = most + 1
        with pytest.raises(BaseException, match=r"faulty|gamma"):
            _core.run(json.dumps(allowed), 1)


def test_a_front_runner_on_the_network_comes_too_late() -> None:
    """Whoever reads an order and sends its own after it is behind it at every node."""
    attack = {"kind": "sandwich", "node": 0, "at_s": 0.0, "duration_s": 9.0}
    mix = {"limit": 0.2, "post_only": 0.2, "market": 0.6, "ioc": 0.0, "cancel": 0.0, "replace": 0.0}
    values: dict[str, Any] = {"attack": attack, "market": {}, "flow.mix": mix}
    values |= {"flow.mix.order_usd": 20_000.0, "flow.makers.count": 2}
    trace = st.run(small("themis", **values), seed=2).trace
    here = trace["receipts"].filter(pl.col("node") == 0).select("message", created_ns="time_ns")
    place = pl.col("height").cast(pl.Int64) * 100_000 + pl.col("position")
    done = trace["messages"].filter(pl.col("outcome") == Outcome.EXECUTED).with_columns(place=place)
    own = done.filter(pl.col("source") == Source.ATTACKER).select("created_ns", own="place")
    victims = (
        done.filter(pl.col("source") != Source.ATTACKER).drop("created_ns").join(here, on="message")
    )
    both = own.join(victims, on="created_ns")
    assert both.height > 10
    assert (both["own"] > both["place"]).all()


LOSS = {"kind": "loss", "at_s": 0.0, "duration_s": 11.0, "probability": 0.02}
DOWN = {"kind": "crash", "at_s": 3.0, "duration_s": 2.0}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"faults": [LOSS]},
        {"faults": [DOWN | {"nodes": [3]}]},
        {"faults": [DOWN | {"nodes": [0]}]},
        {"layer.queue.mempool_max": 20},
        {"layer.queue.fair.extraction": "safe"},
    ],
    ids=["calm", "loss", "follower down", "leader down", "full", "safe"],
)
def test_an_honest_leaders_order_is_what_the_signed_reports_say(values: dict[str, object]) -> None:
    """A follower makes the order again and finds nothing, whatever goes wrong besides."""
    for seed in range(1, 4):
        measures = st.run(small("themis", **values), seed=seed).measures
        assert measures["fair_order_breaks"].value == 0
        assert measures["fair_order_breaks"].n > 100
        assert measures["fair_forged_reports"].value == 0


@pytest.mark.parametrize("seed", range(1, 5))
def test_a_leader_that_puts_its_own_first_is_found_out(seed: int) -> None:
    """And one that only reads from the network is not accused."""
    values = {"network__nodes": 5, "layer__gossip__kind": "flood", "duration_s": 8.0}
    for kind, found in (("insider", True), ("sandwich", False)):
        run = outcome(seed, **values, layer__queue__rule="themis", attack__kind=kind)
        assert run.trace.stats.attack.found > 0
        assert (value(run, "fair_order_breaks") > 0) == found
