"""Safe leverage of each part of a position book, from the runs of a search for the whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from surgetank.search.answer import PartLine
from surgetank.search.book_parts import parts_of
from surgetank.search.find import SearchState
from surgetank.search.posterior import Trial, fit
from surgetank.search.probe import RunOutcome

__all__ = ["part_lines"]

#: Times that bad debt must be expected at the budget, for a part's line to be known.
_EXPECTED: Final = 3.0
_BAD_MIN: Final = 5
#: An interval that comes so near to an end of the range, as a share of it, bounds nothing.
_EDGE: Final = 0.02
#: Distance from the levels tried, on the scale of u, up to which a line is not extrapolated.
_REACH: Final = 0.05


def part_lines(state: SearchState) -> tuple[PartLine, ...]:
    """The line of every part of the scenario's book; none without a book, or of another goal."""
    q = state.question
    book = q.scenario.position_book
    if book is None or not q.goal.counts or state.status == "INVALID":
        return ()
    outcomes = [o for o in state.outcomes if not o.invalid and q.u(o.level) <= state.top]
    found = []
    for division, of in parts_of(q.scenario, book).items():
        members = sorted(set(of), key=of.index) if division == "market" else _by_size(of, state)
        found += [_line(state, outcomes, division, member) for member in members]
    return tuple(found)


def _by_size(titles: Sequence[str], state: SearchState) -> list[str]:
    """Tiers that have accounts, from small to large."""
    book = state.question.scenario.position_book
    assert book is not None
    gross = book.by_account(abs(book.notional_usd))
    largest = {title: 0.0 for title in titles}
    for title, usd in zip(titles, gross.tolist(), strict=True):
        largest[title] = max(largest[title], usd)
    return sorted(largest, key=lambda title: largest[title])


def _line(
    state: SearchState, outcomes: Sequence[RunOutcome], division: str, member: str
) -> PartLine:
    """The level at which the part's own share of bad debts is the budget."""
    q, target = state.question, state.question.goal.target
    name = f"{division}.{member}"
    trials = [
        Trial(q.u(o.level), o.values.get(f"bad_debts.{name}") or 0.0, float(count))
        for o in outcomes
        if (count := o.values.get(f"liquidations_triggered.{name}"))
    ]
    triggered = int(sum(trial.trials for trial in trials))
    bad = int(sum(trial.broken for trial in trials))
    needed = math.ceil(_EXPECTED / target)
    unknown = PartLine(division, member, triggered, bad, None, None, None, "")
    if triggered < needed:
        why = f"{triggered} liquidations, needs at least {needed}"
        return _because(unknown, why)
    if bad < _BAD_MIN:
        return _because(unknown, f"{bad} bad debts in {triggered} liquidations, needs {_BAD_MIN}")
    tried = [q.u(o.level) for o in outcomes]
    post = fit(trials, q.u(q.low), state.top, target)
    low, high = post.interval()
    edge = _EDGE * (state.top - q.u(q.low))
    at_an_end = low < q.u(q.low) + edge or high > state.top - edge
    if at_an_end or not min(tried) - _REACH <= post.median <= max(tried) + _REACH:
        return _because(unknown, "beyond the levels tried")
    ends = q.level(low), q.level(high)
    middle = q.level(post.median)
    return PartLine(division, member, triggered, bad, middle, min(ends), max(ends), "")


def _because(line: PartLine, why: str) -> PartLine:
    return replace(line, why=why)
