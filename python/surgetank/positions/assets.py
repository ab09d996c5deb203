"""Assets that the accounts of a position book hold as collateral, and how a venue counts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from surgetank.positions.position_book import DOLLARS, Floats, HeldAsset, PositionBook

__all__ = ["AssetLine", "AssetRule", "Assets"]


@dataclass(frozen=True)
class AssetRule:
    """How a venue counts an asset."""

    haircut: float
    """Share of its value that does not count for margin."""
    moves: bool
    """Whether its price moves with the markets."""


@dataclass(frozen=True)
class AssetLine:
    """An asset over all accounts of a book; values in USD at the marks."""

    name: str
    accounts: int
    amount: float
    """Sum over accounts, coins."""
    value_usd: float
    behind_longs_usd: float
    """Part of the value that accounts of net long notional hold."""
    haircut: float
    moves: bool


@dataclass(frozen=True)
class Assets:
    """The assets of a book under the rules of a venue.

    Without a rule an asset has no haircut, and moves with the markets unless it is a dollar
    (`DOLLARS`).
    """

    book: PositionBook
    rules: Mapping[str, AssetRule]
    """Rules by the name of the asset in the book."""

    def rule(self, name: str) -> AssetRule:
        """The rule of an asset."""
        return self.rules.get(name, AssetRule(0.0, name.upper() not in DOLLARS))

    def counted(self, moves: Floats) -> Floats:
        """What must be added to the equity of each account, USD, for margin after these relative
        moves of all prices, one for each account: gains of its assets less haircuts."""
        found = np.zeros(len(self.book.accounts))
        for held in self.book.assets:
            rule = self.rule(held.asset)
            move = moves[held.account] if rule.moves else 0.0
            found[held.account] += held.value_usd * ((1 + move) * (1 - rule.haircut) - 1)
        return found

    @property
    def lines(self) -> list[AssetLine]:
        """One line for each asset, in the order of the book."""
        net = self.book.by_account(self.book.notional_usd)
        by_name: dict[str, list[HeldAsset]] = {}
        for held in self.book.assets:
            by_name.setdefault(held.asset, []).append(held)
        return [
            AssetLine(
                name,
                len({one.account for one in held}),
                sum(one.amount for one in held),
                sum(one.value_usd for one in held),
                sum(one.value_usd for one in held if net[one.account] > 0),
                self.rule(name).haircut,
                self.rule(name).moves,
            )
            for name, held in by_name.items()
        ]
