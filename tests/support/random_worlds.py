"""Small worlds drawn at random from everything that a scenario can ask for at once: faults ×
rules × attacks × margin modes × options × admission × networks."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

import surgetank as st
from surgetank.errors import SurgetankError
from surgetank.journal import verify
from surgetank.scenario.tuning import Bounds
from surgetank.simulate import simulate
from surgetank.trace import STAGES, Outcome, OutcomeReason
from surgetank.verdict.validity import Check, CheckKind, checks

RULES = ["fifo", "priority", "class", "fee", "lanes", "drr", "codel", "fq-codel", "hash"]
RULES += ["commit-reveal", "threshold", "express", "auction", "themis", "median"]
#: From this number on a world's rule is a combination of several.
COMBINED_FROM = 1_000_000
#: From this number on its engine is none of those that the worlds before have.
ENGINES_FROM = 2_000_000
FLOODS = ["spam", "sybil", "cancel-storm"]
TRADES = ["sandwich", "insider", "grind", "withhold", "latency-race", "fee-jump", "censor"]


def world(number: int) -> st.Scenario:
    """The world of this number: three to seven nodes and about two seconds of flow."""
    draw = random.Random(number)
    for _ in range(1_000):
        try:
            is_combined = COMBINED_FROM <= number < ENGINES_FROM
            data = _drawn(draw, _combined if is_combined else _one)
            if number >= ENGINES_FROM:
                data["layer"] |= _other_engine(draw)
            return st.Scenario.build(data | {"name": f"world-{number}", "seed": number})
        except SurgetankError:
            continue  # the parts do not fit together, and the scenario says so
    raise AssertionError(f"world {number}: no scenario in a thousand fits together")


def _one(draw: random.Random) -> str:
    return draw.choice(RULES)


def _combined(draw: random.Random) -> str:
    """A discipline other than the first come, and at least one of the other settings."""
    names = [draw.choice(RULES[1:8])]
    while len(names) == 1:
        for others in (
            ["express"],
            ["hash", "as-proposed", "themis", "median"],
            ["commit-reveal", "threshold"],
            ["auction"],
        ):
            if draw.random() < 0.4:
                names.append(draw.choice(others))
    return "+".join(names)


def _drawn(draw: random.Random, rule_of: Callable[[random.Random], str]) -> dict[str, Any]:
    nodes = draw.randint(3, 7)
    has_market = draw.random() < 0.8
    data: dict[str, Any] = {
        "duration_s": draw.choice([1.5, 2.0, 3.0]),
        "warmup_s": 0.25,
        "drain_s": draw.choice([0.5, 2.0]),
        "flow": _flow(draw, has_market),
        "network": _network(draw, nodes),
        "layer": _layer(draw, nodes, rule_of(draw)),
        "faults": [_fault(draw, nodes) for _ in range(draw.choice([0, 1, 1, 2, 3]))],
        "attack": _attack(draw, nodes),
    }
    return data | ({"market": _market(draw)} if has_market else {})


def _flow(draw: random.Random, has_market: bool) -> dict[str, Any]:
    flow: dict[str, Any] = {
        "accounts": draw.choice([1, 20, 200]),
        "arrivals": draw.choice(
            [
                {"kind": "poisson", "rate_per_s": draw.choice([10.0, 60.0, 150.0])},
                {"kind": "hawkes", "rate_per_s": 60.0, "branching": 0.6, "decay_per_s": 10.0},
                {"kind": "deterministic", "rate_per_s": 40.0},
                {"kind": "mmpp", "rates_per_s": [10.0, 200.0], "dwell_s": [0.5, 0.1]},
            ]
        ),
        "retry": {
            "tries_max": draw.choice([0, 1, 4]),
            "backoff_ms": draw.choice([1.0, 20.0, 200.0]),
        },
        "client_link": {"fixed_ms": draw.choice([0.0, 5.0]), "jitter_ms": draw.choice([0.0, 2.0])},
    }
    if has_market:
        flow["makers"] = {"count": draw.choice([0, 1, 3]), "levels": 2}
        flow["oracle"] = {"count": draw.choice([0, 1, 2]), "interval_ms": 150.0}
        watch = draw.choice(["venue", "outside"])
        flow["keepers"] = {"count": draw.choice([0, 1, 3]), "watch": watch, "resend_ms": 300.0}
        flow["panic"] = {"rate_per_s_per_pct": draw.choice([0.0, 10.0])}
    return flow


def _network(draw: random.Random, nodes: int) -> dict[str, Any]:
    return {
        "nodes": nodes,
        "topology": draw.choice(
            [{"kind": "full"}, {"kind": "full"}, {"kind": "random-regular", "degree": 2}]
        ),
        "delay": draw.choice(
            [
                {"kind": "fixed", "delay_ms": draw.choice([0.0, 1.0, 30.0])},
                {"kind": "uniform", "low_ms": 1.0, "high_ms": 60.0},
            ]
        ),
        "uplink_mbps": draw.choice([0.0, 1.0, 100.0]),
        "downlink_mbps": draw.choice([0.0, 0.0, 2.0]),
        "loss": draw.choice([0.0, 0.0, 0.05]),
        "outbound_queue_max": draw.choice([0, 0, 5]),
        "every_copy": draw.random() < 0.2,
    }


def _layer(draw: random.Random, nodes: int, rule: str) -> dict[str, Any]:
    tendermint = {
        "kind": "tendermint",
        "timeout_commit_ms": draw.choice([20.0, 100.0, 300.0]),
        "timeout_propose_ms": draw.choice([150.0, 600.0]),
        "timeout_vote_ms": draw.choice([100.0, 400.0]),
        "rebroadcast_ms": draw.choice([50.0, 300.0, 1_000.0]),
        "block_messages_max": draw.choice([3, 20, 1_000]),
        "adaptive": draw.random() < 0.2,
    }
    single = {
        "kind": "single",
        "node": draw.randrange(nodes),
        "window_ms": draw.choice([0.0, 20.0, 100.0]),
        "block_messages_max": draw.choice([3, 50]),
    }
    fair = not {"themis", "median"}.isdisjoint(rule.split("+"))
    one = fair or draw.random() < 0.35
    us = draw.choice([0.0, 100.0, 4_000.0])
    costs = {key: us for key in ("price_update_us", "liquidation_order_us", "cancel_us")}
    costs |= {"replace_us": us, "order_us": us}
    layer: dict[str, Any] = {
        "consensus": single if one else tendermint,
        "gossip": {"kind": draw.choice(["direct", "flood"] if one else ["flood", "mesh"])},
        "queue": {
            "rule": rule,
            "ingress_max": draw.choice([5, 1_000]),
            "mempool_max": draw.choice([5, 30, 1_000]),
            "seed": draw.choice(["beacon", "previous"]),
            "sealed": {"reveal_ms": 50.0, "timeout_ms": 100.0, "share_us": 500.0},
        },
        "admission": _admission(draw),
        "tuning": {"controller": draw.choice(["none", "none", "sojourn", "gradient2"])},
        "service": {
            "servers": draw.choice([1, 2]),
            "validation": costs | {"vote_us": draw.choice([50.0, 5_000.0])},
            "execution": costs,
            "distribution": draw.choice([{"kind": "fixed"}, {"kind": "exponential"}]),
        },
    }
    if layer["tuning"]["controller"] != "none":
        _start_inside(layer["consensus"], layer["admission"])
    return layer


def _other_engine(draw: random.Random) -> dict[str, Any]:
    """An engine whose blocks grow on undecided ones, or that orders a graph; and gossip for it."""
    consensus: dict[str, Any] = {
        "kind": draw.choice(["hotstuff", "simplex", "bullshark", "tusk"]),
        "propose_wait_ms": draw.choice([5.0, 50.0, 200.0]),
        "block_messages_max": draw.choice([3, 20, 1_000]),
        "rebroadcast_ms": draw.choice([50.0, 300.0, 1_000.0]),
    }
    if consensus["kind"] in ("bullshark", "tusk"):
        consensus["depth_rounds"] = draw.choice([4, 10, 50])
    if consensus["kind"] != "tusk":
        consensus["timeout_round_ms"] = draw.choice([150.0, 600.0])
    return {"consensus": consensus, "gossip": {"kind": draw.choice(["flood", "mesh", "gossipsub"])}}


def _start_inside(consensus: dict[str, Any], admission: dict[str, Any]) -> None:
    """Raises settings to the least that a controller may choose: it starts from them."""
    bounds = Bounds()
    consensus["block_messages_max"] = max(consensus["block_messages_max"], bounds.batch_least)
    if admission["limit"]:
        admission["limit"] = max(admission["limit"], bounds.limit_least)


def _admission(draw: random.Random) -> dict[str, Any]:
    return {
        "policy": draw.choice(["none", "none", "rates", "quota"]),
        "quota": {"initial": 5, "trickle_s": 0.2},
        "limit": draw.choice([0, 0, 20]),
        "price": draw.choice([{"kind": "none"}, {"kind": "eip1559", "block_work": 10}]),
        "expires_blocks": draw.choice([0, 0, 2]),
        "remember_cancels": draw.random() < 0.2,
    }


def _fault(draw: random.Random, nodes: int) -> dict[str, Any]:
    some = draw.sample(range(nodes), draw.randint(1, nodes))
    kinds: list[dict[str, Any]] = [
        {"kind": "partition", "groups": [some]},
        {"kind": "crash", "nodes": some},
        {"kind": "slow", "nodes": some, "factor": draw.choice([0.5, 3.0, 50.0])},
        {"kind": "loss", "nodes": some, "probability": draw.choice([0.0, 0.2, 1.0])},
        {"kind": "delay", "nodes": some, "extra_ms": draw.choice([0.0, 100.0]), "factor": 2.0},
        {"kind": "spam", "rate_per_s": draw.choice([1e-13, 50.0, 300.0])},
        {"kind": "keypers", "nodes": some, "conduct": draw.choice(["late", "silent", "colluding"])},
    ]
    spans = {"at_s": draw.choice([0.0, 0.5, 1.0]), "duration_s": draw.choice([0.3, 1.0, 10.0])}
    return draw.choice(kinds) | spans


def _attack(draw: random.Random, nodes: int) -> dict[str, Any]:
    kind = draw.choice(["none", *FLOODS, "stampede", *TRADES])
    attack: dict[str, Any] = {"kind": kind}
    if kind in FLOODS:
        attack["rate_per_s"] = draw.choice([30.0, 300.0])
    if kind == "stampede":
        attack |= {"halt_s": 0.5, "messages": 50, "within_ms": 100.0}
    if kind in ("sandwich", "insider", "grind", "censor"):
        attack["node"] = draw.randrange(nodes)
    return attack


def _market(draw: random.Random) -> dict[str, Any]:
    crash = {"kind": "points", "at_s": [0.0, 0.8, 1.2, 2.0], "price_usd": [100.0, 99, 85, 92]}
    calm = {"kind": "gbm", "start_usd": 50_000.0, "volatility": 1.0}
    book: dict[str, Any] = {"close_out": "book"}
    oracle: dict[str, Any] = {"close_out": "oracle", "close_out_bp": 50.0}
    margin: dict[str, Any] = {
        "mode": draw.choice(["isolated", "cross"]),
        "taker_fee_bp": draw.choice([0.0, 5.0]),
        "liquidation_fee_bp": draw.choice([0.0, 50.0]),
        "insurance_usd": draw.choice([0.0, 1_000.0, 1e6]),
    } | draw.choice([book, book, oracle])
    for part in ("per_block", "fillable", "partial", "backstop"):
        if draw.random() < 0.2:
            margin[part] = {}
    market: dict[str, Any] = {
        "price": {
            "path": draw.choice([crash, crash, calm]),
            "impact_bp_per_musd": draw.choice([0.0, 50.0]),
            "feed": draw.choice(["messages", "messages", "block"]),
        },
        "mark": draw.choice(["oracle", "median"]),
        "margin": margin,
        "positions": {"count": draw.choice([0, 5, 60]), "notional_usd": 20_000.0},
    }
    if draw.random() < 0.2:
        margin["mode"] = "cross"
        market["options"] = {"positions": {"count": draw.choice([3, 10]), "equity_max": 1.3}}
    return market


def broken(trace: st.Trace, again: st.Trace) -> list[str]:
    """What this trace must not show, whatever was asked; `again` is the same run once more."""
    found = [
        f"two runs differ in `{name}`"
        for name, table in trace.tables.items()
        if not table.equals(again[name])
    ]
    if trace.stats != again.stats:
        found.append("two runs differ in their stats")
    found += [check.text for check in checks(trace) if not check.ok and not _asked_for(check)]
    messages = trace["messages"]
    done = messages.filter(pl.col("outcome") == Outcome.EXECUTED)
    for begin, end in [*STAGES.values(), ("executed_ns", "confirmed_ns")]:
        late = done.filter((pl.col(end) < pl.col(begin)) | pl.col(end).is_null())
        if late.height:
            found.append(f"{late.height} messages with {end} before {begin}")
    if done.filter(pl.col("reason") != OutcomeReason.NONE).height:
        found.append("executed messages with a reason to be refused")
    if messages["message"].n_unique() != messages.height:
        found.append("messages with the same number")
    places = done.select("height", "position")
    if places.unique().height != places.height:
        found.append("two messages in one place of a block")
    return found


def _asked_for(check: Check) -> bool:
    """A fault that nothing can have met: the scenario's own doing, and said."""
    return check.kind is CheckKind.FAULT and check.measured is None


def run(number: int, journal: Path) -> list[str]:
    """Lives a world twice and says what broke; `journal` is a file that may be written."""
    scenario = world(number)
    journal.unlink(missing_ok=True)
    first, second = simulate(scenario, journal=journal), simulate(scenario)
    found = broken(first, second) + _of_journal(first, journal)
    return [f"world {number}: {what}" for what in found]


def _of_journal(trace: st.Trace, journal: Path) -> list[str]:
    """What the run's journal must not show, except of a proposer that put its own first."""
    report = verify(journal)
    cheats = trace.scenario.attack.kind == "insider"
    allowed = {"out-of-order", "swapped-pair"} if cheats else set()
    found = [str(finding) for finding in report.findings if finding.kind not in allowed]
    executed = trace["executions"].filter(pl.col("executed_ns").is_not_null())["height"].n_unique()
    if report.batches != executed:
        found.append(f"{report.batches} batches in the journal, {executed} blocks executed")
    return found
