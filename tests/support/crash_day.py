"""A made-up crash for tests of the report: 21 nodes, 60 s, a partition, a crash, late liquidations.

Nothing here is simulated; the numbers are drawn so that every chart has something to show.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from surgetank.scenario import Scenario
from surgetank.trace import (
    SCHEMA,
    STAGES,
    WAITS,
    Bearer,
    MarketKind,
    MessageClass,
    Outcome,
    OutcomeReason,
    Run,
    Stats,
    Trace,
)

SECOND = 1_000_000_000
NODES, END_S, FLOW_END_S, FROM_S = 21, 70.0, 60.0, 5.0
REGIONS = ("us-east", "us-west", "eu-central", "eu-west", "ap-tokyo", "ap-seoul", "sa-east")
TICK, LOT, QUANTUM = 0.1, 0.001, 1e-6
_SPLIT, _HEAL, _DOWN, _UP = 24.0, 34.0, 28.0, 36.0
_CUT, _DEAD = (4, 5, 11, 18), (12, 13)

SCENARIO: dict[str, Any] = {
    "name": "made-up-crash",
    "title": "A falling market, a cut cable and two dead machines",
    "duration_s": FLOW_END_S,
    "warmup_s": FROM_S,
    "drain_s": END_S - FLOW_END_S,
    "flow": {
        "accounts": 5000,
        "arrivals": {"kind": "poisson", "rate_per_s": 700.0},
        "profile": {"kind": "spike", "at_s": 20.0, "decay_s": 10.0, "factor": 3.0},
    },
    "network": {
        "nodes": NODES,
        "delay": {
            "kind": "regions",
            "names": list(REGIONS),
            "matrix_ms": [[20.0] * len(REGIONS)] * len(REGIONS),
            "placement": [k % len(REGIONS) for k in range(NODES)],
        },
    },
    "layer": {"consensus": {"kind": "tendermint", "timeout_commit_ms": 400.0}},
    "market": {
        "tick_usd": TICK,
        "lot": LOT,
        "margin": {"late_after_ms": 1000.0, "insurance_usd": 50000.0},
    },
    "faults": [
        {"at_s": _SPLIT, "duration_s": 10.0, "kind": "partition", "groups": [list(_CUT)]},
        {"at_s": _DOWN, "duration_s": 8.0, "kind": "crash", "nodes": list(_DEAD)},
    ],
    "limits": {
        "delay_p99_ms_max": 1000.0,
        "goodput_ratio_min": 0.95,
        "desynchronised_share_max": 0.25,
        "late_share_max": 0.05,
        "bad_debt_usd_max": 0.0,
        "lag_max_ms": 1000.0,
    },
    "trace": {"receipts_every": 20, "gauge_ms": 200.0},
}


def crash_day(seed: int = 7, *, market: bool = True, faults: bool = True) -> Trace:
    """The trace, about 60,000 messages."""
    draw = np.random.default_rng(seed)
    block_s = _block_times(draw, faults)
    messages = _messages(draw, block_s, faults)
    tables = {
        "messages": messages,
        "waits": (charged := _waits(messages)),
        "wait_places": _wait_places(messages, charged),
        "receipts": _receipts(draw, messages, faults),
        "blocks": _blocks(draw, block_s, messages),
        "executions": _executions(draw, block_s, faults),
        "gauges": _gauges(draw, messages, faults),
        "market": _market(draw) if market else None,
        "faults": _faults() if faults else None,
    }
    scenario = {k: v for k, v in SCENARIO.items() if market or k != "market"}
    return Trace.from_tables(
        {k: v for k, v in tables.items() if v is not None},
        run=Run("made-up-crash", seed, "5f" * 32, "0.1.0+0123456789ab"),
        stats=Stats.parse(
            {
                "nodes": NODES,
                "measured_from_ns": int(FROM_S * SECOND),
                "flow_end_ns": int(FLOW_END_S * SECOND),
                "end_ns": int(END_S * SECOND),
                "tick_usd": TICK,
                "lot": LOT,
                "quantum_usd": QUANTUM,
                "node_regions": [REGIONS[k % len(REGIONS)] for k in range(NODES)],
                "first_arrivals": 60000 * 20,
                "duplicates": 60000 * 52,
                "money_conserved": True,
                "safety": True,
            }
        ),
        scenario=Scenario.build(scenario if faults else {**scenario, "faults": []}),
    )


def frame(table: str, columns: dict[str, Any]) -> pl.DataFrame:
    """A table in the trace's types; columns left out are null or zero."""
    height = len(next(iter(columns.values())))
    made = {}
    for name, spec in SCHEMA[table].items():
        blank = None if spec.nullable else "" if spec.dtype == pl.String else 0
        values = columns.get(name, [blank] * height)
        made[name] = pl.Series(name, values, strict=False).cast(spec.dtype)
    return pl.DataFrame(made)


