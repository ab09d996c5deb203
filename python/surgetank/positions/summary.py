"""What is in a position book, before any run: concentration, leverage, distance to liquidation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np

from surgetank.number_format import counted
from surgetank.positions.assets import AssetLine, AssetRule, Assets
from surgetank.positions.position_book import Floats, MarginTier, PositionBook

__all__ = ["MOVES", "BookSummary", "MarketLine", "maintenance_usd"]

#: Moves of all prices for which the liquidated open interest is computed.
MOVES: Final = (-0.20, -0.10, -0.05, 0.05, 0.10, 0.20)
#: Number of largest accounts whose share is computed.
_TOP: Final = 10
#: Farthest rise for which a distance is searched: prices times eleven.
_RISE_MAX: Final = 10.0
_HALVINGS: Final = 60


def maintenance_usd(notional_usd: Floats, tiers: Sequence[MarginTier]) -> Floats:
    """Maintenance requirement of positions of these absolute notionals: of each part its tier's."""
    required, before = np.zeros_like(notional_usd), 0.0
    for tier in tiers:
        part = np.maximum(notional_usd - tier.above_usd, 0.0)
        required += (tier.maintenance - before) * part
        before = tier.maintenance
    return required


@dataclass(frozen=True)
class MarketLine:
    """A market of the book; open interest counts the book's own positions, in USD at the mark."""

    name: str
    mark_usd: float
    accounts: int
    long_usd: float
    short_usd: float
    maintenance: float
    """Maintenance margin of the lowest tier, over notional."""


