"""A scenario that opens with a user's position book."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

import numpy as np

from surgetank.errors import SurgetankError
from surgetank.number_format import usd
from surgetank.positions import PositionBook
from surgetank.positions.draft import coin_of
from surgetank.positions.position_book import BookMarket, MarginTier
from surgetank.scenario.book_assets import asset_columns, collateral_values
from surgetank.scenario.market import MARKETS_MAX, Market

__all__ = ["below_half_a_lot", "book_values", "columns_of", "tiers_of"]


def book_values(
    market: Market | None, book: PositionBook, *, place: str, known: str, event: str
) -> dict[str, Any]:
    """Values under dotted keys that put the book's accounts in place of the drawn ones.

    Each market's outside price is multiplied by a constant so that it starts at the book's mark
    price. Ticks are multiplied by the power of ten nearest to it, and the lot divided by that of
    the first, so that the value of a lot at a tick is as before, and so is every amount in USD.
    Markets that the scenario lacks are added; their prices move as the first one's.

    `place` is the scenario's name, `known` the hash of the book that the scenario has already,
    `event` its text.

    Raises:
        SurgetankError: if the scenario has no market, not room for those of the book, or does not
            accept its collateral assets.
    """
    if market is None:
        hint = "Add a [market], or take a scenario with one"
        raise SurgetankError("a position book needs a market", place=place, hint=hint)
    notional = np.abs(book.notional_usd)
    found: dict[str, Any] = {
        "positions_hash": book.hash,
        "positions_options": book.options,
        "market.positions.count": len(book.accounts),
        "market.positions.notional_usd": float(notional.sum()) / len(book.accounts),
    }
    if book.insurance_usd is not None:
        found["market.margin.insurance_usd"] = book.insurance_usd
    by_market = np.bincount(book.position_market, notional, minlength=len(book.markets))
    places = _places(market, book, by_market)
    found |= _first(market, _at(book, places, 0))
    tick_usd = found.get("market.tick_usd", market.tick_usd)
    further = [
        _perpetual(perpetual.model_dump(mode="json"), _at(book, places, i))
        for i, perpetual in enumerate(market.perpetuals, 1)
    ]
    new = [i for i in range(len(book.markets)) if i not in places]
    if 1 + len(further) + len(new) > MARKETS_MAX:
        what = f"{len(book.markets)} markets, and a scenario has at most {MARKETS_MAX}"
        raise SurgetankError(what, place=book.file, hint="Leave the smallest out")
    first_usd = book.markets[places[0]].mark_usd if places[0] is not None else _start(market)
    whole = float(by_market.sum())
    for i in new:
        one = book.markets[i]
        ten = 10.0 ** round(math.log10(one.mark_usd / first_usd))
        further.append(
            {
                "name": _name(one),
                "tick_usd": float(f"{tick_usd * ten:.12g}"),
                "price": {"path": {"kind": "follows", "start_usd": one.mark_usd}},
                "margin": _rates(one.tiers),
                "weight": float(f"{by_market[i] / whole:.6g}"),
            }
        )
    if further:
        found["market.perpetuals"] = further
    if market.collateral or book.assets:
        names = [found.get("market.name", market.name), *(one["name"] for one in further)]
        renamed = dict(zip(market.names, names, strict=False))
        found["market.collateral"] = collateral_values(market, book, renamed, names)
    if known != book.hash:
        found |= _texts(book, place, event, [book.markets[i].name for i in new])
    return found


def columns_of(
    book: PositionBook, market: Market, first_usd: float | None = None
) -> dict[str, list[Any]]:
    """The book as the core takes it, with the market indices of the scenario.

    `first_usd` is the first price of a recording, which the book's mark of the first market gives
    way to: its positions keep their notional, entry prices their ratio to the mark. Assets keep
    their value.

    Raises:
        SurgetankError: the market does not accept an asset of the book.
    """
    index = [market.names.index(_name(one)) for one in book.markets]
    columns = book.as_core() | asset_columns(book, market)
    columns["position_market"] = [index[i] for i in columns["position_market"]]
    if first_usd is not None and 0 in index:
        ratio = book.markets[index.index(0)].mark_usd / first_usd
        first = [i for i, m in enumerate(columns["position_market"]) if m == 0]
        for i in first:
            columns["position_size"][i] *= ratio
            columns["position_entry_usd"][i] /= ratio
    return columns


def tiers_of(market: Market, book: PositionBook) -> tuple[tuple[MarginTier, ...], ...]:
    """The margin tiers that a scenario with this market would apply in each market of the book."""
    by_market = np.bincount(
        book.position_market, np.abs(book.notional_usd), minlength=len(book.markets)
    )
    places = _places(market, book, by_market)
    found = []
    for i, one in enumerate(book.markets):
        rates = market.rates[places.index(i)] if i in places else market.margin
        given = [MarginTier(0.0, rates.initial, rates.maintenance)]
        given += [MarginTier(t.above_usd, t.initial, t.maintenance) for t in rates.tiers]
        found.append(one.tiers or tuple(given))
    return tuple(found)


def below_half_a_lot(market: Market, book: PositionBook) -> tuple[int, float]:
    """Number of positions that are no lot of the scenario's markets when rounded, so that they are
    left out, and their notional in USD.

    `market` is that of a scenario which opens with the book (`book_values`).
    """
    ticks_usd = (market.tick_usd, *(perpetual.tick_usd for perpetual in market.perpetuals))
    index = [market.names.index(_name(one)) for one in book.markets]
    lots = np.array([market.lot * market.tick_usd / ticks_usd[i] for i in index])
    small = np.abs(book.position_size) < lots[book.position_market] / 2
    return int(small.sum()), float(np.abs(book.notional_usd[small]).sum())


def _name(market: BookMarket) -> str:
    """The market's name as a scenario can have it."""
    return re.sub(r"[^\w.-]+", "-", market.name).strip("-")[:32] or "market"


