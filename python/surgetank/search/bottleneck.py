"""The most used resource just past the threshold, and the changes that move the threshold.

A change is tried at a level where nine of ten runs fail. If most runs pass with it, it restores the
limit, and a short search measures how far it moves the threshold, against the same unloaded value.
It is a remedy only if the interval of that gain excludes zero. The resource used most and
the resource whose relief moves the threshold may differ: a full queue may be the effect of the
station behind it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Final

import numpy as np

from surgetank.measure.saturation import Saturation, rank
from surgetank.scenario import Scenario
from surgetank.search.answer import Remedy, Used
from surgetank.search.find import Progress, Search, SearchState
from surgetank.search.gain import Line, gained
from surgetank.search.probe import RunOutcome
from surgetank.search.remedies import Change, candidates

__all__ = ["changes_for", "named", "past", "ranking", "remedies"]

#: Number of runs of each change; it restores the limit if most of them pass.
_TRIES: Final = 4
#: Number of resources whose remedies are tried.
_RESOURCES: Final = 4
#: Number of kinds of change per resource that are tried in pairs, each at its largest.
_KINDS: Final = 2
#: Share of failing runs at the level past the threshold where changes are tried.
_PAST: Final = 0.9
_NAMED: Final = 0.5


def past(state: SearchState) -> float:
    """The level just past the threshold where nine of ten runs fail. For counts, which are
    correlated, the odds of failure are at most nine times those at the threshold."""
    post, q = state.posterior, state.question
    if post is None:
        return q.high
    odds = math.log(_PAST / (1 - _PAST)) - math.log(q.goal.target / (1 - q.goal.target))
    if q.goal.counts:
        odds = min(odds, math.log(_PAST / (1 - _PAST)))
    u = max(post.median + odds * post.width, post.interval()[1])
    return q.level(min(u, state.top))


def ranking(broken: Sequence[RunOutcome], before: Sequence[RunOutcome]) -> list[Used]:
    """Resources by their mean use in failing runs, the most used first (see `rank`)."""
    found = []
    for name in sorted({s.resource for o in broken for s in o.saturated}):
        value = _mean(broken, name)
        if value is None:
            continue
        where = next(s.where for o in broken for s in o.saturated if s.resource == name)
        found.append(Used(name, where, value, _mean(before, name)))
    return sorted(found, key=lambda used: rank(used.resource, used.value))


def _mean(outcomes: Sequence[RunOutcome], resource: str) -> float | None:
    """Over the runs that measured it; None if none did."""
    values = [o.value(f"saturation.{resource}") for o in outcomes]
    known = [v for v in values if not math.isnan(v)]
    return float(np.mean(known)) if known else None


def named(used: Sequence[Used]) -> str:
    """The most used resource, if it was used to half at least."""
    return used[0].resource if used and used[0].value >= _NAMED else ""


def changes_for(scenario: Scenario, used: Sequence[Used]) -> list[Change]:
    """Changes of a scenario that could relieve its most used resources."""
    ranked = [Saturation(u.resource, u.where, u.value, u.value, 0.0, "") for u in used]
    return candidates(scenario, ranked[:_RESOURCES])


def remedies(search: Search, line: Line, used: Sequence[Used]) -> list[Remedy]:
    """Every change that was tried, with the gain of those that restore.

    Single changes first, the small before the large. Of each resource, larger changes are left out
    once one helps; so are changes larger than the smallest that has helped so far, but for those of
    the most used resource: whether its relief helps is always determined. If no single change
    helps, pairs are tried until one does.
    """
    trial = _Trial(search, line, past(search.state))
    changes = trial.changes(used)
    first = named(used)
    found: list[Remedy] = []
    best, relieved = math.inf, set[str]()
    for i, change in enumerate(changes):
        left_out = change.size > best and change.resource != first
        if change.resource in relieved or left_out:
            continue
        found.append(trial((change,), left=len(changes) - i))
        if found[-1].helps:
            relieved.add(change.resource)
            best = min(best, change.size)
    if not relieved:
        found += _pairs(trial, changes, [u.resource for u in used])
    return found


def _pairs(trial: _Trial, changes: Sequence[Change], order: Sequence[str]) -> Iterator[Remedy]:
    """Pairs of resources, each relieved as far as its changes go; of one that restores, the
    smallest steps of the same two kinds that do. Ends with the first pair that helps."""
    kinds: dict[str, list[list[Change]]] = {}
    for change in changes:
        ladders = kinds.setdefault(change.resource, [])
        same = next((x for x in ladders if x[0].values.keys() == change.values.keys()), None)
        if same is None:
            ladders.append([change])
        else:
            same.append(change)
    ranked = sorted(kinds, key=lambda r: order.index(r) if r in order else len(order))
    both = [
        (a, b)
        for one, other in combinations(ranked, 2)
        for a, b in product(kinds[one][:_KINDS], kinds[other][:_KINDS])
    ]
    for i, (a, b) in enumerate(both):
        if not trial.fits((a[-1], b[-1])):
            continue
        farthest = trial((a[-1], b[-1]), left=len(both) - i)
        yield farthest
        if not farthest.restores:
            continue
        for small in zip(a[:-1], b[:-1], strict=False):
            if trial.fits(small):
                remedy = trial(small, left=len(both) - i)
                yield remedy
                if remedy.helps:
                    return
        if farthest.helps:
            return


@dataclass
class _Trial:
    """Tries changes at one level."""

    search: Search
    line: Line
    level: float
    made: int = 0

    def changes(self, used: Sequence[Used]) -> list[Change]:
        """Changes that could relieve the most used resources, from small to large. The varied key
        is left out, since setting it back is no remedy."""
        q = self.search.question
        scenario = q.parameter.at(q.scenario, self.level)
        varied = q.parameter.values(self.level).keys()
        found = changes_for(scenario, used)
        return sorted((c for c in found if not varied & c.values.keys()), key=lambda c: c.size)

    def fits(self, changes: Iterable[Change]) -> bool:
        """Whether these changes touch different keys."""
        keys = [key for change in changes for key in change.values]
        return len(keys) == len(set(keys))

    def __call__(self, changes: Sequence[Change], *, left: int) -> Remedy:
        """Runs with these changes; of those that restore, also the gain."""
        q, base = self.search.question, self.search.state.unloaded_ms
        values = {key: value for change in changes for key, value in change.values.items()}
        text = "; ".join(change.text for change in changes)
        scenario = q.parameter.at(q.scenario, self.level).with_values(values)
        self._report_progress(text, left)
        first = self.made * _TRIES
        self.made += 1
        tasks = [
            self.search.task_of(scenario, self.level, "remedy", first + i) for i in range(_TRIES)
        ]
        outcomes = self.search.pool.all(tasks)
        remedy = Remedy(
            tuple(dict.fromkeys(change.resource for change in changes)),
            text,
            values,
            sum(change.size for change in changes),
            sum(bool(o.invalid) or q.goal.broke(o, base) for o in outcomes),
            _TRIES,
        )
        return gained(self.search, self.line, remedy) if remedy.restores else remedy

    def _report_progress(self, text: str, left: int) -> None:
        if self.search.watch is not None:
            low, high = sorted((self.line.low, self.line.high))
            spent = self.search.pool.spent
            seen = Progress("remedies", spent, low, high, self.line.estimate, None, left * _TRIES)
            self.search.watch(replace(seen, what=text))
