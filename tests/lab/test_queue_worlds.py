"""Queue rules in a whole world: what is promised under overload, and what is lost by no one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

import surgetank as st
from stations import SERVICE_US, station
from surgetank.scenario.flow import ENCODED_BYTES_MAX
from surgetank.scenario.queue import RULES
from surgetank.trace import Outcome, OutcomeReason
from venue_under_attack import FLOOD, TEN_TIMES, outcome, value, venue

#: Rules that need gossip have tests of their own.
EVERYWHERE = [rule for rule in RULES if rule not in ("themis", "median")]


def test_a_refusal_names_the_queue_that_was_full_where_both_are() -> None:
    """Twice as many arrive as can be validated, and whoever is validated finds a full mempool."""
    duration_s = 2.0
    capacity = round(duration_s * 1e6 / SERVICE_US)
    never = {"kind": "single", "window_ms": 1e6}
    scenario = station(
        arrivals={"kind": "deterministic", "rate_per_s": 2 * capacity / duration_s},
        duration_s=duration_s,
        distribution={"kind": "fixed"},
        ingress_max=3,
        consensus=never,
    ).with_values({"layer.queue.mempool_max": 1})
    messages = st.simulate(scenario)["messages"]
    of = dict(messages.group_by("reason").len().iter_rows())
    validated = of[OutcomeReason.MEMPOOL_FULL] + 1
    assert abs(validated - capacity) <= 5
    assert of[OutcomeReason.INGRESS_FULL] == messages.height - validated


@pytest.mark.parametrize("consensus", ["single", "tendermint"])
def test_a_block_has_room_for_the_largest_message_and_no_more(consensus: str) -> None:
    """A byte more, and the scenario is refused: the core's encoding is as long as Python says."""
    asked: dict[str, Any] = {
        "duration_s": 3.0,
        "flow__overhead_bytes": 1_000 - ENCODED_BYTES_MAX,
        "layer__gossip": {"kind": "flood"},
        "layer__consensus": {"kind": consensus, "block_bytes_max": 1_000},
    }
    trace = outcome(**asked).trace
    assert trace["messages"]["size_bytes"].max() == 1_000
    assert 900 < cast(int, trace["blocks"]["size_bytes"].max()) <= 1_000
    assert trace["blocks"]["messages"].sum() > 10
    asked["flow__overhead_bytes"] += 1
    with pytest.raises(st.SurgetankError, match=r"flow\.overhead_bytes"):
        venue(**asked)


@pytest.mark.parametrize("rule", EVERYWHERE)
def test_every_message_has_one_end_and_the_same_seed_the_same_bytes(rule: str) -> None:
    """Executed in one place of one block, refused with a reason, or still in transit."""
    asked: dict[str, Any] = {"duration_s": 5.0, "layer__queue__rule": rule, "attack__kind": "spam"}
    result = outcome(**asked, attack__rate_per_s=400.0)
    again = outcome(**asked, attack__rate_per_s=400.0)
    assert result.trace.trace_hash == again.trace.trace_hash
    messages = result.trace["messages"]
    done = messages.filter(pl.col("outcome") == Outcome.EXECUTED)
    assert done.height > 300
    assert done.select("height", "position").is_unique().all()
    assert done["executed_ns"].null_count() == 0
    refused = messages.filter(pl.col("outcome") == Outcome.REFUSED)
    assert (refused["reason"] > 0).all()
    counted = result.trace["blocks"]["messages"].sum()
    assert counted == messages.filter(pl.col("position").is_not_null()).height
    assert result.trace.stats.money_conserved


@pytest.mark.parametrize(
    ("attack", "safe"),
    [
        ("spam", {"priority", "fee", "lanes", "drr", "fq-codel"}),
        ("cancel-storm", {"fee", "drr", "fq-codel"}),
    ],
)
def test_ten_times_overload_leaves_cancels_and_prices_alone(attack: str, safe: set[str]) -> None:
    """p99 within twice its unloaded value under these rules; under `fifo` they get lost."""
    for rule in [*sorted(safe), "fifo"]:
        calm = outcome(**FLOOD, layer__queue__rule=rule)
        asked: dict[str, Any] = {"layer__queue__rule": rule, "attack__kind": attack}
        flooded = outcome(**FLOOD, **asked, **TEN_TIMES)
        for name in ("cancel", "price-update"):
            before = value(calm, f"delay_p99_ms.{name}")
            after = value(flooded, f"delay_p99_ms.{name}")
            if rule == "fifo":
                assert math.isinf(after)
            else:
                assert after <= 2 * before, (rule, name, before, after)


def test_many_accounts_get_round_shares_by_account() -> None:
    """What DRR keeps from one spammer it does not keep from two hundred."""
    asked: dict[str, Any] = {**FLOOD, "layer__queue__rule": "drr"}
    alone = outcome(**asked, **TEN_TIMES, attack__kind="spam")
    many = outcome(**asked, **TEN_TIMES, attack__kind="sybil")
    assert value(alone, "executed_share") > 0.99
    assert value(many, "executed_share") < 0.9


