"""The content of a position book, independent of the file's format."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from surgetank.number_format import counted
from surgetank.shown import Shown

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

__all__ = [
    *("DOLLARS", "BookMarket", "Floats", "HeldAsset", "Ints", "MarginAccount", "MarginTier"),
    *("PositionBook", "coin_of_asset"),
]

#: Assets that are worth one USD.
DOLLARS: Final = ("USD", "USDC", "USDC.E", "USDT", "USDT.E", "USDE", "DAI", "DAI.E", "FDUSD")
#: Tokens that are redeemed one for one against a coin, and staked ones, whose price is another.
_WRAPPED: Final = {
    "BTC": ("WBTC", "WBTC.E", "WBTC.B", "BTC.B", "TBTC", "CBBTC"),
    "ETH": ("WETH", "WETH.E"),
    "SOL": ("WSOL",),
    "AVAX": ("WAVAX",),
    "BNB": ("WBNB",),
}
_STAKED: Final = {
    "ETH": ("STETH", "WSTETH", "RETH", "CBETH", "WEETH"),
    "SOL": ("JITOSOL", "MSOL", "BNSOL"),
}


def coin_of_asset(asset: str, *, staked: bool = True) -> str:
    """The coin whose price an asset follows, in upper case: `WETH` and `stETH` follow ETH. Without
    `staked`, the coin whose price it has."""
    name = asset.upper()
    groups = (*_WRAPPED.items(), *(_STAKED.items() if staked else ()))
    return next((coin for coin, tokens in groups if name in tokens), name)


@dataclass(frozen=True)
class MarginTier:
    """Margin of the part of a position's notional above a bound, up to the next tier's."""

    above_usd: float
    initial: float
    """Initial margin over notional."""
    maintenance: float
    """Maintenance margin over notional."""


@dataclass(frozen=True)
class BookMarket:
    """A market of the book."""

    name: str
    mark_usd: float
    """Mark price at which the book was taken, USD per coin."""
    tiers: tuple[MarginTier, ...] = ()
    """Margin tiers, ascending, if the file gives them."""


@dataclass(frozen=True)
class MarginAccount:
    """A collateral unit: an account in cross mode, or one isolated position."""

    owner: str
    """The account in the user's file."""
    isolated: str
    """The market of the isolated position; empty: a cross account."""
    equity_usd: float
    """Collateral and unrealised profit at the mark prices, USD."""

    @property
    def label(self) -> str:
        """The owner, with the market of an isolated position."""
        return f"{self.owner} ({self.isolated})" if self.isolated else self.owner


class HeldAsset(NamedTuple):
    """An asset that an account holds as collateral."""

    account: int
    """Index of the account in the book."""
    asset: str
    amount: float
    """How much of it, coins."""
    price_usd: float

    @property
    def value_usd(self) -> float:
        """Amount × price."""
        return self.amount * self.price_usd


