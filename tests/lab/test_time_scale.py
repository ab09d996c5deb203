"""Time has no scale of its own: where every time of a scenario is doubled, every delay is."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import surgetank as st
from synchrony_worlds import SINGLE, TENDERMINT, crash, venue

SPANS = ("_s", "_ms", "_us", "_ns")
RATES = ("_per_s", "_mbps")
HOTSTUFF = {"kind": "hotstuff"}
SIMPLEX = {"kind": "simplex"}
BULLSHARK = {"kind": "bullshark"}
TUSK = {"kind": "tusk"}
FAIR = {"layer.gossip": {"kind": "flood"}, "layer.queue": {"rule": "median"}}
LOSS = {"kind": "loss", "at_s": 3.0, "duration_s": 6.0, "nodes": [1, 2], "probability": 0.9}
#: CUBIC's constant has a time in it; NewReno has none.
NEWRENO = {"network.connections.congestion": "newreno"}
TCP = NEWRENO | {"network.transport": "tcp"}
QUIC = NEWRENO | {"network.transport": "quic"}
PEER_BY_PEER = {"layer.reactor.sleep_ms": 64.0, "layer.reactor.part_kb": 4}
#: What draws its spans would round them to whole nanoseconds.
EXACT = {
    "flow.arrivals": {"kind": "deterministic", "rate_per_s": 125.0},
    "flow.client_link.jitter_ms": 0.0,
    "network.delay.jitter": 0.0,
}


def doubled(value: Any, name: str = "") -> Any:
    """The section with all its times doubled and its rates halved."""
    if isinstance(value, dict):
        return {key: doubled(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [doubled(one, name) for one in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if name.endswith(RATES) or name == "per_s":
        return value / 2
    return 2 * value if name.endswith(SPANS) else value


def tables(scenario: st.Scenario) -> dict[str, pl.DataFrame]:
    trace = st.simulate(scenario, seed=3)
    assert trace.stats.safety
    return {name: trace[name] for name in ("messages", "blocks", "executions", "receipts")}


@pytest.mark.parametrize(
    ("consensus", "more", "fault"),
    [
        (TENDERMINT, {}, crash([1, 4])),
        (TENDERMINT, {}, LOSS),
        (TENDERMINT, {"layer.gossip": {"kind": "mesh"}}, crash([1, 4])),
        ({**TENDERMINT, "timeout_propose_ms": 300.0, "rebroadcast_ms": 70.0}, {}, crash([1, 4])),
        (HOTSTUFF, {}, crash([1, 4])),
        (HOTSTUFF, {}, LOSS),
        (BULLSHARK, {}, crash([1, 4])),
        (BULLSHARK, {}, LOSS),
        (TUSK, {}, crash([1, 4])),
        (TUSK, {}, LOSS),
        (TENDERMINT, TCP, crash([1, 4])),
        (TENDERMINT, QUIC, crash([1, 4])),
        (TENDERMINT, TCP | {"network.uplink_mbps": 2.0}, crash([1, 4])),
        (TENDERMINT, TCP | {"network.connections.rate_mbps": 1.0}, LOSS),
        (TENDERMINT, TCP, LOSS),
        (TENDERMINT, TCP | PEER_BY_PEER, LOSS),
        (TENDERMINT, PEER_BY_PEER, crash([1, 4])),
        (TENDERMINT, QUIC, LOSS),
        (HOTSTUFF, TCP, LOSS),
        (SIMPLEX, TCP, LOSS),
        (SIMPLEX, {}, crash([1, 4])),
        (SIMPLEX, {}, LOSS),
        (SIMPLEX, {"layer.gossip": {"kind": "mesh"}}, crash([1, 4])),
        (SINGLE, {}, crash([1, 4])),
        (SINGLE, {}, LOSS),
        (SINGLE, FAIR, LOSS),
    ],
)
def test_where_every_time_is_doubled_every_delay_is(
    consensus: dict[str, Any], more: dict[str, Any], fault: dict[str, Any]
) -> None:
    """To the nanosecond. Before, a node that missed blocks waited for an answer as long as ever."""
    scenario = venue([fault], consensus=consensus).with_values(EXACT | more)
    twice = st.Scenario.build(doubled(scenario.model_dump(mode="json", by_alias=True)))
    once, slower = tables(scenario), tables(twice)
    for name, table in once.items():
        times = [column for column in table.columns if column.endswith("_ns")]
        kept = table.select(pl.exclude("hash")).with_columns(pl.col(times) * 2)
        assert slower[name].select(pl.exclude("hash")).equals(kept), name
