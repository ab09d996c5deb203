"""Assets of a position book among those that a scenario's market accepts as collateral."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from surgetank.errors import SurgetankError
from surgetank.positions import PositionBook
from surgetank.positions.assets import AssetRule
from surgetank.positions.draft import coin_of
from surgetank.positions.position_book import DOLLARS, coin_of_asset
from surgetank.scenario.market import Collateral, Market

__all__ = ["asset_columns", "asset_rules", "collateral_values"]


def _accepted(market: Market, book: PositionBook) -> dict[str, int | None]:
    """Index in `market.collateral` of each asset of the book, by its name there; None for a dollar
    that is not accepted as an asset, which is cash.

    Raises:
        SurgetankError: the market accepts no such asset.
    """
    names = [held.name.upper() for held in market.collateral]
    assets = list(dict.fromkeys(held.asset for held in book.assets))
    unknown = [a for a in assets if a.upper() not in names and a.upper() not in DOLLARS]
    if unknown:
        added = ", ".join(f'{{name="{name}", haircut=0.1}}' for name in unknown)
        cross = "" if market.margin.mode == "cross" else " --set market.margin.mode=cross"
        how = (
            f"Add {added} to market.collateral"
            if names
            else f"Accept it:{cross} --set 'market.collateral=[{added}]'"
        )
        raise SurgetankError(
            f"accounts hold {', '.join(unknown)} as collateral, which the scenario does not accept",
            place=book.file or "position book",
            hint=f"{how} (with the venue's haircut; with haircut=0, price_usd=1 it counts as cash: "
            "docs/positions.md)",
        )
    return {a: names.index(a.upper()) if a.upper() in names else None for a in assets}


def asset_columns(book: PositionBook, market: Market) -> dict[str, list[Any]]:
    """The assets as the core takes them: account, index in `market.collateral`, value in USD.

    Raises:
        SurgetankError: the market does not accept one.
    """
    accepted = _accepted(market, book)
    held = [one for one in book.assets if accepted[one.asset] is not None]
    return {
        "asset_account": [one.account for one in held],
        "asset_index": [accepted[one.asset] for one in held],
        "asset_usd": [one.value_usd for one in held],
    }


def asset_rules(market: Market, book: PositionBook) -> dict[str, AssetRule]:
    """How the market counts each asset of the book, by its name there.

    Raises:
        SurgetankError: the market does not accept one.
    """
    found = {}
    for name, index in _accepted(market, book).items():
        held = None if index is None else market.collateral[index]
        moves = held is not None and not held.price_usd
        found[name] = AssetRule(held.haircut if held else 0.0, moves)
    return found


def collateral_values(
    market: Market, book: PositionBook, renamed: Mapping[str, str], names: Sequence[str]
) -> list[dict[str, Any]]:
    """`market.collateral` once the book's markets are in the scenario.

    An asset without constant price that names no market, and that the book holds, is priced by the
    market of its own name or coin; a wrapped or staked coin by that of the coin. `renamed` are new
    names of the scenario's markets by their old ones, `names` the names of all markets, those of
    the book included.

    Raises:
        SurgetankError: the market does not accept an asset of the book.
    """
    used = {index for index in _accepted(market, book).values() if index is not None}
    found = []
    for index, held in enumerate(market.collateral):
        data = held.model_dump(mode="json")
        if held.market:
            data["market"] = renamed.get(held.market, held.market)
        elif index in used and not held.price_usd:
            data["market"] = _market_of(held, names)
        found.append(data)
    return found


def _market_of(held: Collateral, names: Sequence[str]) -> str:
    """The market of the asset's name, or of its coin; empty: there is none."""
    name, coin = held.name.upper(), coin_of_asset(held.name)
    exact = [one for one in names if one.upper() == name]
    return next(iter([*exact, *(one for one in names if coin_of(one) == coin)]), "")