@dataclass(frozen=True, eq=False, repr=False)
class PositionBook(Shown):
    """Accounts with their positions.

    The arrays `position_*` are equally long: account (an index of `accounts`), market (an index of
    `markets`), signed size in coins (positive is long) and entry price in USD per coin. Account i
    is account i of a trace.
    """

    markets: tuple[BookMarket, ...]
    accounts: tuple[MarginAccount, ...]
    position_account: Ints
    position_market: Ints
    position_size: Floats
    position_entry_usd: Floats
    insurance_usd: float | None = None
    """The insurance fund, if the file gives it."""
    assets: tuple[HeldAsset, ...] = ()
    """Collateral that is not cash. Its value is part of the account's equity."""
    notes: tuple[str, ...] = ()
    """What was detected and assumed when the file was read."""
    file: str = ""
    """The file that was read; with the options below, it can be read again."""
    how: tuple[str, ...] = field(default=())
    """The command line's options with which it was read, without the file."""

    def in_short(self) -> str:
        """File, accounts and notional."""
        gross = float(np.abs(self.notional_usd).sum())
        accounts = counted(self.owners, "account")
        return f"{self.file or 'unnamed'}: {accounts}, {gross:,.0f} USD notional"

    @property
    def options(self) -> list[str]:
        """The command line's options that read it."""
        return ["--positions", self.file or "FILE", *self.how]

    @property
    def owners(self) -> int:
        """Number of accounts in the user's file that have a position."""
        return len({account.owner for account in self.accounts})

    @cached_property
    def equity_usd(self) -> Floats:
        """Equity of each account at the marks, USD."""
        return np.array([account.equity_usd for account in self.accounts], dtype=np.float64)

    @cached_property
    def notional_usd(self) -> Floats:
        """Signed notional of each position at the marks, USD."""
        marks = np.array([market.mark_usd for market in self.markets])
        found: Floats = self.position_size * marks[self.position_market]
        return found

    def by_account(self, values: Floats) -> Floats:
        """Sum over each account's positions, of one value for each position."""
        sums = np.bincount(self.position_account, values, minlength=len(self.accounts))
        return sums.astype(np.float64)

    @cached_property
    def leverage(self) -> Floats:
        """Notional of all positions over equity, by account; infinite without equity."""
        equity = self.equity_usd
        gross = self.by_account(np.abs(self.notional_usd))
        found = np.full(len(equity), math.inf)
        np.divide(gross, equity, out=found, where=equity > 0)
        return found

    @cached_property
    def hash(self) -> str:
        """BLAKE3 (hex) of its whole content: a part of the run's scenario hash."""
        return blake3(self.to_json().encode()).hexdigest()

    def capped(self, leverage: float) -> PositionBook:
        """The book with more collateral in accounts above this leverage: what brings them to it."""
        least = (self.by_account(np.abs(self.notional_usd)) / leverage).tolist()
        accounts = tuple(
            replace(account, equity_usd=max(account.equity_usd, equity))
            for account, equity in zip(self.accounts, least, strict=True)
        )
        return replace(self, accounts=accounts)

    def as_core(self) -> dict[str, list[Any]]:
        """The columns as the compiled core takes them, with the book's own market indices."""
        return {
            "equity_usd": self.equity_usd.tolist(),
            "position_account": self.position_account.tolist(),
            "position_market": self.position_market.tolist(),
            "position_size": self.position_size.tolist(),
            "position_entry_usd": self.position_entry_usd.tolist(),
        }

    def to_json(self) -> str:
        """The book as a file that `read_positions` reads, complete and exact."""
        return json.dumps(self._plain(), allow_nan=False, separators=(",", ":"))

    def to_csv(self) -> str:
        """The positions as a table that `read_positions` reads; without tiers, insurance fund and
        prices of assets."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        assets = list(dict.fromkeys(held.asset for held in self.assets))
        amounts = {(held.account, held.asset): held.amount for held in self.assets}
        head = ["account", "market", "mode", "size", "entry_price", "mark_price", "equity"]
        writer.writerow([*head, *(f"collateral_{asset}" for asset in assets)])
        for i, (size, entry) in enumerate(
            zip(self.position_size.tolist(), self.position_entry_usd.tolist(), strict=True)
        ):
            index = int(self.position_account[i])
            account = self.accounts[index]
            market = self.markets[int(self.position_market[i])]
            mode = "isolated" if account.isolated else "cross"
            row = [account.owner, market.name, mode, size, entry]
            held = [amounts.get((index, asset), "") for asset in assets]
            writer.writerow([*row, market.mark_usd, account.equity_usd, *held])
        return out.getvalue()

    def save(self, path: str | Path) -> Path:
        """Writes `to_json` into a file and returns its path."""
        target = Path(path)
        target.write_text(self.to_json() + "\n", encoding="utf-8")
        return target

    def _plain(self) -> dict[str, Any]:
        accounts: list[dict[str, Any]] = []
        for account in self.accounts:
            mode = "isolated" if account.isolated else "cross"
            head = {"account": account.owner, "mode": mode, "equity": account.equity_usd}
            accounts.append(head | {"positions": []})
        for i, (size, entry) in enumerate(
            zip(self.position_size.tolist(), self.position_entry_usd.tolist(), strict=True)
        ):
            name = self.markets[int(self.position_market[i])].name
            row = {"market": name, "size": size, "entry_price": entry}
            accounts[int(self.position_account[i])]["positions"].append(row)
        for index, asset, amount, price in self.assets:
            held = accounts[index].setdefault("assets", {})
            held[asset] = {"amount": amount, "price_usd": price}
        found: dict[str, Any] = {
            "markets": {market.name: _market(market) for market in self.markets}
        }
        if self.insurance_usd is not None:
            found["insurance_usd"] = self.insurance_usd
        return found | {"accounts": accounts}


def _market(market: BookMarket) -> dict[str, Any]:
    tiers = [
        {"above_usd": t.above_usd, "initial": t.initial, "maintenance": t.maintenance}
        for t in market.tiers
    ]
    return {"mark_price": market.mark_usd} | ({"tiers": tiers} if tiers else {})