@dataclass(frozen=True)
class BookSummary:
    """A book under a maintenance rule: tiers by market, in the order of the book's markets."""

    book: PositionBook
    tiers: tuple[tuple[MarginTier, ...], ...]
    rules: Mapping[str, AssetRule] = field(default_factory=dict)
    """How the venue counts the book's collateral assets, by name; without: `Assets`."""

    def margin_after(self, move: float | Floats) -> Floats:
        """Equity less haircuts and maintenance requirement of each margin account, in USD, after a
        relative move of all prices; one for all accounts, or one for each."""
        book = self.book
        moves = np.broadcast_to(np.asarray(move, dtype=np.float64), len(book.accounts))
        factor = 1.0 + moves[book.position_account]
        required = np.zeros(len(book.position_size))
        for market, tiers in enumerate(self.tiers):
            here = book.position_market == market
            after = np.abs(book.notional_usd[here]) * factor[here]
            required[here] = maintenance_usd(after, tiers)
        gain = book.by_account(book.notional_usd * (factor - 1.0))
        held = Assets(book, self.rules).counted(moves)
        return book.equity_usd + gain + held - book.by_account(required)

    @cached_property
    def below(self) -> int:
        """Margin accounts below maintenance at the marks, bankrupt ones included."""
        return int((self.margin_after(0.0) < 0).sum())

    @cached_property
    def bankrupt(self) -> int:
        """Margin accounts with negative equity at the marks."""
        return int((self.book.equity_usd < 0).sum())

    @cached_property
    def distance(self) -> Floats:
        """The nearest relative move of all prices at which each margin account is liquidated;
        negative: a fall. 0: it is below maintenance already; NaN: none down to 0 or up to eleven
        times the marks."""
        fall, rise = self._root(-1.0), self._root(_RISE_MAX)
        nearer = np.where(np.isnan(rise) | (np.abs(fall) <= rise), fall, rise)
        return np.where(self.margin_after(0.0) < 0, 0.0, nearer)

    def _root(self, end: float) -> Floats:
        """The move between 0 and `end` at which each account falls below maintenance; NaN: none."""
        count = len(self.book.accounts)
        near, far = np.zeros(count), np.full(count, end)
        reached = self.margin_after(far) < 0
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            below = self.margin_after(middle) < 0
            far = np.where(below, middle, far)
            near = np.where(below, near, middle)
        return np.where(reached, far, np.nan)

    @cached_property
    def gross_usd(self) -> Floats:
        """Notional of all positions of each margin account, USD."""
        return self.book.by_account(np.abs(self.book.notional_usd))

    def liquidated_usd(self, move: float) -> float:
        """Notional at the marks of the accounts below maintenance after a move of all prices,
        USD."""
        return float(self.gross_usd[self.margin_after(move) < 0].sum())

    @cached_property
    def by_owner_usd(self) -> Floats:
        """Notional of each account of the user's file, USD, largest first."""
        sums: dict[str, float] = {}
        for account, usd in zip(self.book.accounts, self.gross_usd.tolist(), strict=True):
            sums[account.owner] = sums.get(account.owner, 0.0) + usd
        return np.sort(np.array(list(sums.values())))[::-1]

    @property
    def top_share(self) -> float:
        """Share of the ten largest accounts in all notional."""
        return float(self.by_owner_usd[:_TOP].sum() / self.by_owner_usd.sum())

    @property
    def herfindahl(self) -> float:
        """Herfindahl index of notional by account: the sum of squared shares, from 1/n to 1."""
        shares = self.by_owner_usd / self.by_owner_usd.sum()
        return float((shares**2).sum())

    def leverage_quantile(self, q: float) -> float:
        """Quantile of leverage over margin accounts with positive equity; NaN: there is none."""
        finite = self.book.leverage[np.isfinite(self.book.leverage)]
        return float(np.quantile(finite, q)) if len(finite) else math.nan

    def distance_quantile(self, q: float) -> float:
        """Quantile over margin accounts of the size of the nearest move that liquidates them;
        infinite beyond the accounts that no move liquidates."""
        sizes = np.abs(self.distance)
        return float(np.quantile(np.where(np.isnan(sizes), np.inf, sizes), q, method="higher"))

    @cached_property
    def markets(self) -> list[MarketLine]:
        """One line for each market."""
        book = self.book
        found = []
        for i, (market, tiers) in enumerate(zip(book.markets, self.tiers, strict=True)):
            here = book.position_market == i
            usd = book.notional_usd[here]
            found.append(
                MarketLine(
                    market.name,
                    market.mark_usd,
                    len(np.unique(book.position_account[here])),
                    float(usd[usd > 0].sum()),
                    float(-usd[usd < 0].sum()),
                    tiers[0].maintenance,
                )
            )
        return found

    @cached_property
    def assets(self) -> list[AssetLine]:
        """One line for each asset that accounts hold as collateral."""
        return Assets(self.book, self.rules).lines

    @property
    def falling_share(self) -> float:
        """Share of all equity that is held in assets whose prices move with the markets; NaN: there
        is no equity."""
        return self._of_equity(sum(line.value_usd for line in self.assets if line.moves))

    @property
    def wrong_way_share(self) -> float:
        """The part of `falling_share` that accounts of net long notional hold: collateral that
        falls when their positions lose."""
        return self._of_equity(sum(line.behind_longs_usd for line in self.assets if line.moves))

    def _of_equity(self, usd: float) -> float:
        equity = float(self.book.equity_usd.sum())
        return usd / equity if equity > 0 else math.nan

    @property
    def warnings(self) -> list[str]:
        """What a reader should know before a run, as sentences."""
        found = []
        if self.bankrupt:
            found.append(f"bankrupt at the marks, and kept: {counted(self.bankrupt, 'account')}")
        below = self.below - self.bankrupt
        if below > 0:
            found.append(
                f"below maintenance at the marks, due at the start: {counted(below, 'account')}"
            )
        if self.top_share > 0.5 and len(self.by_owner_usd) > _TOP:
            found.append(f"the ten largest accounts hold {100 * self.top_share:.0f} % of notional")
        for line in self.markets:
            both = line.long_usd + line.short_usd
            if abs(line.long_usd - line.short_usd) > 0.1 * both:
                side = "short" if line.long_usd > line.short_usd else "long"
                found.append(
                    f"{line.name}: longs and shorts differ by "
                    f"{100 * abs(line.long_usd - line.short_usd) / both:.0f} % of open interest; "
                    f"unlevered accounts will be {side} the rest"
                )
        return found

    def to_dict(self) -> Mapping[str, Any]:
        """Plain values for JSON; USD, and shares of 1."""
        book = self.book
        return {
            "file": book.file,
            "hash": book.hash,
            "notes": list(book.notes),
            "warnings": self.warnings,
            "accounts": book.owners,
            "margin_accounts": len(book.accounts),
            "positions": len(book.position_size),
            "equity_usd": float(book.equity_usd.sum()),
            "notional_usd": float(self.gross_usd.sum()),
            "insurance_usd": book.insurance_usd,
            "bankrupt": self.bankrupt,
            "below_maintenance": self.below,
            "top10_share": self.top_share,
            "herfindahl": self.herfindahl,
            "leverage": {
                name: self.leverage_quantile(q)
                for name, q in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9), ("max", 1.0))
            },
            "distance_to_liquidation": {
                name: self.distance_quantile(q) for name, q in (("p10", 0.1), ("p50", 0.5))
            },
            "liquidated_usd": {f"{100 * move:+g} %": self.liquidated_usd(move) for move in MOVES},
            "markets": [vars(line) for line in self.markets],
            "assets": [vars(line) for line in self.assets],
            "falling_share": self.falling_share,
            "wrong_way_share": self.wrong_way_share,
        }
