"""Short runs of `calm` in which one resource is made scarce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CLASSES = ("price_update", "liquidation_order", "cancel", "replace", "order")
SHORT: dict[str, Any] = {"duration_s": 12.0, "warmup_s": 2.0, "drain_s": 3.0}
FALL: dict[str, Any] = {
    "market.price.path": {
        "kind": "points",
        "at_s": [0.0, 4.0, 6.0, 12.0],
        "price_usd": [60_000.0, 60_000.0, 58_300.0, 58_200.0],
    }
}
#: 60 ms for a proposal to be made, to travel and to be validated: too few between continents.
HASTY = {
    "layer.consensus.timeout_propose_ms": 60.0,
    "layer.consensus.timeout_propose_delta_ms": 20.0,
}


def each(stage: str, us: float) -> dict[str, float]:
    """The same service time for every class of client message."""
    return {f"layer.service.{stage}.{name}_us": us for name in CLASSES}


SCARCE: dict[str, Mapping[str, Any]] = {
    "uplink": {"network.uplink_mbps": 4.0},
    "downlink": {"network.downlink_mbps": 4.0},
    "validation": each("validation", 4_000.0),
    "consensus-validation": {"layer.service.validation.vote_us": 45_000.0},
    "execution": each("execution", 5_000.0),
    "block-space": {"layer.consensus.block_messages_max": 50},
    "mempool": {"layer.queue.mempool_max": 60},
    "ingress-queue": {"layer.queue.ingress_max": 0},
    "consensus-timeouts": HASTY,
    "keepers": FALL | {"flow.keepers.count": 1, "flow.keepers.orders_max": 1},
    "book-depth": FALL | {"flow.makers.count": 0, "flow.mix.limit": 0.001, "flow.mix.post_only": 0},
}
