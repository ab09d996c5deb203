"""Whether the response is monotone, as the search assumes, and whether throughput collapses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from surgetank.search.goal import Goal
from surgetank.search.probe import RunOutcome

__all__ = ["Level", "Shape", "levels", "offered_at", "shape"]

#: Significance level of a fall.
_ALPHA: Final = 0.01
#: Smaller falls of throughput are not reported.
_FALL_MIN: Final = 0.05
#: Runs at levels within this share of each other are grouped.
_SAME: Final = 0.05


@dataclass(frozen=True)
class Level:
    """The runs at (about) one level."""

    level: float
    runs: int
    runs_broken: int
    """Runs that fail; of `trials`, of which a run may have many, `broken` failed."""
    broken: float
    trials: float
    delay_p50_ms: float
    delay_p99_ms: float
    offered_per_s: float
    throughput_per_s: float
    throughput_sd: float

    @property
    def share(self) -> float:
        """Share of trials that failed."""
        return self.broken / self.trials if self.trials else math.nan


@dataclass(frozen=True)
class Shape:
    """The shape of the response over the whole range."""

    monotone: bool
    collapse: bool
    peak_per_s: float
    """Highest mean throughput of a level."""
    peak_level: float
    past_peak_per_s: float
    """Mean throughput at the highest level tried."""
    text: str
    """Warnings as text; empty if there are none."""


def levels(outcomes: Sequence[RunOutcome], goal: Goal, unloaded_ms: float) -> list[Level]:
    """Valid runs grouped by level, ascending; a group spans at most 5 %."""
    groups: list[list[RunOutcome]] = []
    for outcome in sorted((o for o in outcomes if not o.invalid), key=lambda o: o.level):
        if groups and outcome.level - groups[-1][0].level <= _SAME * abs(groups[-1][0].level):
            groups[-1].append(outcome)
        else:
            groups.append([outcome])
    return [_level(group, goal, unloaded_ms) for group in groups]


def _level(group: list[RunOutcome], goal: Goal, unloaded_ms: float) -> Level:
    trials = [goal.trial(o, 0.0, unloaded_ms) for o in group]
    known = [t for t in trials if not math.isnan(t.broken)]
    throughput = np.array([o.value("throughput_per_s") for o in group])
    return Level(
        level=float(np.mean([o.level for o in group])),
        runs=len(group),
        runs_broken=sum(goal.broke(o, unloaded_ms) for o in group),
        broken=sum(t.broken for t in known),
        trials=sum(t.trials for t in known),
        delay_p50_ms=_median(group, "delay_p50_ms"),
        delay_p99_ms=_median(group, "delay_p99_ms"),
        offered_per_s=_median(group, "offered_per_s"),
        throughput_per_s=float(throughput.mean()),
        throughput_sd=float(throughput.std(ddof=1)) if len(group) > 1 else math.nan,
    )


def offered_at(found: Sequence[Level], level: float) -> float | None:
    """Messages per second that clients send at a level, interpolated between the levels tried; None
    outside them."""
    known = [x for x in sorted(found, key=lambda x: x.level) if math.isfinite(x.offered_per_s)]
    if not known or not known[0].level <= level <= known[-1].level:
        return None
    levels_tried = [x.level for x in known]
    return float(np.interp(level, levels_tried, [x.offered_per_s for x in known]))


def _median(group: Sequence[RunOutcome], name: str) -> float:
    return float(np.median([o.value(name) for o in group]))


def shape(found: Sequence[Level], unit: str, *, falling: bool = False) -> Shape:
    """Tests for a share of failures that falls again, and for throughput that falls past its peak.

    `falling`: the low end of the range fails. Pairs of levels are compared by Fisher's
    exact test (one-sided, Bonferroni over the pairs), throughput by Welch's t.
    """
    ordered = sorted(found, key=lambda x: x.level, reverse=falling)
    again = _falls_again(ordered)
    texts = []
    if again is not None:
        a, b = again
        texts.append(
            f"not monotone: {a.share:.0%} failed at {a.level:.4g} {unit}, but only {b.share:.0%} "
            f"at "
            f"{b.level:.4g} {unit}; the threshold given is the first crossing"
        )
    peak, last, fell = _collapse(ordered)
    if fell:
        texts.append(
            f"throughput collapses: {peak.throughput_per_s:,.0f}/s at {peak.level:.4g} {unit}, "
            f"{last.throughput_per_s:,.0f}/s at {last.level:.4g} {unit}"
        )
    return Shape(
        monotone=again is None,
        collapse=fell,
        peak_per_s=peak.throughput_per_s if peak else math.nan,
        peak_level=peak.level if peak else math.nan,
        past_peak_per_s=last.throughput_per_s if last else math.nan,
        text="; ".join(texts),
    )


def _falls_again(ordered: Sequence[Level]) -> tuple[Level, Level] | None:
    # Counts of one run are correlated; here a run is one trial.
    coins = [(x, x.runs_broken) for x in ordered if x.trials]
    pairs = [(a, b) for a, b in combinations(coins, 2) if a[0].share > b[0].share]
    if not pairs:
        return None
    from scipy import stats  # takes half a second to import: not before it is needed

    worst, least = None, 1.0
    for (a, broke_a), (b, broke_b) in pairs:
        table = [[broke_a, a.runs - broke_a], [broke_b, b.runs - broke_b]]
        p = float(stats.fisher_exact(table, alternative="greater")[1])
        if p < least:
            worst, least = (a, b), p
    return worst if least * max(1, len(pairs)) < _ALPHA else None


def _collapse(ordered: Sequence[Level]) -> tuple[Level, Level, bool]:
    """Peak, last level, and whether the last is significantly lower."""
    known = [x for x in ordered if math.isfinite(x.throughput_per_s)]
    if not known:
        nothing = Level(math.nan, 0, 0, 0, 0, *[math.nan] * 5)
        return nothing, nothing, False
    peak, last = max(known, key=lambda x: x.throughput_per_s), known[-1]
    if peak is last or last.throughput_per_s > (1 - _FALL_MIN) * peak.throughput_per_s:
        return peak, last, False
    if not (math.isfinite(peak.throughput_sd) and math.isfinite(last.throughput_sd)):
        return peak, last, False
    from scipy import stats

    test = stats.ttest_ind_from_stats(
        peak.throughput_per_s,
        max(peak.throughput_sd, 1e-9),
        peak.runs,
        last.throughput_per_s,
        max(last.throughput_sd, 1e-9),
        last.runs,
        equal_var=False,
    )
    return peak, last, bool(test.pvalue < _ALPHA)
