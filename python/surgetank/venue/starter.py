"""The venue that `surgetank init --venue` writes."""

from __future__ import annotations

from typing import Final

from surgetank.venue.keys import VenueKey

__all__ = ["STARTER", "starter_keys"]

STARTER: Final = """\
# A venue of your own: surgetank serve NAME.toml. Every key: docs/serve.md.
listen = "127.0.0.1:7400"       # the binary protocol
listen_http = "127.0.0.1:7480"  # page, metrics and health for operators; "off": none
# listen_ws = "127.0.0.1:7401"  # JSON-RPC over WebSocket: docs/websocket.md
data = "NAME-data"              # journal and snapshots
keys = "NAME.keys.toml"         # who may log on; mode 600; read again on SIGHUP
order = "fifo"                  # in a batch: fifo, fee, class, hash, "priority high=MASK"

# [tls]                         # encrypts both; read again on SIGHUP
# certificate = "NAME.crt.pem"
# key = "NAME.key.pem"          # mode 600

[market]                        # rules of the market, as in a scenario: docs/scenario.md
name = "BTC-PERP"
tick_usd = 0.1
lot = 0.001

[market.price.path]             # the price at which it opens; afterwards prices come by key
kind = "gbm"
start_usd = 60000.0
volatility = 0.0

[market.margin]
initial = 0.05
maintenance = 0.025

[[accounts]]                    # what accounts have at the opening
id = 1000
deposit_usd = 1_000_000.0

[[accounts]]
id = 1001
deposit_usd = 1_000_000.0

[intake]
waiting_max = 65536             # requests that wait to be sealed
account_open_max = 4096         # unanswered requests of an account

[journal]
snapshot_s = 300.0              # a snapshot after this time, if there were requests

[connections]
silent_s = 60.0                 # a silent client is cut
"""


def starter_keys() -> list[VenueKey]:
    """Keys with new secrets: two traders, and one that prices, liquidates and operates."""
    return [
        VenueKey.new("desk", 1000, "trade", "withdraw"),
        VenueKey.new("maker", 1001, "trade"),
        VenueKey.new("operator", 1, "price", "keeper", "operate"),
    ]
