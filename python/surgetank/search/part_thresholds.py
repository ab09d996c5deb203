"""Safe leverage of each part of a position book: of its tiers of sizes, and of its markets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from surgetank.search.answer import PartThreshold
from surgetank.search.book_parts import parts_of
from surgetank.search.find import Progress, Search, SearchState
from surgetank.search.probe import RunOutcome

__all__ = ["part_thresholds"]

#: An interval that comes so near to an end of the range, as a share of it, has no bound there.
_EDGE: Final = 0.02
#: A lower end as near to the end of the range, as a share of it, is good enough.
_NEAR: Final = 0.25
#: Most further runs for one part: those whose threshold is beyond the range never have an interval.
_RUNS_MAX: Final = 40


def part_thresholds(search: Search) -> tuple[PartThreshold, ...]:
    """The safe leverage of every part, where the search caps the leverage of a book; else none.

    Every run says something about every part. What is left of the search's runs is shared by the
    parts whose interval is not narrow enough, each at the levels of its own posterior. An INVALID
    run among these makes the search INVALID.
    """
    q, state = search.question, search.state
    book = q.parameter.book
    if book is None or q.goal.find != "safe-leverage" or state.status == "INVALID":
        return ()
    sizes = book.by_account(np.abs(book.notional_usd))
    members: dict[tuple[str, str], list[float]] = {}
    for division, of in parts_of(q.scenario, book).items():
        if len(set(of)) == 1:
            continue  # the whole
        for member, size in zip(of, sizes.tolist(), strict=True):
            members.setdefault((division, member), []).append(size)
    # Tiers from small to large; then markets, the largest first.
    parts = sorted(
        members,
        key=lambda part: max(members[part]) if part[0] == "tier" else 1e300 / sum(members[part]),
    )
    parts.sort(key=lambda part: part[0], reverse=True)
    made, states = list(state.outcomes), list[SearchState]()
    for i, (division, member) in enumerate(parts):
        left = min(_RUNS_MAX, max(0, q.runs_max - search.spent) // (len(parts) - i))
        part = _search_of(search, f".{division}.{member}", member, left, made)
        part.go_on(made, f"part.{division}.{member}")
        if part.state.status == "INVALID":
            state.status, state.bound = "INVALID", part.state.bound
            return ()
        made += part.state.refined
        states.append(part.state)
    # Only now, so that every part has all runs: also those that were made for the parts after it.
    found = (SearchState(s.question, climbed=made, top=s.top) for s in states)
    return tuple(
        _threshold(whole, part, len(members[part]))
        for whole, part in zip(found, parts, strict=True)
    )


def _search_of(
    search: Search, suffix: str, member: str, runs_max: int, made: Sequence[RunOutcome]
) -> Search:
    """A search with the same range and pool that looks at one part."""
    q, watch = search.question, search.watch
    question = replace(q, goal=replace(q.goal, part=suffix))
    beyond = _is_beyond(SearchState(question, climbed=list(made), top=search.state.top))
    question = replace(question, runs_max=0 if beyond else runs_max)

    def relabelled(seen: Progress) -> None:
        if watch is not None:
            watch(replace(seen, phase="parts", what=member))

    part = Search(question, search.pool, relabelled)
    part.state.top = search.state.top
    return part


def _is_beyond(state: SearchState) -> bool:
    """Whether the threshold may lie beyond the range, and not far below its end."""
    low, high = state.fit().interval()
    room = state.top - state.question.u(state.question.low)
    return high > state.top - _EDGE * room and low > state.top - _NEAR * room


def _threshold(state: SearchState, part: tuple[str, str], accounts: int) -> PartThreshold:
    """Estimate and interval, or the one end of it that lies inside the range."""
    q, post = state.question, state.fit()
    low, high = post.interval()
    edge = _EDGE * (state.top - q.u(q.low))
    ends: list[float | None] = [q.level(low), q.level(high)]
    if low < q.u(q.low) + edge:
        ends[0] = None
    if high > state.top - edge:
        ends[1] = None
    estimate = None if None in ends else q.level(post.median)
    return PartThreshold(*part, accounts, len(state.outcomes), estimate, *ends)