def _places(market: Market, book: PositionBook, by_market: Any) -> list[int | None]:
    """For each market of the scenario the index of the book's market of that name, or of its coin;
    None: the book has none. If none is named, the largest of the book takes the first place."""
    found: list[int | None] = []
    for name in market.names:
        alike = [
            i
            for i, one in enumerate(book.markets)
            if i not in found and (_name(one) == name or coin_of(one.name) == coin_of(name))
        ]
        found.append(alike[0] if alike else None)
    if all(i is None for i in found):
        found[0] = int(np.argmax(by_market))
    return found


def _at(book: PositionBook, places: list[int | None], i: int) -> BookMarket | None:
    of = places[i]
    return None if of is None else book.markets[of]


def _start(market: Market) -> float:
    path = market.price.path.model_dump()
    prices = path.get("price_usd", [path.get("start_usd", 1.0)])
    return float(prices[0])


def _scaled(path: dict[str, Any], mark_usd: float) -> float:
    """Multiplies a price path so that it starts at the mark; returns the power of ten nearest to
    the factor. A tape's prices stay."""
    if path["kind"] == "tape":
        return 1.0
    if path["kind"] == "points":
        factor = mark_usd / path["price_usd"][0]
        path["price_usd"] = [mark_usd, *(usd * factor for usd in path["price_usd"][1:])]
    else:
        factor = mark_usd / path["start_usd"]
        path["start_usd"] = mark_usd
    return float(10.0 ** round(math.log10(factor)))


def _first(market: Market, one: BookMarket | None) -> dict[str, Any]:
    """Values of the first perpetual."""
    if one is None:
        return {}
    path = market.price.path.model_dump(mode="json")
    ten = _scaled(path, one.mark_usd)
    found: dict[str, Any] = {"market.name": _name(one)}
    for key in ("start_usd", "price_usd"):
        if key in path:
            found[f"market.price.path.{key}"] = path[key]
    if ten != 1.0:
        found["market.tick_usd"] = float(f"{market.tick_usd * ten:.12g}")
        found["market.lot"] = float(f"{market.lot / ten:.12g}")
    rates = _rates(one.tiers)
    if rates:
        found |= {f"market.margin.{key}": value for key, value in rates.items()}
        most = 1 / rates["initial"]
        for key in ("leverage_min", "leverage_max"):
            found[f"market.positions.{key}"] = min(getattr(market.positions, key), most)
    return found


def _perpetual(data: dict[str, Any], one: BookMarket | None) -> dict[str, Any]:
    """A further perpetual of the scenario, with the book's mark and tiers if it has that market."""
    if one is None:
        return data
    data["name"] = _name(one)
    data["tick_usd"] = float(
        f"{data['tick_usd'] * _scaled(data['price']['path'], one.mark_usd):.12g}"
    )
    return data | ({"margin": _rates(one.tiers)} if one.tiers else {})


def _rates(tiers: tuple[MarginTier, ...]) -> dict[str, Any] | None:
    """Margin rates as a scenario has them; None without tiers."""
    if not tiers:
        return None
    head = {"initial": tiers[0].initial, "maintenance": tiers[0].maintenance}
    return head | {"tiers": [asdict(tier) for tier in tiers[1:]]}


def _texts(book: PositionBook, name: str, event: str, new: list[str]) -> dict[str, Any]:
    """What the scenario says about itself: its accounts are the user's."""
    file = PurePath(book.file).name or "unnamed"
    whole = float(np.abs(book.notional_usd).sum())
    added = f" Prices of {', '.join(new)} move with the first market's." if new else ""
    return {
        "title": f"{name} on a position book: {file}",
        "event": f"The accounts are those of a position book, {file}: {book.owners:,} accounts "
        f"with {len(book.position_size):,} positions of {usd(whole)}; unlevered accounts hold "
        f"the other side.{added} The price path and the load are of: {event or name}",
    }