def test_who_has_the_express_lane_is_not_held_back() -> None:
    """In a round that was sold its buyer saves the advantage, and all others wait for it."""
    result = outcome(layer__queue__rule="express", duration_s=12.0)
    trace = result.trace
    sold = {round_: (who, price) for round_, who, price in trace.stats.lane}
    assert len(sold) >= 2
    makers = trace.stats.accounts.makers
    assert all(makers[0] <= who < makers[0] + makers[1] for who, _ in sold.values())
    assert all(price >= 1_000_000 for _, price in sold.values())
    messages = trace["messages"].filter(
        pl.col("outcome") == Outcome.EXECUTED, pl.col("gateway_ns") > 0
    )
    round_ns = 5_000_000_000
    rows = messages.with_columns(
        (pl.col("gateway_ns") // round_ns).alias("round"),
        ((pl.col("admitted_ns") - pl.col("gateway_ns")) / 1e6).alias("held_ms"),
    ).filter(pl.col("round").is_in(list(sold)))
    owner = pl.col("round").replace_strict({r: who for r, (who, _) in sold.items()})
    mine = rows.filter(pl.col("account") == owner)
    others = rows.filter(pl.col("account") != owner)
    assert mine.height and float(mine["held_ms"].to_numpy().max()) < 200
    # At the end of a round whoever is held comes free.
    assert float(np.quantile(others["held_ms"].to_numpy(), 0.05)) >= 200


def test_drawn_places_are_by_account_and_by_block() -> None:
    """Under `hash` an account's messages stand together, and who is first changes."""
    trace = outcome(layer__queue__rule="hash", duration_s=6.0).trace
    done = (
        trace["messages"].filter(pl.col("outcome") == Outcome.EXECUTED).sort("height", "position")
    )
    firsts = []
    for _, block in done.group_by("height", maintain_order=True):
        runs = block["account"].rle().struct.field("value")
        assert runs.is_unique().all()
        firsts.append(runs[0])
        own = block.group_by("account", maintain_order=True).agg(pl.col("queued_ns").diff().min())
        assert (own["queued_ns"].drop_nulls() >= 0).all()
    assert len(set(firsts)) > 5


@pytest.mark.parametrize(("conduct", "extra_ms"), [("late", 400.0), ("silent", 0.0)])
def test_keypers_that_fail_delay_what_only_they_can_open(conduct: str, extra_ms: float) -> None:
    """Two of four late or silent: a block waits for a third share, for as long as they fail."""
    fault = {"kind": "keypers", "at_s": 2.0, "duration_s": 2.0, "nodes": [0, 1]}
    fault |= {"conduct": conduct, "extra_ms": extra_ms}
    asked: dict[str, Any] = {"layer__queue__rule": "threshold", "duration_s": 6.0}
    result = outcome(**asked, faults=[fault])
    assert not [check for check in result.verdict.reasons if not check.ok and "fault" in check.name]
    delays = result.trace.delays().with_columns(pl.col("created_ns") // 1_000_000_000)
    by_second = dict(
        delays.group_by("created_ns").agg(pl.col("delay_ns").median() / 1e6).iter_rows()
    )
    assert by_second[2] > by_second[1] + 300
    assert by_second[5] < by_second[1] + 100


def test_a_class_of_ones_own_is_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented example runs, repeats, is in the run's name, and its errors are reported."""
    docs = st.__path__[0].replace("/python/surgetank", "/docs")
    monkeypatch.chdir(docs)
    asked: dict[str, Any] = {"duration_s": 3.0, "layer__queue__rule": "plugin_example:Lottery"}
    first, second = outcome(**asked), outcome(**asked)
    assert first.trace.trace_hash == second.trace.trace_hash
    assert value(first, "executed_share") > 0.99
    assert venue(**asked).hash != venue(duration_s=3.0).hash
    with pytest.raises(st.SurgetankError, match="The module has: Lottery"):
        outcome(duration_s=3.0, layer__queue__rule="plugin_example:Lotery")
    with pytest.raises(st.SurgetankError, match="did you mean `fifo`"):
        venue(layer__queue__rule="fifoo")


def test_a_rule_that_raises_stops_the_run_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One error with the line of the user's file."""
    text = "from surgetank.plugins import QueueRule\n\nclass Broken(QueueRule):\n"
    text += "    def push(self, now_ns, place, ticket):\n        raise KeyError(ticket.account)\n"
    (tmp_path / "broken_rule.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(st.SurgetankError, match="Broken raised KeyError") as caught:
        outcome(duration_s=2.0, layer__queue__rule="broken_rule:Broken")
    assert "broken_rule.py:5" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ("pop(self, now_ns): return 7_777", "gave place 7777, in which nothing waits"),
        ("pop(self, now_ns): return None", "gave None while"),
        ("pop(self, now_ns): return 'x'", "Wrong raised TypeError"),
        ("pop(self, now_ns): raise KeyError(1)", "Wrong raised KeyError"),
        ("make_room(self, ticket): return 7_777", "gave place 7777, in which nothing waits"),
    ],
)
def test_a_rule_that_would_lose_messages_stops_the_run(
    body: str, reported: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place in which nothing waits, or nothing while something waits: an error, no result."""
    text = "from plugin_example import Lottery\n\nclass Wrong(Lottery):\n    def " + body
    # Modules are imported once: a name for each.
    name = f"wrong_rule_{len(body)}_{len(reported)}"
    (tmp_path / f"{name}.py").write_text(text + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))
    full: dict[str, Any] = {"layer__queue__ingress_max": 3, "layer__queue__mempool_max": 3}
    with pytest.raises(st.SurgetankError, match=reported):
        outcome(duration_s=2.0, layer__queue__rule=f"{name}:Wrong", **full)


def test_a_module_that_cannot_be_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in the user's file is one error, not a traceback."""
    (tmp_path / "not_python_rule.py").write_text("x = = 1\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(st.SurgetankError, match="SyntaxError"):
        outcome(duration_s=2.0, layer__queue__rule="not_python_rule:X")
