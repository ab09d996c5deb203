"""A raw Binance USD-M WebSocket capture, as hftbacktest records them: `<local ns> <json>` a line.

- `trade` → a market order of the taker's side (`m` = the buyer was the maker → a sell).
- `depthUpdate` → a message for every changed level: quantity 0 is a cancel, a level already known a
  replace, another a new limit order. Levels stand in for orders: the feed does not show orders.
- `bookTicker` → a price, the mid.
- A snapshot of the book (`lastUpdateId`) is not flow: it sets which levels are known.

Times are the recorder's local clock.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from surgetank.tape.columns import Columns
from surgetank.tape.lines import broken, lines

BUY, SELL = 1, 2
CANCEL, REPLACE, ORDER = 2, 3, 4


def read(path: Path) -> Columns:
    """Every message of the capture.

    Raises:
        SurgetankError: naming file and line.
    """
    columns = Columns(path)
    levels: dict[tuple[int, str], int] = {}
    alive: set[int] = set()
    for number, text in lines(path):
        stamp, _, payload = text.partition(" ")
        try:
            line = json.loads(payload)
            at, data = int(stamp), line if "lastUpdateId" in line else line["data"]
        except (ValueError, KeyError, TypeError, RecursionError):
            hint = "A line is `<local ns> <json with data>`"
            raise broken(path, number, "not a line of a capture", hint) from None
        columns.tick(number, at)
        try:
            _take(data, columns, levels, alive)
        except (ValueError, KeyError, TypeError, OverflowError):
            what = f"a {data.get('e', 'message') if isinstance(data, dict) else 'message'}"
            hint = "Record it again, or leave the line out"
            raise broken(path, number, f"{what} that cannot be read", hint) from None
    return columns


def _take(
    data: dict[str, Any],
    columns: Columns,
    levels: dict[tuple[int, str], int],
    alive: set[int],
) -> None:
    if "lastUpdateId" in data:
        for side, book in ((BUY, data["bids"]), (SELL, data["asks"])):
            alive.update(levels.setdefault((side, price), len(levels) + 1) for price, _ in book)
        return
    match data.get("e"):
        case "trade":
            side = SELL if data["m"] else BUY
            columns.message(ORDER, side, float(data["p"]), float(data["q"]), 0)
        case "bookTicker":
            columns.price((float(data["b"]) + float(data["a"])) / 2)
        case "depthUpdate":
            for side, changed in ((BUY, data["b"]), (SELL, data["a"])):
                for price, quantity in changed:
                    key = levels.setdefault((side, price), len(levels) + 1)
                    usd, coins = float(price), float(quantity)
                    if coins == 0:
                        if key in alive:
                            alive.discard(key)
                            columns.message(CANCEL, side, usd, 0.0, key)
                    else:
                        columns.message(REPLACE if key in alive else ORDER, side, usd, coins, key)
                        alive.add(key)
