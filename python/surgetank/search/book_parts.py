"""The accounts of a position book by size and by market, and what was liquidated of each part."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np

from surgetank.measure.bad_debt import triggers
from surgetank.positions import PositionBook
from surgetank.scenario import Scenario
from surgetank.trace import Trace

__all__ = ["DIVISIONS", "brackets", "part_counts", "parts_of"]

DIVISIONS: Final = ("tier", "market")
"""What accounts are divided by: the notional of all their positions, and the market of the largest
one."""
_SIZES_USD: Final = (1e4, 1e5, 1e6, 1e7)


def brackets(edges: tuple[float, ...], unit: str) -> tuple[str, ...]:
    """Titles of the brackets between ascending edges: `up to $10 k`, `$10 k to $100 k`, …"""
    texts = [unit.format(_short(edge)) for edge in edges]
    inner = [f"{low} to {high}" for low, high in itertools.pairwise(texts)]
    return (f"up to {texts[0]}", *inner, f"above {texts[-1]}")


def _short(edge: float) -> str:
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if edge >= size:
            return f"{edge / size:g}{letter}"
    return f"{edge:g}"


def parts_of(scenario: Scenario, book: PositionBook) -> dict[str, list[str]]:
    """Division → part of each account of the book.

    Tiers are those of the scenario's margin (`market.margin.tiers`), or without any: $10 k, $100 k,
    $1 M, $10 M.
    """
    edges: tuple[float, ...] = _SIZES_USD
    if scenario.market is not None and scenario.market.margin.tiers:
        edges = tuple(tier.above_usd for tier in scenario.market.margin.tiers)
    size = np.abs(book.notional_usd)
    titles = brackets(edges, "${}")
    tiers = np.searchsorted(np.array(edges), book.by_account(size), side="left")
    largest = np.full(len(book.accounts), -1.0)
    market = np.zeros(len(book.accounts), dtype=np.int64)
    for account, of, usd in zip(book.position_account, book.position_market, size, strict=True):
        if usd > largest[account]:
            largest[account], market[account] = usd, of
    return {
        "tier": [titles[i] for i in tiers],
        "market": [book.markets[i].name for i in market],
    }


def part_counts(trace: Trace) -> dict[str, float | None]:
    """Of a run with a position book: `liquidations_triggered.tier.<title>`, `bad_debts.tier.…` and
    the same by market; parts without a liquidation are left out. Empty without a book."""
    book = trace.scenario.position_book
    if book is None:
        return {}
    parts = parts_of(trace.scenario, book)
    counts: dict[str, float | None] = {}
    for account, bad in triggers(trace).select("account", "bad").iter_rows():
        if account >= len(book.accounts):
            continue
        for division, of in parts.items():
            name = f"{division}.{of[account]}"
            for count, one in (("liquidations_triggered", 1), ("bad_debts", bad)):
                key = f"{count}.{name}"
                counts[key] = (counts.get(key) or 0.0) + one
    return counts