def _ns(seconds: Any) -> Any:
    return np.round(np.asarray(seconds) * SECOND).astype(np.uint64)


def _block_times(draw: np.random.Generator, faults: bool) -> Any:
    times, now = [], 0.3
    while now < END_S - 0.5:
        times.append(now)
        slow = faults and _SPLIT < now < _HEAL
        now += float(draw.gamma(20, (0.75 if slow else 0.3) / 20))
    return np.array(times)


def _messages(draw: np.random.Generator, block_s: Any, faults: bool) -> pl.DataFrame:
    grid = np.arange(0, FLOW_END_S, 0.01)
    factor = np.where(grid < 20, 1, 1 + 2 * np.exp(-(grid - 20) / 10))
    counts = draw.poisson(700 * factor * 0.01)
    created = np.sort(np.repeat(grid, counts) + draw.uniform(0, 0.01, counts.sum()))
    n = len(created)
    kind = draw.choice(5, n, p=[0.03, 0.02, 0.38, 0.12, 0.45])
    gateway_s = created + draw.gamma(2, 0.012, n)
    admitted = gateway_s + draw.exponential(0.002, n) * np.where(created > 20, 3, 1)
    queued = admitted + draw.gamma(3, 0.03, n)
    first = kind <= MessageClass.LIQUIDATION_ORDER
    order = np.argsort(queued - np.where(first, 0.4, 0), kind="stable")
    proposed, height = np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    room, k = 420, 0
    for i in order:
        while k < len(block_s) and (room == 0 or block_s[k] < queued[i]):
            k, room = k + 1, 420
        if k == len(block_s):
            break
        proposed[i], height[i], room = block_s[k], k + 1, room - 1
    decided = proposed + draw.gamma(30, 0.006, n)
    executed = decided + draw.gamma(2, 0.004, n)
    refused = (proposed - queued > 4) & (draw.uniform(size=n) < 0.05)
    fine = ~np.isnan(proposed) & (executed < END_S) & ~refused

    def stamp(values: Any) -> list[int | None]:
        whole = _ns(np.nan_to_num(values))
        return [int(v) if ok else None for v, ok in zip(whole, fine, strict=True)]

    return frame(
        "messages",
        {
            "message": np.arange(n),
            "class": kind,
            "account": draw.integers(0, 5000, n),
            "gateway": draw.integers(0, NODES, n),
            "size_bytes": np.full(n, 180),
            "outcome": np.select(
                [fine, refused], [Outcome.EXECUTED, Outcome.REFUSED], Outcome.PENDING
            ),
            "reason": np.where(refused, OutcomeReason.MEMPOOL_FULL, OutcomeReason.NONE),
            "tries": np.ones(n, dtype=np.int64),
            "height": [int(h) if ok else None for h, ok in zip(height, fine, strict=True)],
            "created_ns": _ns(created),
            "gateway_ns": _ns(gateway_s),
            "admitted_ns": _ns(admitted),
            "queued_ns": stamp(queued),
            "proposed_ns": stamp(proposed),
            "decided_ns": stamp(decided),
            "executed_ns": stamp(executed),
            "confirmed_ns": stamp(executed + 0.02),
        },
    )


def _waits(messages: pl.DataFrame) -> pl.DataFrame:
    """As if each stage had one cause, and waiting for a block two."""
    done = messages.filter(pl.col("outcome") == Outcome.EXECUTED)
    span = {stage: done[end] - done[begin] for stage, (begin, end) in STAGES.items()}
    columns = {
        "message": done["message"],
        "client_link_ns": span["client_link"],
        "validation_others_ns": span["admission"],
        "bandwidth_ns": span["propagation"],
        "timers_ns": span["queueing"] // 2,
        "block_space_ns": span["queueing"] - span["queueing"] // 2,
        "distance_ns": span["ordering"],
        "execution_own_ns": span["execution"],
    }
    return frame("waits", columns)


