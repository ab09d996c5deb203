"""A small example of every kind of page, made once for all tests."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl

import surgetank as st
from crash_day import crash_day
from crashes import crash, jumping
from hand_made import ANSWERS, frontier, invalid
from hand_made_league import league, with_invalid
from surgetank.calibrate import Calibration
from surgetank.calibrate.estimate import Estimate
from surgetank.calibrate.fitted_scenario import broker, plain
from surgetank.calibrate.queueing import FittedQueue, LightLoad
from surgetank.fit import fit
from surgetank.measure import measure
from surgetank.network_file.summary import summarise
from surgetank.positions.example import example_book
from surgetank.positions.position_book import MarginTier
from surgetank.positions.summary import BookSummary
from surgetank.predict import CapacityCriterion, Claim, LoadRow, Prediction, Side
from surgetank.report import render
from surgetank.report.fit import render_fit
from surgetank.report.frontier import render_frontier
from surgetank.report.league import render_league
from surgetank.report.network import render_network
from surgetank.report.position_book import render_book
from surgetank.report.prediction import render_prediction
from surgetank.report.risk import render_risk
from surgetank.report.search import render_search
from surgetank.report.tape import render_tape
from surgetank.risk import Risk, risk
from surgetank.risk.answer import InvalidRun
from surgetank.search.bound import Bound, BoundKind
from surgetank.tape import TapeFile, read_recording
from surgetank.tape.inspection import inspect
from surgetank.trace import SCHEMA, Trace
from surgetank.verdict import Reason, Status, judge

__all__ = ["INVALID_PAGES", "LONG", "PAGES", "invalid_run", "page_of", "venue"]

LONG: Final = ("run", "venue", "many nodes")
"""Pages of runs, which are the longest."""

#: Number of validators of a large network.
_MANY: Final = 1_000
_MARKET: Final[dict[str, Any]] = {
    "name": "BTC",
    "tick_usd": 1.0,
    "lot": 0.001,
    "price": {
        "path": {"kind": "points", "at_s": [0.0, 2.0, 5.0], "price_usd": [120e3, 119e3, 112e3]}
    },
    "perpetuals": [
        {
            "name": "ETH",
            "tick_usd": 0.1,
            "price": {"path": {"kind": "follows", "start_usd": 4300.0, "beta": 1.3}},
        }
    ],
    "margin": {"mode": "cross", "insurance_usd": 1000.0, "late_after_ms": 500.0},
    "positions": {"count": 120, "leverage_min": 5.0, "leverage_max": 20.0, "markets": 2},
    "funding": {"interval_s": 1.0, "sample_s": 0.1},
    "collateral": [
        {"name": "ETH", "market": "ETH", "haircut": 0.1, "share": 0.3},
        {"name": "USDX", "price_usd": 1.0, "haircut": 0.02, "share": 0.3},
    ],
}


@cache
def venue() -> Trace:
    """Two perpetuals behind one collateral that is partly held in assets, with funding payments;
    they fall."""
    scenario = st.load("correlated-crash").with_values(
        {"duration_s": 5.0, "warmup_s": 0.5, "drain_s": 2.0, "flow.profile.at_s": 1.0}
    )
    return st.simulate(scenario.with_values({"market": _MARKET}), seed=3)


@cache
def _many_nodes() -> Trace:
    """Some messages of the crash day with a thousand validators of long names: each of its nodes
    many times."""
    few = crash_day()
    regions = [few.stats.node_regions[k % few.nodes] for k in range(_MANY)]
    network = few.scenario.network.model_dump(mode="json", by_alias=True)
    network |= {
        "nodes": _MANY,
        "names": [f"validator-of-a-long-name-{k:04d}" for k in range(_MANY)],
    }
    network["delay"]["placement"] = regions
    tables = {name: few[name] for name in SCHEMA}
    for name in ("messages", "waits", "receipts"):
        tables[name] = few[name].filter(pl.col("message") % 40 == 0)
    for name in ("executions", "receipts"):
        tables[name] = _many_times(tables[name], few.nodes)
    return Trace.from_tables(
        tables,
        run=few.run,
        stats=dataclasses.replace(few.stats, nodes=_MANY, node_regions=tuple(regions)),
        scenario=few.scenario.with_values({"network": network}),
    )


def _many_times(rows: pl.DataFrame, nodes: int) -> pl.DataFrame:
    """The rows of each node again for each of its doubles."""
    doubles = pl.DataFrame({"double": range(-(-_MANY // nodes))})
    every = rows.join(doubles, how="cross").with_columns(
        (pl.col("node") + pl.col("double").cast(pl.UInt32) * nodes).cast(rows.schema["node"])
    )
    return every.filter(pl.col("node") < _MANY).select(rows.columns)


def _run(trace: Trace) -> str:
    measures = measure(trace)
    return render(trace, measures, judge(measures, trace.scenario.limits.as_mapping(), trace))


def invalid_run(trace: Trace) -> str:
    """The page of a run that failed a check of its own."""
    measures = measure(trace)
    verdict = judge(measures, trace.scenario.limits.as_mapping(), trace)
    bad = Reason("money_conserved", None, None, Status.INVALID, "one quantum is missing")
    return render(
        trace,
        measures,
        dataclasses.replace(verdict, status=Status.INVALID, reasons=(bad, *verdict.reasons)),
    )


@cache
def _risk() -> Risk:
    scenario = crash(jumping(0.9, math.log(0.9)), accounts=8, leverage=50.0)
    scenario = scenario.with_values({"market.positions.leverage_min": 2.0})
    tries = {"half the leverage": {"market.positions.leverage_max": 25.0}}
    limits = {"bad_debt_mean_usd_max": 1e9}
    return risk(scenario, runs=30, workers=1, tries=tries, limits=limits)


def _prediction(*, disturbed: str = "") -> Prediction:
    scenario = broker(plain("known", 100.0, 2.0), FittedQueue(500.0, 1.0, 1.0, 0.3, 1.0))
    estimates = (Estimate("service_time", 500.0, 480.0, 520.0, "us", 900, "mean service time"),)
    lights = (LightLoad(200.0, 0.1, 0.6, 2.4, 2.2, 2.7, 4000),)
    calibration = Calibration(
        "fake:", "1", "broker", estimates, lights, 2000.0, 0.2, scenario, invalid=disturbed
    )
    line = CapacityCriterion("sustained", 0.6, 2.4)
    rows = tuple(
        LoadRow(rate, _side(rate, 1.0), _side(rate, 1.1)) for rate in (500.0, 1000.0, 1800.0)
    )
    claim = Claim("capacity", "1/s", 1900.0, 1800.0, 2000.0, 1950.0, 1900.0, 2000.0, 0.25)
    late = Claim("p99 at half load", "ms", 4.0, 3.5, 4.5, 4.2, 4.0, 4.4, 0.5)
    notes = calibration.remarks
    return Prediction(calibration, line, line, 50.0, rows, (claim, late), 60.0, notes)


def _side(rate: float, factor: float) -> Side:
    wait = factor / (1 - rate / 2000.0)
    return Side(3, 0.6 * wait, 2.4 * wait, rate, 1.0)


@cache
def _recording() -> TapeFile:
    draw, at_ms = Random(1), 1_700_000_000_000.0
    lines = ["ts,price,qty,side"]
    for k in range(3_000):
        at_ms += draw.expovariate(0.01)
        price = 60_000 + 40 * math.sin(k / 90) + draw.gauss(0.0, 3.0)
        lines.append(f"{at_ms:.0f},{price:.1f},0.01,{'buy' if k % 3 else 'sell'}")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trades.csv"
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return read_recording(path)


def _network() -> str:
    network = st.load("calm").network
    return render_network(
        summarise(network), network, title="my_nodes.csv", source="CSV · hash", notices=("One.",)
    )


def _book() -> str:
    book = example_book(300, seed=2, markets=3)
    tiers = (MarginTier(0.0, 0.1, 0.05),)
    return render_book(BookSummary(book, tuple(tiers for _ in book.markets)), "5 %")


PAGES: Final[dict[str, Callable[[], str]]] = {
    "run": lambda: _run(crash_day()),
    "venue": lambda: _run(venue()),
    "many nodes": lambda: _run(_many_nodes()),
    "search": lambda: render_search(ANSWERS["found"]()),
    "frontier": lambda: render_frontier(frontier()),
    "league": lambda: render_league(league()),
    "risk": lambda: render_risk(_risk()),
    "prediction": lambda: render_prediction(_prediction()),
    "network": _network,
    "book": _book,
    "tape": lambda: render_tape(inspect(_recording())),
    "fit": lambda: render_fit(fit(_recording(), st.load("calm"))),
}
"""Kind → what renders an example of it."""

INVALID_PAGES: Final[dict[str, Callable[[], str]]] = {
    "run": lambda: invalid_run(crash_day()),
    "venue": lambda: invalid_run(venue()),
    "search": lambda: render_search(invalid()),
    "frontier": lambda: render_frontier(
        dataclasses.replace(
            frontier(),
            points=(
                dataclasses.replace(
                    frontier().points[0],
                    status="INVALID",
                    bound=Bound(BoundKind.INVALID_RUN, 20.0, "(seed 3): one quantum is missing"),
                ),
                *frontier().points[1:],
            ),
        )
    ),
    "league": lambda: render_league(with_invalid()),
    "risk": lambda: render_risk(
        dataclasses.replace(
            _risk(), invalid=(InvalidRun(3, "money_conserved: violated"),), estimates=(), reasons=()
        )
    ),
    "prediction": lambda: render_prediction(_prediction(disturbed="the generator was late")),
}
"""The same of those kinds that have a verdict, with an INVALID one."""


@cache
def page_of(name: str) -> str:
    """The example of this kind."""
    return PAGES[name]()
