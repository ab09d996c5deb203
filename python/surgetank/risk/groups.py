"""Bad debt of a run by the accounts that made it: by their leverage and by the size of what was
closed.

An account's leverage at the start follows from its bankruptcy price B, at which its equity is zero:
S₀/|S₀ − B|, for the outside price S₀ at the start. Its size is the notional, at S₀, of what the
venue closed of it. Debts of accounts of which neither is known have a member of their own, and so
has what is not yet booked, unless a position book knows the accounts; so the members of a division
sum to the bad debt of the run.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from surgetank.catalogue.families import BEARER
from surgetank.measure.bad_debt import debts, unbooked, unbooked_usd
from surgetank.measure.market_rows import market_of
from surgetank.positions import PositionBook
from surgetank.search.book_parts import brackets
from surgetank.trace import MarketKind, Trace

__all__ = ["DIVISIONS", "OTHER", "UNBOOKED", "by_group", "group_title"]

UNBOOKED: Final = "unbooked"
"""The member for what a stopped or slow venue leaves open at the end of a run."""
OTHER: Final = "other"
"""The member for debts of portfolios, and of accounts that were not due outside."""

_LEVERAGE: Final = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_SIZE_USD: Final = (1e3, 1e4, 1e5, 1e6, 1e7)


def _members(edges: tuple[float, ...], unit: str) -> dict[str, str]:
    """Members between the edges, with their titles; the last has no upper end."""
    inner = [f"{low:g}-{high:g}" for low, high in itertools.pairwise(edges)]
    names = (f"0-{edges[0]:g}", *inner, f"{edges[-1]:g}-")
    return dict(zip(names, brackets(edges, unit), strict=True))


DIVISIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "leverage": _members(_LEVERAGE, "{}×"),
    "size": _members(_SIZE_USD, "${}"),
}
"""Division of the accounts → member → its title, in order; `OTHER` and `UNBOOKED` are added."""
_EDGES: Final = {"leverage": _LEVERAGE, "size": _SIZE_USD}


def group_title(division: str, member: str) -> str:
    """The title of a member of a division."""
    others = {OTHER: "other accounts", UNBOOKED: BEARER.title(UNBOOKED)}
    return DIVISIONS.get(division, {}).get(member) or others.get(member, member)


def by_group(trace: Trace) -> dict[str, dict[str, float]]:
    """Division → member → bad debt in USD; members without any are left out.

    On a venue of several perpetuals they divide the bad debt, too: `market`. With a position book,
    leverage and size are those of its accounts, and `name` divides it by the book's own names, what
    is not yet booked included; only its market is not known.
    """
    book = trace.scenario.position_book
    accounts = _accounts(trace) if book is None else _of_book(book)
    rows = _with_names(trace, debts(trace))
    known = rows.join(accounts, on="account", how="left", maintain_order="left")
    open_ = unbooked(trace).join(accounts, on="account", how="left", maintain_order="left")
    found: dict[str, dict[str, float]] = {}
    for division in [name for name in known.columns if name not in ("account", "bearer", "amount")]:
        ours = book is not None and division in accounts.columns
        frames = (known, open_) if ours else (known,)
        sums = _sums(division, pl.concat([one.select(division, "amount") for one in frames]))
        found[division] = {name: n * trace.stats.quantum_usd for name, n in sums.items()}
        if not ours and (usd := unbooked_usd(trace)):
            found[division][UNBOOKED] = usd
    return found


def _sums(division: str, rows: pl.DataFrame) -> dict[str, int]:
    """Member → its debts in quanta."""
    sums: dict[str, int] = {}
    for value, amount in rows.iter_rows():
        member = _member(division, value)
        sums[member] = sums.get(member, 0) + amount
    return sums


def _with_names(trace: Trace, booked: pl.DataFrame) -> pl.DataFrame:
    """The debts with the names of markets; without the column, where there is one market."""
    market = trace.scenario.market
    names = () if market is None else market.names
    if len(names) < 2:
        return booked.drop("market")
    named = pl.col("market").replace_strict(dict(enumerate(names)), return_dtype=pl.String)
    return booked.with_columns(named)


def _member(division: str, value: float | str | None) -> str:
    """The member that an account with this leverage, size or name belongs to."""
    if value is None:
        return OTHER
    if isinstance(value, str):
        return value
    return list(DIVISIONS[division])[_place(value, _EDGES[division])]


def _of_book(book: PositionBook) -> pl.DataFrame:
    """Leverage, size and name of each account of the book."""
    return pl.DataFrame(
        {
            "account": range(len(book.accounts)),
            "leverage": book.leverage,
            "size": book.by_account(np.abs(book.notional_usd)),
            "name": [account.label for account in book.accounts],
        },
        schema_overrides={"account": pl.UInt32},
    )


def _place(value: float, edges: tuple[float, ...]) -> int:
    """The number of the member that holds the value; an edge belongs to the lower one, up to the
    rounding of collateral to whole quanta."""
    return sum(value > edge * (1 + 1e-3) for edge in edges)


def _accounts(trace: Trace) -> pl.DataFrame:
    """Leverage at the start (Float64, null = not known) and size in USD (Float64) of each account
    that was due or closed."""
    index = market_of(trace, MarketKind.INDEX).group_by("market", maintain_order=True)
    start = index.agg(start=pl.col("price").first())
    due = market_of(trace, MarketKind.DUE).filter(pl.col("price") > 0)
    due = due.join(start, on="market", maintain_order="left")
    distance = (pl.col("start") - pl.col("amount")).abs().first()
    leverage = due.group_by("account", maintain_order=True).agg(
        leverage=pl.when(distance > 0).then(pl.col("start").first() / distance)
    )
    closing = market_of(trace, MarketKind.LIQUIDATED, MarketKind.DELEVERAGED, MarketKind.TAKEN_OVER)
    closing = closing.join(start, on="market", maintain_order="left")
    notional = (pl.col("qty").abs() * pl.col("start")).sum() * trace.stats.quantum_usd
    sizes = closing.group_by("account", maintain_order=True).agg(size=notional)
    return sizes.join(leverage, on="account", how="full", coalesce=True)