def _wait_places(messages: pl.DataFrame, charged: pl.DataFrame) -> pl.DataFrame:
    """Everything at node 3."""
    spans = charged.unpivot(index="message", variable_name="resource", value_name="wait_ns")
    named = spans.join(messages.select("message", "class"), on="message").with_columns(
        pl.col("resource").replace_strict(
            [f"{name}_ns" for name in WAITS], range(len(WAITS)), return_dtype=pl.UInt8
        ),
        node=pl.lit(3, pl.UInt32),
    )
    sums = named.group_by("class", "resource", "node").agg(pl.col("wait_ns").sum())
    rows = sums.filter(pl.col("wait_ns") > 0).sort("class", "resource")
    return frame("wait_places", {name: rows[name] for name in rows.columns})


def _receipts(draw: np.random.Generator, messages: pl.DataFrame, faults: bool) -> pl.DataFrame:
    some = messages[::20]
    admitted = some["admitted_ns"].to_numpy() / SECOND
    delay = draw.gamma(4, 0.025, (len(some), NODES)) * np.where(admitted > 20, 1.5, 1)[:, None]
    time = admitted[:, None] + delay
    time[np.arange(len(some)), some["gateway"].to_numpy()] = admitted
    if faults:
        cut = np.isin(np.arange(NODES), _CUT)
        away = ((time > _SPLIT) & (time < _HEAL)) & (cut[None, :] != cut[some["gateway"]][:, None])
        time = np.where(away, _HEAL + draw.exponential(0.5, time.shape), time)
    kept = time < END_S
    message = np.repeat(some["message"].to_numpy(), NODES).reshape(time.shape)
    node = np.tile(np.arange(NODES), (len(some), 1))
    columns = {"message": message[kept], "node": node[kept], "time_ns": _ns(time[kept])}
    return frame("receipts", columns)


def _blocks(draw: np.random.Generator, block_s: Any, messages: pl.DataFrame) -> pl.DataFrame:
    n = len(block_s)
    inside = np.bincount(messages["height"].drop_nulls().to_numpy(), minlength=n + 1)[1:]
    return frame(
        "blocks",
        {
            "height": np.arange(1, n + 1),
            "round": draw.binomial(1, 0.06, n),
            "proposer": np.arange(n) % NODES,
            "messages": inside,
            "size_bytes": inside * 180,
            "proposed_ns": _ns(block_s),
            "decided_ns": _ns(block_s + 0.18),
            "hash": [f"{k:064x}" for k in range(n)],
        },
    )


def _executions(draw: np.random.Generator, block_s: Any, faults: bool) -> pl.DataFrame:
    n = len(block_s)
    decided = block_s[:, None] + 0.18 + draw.gamma(4, 0.02, (n, NODES))
    if faults:
        for nodes, since, until in ((_CUT, _SPLIT, _HEAL), (_DEAD, _DOWN, _UP)):
            for node in nodes:
                behind = (decided[:, node] > since) & (decided[:, node] < until + 3)
                caught = until + 0.4 + draw.uniform(0, 2.5) * np.linspace(0, 1, behind.sum())
                decided[behind, node] = np.maximum(decided[behind, node], caught)
    decided = np.maximum.accumulate(decided, axis=0)
    executed = decided + draw.exponential(0.01, decided.shape)
    executed = np.maximum.accumulate(executed, axis=0)
    return frame(
        "executions",
        {
            "height": np.repeat(np.arange(1, n + 1), NODES),
            "node": np.tile(np.arange(NODES), n),
            "decided_ns": _ns(decided.ravel()),
            "executed_ns": [int(v) if v < END_S * SECOND else None for v in _ns(executed.ravel())],
        },
    )


