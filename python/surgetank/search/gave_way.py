"""What gave way first, and the smallest change of the scenario that mends it, found by trying."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from surgetank.measure.saturation import Saturation, rank
from surgetank.scenario import Scenario
from surgetank.search.answer import Remedy, Used
from surgetank.search.find import Finding, Search
from surgetank.search.probe import Outcome
from surgetank.search.remedies import Change, candidates

__all__ = ["past", "ranking", "remedies"]

#: Runs of each change that is tried; it restores if most of them hold.
_TRIES: Final = 4
#: Resources whose remedies are tried.
_RESOURCES: Final = 4
#: How far past the line: there about this share of runs breaks.
_PAST: Final = 0.9
_NAMED: Final = 0.5


def past(finding: Finding) -> float:
    """The first failing level: just past the line, where nine of ten runs break."""
    post, q = finding.posterior, finding.question
    if post is None:
        return q.high
    odds = math.log(_PAST / (1 - _PAST)) - math.log(q.goal.target / (1 - q.goal.target))
    u = max(post.median + min(odds, 2.2) * post.width, post.interval()[1])
    return q.level(min(u, finding.top))


def ranking(broken: Sequence[Outcome], before: Sequence[Outcome]) -> list[Used]:
    """Resources by their mean use in broken runs, the most used first (see `rank`)."""
    found = []
    for name in sorted({s.resource for o in broken for s in o.saturated}):
        value = _mean(broken, name)
        where = next(s.where for o in broken for s in o.saturated if s.resource == name)
        found.append(Used(name, where, value, _mean(before, name)))
    return sorted(found, key=lambda used: rank(used.resource, used.value))


def _mean(outcomes: Sequence[Outcome], resource: str) -> float:
    values = [o.value(f"saturation.{resource}") for o in outcomes]
    known = [v for v in values if not math.isnan(v)]
    return float(np.mean(known)) if known else 0.0


def named(used: Sequence[Used]) -> str:
    """What gave way: the most used resource, if it was used to half at least."""
    return used[0].resource if used and used[0].value >= _NAMED else ""


def remedies(search: Search, level: float, used: Sequence[Used]) -> Iterator[Remedy]:
    """Tries changes at a failing level, the likeliest resources first, small changes before large.

    Of each resource, larger changes are left out once one restores; so are changes larger than the
    smallest that has restored so far.
    """
    q = search.question
    scenario = q.lever.at(q.scenario, level)
    ranked = [Saturation(u.resource, u.where, u.value, u.value, 0.0, "") for u in used]
    changes = candidates(scenario, ranked[:_RESOURCES])
    best, number = math.inf, 0
    relieved: set[str] = set()
    for change in sorted(changes, key=lambda c: c.size):
        if change.resource in relieved or change.size > best:
            continue
        remedy = _try(search, scenario, change, level, number)
        number += 1
        if remedy.restores:
            relieved.add(change.resource)
            best = min(best, change.size)
        yield remedy


def _try(search: Search, scenario: Scenario, change: Change, level: float, number: int) -> Remedy:
    q, base = search.question, search.finding.unloaded_ms
    changed = scenario.with_values(change.values)
    tasks = [search.task_of(changed, level, "remedy", number * _TRIES + i) for i in range(_TRIES)]
    outcomes = search.pool.all(tasks)
    broke = sum(bool(o.invalid) or q.goal.broke(o, base) for o in outcomes)
    return Remedy(change.resource, change.text, dict(change.values), change.size, broke, _TRIES)
