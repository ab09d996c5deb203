"""The formats of recordings, one file for each venue or vendor.

A format declares its shape: a capture, the messages that it recognises; a table, the columns that
it needs. The first table that fits is taken, so that those that need more stand before the others.
"""

from typing import Final

from surgetank.tape.formats.binance import Binance
from surgetank.tape.formats.bybit import Bybit
from surgetank.tape.formats.capture import Capture
from surgetank.tape.formats.deribit import Deribit
from surgetank.tape.formats.dydx import Dydx
from surgetank.tape.formats.hyperliquid import Hyperliquid
from surgetank.tape.formats.lighter import Lighter
from surgetank.tape.formats.okx import Okx
from surgetank.tape.formats.orders import Orders
from surgetank.tape.formats.plain import Bars, Prices, Quotes, Trades
from surgetank.tape.formats.table import Table
from surgetank.tape.formats.tardis import (
    TardisBook,
    TardisLiquidations,
    TardisQuotes,
    TardisTicker,
    TardisTrades,
)

__all__ = ["CAPTURES", "NAMES", "TABLES", "Capture", "Table"]

CAPTURES: Final[tuple[type[Capture], ...]] = (
    Binance,
    Bybit,
    Okx,
    Deribit,
    Hyperliquid,
    Dydx,
    Lighter,
)
TABLES: Final[tuple[type[Table], ...]] = (
    TardisTicker,
    TardisBook,
    TardisTrades,
    TardisLiquidations,
    TardisQuotes,
    Orders,
    Bars,
    Quotes,
    Trades,
    Prices,
)
#: All names for `--format`.
NAMES: Final = (*(venue.name for venue in CAPTURES), *(table.name for table in TABLES))
