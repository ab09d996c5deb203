"""What messages waited for: exact sums, and charges where the answer is known."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.measure.liquidations import executed_orders
from surgetank.measure.waiting import COMPUTATION, by_class, shares, waiting, waits
from surgetank.simulate import simulate
from surgetank.trace import WAITS, MessageClass, Outcome, Trace
from venue_under_attack import CRASH
from venue_under_attack import venue as crash_venue
from waiting_worlds import WHOLE, WORLDS, fault, venue


def charged(scenario: st.Scenario, seed: int = 1) -> tuple[Trace, dict[str, float]]:
    """The run, and the share of each resource."""
    trace = st.simulate(scenario, seed=seed)
    measures = st.measure(trace)
    return trace, {name: measures.value(f"wait_share.{name}") or 0.0 for name in WAITS}


@pytest.mark.parametrize("name", WORLDS)
def test_every_nanosecond_is_charged_once(name: str) -> None:
    """The charges of each executed message sum to its delay, and what is charged to nothing known
    is less than a hundredth of it all."""
    trace = st.simulate(venue().with_values(WORLDS[name]), seed=1)
    done = trace["messages"].filter(pl.col("outcome") == Outcome.EXECUTED)
    rows = done.join(trace["waits"], on="message")
    assert rows.height == done.height == trace["waits"].height > 100
    sums = rows.select(pl.sum_horizontal(f"{wait}_ns" for wait in WAITS)).to_series()
    delay = rows["executed_ns"] - rows["created_ns"]
    assert (sums == delay).all()
    assert rows["other_ns"].sum() <= delay.sum() // 100


def test_shares_sum_to_one_and_means_to_the_mean() -> None:
    trace, shares = charged(venue())
    measures = st.measure(trace)
    assert sum(shares.values()) == pytest.approx(1)
    means = [measures.value(f"wait_mean_ms.{name}") or 0.0 for name in WAITS]
    assert sum(means) == pytest.approx(measures.value("delay_mean_ms"))
    own = sum(shares[name] for name in COMPUTATION)
    assert measures.value("computation_share") == pytest.approx(own)
    assert waits(trace).height == measures["delay_mean_ms"].n


def test_shares_by_class_and_of_late_liquidations() -> None:
    """By class they make up the whole; of late liquidations they are those of the orders that the
    account of liquidations calls late."""
    trace = simulate(crash_venue(**CRASH | {"flow__keepers__reaction_ms": 100.0}), seed=1)
    rows, parts = waits(trace), by_class(trace)
    assert len(parts) >= 3
    weight = {
        name: int(rows.filter(pl.col("class") == MessageClass.named(name))["delay_ns"].sum())
        for name in parts
    }
    for name in WAITS:
        mixed = sum(weight[c] * parts[c][name] for c in parts) / sum(weight.values())
        assert mixed == pytest.approx(shares(rows)[name], abs=1e-12)
    assert all(sum(of.values()) == pytest.approx(1) for of in parts.values())
    delays = executed_orders(trace, None)["delay_ns"].drop_nulls()
    after_ms = float(delays.median() or 0) / 1e6  # type: ignore[arg-type]
    timed = executed_orders(trace, after_ms)
    late_orders = set(timed.filter(pl.col("timing") == "late")["message"])
    mine = rows.filter(pl.col("message").is_in(list(late_orders)))
    assert mine.height > 5 and (timed["timing"] == "in time").sum() > 0
    reported = {m.name: m for m in waiting(trace, after_ms)}
    for name, part in shares(mine).items():
        assert reported[f"late_wait_share.{name}"].value == part
        assert reported[f"late_wait_share.{name}"].n == mine.height


def test_an_overloaded_server_is_what_messages_waited_for() -> None:
    """M/M/1 at 90 %: everything is validation, and the most of it that of others."""
    values = {
        "network.nodes": 1,
        "layer.gossip.kind": "direct",
        "layer.consensus": {"kind": "single", "window_ms": 0.0},
        "layer.service.distribution": {"kind": "exponential"},
        "flow.client_link": {"fixed_ms": 0.0, "jitter_ms": 0.0},
    }
    kinds = ("price_update", "liquidation_order", "cancel", "replace", "order")
    values |= {f"layer.service.validation.{kind}_us": 7_500.0 for kind in kinds}
    values |= {f"layer.service.execution.{kind}_us": 0.0 for kind in kinds}
    _, shares = charged(venue().with_values(values))
    assert shares["validation_own"] + shares["validation_others"] == pytest.approx(1)
    assert shares["validation_others"] > shares["validation_own"] > 0.03


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_charges_fall_on_what_was_made_scarce(seed: int) -> None:
    """Of one venue, with one resource made scarce at a time: that one's share is the largest."""
    scarce: dict[str, dict[str, Any]] = {
        "distance": {"network.delay.delay_ms": 200.0},
        "timers": {"layer.consensus.timeout_commit_ms": 3_000.0},
        "block_space": {"layer.consensus.block_messages_max": 20},
        "consensus": {"layer.service.validation.vote_us": 40_000.0},
        "bandwidth": {"network.uplink_mbps": 0.5},
        "client_link": {"flow.client_link.fixed_ms": 3_000.0},
        "faults": {"faults": [fault("partition", groups=[[0, 1, 2]])]},
        "rules": {
            "layer.queue.rule": "commit-reveal",
            "layer.queue.sealed.reveal_ms": 2_000.0,
        },
    }
    for name, values in scarce.items():
        _, shares = charged(venue().with_values(values), seed)
        assert max(shares, key=lambda wait: shares[wait]) == name, (name, shares)


