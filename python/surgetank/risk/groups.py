"""Bad debt of a run by the accounts that made it: by their leverage and by the size of what was
closed.

An account's leverage at the start follows from its bankruptcy price B, at which its equity is zero:
S₀/|S₀ − B|, for the outside price S₀ at the start. Its size is the notional, at S₀, of what the
venue closed of it. Debts of accounts of which neither is known, and what is not yet booked, have members
of their own, so that the members of a division sum to the bad debt of the run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import polars as pl

from surgetank.catalogue.families import BEARER
from surgetank.measure.bad_debt import debts
from surgetank.measure.market_rows import market_of
from surgetank.trace import MarketKind, Trace

__all__ = ["DIVISIONS", "OTHER", "UNBOOKED", "by_group", "group_title"]

UNBOOKED: Final = "unbooked"
"""The member for what a stopped or slow venue leaves open at the end of a run."""
OTHER: Final = "other"
"""The member for debts of portfolios, and of accounts that were not due outside."""

_LEVERAGE: Final = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_SIZE_USD: Final = (1e3, 1e4, 1e5, 1e6, 1e7)


def _members(edges: tuple[float, ...], show: str) -> dict[str, str]:
    """Members between the edges, with their titles; the last has no upper end."""
    texts = [show.format(_short(edge)) for edge in edges]
    inner = {
        f"{a:g}-{b:g}": f"{x} to {y}"
        for a, b, x, y in zip(edges, edges[1:], texts, texts[1:], strict=False)
    }
    return {
        f"0-{edges[0]:g}": f"up to {texts[0]}",
        **inner,
        f"{edges[-1]:g}-": f"above {texts[-1]}",
    }


def _short(edge: float) -> str:
    for size, letter in ((1e6, " M"), (1e3, " k")):
        if edge >= size:
            return f"{edge / size:g}{letter}"
    return f"{edge:g}"


DIVISIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "leverage": _members(_LEVERAGE, "{}×"),
    "size": _members(_SIZE_USD, "${}"),
}
"""Division of the accounts → member → its title, in order; `OTHER` and `UNBOOKED` are added."""
_EDGES: Final = {"leverage": _LEVERAGE, "size": _SIZE_USD}


def group_title(division: str, member: str) -> str:
    """The title of a member of a division."""
    others = {OTHER: "other accounts", UNBOOKED: BEARER.title(UNBOOKED)}
    return DIVISIONS[division].get(member) or others[member]


def by_group(trace: Trace) -> dict[str, dict[str, float]]:
    """Division → member → bad debt in USD; members without any are left out."""
    booked = debts(trace).group_by("account", maintain_order=True).agg(pl.col("amount").sum())
    known = booked.join(_accounts(trace), on="account", how="left", maintain_order="left")
    found: dict[str, dict[str, float]] = {}
    for division, edges in _EDGES.items():
        members, sums = list(DIVISIONS[division]), dict[str, int]()
        for value, amount in known.select(division, "amount").iter_rows():
            member = OTHER if value is None else members[_place(value, edges)]
            sums[member] = sums.get(member, 0) + amount
        found[division] = {name: n * trace.stats.quantum_usd for name, n in sums.items()}
        if trace.stats.uncovered_usd:
            found[division][UNBOOKED] = trace.stats.uncovered_usd
    return found


def _place(value: float, edges: tuple[float, ...]) -> int:
    """The number of the member that holds the value; an edge belongs to the lower one, up to the
    rounding of collateral to whole quanta."""
    return sum(value > edge * (1 + 1e-3) for edge in edges)


def _accounts(trace: Trace) -> pl.DataFrame:
    """Leverage at the start (Float64, null = not known) and size in USD (Float64) of each account
    that was due or closed."""
    start = market_of(trace, MarketKind.INDEX)["price"].head(1).to_list() or [math.nan]
    due = market_of(trace, MarketKind.DUE).filter(pl.col("price") > 0)
    distance = (pl.lit(start[0]) - pl.col("amount")).abs()
    leverage = (
        due.group_by("account", maintain_order=True)
        .first()
        .select("account", leverage=pl.when(distance > 0).then(start[0] / distance))
    )
    closing = market_of(trace, MarketKind.LIQUIDATED, MarketKind.DELEVERAGED, MarketKind.TAKEN_OVER)
    notional = pl.col("qty").abs().sum() * start[0] * trace.stats.quantum_usd
    sizes = closing.group_by("account", maintain_order=True).agg(size=notional)
    return sizes.join(leverage, on="account", how="full", coalesce=True)
