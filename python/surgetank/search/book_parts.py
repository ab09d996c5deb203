"""Accounts of a position book by size and by market, and how many of each part leave bad debt."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np

from surgetank.measure.bad_debt import triggers
from surgetank.positions import PositionBook
from surgetank.scenario import Scenario
from surgetank.trace import Trace

__all__ = ["brackets", "part_counts", "parts_of"]

#: Bounds between tiers where the scenario's margin has none, USD.
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
    """Division (`tier` or `market`) → part of each account of the book.

    A tier is that of the notional of all positions; its bounds are those of the scenario's margin
    (`market.margin.tiers`), or without any $10 k, $100 k, $1 M and $10 M. The market is that of the
    account's largest position.
    """
    edges: tuple[float, ...] = _SIZES_USD
    if scenario.market is not None and scenario.market.margin.tiers:
        edges = tuple(tier.above_usd for tier in scenario.market.margin.tiers)
    size = np.abs(book.notional_usd)
    titles = brackets(edges, "${}")
    tiers = np.searchsorted(np.array(edges), book.by_account(size), side="left")
    # The last position that is assigned is the largest.
    order = np.argsort(size, kind="stable")
    market = np.zeros(len(book.accounts), dtype=np.int64)
    market[book.position_account[order]] = book.position_market[order]
    return {
        "tier": [titles[i] for i in tiers],
        "market": [book.markets[i].name for i in market],
    }


def part_counts(trace: Trace) -> dict[str, float | None]:
    """Of a run with a position book: its accounts, and those of them that leave bad debt, under
    `book_accounts` and `book_accounts_bad`, and of each part under `book_accounts.tier.<title>`,
    `book_accounts_bad.market.<name>` and so on. Empty without a book.

    Bad debt is that of `surgetank.measure.bad_debt.triggers`: booked, or of an account that is
    still open beyond its bankruptcy price. Accounts that are due in the warm-up count too: those of
    a book below maintenance margin are due at its start.
    """
    book = trace.scenario.position_book
    if book is None:
        return {}
    bad = np.zeros(len(book.accounts))
    found = triggers(trace, warmup=True)
    accounts = found["account"].filter(found["bad"]).to_numpy()
    bad[accounts[accounts < len(bad)]] = 1.0
    counts: dict[str, float | None] = {
        "book_accounts": float(len(bad)),
        "book_accounts_bad": float(bad.sum()),
    }
    for division, of in parts_of(trace.scenario, book).items():
        names, part = np.unique(np.array(of), return_inverse=True)
        for name, count, lost in zip(
            names.tolist(), np.bincount(part), np.bincount(part, bad), strict=True
        ):
            counts[f"book_accounts.{division}.{name}"] = float(count)
            counts[f"book_accounts_bad.{division}.{name}"] = float(lost)
    return counts
