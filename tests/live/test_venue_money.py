"""Runs with money on a real venue: what happened there is in the trace, and delays cost money."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.live.target import TargetError
from surgetank.live.venue.server import VenueServer
from surgetank.run import Result
from surgetank.trace import STAGES, MarketKind, Outcome

pytestmark = pytest.mark.live

#: A fall of four percent within two seconds: it makes accounts due for liquidation.
CRASH = {
    "duration_s": 6.0,
    "warmup_s": 1.0,
    "drain_s": 2.0,
    "flow.arrivals.rate_per_s": 100.0,
    "market.price.path": {
        "kind": "points",
        "at_s": [0.0, 2.0, 4.0, 6.0],
        "price_usd": [60_000.0, 60_000.0, 57_600.0, 57_600.0],
    },
    "market.margin.late_after_ms": 1000.0,
}
#: The venue's process has two of 1,600 ms.
STOPPED = {"kind": "slow", "at_s": 2.0, "duration_s": 4.0, "nodes": [0], "factor": 800.0}
FLOOD = {"kind": "spam", "at_s": 1.0, "duration_s": 1.0, "rate_per_s": 10.0}


def crash(**values: Any) -> st.Scenario:
    """A crash at a venue that is otherwise calm."""
    return st.load("calm").with_values(CRASH | values)


@pytest.fixture(scope="module")
def healthy() -> Result:
    """The crash on a healthy venue."""
    return st.run(crash(), target="venue:")


def test_every_message_is_executed_and_its_stages_are_in_order(healthy: Result) -> None:
    messages = healthy.trace["messages"]
    assert set(messages["outcome"].unique()) == {Outcome.EXECUTED}
    for before, after in STAGES.values():
        assert (messages[before] <= messages[after]).all(), (before, after)
    assert healthy.measures["goodput_ratio"].value == 1.0


def test_the_crash_liquidates_on_a_healthy_venue(healthy: Result) -> None:
    liquidated = healthy.trace["market"].filter(pl.col("kind") == MarketKind.LIQUIDATED)
    assert liquidated.height > 5
    assert healthy.trace.stats.money_conserved


def test_a_venue_that_is_stopped_liquidates_late_and_somebody_pays(healthy: Result) -> None:
    """Delays that really happened: the same crash, while the process hardly runs."""
    stopped = st.run(crash(faults=[STOPPED]), target="venue:")
    for name in ("late_liquidations", "liquidation_delay_p50_ms", "bad_debt_usd"):
        late, usual = stopped.measures[name].value, healthy.measures[name].value
        assert late is not None and usual is not None
        assert late > usual, name


def test_a_trace_that_is_not_the_venues_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the comparison of states that every run makes."""
    monkeypatch.setattr(VenueServer, "ended", {"state_hash": "another"})
    with pytest.raises(TargetError, match="not that of its published journal"):
        st.run(crash(duration_s=2.0), target="venue:")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"faults": [FLOOD]}, "`spam` is not played"),
        ({"faults": [STOPPED | {"nodes": [4]}]}, r"--set 'faults.0.nodes=\[0\]'"),
        ({"market.price.feed": "block"}, "market.price.feed"),
        ({"layer.queue.rule": "express"}, "no rule `express`"),
        ({"attack": {"kind": "sandwich"}}, "sight of other clients' orders"),
        ({"attack": {"kind": "insider"}}, "control of a proposer"),
        ({"attack": {"kind": "fee-jump"}}, "ordered by fees"),
    ],
)
def test_what_cannot_be_played_is_refused_before_the_run(values: dict[str, Any], says: str) -> None:
    with pytest.raises(st.SurgetankError, match=says):
        st.run(crash(**values), target="venue:")


def test_a_url_without_an_address_is_refused_with_the_remedy() -> None:
    with pytest.raises(st.SurgetankError, match="Give venue: "):
        st.run(crash(), target="venue:7400")
