"""A venue that surgetank starts for messages: one market, and accounts that can always pay."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

from surgetank.live.systems.venue.orders import ACCOUNTS, FIRST_ACCOUNT
from surgetank.live.target import Where
from surgetank.live.venue.server import VenueServer
from surgetank.venue.config import VenueConfig
from surgetank.venue.genesis import genesis_of
from surgetank.venue.keys import VenueKey, write_keys

__all__ = ["KEY", "MessageVenue"]

#: Name of the key with which clients log on.
KEY: Final = "rig"
_CASH_QUANTA: Final = 10**18
_MARKET: Final = {
    "name": "BTC-PERP",
    "tick_usd": 0.1,
    "lot": 0.001,
    "price": {"path": {"kind": "gbm", "start_usd": 60_000.0, "volatility": 0.0}},
    "margin": {"initial": 0.05, "maintenance": 0.025},
}
#: Every account's requests fit into the venue's own bound, ClOrdIDs of all runs are remembered, and
#: the whole journal can be read again.
_SETTINGS: Final = """\
genesis = "genesis.json"
keys = "keys.toml"
order = "{order}"

[intake]
account_open_max = 65_536
remembered_max = 50_000_000

[journal]
segments_kept = 1_000_000
snapshot_s = 1e6
snapshot_requests = 2_000_000_000

[connections]
silent_s = 1e6
outbound_bytes_max = 1_000_000_000
history_bytes_max = 1_000_000_000
"""


class MessageVenue(VenueServer):
    """One venue on loopback. The option `order` is its rule for a batch (docs/serve.md)."""

    name: ClassVar[str] = "surgetank venue"

    def start(self) -> Where:
        """Writes its files and starts it; see `Server.start`."""
        self.data[0].mkdir(parents=True, exist_ok=True)
        keys = self.folder / "keys.toml"
        write_keys(keys, [VenueKey.new(KEY, 0, "trade", "on-behalf")])
        content = json.dumps(_genesis())
        (self.folder / "genesis.json").write_text(content, encoding="utf-8")
        rule = json.dumps(self.where.options.get("order", "fifo"))[1:-1]
        settings = _SETTINGS.format(order=rule)
        (self.folder / "venue.toml").write_text(settings, encoding="utf-8")
        self.restart()
        at = ("127.0.0.1", self.port)
        options = {**self.where.options, "keys": str(keys)}
        return replace(self.where, host=at[0], port=at[1], addresses=(at,), options=options)


def _genesis() -> dict[str, Any]:
    config = VenueConfig.model_validate({"market": _MARKET})
    genesis = genesis_of(config, Path())
    deposit = {"account": FIRST_ACCOUNT, "count": ACCOUNTS, "cash": _CASH_QUANTA, "mode": "cross"}
    return genesis | {"entries": [*genesis["entries"], {"deposit": deposit}]}
