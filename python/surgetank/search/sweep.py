"""The frontier, computed: a search for safe leverage at each load of each curve."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.native import build
from surgetank.scenario import Scenario, load
from surgetank.search.closed_form import assumptions, safe_leverage, service_rate_per_s
from surgetank.search.find import Progress, Question, Search
from surgetank.search.frontier import Curve, Frontier, Point
from surgetank.search.gain import interval_of
from surgetank.search.goal import Per, goal
from surgetank.search.parameter import parameter
from surgetank.search.pool import Pool, pool_of
from surgetank.search.posterior import CONFIDENCE

__all__ = ["AS_IS", "curves_of", "frontier", "loads_of"]

#: Name of the curve on which nothing is changed.
AS_IS: Final = "as it is"

_LEVERAGES: Final = (1.25, 2_000.0)
_UTILISATIONS: Final = (0.2, 0.6, 0.8, 0.9, 0.95)
_FACTORS: Final = (0.25, 0.5, 1.0, 1.5, 2.5)

_DEPARTURES: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    (
        "bursts",
        "arrivals are a Hawkes process of the same rate: branching 0.8, decay 20/s",
        {
            "flow.arrivals.kind": "hawkes",
            "flow.arrivals.branching": 0.8,
            "flow.arrivals.decay_per_s": 20.0,
        },
    ),
    (
        "jumps",
        "the outside price also jumps, ten times a minute on average, by −0.05 % ± 0.1 %",
        {
            "market.price.path.jumps_per_day": 14_400.0,
            "market.price.path.jump_mean": -0.0005,
            "market.price.path.jump_sd": 0.001,
        },
    ),
    (
        "priority",
        "liquidations are served before all other messages",
        {"layer.queue.rule": "priority", "layer.queue.high": ["liquidation-order"]},
    ),
    (
        "cascade",
        "liquidations move the outside price: 200 bp per 1 M USD",
        {"market.price.impact_bp_per_musd": 200.0},
    ),
)


def curves_of(scenario: Scenario) -> list[Curve]:
    """The scenario unchanged, and with one departure from theory at a time, where these apply."""
    arrivals, market = scenario.flow.arrivals, scenario.market
    if market is None:
        raise SurgetankError(
            "safe leverage needs a market", place=scenario.name, hint="Add a [market]"
        )
    path = market.price.path
    apply = {
        "bursts": arrivals.kind == "poisson",
        "jumps": path.kind == "gbm" and path.jumps_per_day == 0,
        "priority": scenario.layer.queue.rule == "fifo",
        "cascade": market.price.impact_bp_per_musd == 0,
    }
    curves = [Curve(AS_IS, "the scenario unchanged", {})]
    for name, text, values in _DEPARTURES:
        if not apply[name]:
            continue
        if name == "bursts" and arrivals.kind == "poisson":
            values = values | {"flow.arrivals.rate_per_s": arrivals.rate_per_s}
        curves.append(Curve(name, text, values))
    return curves


def loads_of(
    scenario: Scenario, span: tuple[float, float] | None = None, points: int = 6
) -> list[float]:
    """Loads of a frontier: `span` in equal ratios; else by utilisation, or around its own load."""
    own = parameter(scenario, "load")
    if span is not None:
        low, high = span
        if not (0 < low < high and points >= 2):
            raise SurgetankError(
                "needs two rising positive loads", place="--loads", hint="Give A:B with 0 < A < B"
            )
        return [own.rounded(low * (high / low) ** (i / (points - 1))) for i in range(points)]
    mu = service_rate_per_s(scenario)
    if mu is not None:
        return [own.rounded(mu * rho) for rho in _UTILISATIONS]
    return [own.rounded(own.own * factor) for factor in _FACTORS]


@dataclass(frozen=True)
class _Plan:
    scenario: Scenario
    budget: float
    per: Per
    precision: float
    runs_max: int
    seed: int


def frontier(
    scenario: Scenario | str | Path,
    *,
    loads: Sequence[float] | None = None,
    curves: Sequence[Curve] | None = None,
    budget: float = 0.01,
    per: Per = "liquidation",
    precision: float = 0.05,
    runs_max: int = 160,
    seed: int = 1,
    workers: int | None = None,
    executor: Executor | None = None,
    journal: Path | None = None,
    watch: Callable[[str, Progress], None] | None = None,
) -> Frontier:
    """Safe leverage at each load, for each curve; the closed form beside it.

    `loads` are background messages a second. `runs_max` bounds each search. Replicates run as in
    `search`, and the answer does not depend on how many workers there are.

    Raises:
        SurgetankError: if the scenario has no market or no load to vary.
    """
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    plan = _Plan(chosen, budget, per, precision, runs_max, seed)
    lines = list(curves) if curves is not None else curves_of(chosen)
    levels = sorted(loads) if loads is not None else loads_of(chosen)
    with pool_of(executor, workers, journal) as pool:
        points = [p for curve in lines for p in _sweep(plan, curve, levels, pool, watch)]
    return Frontier(
        scenario=chosen.name,
        title=chosen.title,
        scenario_hash=chosen.hash,
        build=build(),
        seed=seed,
        budget=budget,
        per=per,
        confidence=CONFIDENCE,
        capacity_per_s=service_rate_per_s(chosen),
        theory=tuple(_theory(plan, levels)),
        assumptions=tuple(assumptions(chosen)),
        curves=tuple(lines),
        points=tuple(points),
        runs=pool.spent,
        messages=pool.messages,
    )


def _sweep(
    plan: _Plan,
    curve: Curve,
    levels: Sequence[float],
    pool: Pool,
    watch: Callable[[str, Progress], None] | None,
) -> list[Point]:
    """One curve, each search beginning where the last one ended."""
    try:
        varied = plan.scenario.with_values(curve.values)
    except SurgetankError as error:
        raise SurgetankError(
            error.message, place=f"curve {curve.name}: {error.place}", hint=error.hint
        ) from None
    start, points = 20.0, []
    for level in levels:
        at = parameter(varied, "load").at(varied, level)
        point = _point(plan, curve, at, level, start, pool, watch)
        start = point.estimate or start
        points.append(point)
    return points


def _point(
    plan: _Plan,
    curve: Curve,
    scenario: Scenario,
    level: float,
    start: float,
    pool: Pool,
    watch: Callable[[str, Progress], None] | None,
) -> Point:
    spent = pool.spent
    question = Question(
        scenario,
        goal("safe-leverage", budget=plan.budget, per=plan.per),
        # The climb begins at two thirds of the last result, usually below the threshold.
        replace(parameter(scenario, "leverage"), own=max(start / 1.5, _LEVERAGES[0] * 1.01)),
        *_LEVERAGES,
        precision=plan.precision,
        runs_max=plan.runs_max,
        seed=plan.seed,
    )
    name = f"{curve.name} at {level:g}/s"
    hunt = Search(question, pool, (lambda seen: watch(name, seen)) if watch else None)
    state = hunt.go()
    estimate, low, high = interval_of(state)
    theory = (
        _closed_form(plan, scenario, level) if all(ok for _, ok in assumptions(scenario)) else None
    )
    return Point(
        curve.name,
        level,
        estimate,
        low,
        high,
        state.status,
        state.bound,
        pool.spent - spent,
        theory,
    )


def _closed_form(plan: _Plan, scenario: Scenario, level: float) -> float | None:
    market, mu = scenario.market, service_rate_per_s(scenario)
    if market is None or mu is None or market.price.path.kind != "gbm":
        return None
    margin = market.margin
    value = safe_leverage(
        margin.maintenance / margin.initial,
        margin.close_out_bp / 1e4,
        market.price.path.volatility,
        plan.budget,
        mu,
        level,
    )
    return value if math.isfinite(value) else None


def _theory(plan: _Plan, levels: Sequence[float]) -> list[tuple[float, float]]:
    """The closed form from a little below the first load to just below μ."""
    mu = service_rate_per_s(plan.scenario)
    if mu is None or plan.per != "liquidation":
        return []
    first = min(levels) * 0.5
    grid = [mu - (mu - first) * (0.01 ** (i / 99)) for i in range(100)]
    found = [(x, _closed_form(plan, plan.scenario, x)) for x in grid if x < mu]
    return [(x, y) for x, y in found if y is not None]
