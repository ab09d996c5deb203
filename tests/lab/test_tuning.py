"""Controllers and adaptive consensus: real small runs under too much load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.errors import SurgetankError
from surgetank.plugins import Controller, Observation, Wishes
from surgetank.plugins.policy import Numbers, Policy
from surgetank.trace import Knob, MessageClass, Outcome, OutcomeReason

SINGLE = {"kind": "single", "node": 0, "window_ms": 40.0, "block_messages_max": 20}
TENDERMINT = {"kind": "tendermint", "timeout_commit_ms": 200.0, "block_messages_max": 50}
BOUNDS = {"batch_least": 10, "batch_most": 80, "limit_least": 60, "limit_most": 400}
S = 1_000_000_000
ESSENTIAL = [MessageClass.named(name) for name in ("price-update", "liquidation-order", "cancel")]


class Sees(Controller):
    """Writes down what it sees, as the reason for a limit that it moves for that."""

    def control(self, observation: Observation) -> Wishes:
        moved = 100 if observation.now_set.admission_limit != 100 else 200
        return {"admission_limit": moved, "on": observation.volatility_ppm}


class Wild(Controller):
    """Wishes for everything and nothing in turn."""

    def __init__(self, seed: int) -> None:
        self.turn = seed % 2

    def control(self, observation: Observation) -> Wishes:
        self.turn = 1 - self.turn
        big = 10**9 * self.turn
        return {"batch_messages_max": big, "admission_limit": big, "window_ns": big, "on": 3}


class Wrong(Controller):
    """Wishes for what there is not."""

    def control(self, observation: Observation) -> Wishes:
        return {"batch_size": 3}  # type: ignore[typeddict-unknown-key]


def venue(controller: str = "none", **values: Any) -> st.Scenario:
    """Three nodes; for three seconds three times more arrives than batches of 20 can take."""
    data: dict[str, Any] = {
        "name": "tuned",
        "duration_s": 6.0,
        "warmup_s": 0.5,
        "drain_s": 4.0,
        "flow": {
            "accounts": 60,
            "arrivals": {"kind": "poisson", "rate_per_s": 300.0},
            "profile": {"kind": "step", "from_s": 1.0, "until_s": 4.0, "factor": 5.0},
            "oracle": {"count": 1, "interval_ms": 200.0},
        },
        "network": {"nodes": 3, "delay": {"kind": "fixed", "delay_ms": 5.0}},
        "layer": {
            "consensus": SINGLE,
            "gossip": {"kind": "direct"},
            "tuning": {"controller": controller, "target_ms": 30.0, "bounds": BOUNDS},
        },
    }
    layer = data["layer"] | values.pop("layer", {})
    return st.Scenario.build(data | {"layer": layer} | values)


def inside(trace: st.Trace) -> None:
    """Every decision is within its bounds, and follows from the one before."""
    spans = {
        Knob.BATCH_MESSAGES_MAX: (BOUNDS["batch_least"], BOUNDS["batch_most"]),
        Knob.WINDOW_NS: (0, 1_000_000_000),
        Knob.ADMISSION_LIMIT: (BOUNDS["limit_least"], BOUNDS["limit_most"]),
        **{knob: (1, 16) for knob in Knob if knob.label.startswith("weight of ")},
    }
    last: dict[tuple[int, int], int] = {}
    for row in trace["decisions"].rows(named=True):
        least, most = spans[row["knob"]]
        assert least <= row["to"] <= most
        assert row["to"] != row["from"]
        at = (row["node"], row["knob"])
        assert last.setdefault(at, row["from"]) == row["from"]
        last[at] = row["to"]


CONTROLLERS = ["sojourn", "gradient2", "policy", "test_tuning:Wild"]


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_decisions_stay_in_bounds_and_replay(controller: str) -> None:
    scenario = venue(controller)
    trace = st.simulate(scenario)
    assert not trace["decisions"].is_empty()
    inside(trace)
    assert st.simulate(scenario).trace_hash == trace.trace_hash
    # The decisions alone, without the controller, give the same facts.
    played = st.simulate(scenario, decisions=trace["decisions"])
    assert played.chains == trace.chains


@pytest.mark.parametrize("at_s", [2.0, 2.05])
@pytest.mark.parametrize("controller", CONTROLLERS)
def test_decisions_around_a_crash_replay(controller: str, at_s: float) -> None:
    """The process that follows a crash starts from the scenario's settings, whether a controller or
    a replay decides; the crash comes at a time of decision, or between two."""
    crash = {"kind": "crash", "at_s": at_s, "duration_s": 1.0, "nodes": [0]}
    scenario = venue(controller, faults=[crash])
    trace = st.simulate(scenario)
    own = trace["decisions"].filter(
        (pl.col("node") == 0) & (pl.col("knob") <= Knob.ADMISSION_LIMIT)
    )
    before, after = (
        own.filter(part) for part in (pl.col("time_ns") < at_s * S, pl.col("time_ns") >= at_s * S)
    )
    assert before.height > 0 and after.height > 0
    start = {
        Knob.BATCH_MESSAGES_MAX: SINGLE["block_messages_max"],
        Knob.WINDOW_NS: 40_000_000,
        Knob.ADMISSION_LIMIT: BOUNDS["limit_most"],
    }
    for rows in (before, after):
        for knob, value in (
            rows.group_by("knob", maintain_order=True).first()["knob", "from"].rows()
        ):
            assert value == start[knob]
    assert st.simulate(scenario, decisions=trace["decisions"]).chains == trace.chains


def test_a_decision_that_is_changed_changes_what_follows() -> None:
    scenario = venue("sojourn")
    trace = st.simulate(scenario)
    smaller = trace["decisions"].with_columns(
        pl.when(pl.col("knob") == Knob.BATCH_MESSAGES_MAX)
        .then(10)
        .otherwise(pl.col("to"))
        .cast(pl.UInt64)
        .alias("to")
    )
    assert st.simulate(scenario, decisions=smaller).chains != trace.chains


def test_decisions_cross_by_name_and_what_is_no_such_table_is_refused() -> None:
    scenario = venue("sojourn")
    trace = st.simulate(scenario)
    decisions = trace["decisions"]
    mirrored = decisions.select(reversed(decisions.columns))
    assert st.simulate(scenario, decisions=mirrored).chains == trace.chains
    with pytest.raises(st.SurgetankError, match="not the table `decisions`"):
        st.simulate(scenario, decisions=decisions.drop("clamped"))
    unknown = decisions.with_columns(knob=pl.lit(200, pl.UInt8))
    with pytest.raises(st.SurgetankError, match="no knob 200"):
        st.simulate(scenario, decisions=unknown)


def test_under_tendermint_every_node_tunes_itself() -> None:
    layer = {"consensus": TENDERMINT, "gossip": {"kind": "flood"}}
    scenario = venue("sojourn", layer=layer)
    trace = st.simulate(scenario)
    assert set(trace["decisions"]["node"]) == {0, 1, 2}
    assert set(trace["decisions"]["knob"]) <= {0, 1, 2}
    inside(trace)
    assert st.simulate(scenario, decisions=trace["decisions"]).chains == trace.chains


def test_larger_batches_come_before_refusals_and_shorten_the_wait() -> None:
    fixed, tuned = st.simulate(venue()), st.simulate(venue("sojourn"))
    first = tuned["decisions"].row(0, named=True)
    assert Knob(first["knob"]).label == "batch_messages_max"
    waits = [
        (t["messages"]["proposed_ns"] - t["messages"]["queued_ns"]).quantile(0.99)
        for t in (fixed, tuned)
    ]
    assert waits[1] < waits[0] / 2  # type: ignore[operator]


def falling(by: float, controller: str) -> st.Scenario:
    """The venue without its overload, while the price falls from second 2 to 4."""
    low = 60_000.0 * (1 - by)
    path = {
        "kind": "points",
        "at_s": [0.0, 2.0, 4.0, 6.0],
        "price_usd": [60_000.0, 60_000.0, low, low],
        "volatility": 0.1,
    }
    market = {"positions": {"count": 10}, "price": {"path": path}}
    layer = {"consensus": SINGLE, "queue": {"rule": "class"}}
    layer["tuning"] = {"controller": controller, "bounds": BOUNDS}
    return venue(layer=layer, market=market, flow={"oracle": {"count": 1, "interval_ms": 200.0}})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_controllers_see_volatility(seed: int) -> None:
    seen = {}
    for by in (0.0, 0.1):
        rows = st.simulate(falling(by, "test_tuning:Sees"), seed=seed)["decisions"]
        during = rows.filter(pl.col("time_ns").is_between(3 * 10**9, 4 * 10**9))
        seen[by] = float(during["on"].max())  # type: ignore[arg-type]
    # Steps of 1 % every 200 ms: up to √(10⁻⁴ / 0.2 s) = 22,361 ppm, once forgetting has settled.
    assert seen[0.0] < 200
    assert 8_000 < seen[0.1] < 22_400


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_policy_sets_a_quiet_venue_once_and_acts_on_volatility(seed: int) -> None:
    quiet = st.simulate(falling(0.0, "policy"), seed=seed)["decisions"]
    assert "window_ns" in [Knob(knob).label for knob in quiet["knob"]]
    assert quiet.select("node", "knob").is_duplicated().sum() == 0
    assert (quiet["on"] == 0).all()
    rows = st.simulate(falling(0.1, "policy"), seed=seed)["decisions"]
    alarmed = rows.filter(pl.col("on") > 0)
    first = alarmed.row(0, named=True)
    assert 2 * 10**9 <= first["time_ns"] <= 4 * 10**9


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_policy_gives_no_capacity_away_near_it(seed: int) -> None:
    """At four fifths of capacity everything is executed, as without it, even with batches of a
    quarter at rest: a batch takes all that waits. Positive control: if it takes a tenth, it is not.
    """
    # A quarter of the scenario's block and wait at least, as in benchmarks/controllers.py.
    bounds = {"batch_least": 1_250, "batch_most": 20_000, "window_least_ms": 125.0}
    data = {
        "name": "near",
        "duration_s": 20.0,
        "warmup_s": 2.0,
        "flow": {"arrivals": {"kind": "poisson", "rate_per_s": 3_500.0}},
        "network": {"nodes": 7, "preset": "aws-13"},
        "layer": {"consensus": {"kind": "tendermint"}, "queue": {"rule": "class"}},
    }
    near = st.Scenario.build(data)
    tuned = near.with_values(
        {"layer.tuning.controller": "policy"}
        | {f"layer.tuning.bounds.{key}": value for key, value in bounds.items()}
    )

    def executed(scenario: st.Scenario) -> float:
        done = st.simulate(scenario, seed=seed).delays()["executed_ns"].is_not_null()
        return int(done.sum()) / done.len()

    assert executed(near) > 0.999
    assert executed(tuned) > 0.999
    quarter = replace(Numbers.load(), rest_batch_factor=0.25, rest_window_factor=0.6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Policy, "numbers", quarter)
        assert executed(tuned) > 0.999
        patch.setattr(Policy, "numbers", replace(quarter, waiting_share=0.1))
        assert executed(tuned) < 0.97


def seen(**values: Any) -> Any:
    """What a node of batches of 400 and windows of 20 ms sees: nothing, but for `values`."""
    setting = SimpleNamespace(batch_messages_max=400, window_ns=20_000_000, admission_limit=2**32)
    quiet = {
        "now_set": setting,
        "reducing_served": 0,
        "ahead_ns": 0,
        "volatility_ppm": 0,
        "waiting": [0] * 8,
    }
    return SimpleNamespace(**quiet | values)


def test_what_policy_wishes() -> None:
    """At rest, with much waiting, in a crash, and while what reduces risk waits."""
    reported = Numbers(
        volatility_ppm=100.0,
        wait_ms=100.0,
        rest_batch_factor=0.5,
        rest_window_factor=0.25,
        batch_factor=0.5,
        window_factor=2.0,
        waiting_share=0.2,
        waiting_factor=0.25,
        limit_batches=3.0,
        replace_weight=7,
        calm_looks=10,
    )

    class Reported(Policy):
        numbers = reported

    def wishes(**values: Any) -> tuple[int, int, int]:
        wish = Reported(0).control(seen(**values))
        return wish["batch_messages_max"], wish["window_ns"], wish["admission_limit"]

    waiting = [0, 0, 0, 0, 5_000, 0, 0, 0]
    assert wishes() == (200, 5_000_000, 2**32)
    assert wishes(waiting=waiting) == (1_000, 5_000_000, 2**32)
    assert wishes(volatility_ppm=400) == (100, 10_000_000, 2**32)
    assert wishes(volatility_ppm=400, waiting=waiting) == (250, 10_000_000, 2**32)
    assert wishes(ahead_ns=400_000_000) == (100, 10_000_000, 1_200)


def test_lanes_are_weighted_as_decided() -> None:
    layer = {"queue": {"rule": "lanes"}, "consensus": SINGLE}
    trace = st.simulate(venue("sojourn", layer=layer))
    changed = set(trace["decisions"]["knob"])
    # Replaces and orders give way; price updates, liquidation orders and cancels do not.
    assert changed & {6, 7} and not changed & {3, 4, 5}


def test_the_admission_limit_spares_what_is_essential() -> None:
    bounds = BOUNDS | {"batch_most": 20, "window_least_ms": 40.0}
    tuning = {"controller": "sojourn", "target_ms": 30.0, "bounds": bounds}
    trace = st.simulate(venue(layer={"consensus": SINGLE, "tuning": tuning}))
    throttled = trace["messages"].filter(pl.col("reason") == OutcomeReason.THROTTLED)
    assert not throttled.is_empty()
    assert throttled.filter(pl.col("class").is_in(ESSENTIAL)).is_empty()


def adapting(**keys: Any) -> st.Scenario:
    spans = {"commit_least_ms": 50.0, "throttle_ms": 250.0} | keys
    consensus = TENDERMINT | {"adaptive": True, "adaptive_timeouts": spans}
    times = {"order_us": 500.0, "cancel_us": 500.0, "replace_us": 500.0}
    layer = {
        "consensus": consensus,
        "gossip": {"kind": "flood"},
        "service": {"execution": times},
        "tuning": {},
    }
    market = {"positions": {"count": 20}}
    return venue(layer=layer, market=market)


def test_adaptive_consensus_follows_the_congestion_within_its_spans() -> None:
    scenario = adapting()
    trace = st.simulate(scenario)
    rows = trace["decisions"]
    assert {Knob(knob).label for knob in rows["knob"]} == {"timeout_commit_ns", "throttle"}
    commit = rows.filter(pl.col("knob") == Knob.TIMEOUT_COMMIT_NS)
    assert commit["to"].min() < 200e6  # type: ignore[operator]
    assert commit["to"].is_between(50_000_000, 2_000_000_000).all()
    assert trace.stats.safety
    assert st.simulate(scenario).trace_hash == trace.trace_hash


def test_the_proposal_timeout_grows_where_it_is_too_short_for_all() -> None:
    # A proposal takes 350 ms, and 200 ms are given.
    network = {"nodes": 3, "delay": {"kind": "fixed", "delay_ms": 350.0}}
    short = {f"timeout_{step}_ms": 200.0 for step in ("propose", "vote")}
    times = short | {f"timeout_{step}_delta_ms": 20.0 for step in ("propose", "vote")}
    rounds = {}
    for adaptive in (False, True):
        consensus = TENDERMINT | times | {"adaptive": adaptive}
        layer = {"consensus": consensus, "gossip": {"kind": "flood"}, "tuning": {}}
        trace = st.simulate(venue(layer=layer, network=network, duration_s=40.0))
        rounds[adaptive] = trace["blocks"]["round"].mean()
    to = trace["decisions"].filter(pl.col("knob") == Knob.TIMEOUT_PROPOSE_NS)["to"]
    assert to[0] == 400_000_000 and to.is_between(200_000_000, 10_000_000_000).all()
    assert rounds[True] < rounds[False] / 2  # type: ignore[operator]


def test_adaptive_consensus_does_no_harm_where_proposers_are_cut_off() -> None:
    def p99_s(name: str, adaptive: bool, seed: int) -> float:
        scenario = st.load(name).with_values({"layer.consensus.adaptive": adaptive})
        trace = st.simulate(scenario, seed=seed)
        clients = trace["messages"].filter(pl.col("class") < 5)
        end = pl.col("executed_ns").fill_null(trace.end_ns)
        waits = clients.select((end - pl.col("created_ns")).quantile(0.99, "nearest"))
        return float(waits.item()) / 1e9

    for name in ("partition", "slow-proposer"):
        for seed in range(1, 4):
            # Timeouts that followed the time of a height gave twice the delay.
            assert p99_s(name, True, seed) <= 1.05 * p99_s(name, False, seed)


def test_throttling_never_touches_what_is_essential() -> None:
    messages = st.simulate(adapting(throttle_ms=50.0))["messages"]
    throttled = messages.filter(pl.col("reason") == OutcomeReason.THROTTLED)
    assert not throttled.is_empty()
    assert throttled.filter(pl.col("class").is_in(ESSENTIAL)).is_empty()
    assert not messages.filter(pl.col("outcome") == Outcome.EXECUTED).is_empty()


def test_without_throttling_no_one_is_throttled() -> None:
    messages = st.simulate(adapting(throttle_ms=0.0))["messages"]
    assert messages.filter(pl.col("reason") == OutcomeReason.THROTTLED).is_empty()


def test_a_wish_for_what_there_is_not_names_file_and_hint() -> None:
    with pytest.raises(SurgetankError, match="batch_size"):
        st.simulate(venue("test_tuning:Wrong"))


def test_what_a_controller_says_is_part_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = (
        "from surgetank.plugins import Controller\n"
        "class Still(Controller):\n"
        "    def control(self, observation):\n"
        "        return {}\n"
    )
    hashes = []
    for text in (source, source + "# changed\n"):
        (tmp_path / "still_house.py").write_text(text)
        hashes.append(venue("still_house:Still").hash)
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize(
    ("layer", "bounds", "named"),
    [
        ({"consensus": SINGLE}, {"batch_least": 21}, "`consensus.block_messages_max` 20,"),
        ({"consensus": SINGLE}, {"batch_most": 19}, "take one from 10 to 19"),
        ({"consensus": SINGLE}, {"window_least_ms": 40.5}, "`consensus.window_ms` 40,"),
        (
            {"consensus": TENDERMINT},
            {"window_most_ms": 199.5},
            "`consensus.timeout_commit_ms` 200,",
        ),
        ({"consensus": SINGLE, "admission": {"limit": 59}}, {}, "`admission.limit` 59,"),
        ({"consensus": SINGLE, "admission": {"limit": 401}}, {}, "`tuning.bounds.limit_least`"),
        ({"consensus": SINGLE, "queue": {"rule": "lanes"}}, {"weight_most": 7}, "price_update` 8,"),
        ({"consensus": SINGLE, "queue": {"rule": "lanes"}}, {"weight_least": 2}, "order` 1,"),
    ],
)
def test_a_start_outside_the_bounds_is_refused(
    layer: dict[str, Any], bounds: dict[str, Any], named: str
) -> None:
    """A controller would begin with another setting than the scenario's; without one, none is."""
    gossip = {"gossip": {"kind": "flood"}}
    for controller in CONTROLLERS:
        tuning = {"controller": controller, "bounds": BOUNDS | bounds}
        with pytest.raises(
            SurgetankError, match=f"`tuning.controller` {controller} starts"
        ) as caught:
            venue(layer=gossip | layer | {"tuning": tuning})
        assert caught.value.place == "layer"
        assert named in str(caught.value)
        venue(layer=gossip | layer | {"tuning": tuning | {"controller": "none"}})


def test_bounds_in_disorder_are_refused() -> None:
    with pytest.raises(SurgetankError, match="batch_least"):
        venue(layer={"tuning": {"bounds": {"batch_least": 9, "batch_most": 3}}})
    with pytest.raises(SurgetankError, match="timeout_commit_ms"):
        venue(layer={"consensus": {"kind": "tendermint", "adaptive": True, "timeout_commit_ms": 5}})
    with pytest.raises(SurgetankError, match="gradient2"):
        venue("gradient")
