"""The shift of the threshold by a change, measured by a short search of the changed scenario."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.search.answer import Remedy
from surgetank.search.bound import BoundKind
from surgetank.search.find import Progress, Search, SearchState
from surgetank.search.parameter import parameter

__all__ = ["Line", "gained", "interval_of", "line_of"]

_PRECISION: Final = 0.1
_RUNS: Final = 60
#: Range of the search for the changed threshold, as factors towards failure and away from it.
_FARTHER, _NEARER = 16.0, 4.0


@dataclass(frozen=True)
class Line:
    """A threshold: estimate and 95 % interval."""

    estimate: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half width of the interval on the scale of ln."""
        return math.log(self.high / self.low) / 2


def line_of(state: SearchState) -> Line | None:
    """The threshold, if it was found at a positive level."""
    estimate, low, high = interval_of(state)
    if estimate is None or low is None or high is None or not 0 < low <= estimate <= high:
        return None
    return Line(estimate, low, high)


def interval_of(state: SearchState) -> tuple[float | None, float | None, float | None]:
    """Estimate and ends; the error of the unloaded value, if any, is added in quadrature."""
    post, q = state.posterior, state.question
    if post is None or state.status == "INVALID":
        return None, None, None
    middle, (left, right) = post.median, post.interval()
    shifts = [0.0]
    if not math.isnan(state.unloaded_ms):
        for base in (state.unloaded_low_ms, state.unloaded_high_ms):
            shifts.append(state.fit(base).median - middle)
    down, up = max(-min(shifts), 0.0), max(*shifts, 0.0)
    low = q.level(middle - math.hypot(middle - left, down))
    high = q.level(middle + math.hypot(right - middle, up))
    return q.level(middle), min(low, high), max(low, high)


def gained(search: Search, line: Line, remedy: Remedy) -> Remedy:
    """The remedy with its gain: the relative shift of the threshold and its 95 % interval.

    The same unloaded value is used, so that both thresholds have one definition. The errors of the
    two are taken as independent and added in quadrature on the scale of ln. Where the changed
    scenario does not fail up to the end of the range searched, only the gain's lower end is known.
    """
    q = search.question
    falling = q.high < q.low
    ends = (1 / _NEARER, _FARTHER) if not falling else (_NEARER, 1 / _FARTHER)
    try:
        changed = q.scenario.with_values(remedy.values)
        own = replace(parameter(changed, q.parameter.key), own=line.estimate)
        for end in ends:
            own.at(changed, own.rounded(line.estimate * end))
    except SurgetankError:
        return remedy  # no range around the threshold to search in: the gain stays unknown
    question = replace(
        q,
        scenario=changed,
        parameter=own,
        low=line.estimate * ends[0],
        high=line.estimate * ends[1],
        precision=_PRECISION,
        runs_max=_RUNS,
    )
    other = Search(question, search.pool, _relabelled(search.watch, remedy.text))
    other.state.take_unloaded(search.state)
    state = other.go()
    kind = state.bound and state.bound.kind
    if kind is BoundKind.NOT_REACHED:
        return replace(remedy, gain_low=_FARTHER * math.exp(-line.half) - 1)
    if kind is BoundKind.BREAKS_ALREADY:
        return replace(remedy, gain_high=math.exp(line.half) / _NEARER - 1)
    after = line_of(state)
    if after is None:
        return remedy
    half = math.hypot(line.half, after.half)
    ratio = line.estimate / after.estimate if falling else after.estimate / line.estimate
    return replace(
        remedy,
        gain=ratio - 1,
        gain_low=ratio * math.exp(-half) - 1,
        gain_high=ratio * math.exp(half) - 1,
    )


def _relabelled(
    watch: Callable[[Progress], None] | None, text: str
) -> Callable[[Progress], None] | None:
    if watch is None:
        return None
    return lambda seen: watch(replace(seen, phase="gain", what=text))