UNEVEN = {
    "network.delay": {
        "kind": "regions",
        "names": ["near", "far"],
        "matrix_ms": [[5.0, 400.0], [400.0, 5.0]],
        "placement": ["near"] * 5 + ["far"] * 2,
    },
    "layer.consensus": {"kind": "tendermint", "timeout_commit_ms": 1.0},
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    "what",
    [
        {"kind": "slow", "nodes": list(range(7)), "factor": 1.001},
        {"kind": "slow", "nodes": [5, 6], "factor": 3.0},
        {"kind": "loss", "nodes": [5, 6], "probability": 0.01},
        {"kind": "loss", "nodes": [5, 6], "probability": 0.0},
        {"kind": "delay", "nodes": [6], "extra_ms": 0.0},
        {"kind": "delay", "nodes": list(range(7)), "extra_ms": 0.001},
    ],
)
def test_a_block_missed_for_distance_is_not_charged_to_a_fault(
    what: dict[str, Any], seed: int
) -> None:
    """Far proposers lack what is near and new. A fault there that changes next to nothing, which
    taking it away confirms, is charged next to nothing."""
    trace, shares = charged(venue(faults=[what | WHOLE]).with_values(UNEVEN), seed)
    without, _ = charged(venue().with_values(UNEVEN), seed)
    mean, left = (float(t.delays()["delay_ns"].mean() or 0) for t in (trace, without))  # type: ignore[arg-type]
    assert abs(1 - left / mean) < 0.03
    assert shares["faults"] < 0.03


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fault_that_changes_nothing_is_charged_nothing(seed: int) -> None:
    """Machines that a fault makes no slower; and a slow machine beside links that lose packets of
    themselves, where the repeats are the links'."""
    idle = fault("slow", nodes=[3], factor=1.0) | WHOLE
    trace, shares = charged(venue(network__delay={"kind": "fixed", "delay_ms": 80.0}), seed)
    same, beside = charged(
        venue(network__delay={"kind": "fixed", "delay_ms": 80.0}).with_values({"faults": [idle]}),
        seed,
    )
    assert same["messages"]["executed_ns"].equals(trace["messages"]["executed_ns"])
    assert shares["faults"] == beside["faults"] == 0
    lossy = WORLDS["a mesh that loses"]
    _, alone = charged(venue().with_values(lossy), seed)
    slow = fault("slow", nodes=[6], factor=1.5) | WHOLE
    _, both = charged(venue().with_values(lossy | {"faults": [slow]}), seed)
    assert alone["loss"] > 0.002
    assert both["loss"] == pytest.approx(alone["loss"], rel=0.1)
