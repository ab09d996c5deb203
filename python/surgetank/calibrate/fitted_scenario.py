"""Builds a scenario from estimates: replaces sections of the user's scenario, or of a plain one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from surgetank.calibrate.queueing import FittedQueue
from surgetank.scenario import Scenario
from surgetank.scenario.dotted import put

__all__ = ["broker", "plain", "rewritten"]

_CLASSES: Final = ("price_update", "liquidation_order", "cancel", "replace", "order")


def plain(name: str, rate_per_s: float, duration_s: float) -> Scenario:
    """Orders at random times, no reacting actors, no market: the flow that calibration itself
    sends."""
    return Scenario.build(
        {
            "name": name,
            "title": f"{name}: as calibrated",
            "duration_s": duration_s,
            "warmup_s": duration_s / 10,
            "drain_s": 5.0,
            "flow": {
                "arrivals": {"kind": "poisson", "rate_per_s": rate_per_s},
                "mix": {
                    "limit": 1,
                    "post_only": 0,
                    "market": 0,
                    "ioc": 0,
                    "cancel": 0,
                    "replace": 0,
                },
                "makers": {"count": 0},
                "oracle": {"count": 0},
                "keepers": {"count": 0},
            },
            "trace": {"receipts_every": 0},
        }
    )


def rewritten(scenario: Scenario, sections: Mapping[str, Any]) -> Scenario:
    """The scenario with whole sections replaced (dotted names), its faults left out: they belong to
    the venue that it described."""
    data = scenario.model_dump(mode="json", by_alias=True) | {"faults": []}
    for name, section in sections.items():
        put(data, name, section)
    return Scenario.build(data)


def class_times(mean_us: float) -> dict[str, float]:
    """The same mean for every class of messages."""
    return {f"{name}_us": mean_us for name in _CLASSES}


def broker(scenario: Scenario, queue: FittedQueue) -> Scenario:
    """A broker as one node that serves one message at a time, between a client and another.

    The whole base delay, there and back to the subscriber, is in the client's link.
    """
    return rewritten(
        scenario,
        {
            "network": {"nodes": 1, "uplink_mbps": 0.0},
            "flow.client_link": {"fixed_ms": queue.fixed_ms, "jitter_ms": queue.jitter_ms},
            "layer.gossip": {"kind": "direct"},
            "layer.queue": {"rule": "fifo", "ingress_max": 10_000_000, "mempool_max": 10_000_000},
            "layer.service": {
                "servers": 1,
                "validation": class_times(queue.service_us),
                "execution": class_times(0.0),
                "distribution": queue.distribution,
            },
            "layer.consensus": {
                "kind": "single",
                "window_ms": 0.0,
                "block_messages_max": 1_000_000,
            },
        },
    )
