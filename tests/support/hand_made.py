"""Answers and frontiers made by hand, for the tests of their pages."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from surgetank.search.answer import Answer, Remedy, Used
from surgetank.search.bound import Bound, BoundKind
from surgetank.search.closed_form import safe_leverage
from surgetank.search.frontier import Curve, Frontier, Point
from surgetank.search.shape import Level, Shape


def level(at: float, runs: int, broken: float, p99: float, done: float, **more: Any) -> Level:
    """A level of which each run is a coin, unless `trials` are given."""
    given: dict[str, Any] = {
        "level": at,
        "runs": runs,
        "runs_broken": min(runs, round(broken)),
        "broken": broken,
        "trials": runs,
        "delay_p50_ms": p99 / 3,
        "delay_p99_ms": p99,
        "offered_per_s": at * 1.002,
        "throughput_per_s": done,
        "throughput_sd": 9.0 if runs > 1 else math.nan,
    }
    return Level(**(given | more))


LEVELS = (
    level(500, 2, 0, 61.0, 500),
    level(1000, 2, 0, 74.0, 999),
    level(1150, 6, 0, 88.0, 1149),
    level(1190, 14, 3, 109.0, 1187),
    level(1230, 22, 11, 121.0, 1220),
    level(1270, 13, 9, 160.0, 1239),
    level(1330, 5, 5, 410.0, 1251),
    level(2000, 2, 2, 9400.0, 1180),
    level(4000, 2, 2, math.inf, 760),
)


def found(**changes: Any) -> Answer:
    """Throughput capacity with everything that a search can say."""
    answer = Answer(
        find="capacity",
        status="FOUND",
        estimate=1234.4,
        unit="1/s",
        ci_low=1181.2,
        ci_high=1287.9,
        confidence=0.95,
        runs=94,
        most_used="uplink",
        key="load",
        breaks="p99 latency above 2 × unloaded, or fewer than 99 % executed",
        degradation=2.0,
        target=0.5,
        precision=0.05,
        bound=None,
        scenario="calm",
        scenario_hash="9f3c1e7ab2",
        build="0.1.0+abc",
        seed=7,
        messages=1_234_567,
        width=0.031,
        dispersion=1.0,
        falling=False,
        unloaded={"level": 50.0, "p99_ms": 58.2, "low_ms": 57.1, "high_ms": 59.4},
        levels=LEVELS,
        shape=Shape(True, False, 1251.0, 1330.0, 1251.0, ""),
        used=(
            Used("uplink", "node 4", 0.97, 0.04),
            Used("validation", "node 4", 0.61, 0.03),
            Used("mempool", "node 11", 0.22, 0.0),
            Used("consensus-timeouts", "all nodes", 0.06, 0.01),
        ),
        remedies=(
            Remedy(
                ("uplink",), "uplink 100 → 125 Mbit/s", {"network.uplink_mbps": 125}, 0.25, 3, 4
            ),
            Remedy(
                ("uplink",),
                "uplink 100 → 150 Mbit/s",
                {"network.uplink_mbps": 150},
                0.5,
                0,
                4,
                0.38,
                0.3,
                0.461,
            ),
            Remedy(("validation",), "one validation server more", {"layer.x": 2}, 1.0, 4, 4),
        ),
    )
    return dataclasses.replace(answer, **changes)


def folding() -> Answer:
    """Not monotone, and throughput collapses."""
    text = (
        "not monotone: 100% failed at 1330 1/s, but only 0% at 2000 1/s; the threshold given is "
        "the "
        "first crossing; throughput collapses: 1,251/s at 1330 1/s, 760/s at 4000 1/s"
    )
    return found(shape=Shape(False, True, 1251.0, 1330.0, 760.0, text))


def safe() -> Answer:
    """Safe leverage: counts of liquidations, no remedies."""
    levels = tuple(
        level(at, runs, bad, 80.0, 900, trials=n, offered_per_s=900.0)
        for at, runs, bad, n in (
            (10, 2, 0, 410),
            (20, 2, 1, 520),
            (24, 8, 17, 2410),
            (27, 16, 51, 5105),
            (30, 9, 40, 2900),
            (40, 2, 30, 700),
        )
    )
    return found(
        find="safe-leverage",
        key="leverage",
        unit="x",
        estimate=27.43,
        ci_low=25.9,
        ci_high=28.8,
        target=0.01,
        width=0.11,
        dispersion=1.8,
        breaks="bad debt in more than 0.01 of liquidations",
        per="liquidation",
        levels=levels,
        unloaded=None,
        most_used="",
        used=(Used("keepers", "keeper 0", 0.31, 0.1),),
        remedies=(),
        shape=Shape(True, False, 900.0, 30.0, 900.0, ""),
    )


def unknown() -> Answer:
    """The line was not reached."""
    return found(
        status="UNKNOWN",
        estimate=None,
        ci_low=None,
        ci_high=None,
        bound=Bound(BoundKind.NOT_REACHED, 25_600.0),
        width=None,
        most_used="",
        used=(),
        remedies=(),
        levels=LEVELS[:3],
    )


def wide() -> Answer:
    """Not pinned down, but with an estimate."""
    bound = Bound(BoundKind.RUNS_SPENT, detail="60 runs were not enough for ± 5%")
    return found(status="UNKNOWN", bound=bound, ci_low=1010.0, ci_high=1502.0, runs=60)


def invalid() -> Answer:
    """A run did not do what was asked."""
    return found(
        status="INVALID",
        estimate=None,
        ci_low=None,
        ci_high=None,
        bound=Bound(
            BoundKind.INVALID_RUN, 1230.0, "(seed 12): background: 880/s measured, 1,230/s asked"
        ),
        width=None,
        used=(),
        remedies=(),
        most_used="",
    )


ANSWERS = {
    "found": found,
    "folding": folding,
    "safe": safe,
    "unknown": unknown,
    "wide": wide,
    "invalid": invalid,
}


CURVES = (
    Curve("as it is", "the scenario unchanged", {}),
    Curve("bursts", "arrivals are a Hawkes process", {"flow.arrivals.kind": "hawkes"}),
    Curve("jumps", "the outside price also jumps", {"market.price.path.jumps_per_day": 1440.0}),
    Curve("priority", "liquidations have their own lane", {"layer.queue.rule": "priority"}),
    Curve("cascade", "liquidations move it", {"market.price.impact_bp_per_musd": 40.0}),
)
LOST: dict[str, Any] = {"estimate": None, "ci_low": None, "ci_high": None}
FEW = Bound(BoundKind.RUNS_SPENT, detail="120 runs were not enough for ± 5%")
LOW = Bound(BoundKind.BREAKS_ALREADY, 1.25)
HIGH = Bound(BoundKind.NOT_REACHED, 2_000.0)
LOSS = Bound(BoundKind.INVALID_RUN, 9.0, "(seed 3): loss")
HOLES: dict[tuple[str, float], dict[str, Any]] = {
    ("bursts", 19.0): LOST | {"status": "UNKNOWN", "bound": LOW},
    ("priority", 2.0): LOST | {"status": "UNKNOWN", "bound": HIGH},
    ("jumps", 8.0): {"status": "UNKNOWN", "bound": FEW, "ci_low": 40.0, "ci_high": 180.0},
    ("cascade", 18.0): LOST | {"status": "INVALID", "bound": LOSS},
}


def shift(curve: str, rho: float) -> float:
    """What a departure makes of safe leverage; invented."""
    return {
        "as it is": 1.0,
        "bursts": 1 / (1 + 6 * rho**3),
        "jumps": 0.32,
        "priority": math.sqrt(1 + 0.9 * rho / (1.02 - rho)),
        "cascade": 0.72 - 0.2 * rho,
    }[curve]


def frontier(*, whole: bool = True, **changes: Any) -> Frontier:
    """A frontier around the closed form; unless whole, with points that were not found."""
    mu, loads = 20.0, (2.0, 8.0, 13.0, 16.0, 18.0, 19.0)

    def theory(load: float) -> float:
        return safe_leverage(0.5, 0.0005, 8.0, 0.01, mu, load)

    points = []
    for j, curve in enumerate(CURVES):
        for i, load in enumerate(loads):
            v = theory(load) * shift(curve.name, load / mu) * (1 + 0.02 * math.sin(7 * i + 3 * j))
            held = theory(load) if curve.name == "as it is" else None
            ends = (v * 0.955, v * 1.046)
            points.append(Point(curve.name, load, v, *ends, "FOUND", None, 60 + i, held))
    if not whole:
        points = [dataclasses.replace(p, **HOLES.get((p.curve, p.load), {})) for p in points]
    made = Frontier(
        scenario="one-queue",
        title="One queue, one keeper",
        scenario_hash="77aa01",
        build="0.1.0+abc",
        seed=3,
        budget=0.01,
        per="liquidation",
        confidence=0.95,
        capacity_per_s=mu,
        theory=tuple(
            (x, theory(x)) for x in (mu - (mu - 1) * 0.01 ** (i / 99) for i in range(100))
        ),
        assumptions=(
            ("one exponential server for all messages (M/M/1)", True),
            ("Poisson arrivals at a constant rate", True),
            ("isolated margin", whole),
        ),
        curves=CURVES,
        points=tuple(points),
        runs=sum(p.runs for p in points),
        messages=9_876_543,
    )
    return dataclasses.replace(made, **changes)
