"""A position book while it is read: what every format gives, and the checks that all share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import numpy as np

from surgetank.errors import SurgetankError
from surgetank.number_format import counted
from surgetank.positions.position_book import (
    DOLLARS,
    BookMarket,
    HeldAsset,
    MarginAccount,
    MarginTier,
    PositionBook,
    coin_of_asset,
)

__all__ = ["Draft", "Held", "coin_of"]

#: Most accounts, as `market.positions.count` has it.
_ACCOUNTS_MAX: Final = 1_000_000
#: Bounds on prices, as on those of tapes.
_USD_MIN: Final = 1e-9
_USD_MAX: Final = 1e9
#: Largest notional of a position and equity of an account, USD.
_WORTH_MAX: Final = 1e15
#: Marks of one market that differ by more than this share come from different times.
_MARKS_APART: Final = 0.02


@dataclass(frozen=True)
class Held:
    """A position of an account."""

    place: str
    """Its row, for errors."""
    owner: str
    isolated: bool
    market: str
    size: float
    """Signed coins: positive is long."""
    entry_usd: float | None
    mark_usd: float | None

    @property
    def unit(self) -> tuple[str, str]:
        """The margin account that backs it: owner, and market if isolated."""
        return self.owner, self.market if self.isolated else ""


@dataclass
class Draft:
    """What a file says."""

    place: str
    held: list[Held] = field(default_factory=list)
    cash: dict[tuple[str, str], float] = field(default_factory=dict)
    """Collateral of margin accounts in USD, without unrealised profit."""
    equity: dict[tuple[str, str], float] = field(default_factory=dict)
    """Equity of margin accounts in USD; of those that are not in `cash`."""
    assets: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    """Amounts of assets held as collateral, in coins. Part of an `equity`, not of a `cash`."""
    prices: dict[str, float] = field(default_factory=dict)
    """Prices of those assets, USD, where the file gives them."""
    marks: dict[str, float] = field(default_factory=dict)
    """Mark prices by market, where they are stated once."""
    tiers: dict[str, tuple[MarginTier, ...]] = field(default_factory=dict)
    insurance_usd: float | None = None
    notes: list[str] = field(default_factory=list)

    def book(self, marks: Mapping[str, float], *, file: str, how: Sequence[str]) -> PositionBook:
        """The book; `marks` (USD by market) override those of the file.

        Raises:
            SurgetankError: naming the row, and the remedy.
        """
        held = self._open()
        names = list(dict.fromkeys(position.market for position in held))
        self._check_assets()
        assets = list(dict.fromkeys(name for held in self.assets.values() for name in held))
        unknown = [name for name in marks if name not in (*names, *assets)]
        if unknown:
            hint = f"Its markets are: {', '.join(names)}"
            hint += f"; its assets: {', '.join(assets)}" if assets else ""
            raise SurgetankError(
                "the book has no such market", place=f"--mark {unknown[0]}=", hint=hint
            )
        prices = {name: self._mark(name, held, marks) for name in names}
        units = list(dict.fromkeys(position.unit for position in held))
        if len(units) > _ACCOUNTS_MAX:
            what = f"{len(units):,} accounts, and a market opens with up to {_ACCOUNTS_MAX:,}"
            raise SurgetankError(what, place=self.place, hint="Leave the smallest out")
        number = {unit: i for i, unit in enumerate(units)}
        equity = self._equity(held, prices, units, given=marks)
        without = {*self.cash, *self.equity} - set(units)
        for what, unit, usd in (
            *(("a notional", p.unit, abs(p.size) * prices[p.market]) for p in held),
            *(("an equity", unit, abs(usd)) for unit, usd in equity.items()),
        ):
            if usd > _WORTH_MAX:
                raise SurgetankError(
                    f"account {unit[0]} has {what} of {usd:g} USD, beyond {_WORTH_MAX:g}",
                    place=next(p.place for p in held if p.unit == unit),
                    hint="Correct it, or give the unit: --positions-units size=1e18",
                )
        if without:
            self.notes.append(f"{counted(len(without), 'account')} without a position left out")
        return PositionBook(
            markets=tuple(
                BookMarket(name, prices[name], self.tiers.get(name, ())) for name in names
            ),
            accounts=tuple(MarginAccount(*unit, equity_usd=equity[unit]) for unit in units),
            position_account=np.array([number[p.unit] for p in held], dtype=np.int64),
            position_market=np.array([names.index(p.market) for p in held], dtype=np.int64),
            position_size=np.array([p.size for p in held], dtype=np.float64),
            position_entry_usd=np.array(
                [prices[p.market] if p.entry_usd is None else p.entry_usd for p in held],
                dtype=np.float64,
            ),
            insurance_usd=self.insurance_usd,
            assets=tuple(
                HeldAsset(number[unit], asset, amount, self._price(asset, prices, marks))
                for unit in units
                for asset, amount in self.assets.get(unit, {}).items()
            ),
            notes=tuple(self.notes),
            file=file,
            how=tuple(how),
        )

    def _open(self) -> list[Held]:
        """Positions that are not zero, each market of an account once."""
        held = [position for position in self.held if position.size != 0]
        if len(held) < len(self.held):
            self.notes.append(
                f"{counted(len(self.held) - len(held), 'position')} of size 0 left out"
            )
        if not held:
            hint = "Give a file with open positions"
            raise SurgetankError("there is no open position", place=self.place, hint=hint)
        seen: dict[tuple[str, str, bool], str] = {}
        for position in held:
            key = (position.owner, position.market, position.isolated)
            if key in seen:
                raise SurgetankError(
                    f"account {position.owner} has a second position in {position.market}; the "
                    f"first is at {seen[key]}",
                    place=position.place,
                    hint="Add the two up, or give the accounts different names",
                )
            seen[key] = position.place
            for what, usd in (("entry", position.entry_usd), ("mark", position.mark_usd)):
                if usd is not None and not _USD_MIN <= usd <= _USD_MAX:
                    raise SurgetankError(
                        f"{what} price {usd:g} is beyond {_USD_MIN:g} to {_USD_MAX:g} USD",
                        place=position.place,
                        hint=f"Correct it, or give its unit: --positions-units {what}_price=1e18",
                    )
        return held

    def _mark(self, name: str, held: Sequence[Held], given: Mapping[str, float]) -> float:
        stated = given.get(name, self.marks.get(name))
        if stated is not None:
            if not _USD_MIN <= stated <= _USD_MAX:
                hint = f"Give a price between {_USD_MIN:g} and {_USD_MAX:g}"
                what = f"mark price {stated:g} of {name} is out of bounds"
                raise SurgetankError(what, place=self.place, hint=hint)
            return stated
        found = [p.mark_usd for p in held if p.market == name and p.mark_usd is not None]
        if not found:
            raise SurgetankError(
                f"no mark price of {name}",
                place=self.place,
                hint=f"Add a column mark_price, or give --mark {name}=PRICE",
            )
        middle = float(median(found))
        if max(found) > middle * (1 + _MARKS_APART) or min(found) < middle * (1 - _MARKS_APART):
            raise SurgetankError(
                f"mark prices of {name} lie between {min(found):g} and {max(found):g}: they are "
                "not of one time",
                place=self.place,
                hint=f"Take a snapshot of one time, or give --mark {name}=PRICE",
            )
        return middle

    def _check_assets(self) -> None:
        for (owner, _), held in self.assets.items():
            for asset, amount in held.items():
                if amount < 0:
                    raise SurgetankError(
                        f"account {owner} has {amount:g} {asset} as collateral",
                        place=self.place,
                        hint="Leave debts out of the assets, and take their value off the "
                        "collateral, or give the equity",
                    )

    def _price(
        self, asset: str, marks: Mapping[str, float], given: Mapping[str, float] | None = None
    ) -> float:
        """Price of an asset: the one given, the file's, one USD, or the mark of its market."""
        found = _of_asset(asset, given or {}) or self.prices.get(asset)
        if found is None and asset.upper() in DOLLARS:
            return 1.0
        found = found or _of_asset(asset, marks)
        if found is None:
            raise SurgetankError(
                f"no price of {asset}, which accounts hold as collateral",
                place=self.place,
                hint=f"Give --mark {asset}=PRICE, or its price_usd in a JSON book",
            )
        if not _USD_MIN <= found <= _USD_MAX:
            hint = f"Give a price between {_USD_MIN:g} and {_USD_MAX:g}"
            what = f"price {found:g} of {asset} is out of bounds"
            raise SurgetankError(what, place=self.place, hint=hint)
        return found

    def _equity(
        self,
        held: Sequence[Held],
        marks: Mapping[str, float],
        units: Sequence[tuple[str, str]],
        given: Mapping[str, float],
    ) -> dict[tuple[str, str], float]:
        """Equity of each margin account at `marks`. One that the file states is at the file's own
        marks, from which those of the markets in `given` differ."""
        profit, moved = dict.fromkeys(units, 0.0), dict.fromkeys(units, 0.0)
        entryless = 0
        own: dict[str, float] = dict(self.marks)
        for p in held:
            mark = p.mark_usd or self.marks.get(p.market)
            if mark is not None:
                own[p.market] = mark
            if p.market in given and mark is not None:
                moved[p.unit] += p.size * (marks[p.market] - mark)
            if p.entry_usd is None:
                entryless += 1
            else:
                profit[p.unit] += p.size * (marks[p.market] - p.entry_usd)
        if entryless:
            self.notes.append(
                f"{counted(entryless, 'position')} without entry price: taken as at the mark"
            )
        found: dict[tuple[str, str], float] = {}
        first = {p.unit: p.place for p in reversed(held)}
        for unit in units:
            assets = self.assets.get(unit, {}).items()
            if unit in self.equity:
                moved[unit] += sum(n * self._moved(asset, marks, given, own) for asset, n in assets)
                found[unit] = self.equity[unit] + moved[unit]
                continue
            if unit not in self.cash:
                raise SurgetankError(
                    f"account {unit[0]} has neither collateral, equity nor leverage",
                    place=first[unit],
                    hint="Add one of these columns",
                )
            worth = sum(amount * self._price(asset, marks, given) for asset, amount in assets)
            found[unit] = self.cash[unit] + worth + profit[unit]
        return found

    def _moved(
        self,
        asset: str,
        marks: Mapping[str, float],
        given: Mapping[str, float],
        own: Mapping[str, float],
    ) -> float:
        """What one coin of an asset has gained since the file was written, whose marks are `own`;
        0 if the file has no price of it."""
        before = self.prices.get(asset) or _of_asset(asset, own)
        if before is None or asset.upper() in DOLLARS:
            return 0.0
        return self._price(asset, marks, given) - before


def _of_asset(asset: str, prices: Mapping[str, float]) -> float | None:
    """The price under the name of an asset, or of the market of its coin."""
    name, coin = asset.upper(), coin_of_asset(asset, staked=False)
    exact = [usd for of, usd in prices.items() if of.upper() == name]
    return next(iter([*exact, *(usd for of, usd in prices.items() if coin_of(of) == coin)]), None)


def coin_of(market: str) -> str:
    """The coin of a market's name: `ETH-USD`, `ETH/USD`, `ETHUSDT` and `ETH-PERP` are ETH."""
    name = re.split(r"[-/_:]", market.upper())[0]
    for quote in ("PERP", "USDT", "USDC", "USD"):
        name = name.removesuffix(quote) or name
    return name