def _gauges(draw: np.random.Generator, messages: pl.DataFrame, faults: bool) -> pl.DataFrame:
    times = np.arange(0, END_S, 0.2)
    queued = np.sort(messages["queued_ns"].drop_nulls().to_numpy()) / SECOND
    left = np.sort(messages["proposed_ns"].drop_nulls().to_numpy()) / SECOND
    waiting = np.searchsorted(queued, times) - np.searchsorted(left, times)
    share = draw.uniform(0.8, 1.2, NODES)
    mempool = np.maximum(0, waiting[:, None] * share).astype(np.int64)
    node = np.tile(np.arange(NODES), len(times))
    time = np.repeat(times, NODES)
    down = faults & np.isin(node, _DEAD) & (time >= _DOWN) & (time < _UP)
    return frame(
        "gauges",
        {
            "time_ns": _ns(time),
            "node": node,
            "ingress_len": draw.poisson(np.where((time > 20) & (time < 40), 60, 6)),
            "mempool_len": np.where(down, 0, mempool.ravel()),
            "execution_len": draw.poisson(40, len(time)),
            "up": np.where(down, 0, 1),
        },
    )


def _market(draw: np.random.Generator) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []

    def add(second: float, kind: MarketKind, **cells: Any) -> None:
        if second < END_S:
            rows.append({"time_ns": int(second * SECOND), "kind": kind, **cells})

    grid = np.arange(0, END_S, 0.02)
    fall = -0.16 * (1 - np.exp(-np.maximum(grid - 20, 0) / 7)) + 0.03 * (grid > 45)
    noise = np.cumsum(draw.normal(0, 0.0002, len(grid)))
    price = 7900 * np.exp(fall + noise)
    for second, value in zip(grid, price, strict=True):
        add(second, MarketKind.INDEX, price=int(value / TICK))
    delay = 0.5 + 5.5 * np.exp(-(((grid - 33) / 6) ** 2))
    for i in range(0, len(grid), 25):
        add(
            grid[i] + delay[i] * 0.6,
            MarketKind.ORACLE,
            price=int(price[i] / TICK),
            ref_ns=_ns(grid[i]),
        )
        add(grid[i] + delay[i] * 0.6, MarketKind.MARK, price=int(price[i] * 1.001 / TICK))
    insurance, low = 50_000.0, np.minimum.accumulate(price)
    ends: list[tuple[float, float, float, int]] = []
    for account in range(700):
        threshold = 7900 * (1 - abs(float(draw.normal(0.11, 0.05))) - 0.01)
        i = int(np.searchsorted(-low, -threshold))
        if i >= len(grid):
            continue
        add(grid[i], MarketKind.DUE, account=account, price=int(threshold / TICK))
        end = grid[i] + delay[i] * float(draw.gamma(6, 1 / 6))
        ends.append((end, grid[i], threshold, account))
    for end, due, threshold, account in sorted(ends):
        if end >= END_S:
            continue
        now = price[min(int(end / 0.02), len(grid) - 1)]
        lots = int(float(draw.exponential(60_000)) / threshold / LOT)
        add(
            end,
            MarketKind.LIQUIDATION_TRADE,
            account=account,
            price=int(now / TICK),
            qty=-lots,
            amount=0,
        )
        add(
            end,
            MarketKind.LIQUIDATED,
            account=account,
            price=int(now / TICK),
            qty=-lots,
            ref_ns=_ns(due),
        )
        loss = max(0.0, (threshold * 0.985 - now) * lots * LOT) * 1.5
        if loss > 0:
            paid = min(insurance, loss)
            insurance -= paid
            add(end, MarketKind.INSURANCE, amount=int(insurance / QUANTUM))
            if loss > paid:
                add(
                    end,
                    MarketKind.BAD_DEBT,
                    code=Bearer.VENUE,
                    account=account,
                    amount=int((loss - paid) / QUANTUM),
                )
    frames = pl.DataFrame(rows, infer_schema_length=None).sort("time_ns", maintain_order=True)
    cells: dict[str, Any] = {c: frames[c] for c in frames.columns}
    for c in ("price", "qty", "amount"):
        cells[c] = frames[c].fill_null(0)
    return frame("market", cells)


def _faults() -> pl.DataFrame:
    return frame(
        "faults",
        {
            "index": [0, 1],
            "kind": ["partition", "crash"],
            "at_ns": _ns([_SPLIT, _DOWN]),
            "until_ns": _ns([_HEAL, _UP]),
            "nodes": [",".join(map(str, _CUT)), ",".join(map(str, _DEAD))],
            "quantity": ["packets_lost_share", "events_while_down"],
            "asked": [1.0, 0.0],
            "allowed_low": [1.0, 0.0],
            "allowed_high": [1.0, 0.0],
            "measured": [1.0, 0.0],
            "samples": [18233, 412],
        },
    )
