"""Faults of a real venue on which actors trade: links and processes end and come back, what was
acknowledged stays, and what came late costs money."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.live.faults.mounts import mounting_missing
from surgetank.live.target import TargetError
from surgetank.live.venue.money import _check_promises
from surgetank.measure.bad_debt import unbooked_usd
from surgetank.run import Result
from surgetank.trace import CLASSES, Outcome, Quantity

pytestmark = pytest.mark.live

_LACK = mounting_missing("mkfs.ext4", "losetup")
#: A fall of six percent: steep enough that whoever liquidates seconds late finds no equity left.
FALL: dict[str, Any] = {
    "duration_s": 5.0,
    "warmup_s": 0.5,
    "drain_s": 1.5,
    "flow.arrivals.rate_per_s": 60.0,
    "flow.retry.tries_max": 6,
    "market.price.path": {
        "kind": "points",
        "at_s": [0.0, 1.0, 4.0, 5.0],
        "price_usd": [60_000.0, 60_000.0, 56_400.0, 56_400.0],
    },
    "market.margin.late_after_ms": 1500.0,
}
KILL = {"kind": "crash", "at_s": 1.5, "duration_s": 2.0, "nodes": [0]}
SEEDS = (1, 2)
#: One after the other, in one run.
LINKS: tuple[dict[str, Any], ...] = (
    {"kind": "disconnect"},
    {"kind": "stall"},
    {"kind": "partition", "groups": [[-1], [0]]},
    {"kind": "delay", "extra_ms": 100.0},
    {"kind": "loss", "probability": 0.3},
    {"kind": "bandwidth", "mbps": 0.5},
)
#: So that requests are without an answer when the connections are reset.
SLOW_LINK = {"kind": "delay", "extra_ms": 150.0, "at_s": 0.05, "duration_s": 0.9}
RACE = {"kind": "latency-race", "at_s": 0.5}


def fall(*faults: dict[str, Any], **values: Any) -> st.Scenario:
    """The fall with these faults."""
    return st.load("calm").with_values(FALL | {"faults": list(faults)} | values)


def scenarios() -> dict[str, tuple[st.Scenario, int]]:
    """All runs of this module, with their seeds."""
    links = [{**fault, "at_s": 0.2 + 0.8 * i, "duration_s": 0.5} for i, fault in enumerate(LINKS)]
    full = {"kind": "disk-full", "at_s": 0.5, "duration_s": 2.5, "nodes": [0]}
    long, many = {"drain_s": 4.0}, {"flow.arrivals.rate_per_s": 1500.0}
    found: dict[str, tuple[st.Scenario, int]] = {}
    for seed in SEEDS:
        found |= {f"killed {seed}": (fall(KILL, **long), seed)}
        found |= {f"usual {seed}": (fall(**long), seed)}
    if _LACK is None:
        found["power"] = fall({**KILL, "power_loss": True}, **long), 1
        found["full disk"] = fall(full, **many), 1
    return found | {"links": (fall(*links, SLOW_LINK), 1), "race": (fall(attack=RACE), 1)}


@pytest.fixture(scope="module")
def played() -> dict[str, Result]:
    """All of them, side by side: a run mostly waits."""
    asked = scenarios()

    def play(name: str) -> Result:
        scenario, seed = asked[name]
        return st.run(scenario, seed=seed, target="venue:")

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(asked, pool.map(play, asked), strict=True))


def lost_usd(result: Result) -> float:
    """Bad debt, and what due accounts lack that a venue which came back late has not closed yet."""
    booked = result.measures["bad_debt_usd"].value
    assert booked is not None
    return booked + unbooked_usd(result.trace)


def outcomes(result: Result) -> pl.DataFrame:
    """Number of messages by class and outcome."""
    return result.trace["messages"].group_by("class", "outcome").len()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kill_in_the_middle_of_a_fall_liquidates_late_and_somebody_pays(
    played: dict[str, Result], seed: int
) -> None:
    """An intervention: the same seed with and without it."""
    killed, usual = played[f"killed {seed}"], played[f"usual {seed}"]
    assert lost_usd(killed) > lost_usd(usual)
    late, without = (one.measures["late_liquidations"].value for one in (killed, usual))
    assert late is not None and without is not None
    assert late > without


@pytest.mark.parametrize("name", [f"killed {seed}" for seed in SEEDS] + ["power"])
def test_a_venue_that_was_killed_has_executed_every_order_once(
    played: dict[str, Result], name: str
) -> None:
    """That nothing acknowledged is lost is checked in the run, which is refused otherwise."""
    if name not in played:
        pytest.skip(_LACK or "")
    result = played[name]
    live = result.trace.stats.live
    assert live is not None and live.connections_ended > 0
    assert not live.fault_errors
    found = outcomes(result)
    assert set(found["outcome"]) <= {Outcome.EXECUTED, Outcome.LOST}
    lost = found.filter(pl.col("outcome") == Outcome.LOST)["class"]
    # Without a ClOrdID they are not sent again: their second copy would be executed.
    assert {CLASSES[number] for number in lost} <= {"price-update", "liquidation-order"}
    down = result.trace["faults"].filter(pl.col("quantity") == Quantity.DOWN.label)
    assert down["measured"].item() >= KILL["duration_s"]


def test_links_that_fail_in_every_way_are_measured_and_come_back(
    played: dict[str, Result],
) -> None:
    result = played["links"]
    faults, live = result.trace["faults"], result.trace.stats.live
    assert live is not None and live.connections_ended > 0
    # The control: a venue that forgets ClOrdIDs executed some of these twice, and was refused.
    assert live.sent_again > 0
    assert set(faults["index"]) == set(range(len(LINKS) + 1))
    # Whatever the slow link held may have ended with its connection, and is no sample.
    assert (faults.filter(pl.col("index") < len(LINKS))["samples"] > 0).all()
    nothing = faults.filter(pl.col("quantity").is_in(["bytes_passed", "connections_left"]))
    assert nothing["measured"].to_list() == [0.0] * 3
    assert outcomes(result).filter(pl.col("outcome") == Outcome.REFUSED).is_empty()


@pytest.mark.skipif(_LACK is not None, reason=_LACK or "")
def test_a_full_disk_refuses_and_the_venue_goes_on_when_there_is_room(
    played: dict[str, Result],
) -> None:
    result = played["full disk"]
    live, rows = result.trace.stats.live, result.trace["messages"]
    assert live is not None and live.refusals.get("disk-full", 0) > 0
    again = rows.filter((pl.col("tries") > 1) & (pl.col("outcome") == Outcome.EXECUTED))
    assert not again.is_empty(), "refused first, and executed later"


def test_an_attacker_with_a_clients_power_attacks_a_real_venue(played: dict[str, Result]) -> None:
    result = played["race"]
    assert result.trace.stats.attack.found > 0
    gain = result.measures["attacker_gain_usd"].value
    assert gain is not None and gain != 0.0


def test_a_run_on_a_venue_that_breaks_a_promise_is_refused() -> None:
    """The check itself is tested on faked answers in crates/rig/tests/promises.rs."""
    kept = {"lost": 0, "refused": 0, "twice": 0, "unchained": 0, "first": None}
    _check_promises({"breaches": kept}, "venue:")
    with pytest.raises(TargetError, match=r"not those of its journal \(lost 1\): message 7"):
        _check_promises({"breaches": kept | {"lost": 1, "first": "message 7"}}, "venue:")
