"""Runs whose bytes are recorded in tests/trace/recorded_hashes.json: every shipped scenario, every
option that takes another path through the code, and worlds drawn at random.

    .venv/bin/python tests/support/recorded_worlds.py    # records anew, if a change is meant

Draws use the C library's log, exp and cos, whose last bit is the library's and the processor's
own: the record holds where `libm` is that of the record.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

import surgetank as st
from random_worlds import world
from surgetank.errors import SurgetankError
from surgetank.positions.position_book import BookMarket, HeldAsset, MarginAccount, PositionBook
from surgetank.scenario.attack import ATTACKS
from surgetank.scenario.named import names
from surgetank.scenario.queue import RULES
from venue_under_attack import CRASH, venue
from waiting_worlds import WORLDS, fault
from waiting_worlds import venue as plain

RECORD = Path(__file__).parents[1] / "trace/recorded_hashes.json"
SEEDS = (1, 2, 3)
RANDOM_WORLDS = 120
_DIGITS = 16

_ONE: dict[str, Any] = {"kind": "single", "node": 0, "window_ms": 50.0}
_ALL: dict[str, Any] = {"kind": "tendermint", "timeout_commit_ms": 200.0}
_ORDERED: dict[str, dict[str, Any]] = {
    "one": {"layer__consensus": _ONE, "layer__gossip": {"kind": "flood"}},
    "all": {"layer__consensus": _ALL, "layer__gossip": {"kind": "flood"}},
}
_ENGINES = ("hotstuff", "simplex", "bullshark", "tusk")
_FAULTS: dict[str, dict[str, Any]] = {
    "partition": {"groups": [[0, 1]]},
    "crash": {"nodes": [1]},
    "slow": {"nodes": [0], "factor": 20.0},
    "loss": {"nodes": [2], "probability": 0.3},
    "delay": {"nodes": [2], "extra_ms": 200.0, "factor": 2.0},
    "spam": {"rate_per_s": 300.0},
    "keypers": {"nodes": [0, 1], "conduct": "late"},
}
_SHORT = {"duration_s": 6.0, "drain_s": 2.0}
_ADMISSIONS: dict[str, dict[str, Any]] = {
    "rates": {"policy": "rates", "orders": {"per_s": 2.0, "burst": 1}},
    "quota": {"policy": "quota", "quota": {"initial": 5, "trickle_s": 0.2}},
    "limit": {"limit": 20},
    "eip1559": {"price": {"kind": "eip1559", "block_work": 10}},
    "expiry": {"expires_blocks": 2, "remember_cancels": True},
}
_FLOWS: dict[str, dict[str, Any]] = {
    "deterministic": {"kind": "deterministic", "rate_per_s": 100.0},
    "mmpp": {"kind": "mmpp", "rates_per_s": [20.0, 400.0], "dwell_s": [0.5, 0.1]},
    "hawkes": {"kind": "hawkes", "rate_per_s": 80.0, "branching": 0.6, "decay_per_s": 10.0},
}
_OTHERS: dict[str, dict[str, Any]] = {
    "exponential work": {"layer__service__distribution": {"kind": "exponential"}},
    "lognormal work": {"layer__service__distribution": {"kind": "lognormal", "cv": 2.0}},
    "hyperexponential work": {
        "layer__service__distribution": {"kind": "hyperexponential", "cv": 2.0}
    },
    "every copy": {"network__every_copy": True},
    "lost packets": {"network__loss": 0.03, "layer__gossip__kind": "mesh"},
    "narrow links": {"network__uplink_mbps": 2.0, "network__downlink_mbps": 2.0},
    "adaptive timeouts": {"layer__consensus__adaptive": True},
    "a controller": {"layer__tuning__controller": "gradient2", **_ORDERED["one"]},
    "a policy": {"layer__tuning__controller": "policy", **_ORDERED["one"]},
    "a beacon": {"layer__queue__rule": "hash", "layer__queue__seed": "beacon"},
    "previous block": {"layer__queue__rule": "hash", "layer__queue__seed": "previous"},
    "cross margin": {"market__margin__mode": "cross", **CRASH},
    "several markets": {
        "market__positions__markets": 2,
        "market__perpetuals": [
            {
                "name": name,
                "tick_usd": 0.01,
                "weight": 0.5,
                "price": {
                    "path": {"kind": "follows", "start_usd": 50.0, "beta": 1.5, "volatility": 0.9},
                    "impact_bp_per_musd": 2.0,
                },
            }
            for name in ("B", "C")
        ],
        **CRASH,
    },
    "retries": {"layer__queue__mempool_max": 20, "flow__retry__tries_max": 3},
}

_FUNDING = {"sample_s": 0.2, "interval_s": 0.7, "impact_usd": 2_000.0, "premium_bp": 30.0}
_SECOND = {"name": "B", "tick_usd": 0.05} | {
    "price": {"path": {"kind": "follows", "start_usd": 50.0, "beta": 1.5, "volatility": 0.9}}
}
_BTC = {"name": "PERP", "market": "PERP", "haircut": 0.2, "share": 0.4}
#: What accounts have, and what a venue does with their money.
_MARKETS: dict[str, dict[str, Any]] = {
    "funding": {"market__funding": _FUNDING},
    "funding at the price of the block": {
        "market__funding": {**_FUNDING, "formula": "added", "average": "time-weighted"},
        "market__price__feed": "block",
        "market__margin__mode": "cross",
        "market__perpetuals": [{**_SECOND, "funding": _FUNDING}],
    },
    "call auctions": {"market__matching": "auction", "market__funding": _FUNDING},
    "collateral": {
        "market__margin__mode": "cross",
        "market__collateral": [
            _BTC,
            {"name": "USDX", "price_usd": 1.0, "haircut": 0.02, "share": 0.3},
        ],
    },
    "limits and a vault": {
        "market__margin__per_block": {"account_usd": 2_000.0, "attempts": 1},
        "market__margin__partial": {"above_usd": 5_000.0},
        "market__margin__backstop": {},
        "market__margin__fillable": {},
    },
    "a close-out outside": {
        "market__margin__close_out": "oracle",
        "market__margin__close_out_bp": 30.0,
        "market__price__impact_bp_per_musd": 50.0,
    },
    "options": {
        "market__margin__mode": "cross",
        "market__options": {"positions": {"count": 20, "equity_max": 1.02}},
    },
}

Case = Callable[[], st.Trace]


def _run(scenario: st.Scenario, seed: int) -> st.Trace:
    return st.simulate(scenario, seed=seed)


def cases() -> Iterator[tuple[str, Case]]:
    """What is recorded: its name, and how it is run."""
    for name in names():
        # Its own seed is that of the gallery's picture.
        for seed in (*SEEDS[:2], st.load(name).seed):
            yield f"{name} seed {seed}", partial(_run, st.load(name), seed)
    for seed in SEEDS:
        for name, scenario in _options():
            yield f"{name} seed {seed}", partial(_run, scenario, seed)
    for number in range(RANDOM_WORLDS):
        yield f"world {number}", partial(_run, world(number), number)


def _options() -> Iterator[tuple[str, st.Scenario]]:
    for orders, consensus in _ORDERED.items():
        for rule in RULES:
            yield from _fitting(f"rule {rule}, {orders}", layer__queue__rule=rule, **consensus)
        for kind in ATTACKS:
            yield from _fitting(f"attack {kind}, {orders}", attack__kind=kind, **consensus)
        for kind, more in _FAULTS.items():
            yield from _fitting(
                f"fault {kind}, {orders}", faults=[fault(kind, **more)], **consensus
            )
        yield from _fitting(f"crash, {orders}", **CRASH, **consensus)
    for engine in _ENGINES:
        consensus = {"layer__consensus": {"kind": engine}, "layer__gossip": {"kind": "flood"}}
        yield from _fitting(f"engine {engine}", **consensus, **CRASH)
        for kind, more in _FAULTS.items():
            faulty = [fault(kind, **more)]
            yield from _fitting(f"fault {kind}, {engine}", faults=faulty, **consensus)
        lying = {"kind": "equivocate", "nodes": [1]}
        yield from _fitting(f"attack equivocate, {engine}", attack=lying, **consensus)
    for name, admission in _ADMISSIONS.items():
        yield from _fitting(f"admission {name}", layer__admission=admission, **_ORDERED["one"])
    for name, arrivals in _FLOWS.items():
        yield from _fitting(f"arrivals {name}", flow__arrivals=arrivals)
    for name, values in _OTHERS.items():
        yield from _fitting(name, **{**_ORDERED["all"], **values})
    for name, dotted in WORLDS.items():
        yield f"waiting in {name}", plain(**dotted)
    for name, values in _MARKETS.items():
        yield from _fitting(f"market with {name}", **{**CRASH, **_ORDERED["one"], **values})
    accepting = {"market.margin.mode": "cross", "market.collateral": [_BTC], "market.lot": 0.0001}
    held = venue(**{**_SHORT, **CRASH, "market__perpetuals": [_SECOND]}).with_values(accepting)
    yield "market with a position book", held.with_positions(_book())


def _book() -> PositionBook:
    """Thirty accounts in two markets, some of them bankrupt, some with coins as collateral."""
    owners = range(30)
    return PositionBook(
        markets=(BookMarket("PERP", 200.0), BookMarket("B", 50.0)),
        accounts=tuple(MarginAccount(f"a{k}", "", 40.0 * k - 60.0) for k in owners),
        position_account=np.array([k for k in owners for _ in range(1 + k % 2)]),
        position_market=np.array([market for k in owners for market in range(1 + k % 2)]),
        position_size=np.array([1.5 - k % 4 for k in owners for _ in range(1 + k % 2)]),
        position_entry_usd=np.array([90.0 + k for k in owners for _ in range(1 + k % 2)]),
        assets=tuple(HeldAsset(k, "PERP", 0.1 * k, 200.0) for k in owners if k % 3 == 2),
    )


def _fitting(name: str, **values: Any) -> Iterator[tuple[str, st.Scenario]]:
    """One scenario, unless its parts do not fit together."""
    try:
        yield name, venue(**{**_SHORT, **values})
    except SurgetankError:
        return


def digests(trace: st.Trace) -> dict[str, str]:
    """Digests of the trace's tables that have rows, and of its stats."""
    rows = {name: chain[-1][:_DIGITS] for name, chain in trace.chains.items() if trace[name].height}
    reported = json.dumps(trace.stats.to_dict(), sort_keys=True, separators=(",", ":")).encode()
    return rows | {"stats": blake3(reported).hexdigest()[:_DIGITS]}


def libm() -> str:
    """Digest of what this machine's C library makes of 30,000 logs, exponentials and cosines."""
    points = [(k + 0.5) / 10_000 for k in range(10_000)]
    values = [f(20.0 * x) for f in (math.log, math.exp, math.cos) for x in points]
    return blake3(struct.pack(f"<{len(values)}d", *values)).hexdigest()[:_DIGITS]


def recorded() -> tuple[str, Mapping[str, Mapping[str, str]]]:
    """The record: `libm`, and case → table → digest."""
    found = json.loads(RECORD.read_text())
    return found.pop("libm"), found


def record() -> None:
    """Writes the record, a case on a line."""
    lines = [f'"libm": "{libm()}"']
    lines += [f"{json.dumps(name)}: {json.dumps(digests(run()))}" for name, run in cases()]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    record()
