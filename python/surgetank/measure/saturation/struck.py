"""Faults: not a resource, but a part of the layer taken away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from surgetank.measure.saturation.found import SECOND, Saturation
from surgetank.scenario.layer import Tendermint
from surgetank.trace import Source, Trace

__all__ = ["faults"]

#: What a delay is weighed against where nodes agree on no blocks: Tendermint's usual timeout.
_PATIENCE_MS: Final = 1_000.0


def faults(trace: Trace) -> Iterator[Saturation]:
    """The worst fault: how much it takes from how many nodes, 1 = it must halt the layer.

    How many: the share of nodes that it strikes over one third, at most 1 (more than a third is
    what no quorum survives). How much: 1 for a partition or crash; 1 − 1/factor for slow nodes; the
    probability of loss; extra/(extra + timeout_propose) for delays (1 s where there is none). Spam:
    its share of the messages of its time. A narrow bandwidth is not ranked: what it takes shows in
    the delays.
    """
    every = [_one(trace, row) for row in trace["faults"].unique("index").iter_rows(named=True)]
    if every:
        yield max(every, key=lambda found: (found.value, -found.at_s, found.what))


def _one(trace: Trace, row: dict[str, object]) -> Saturation:
    kind, text, index = str(row["kind"]), str(row["nodes"]), int(str(row["index"]))
    nodes, asked = max(1, trace.nodes), float(str(row["asked"]))
    groups = [group.split(",") for group in text.split("|") if group]
    named = [int(k) for group in groups for k in group if k != "-1"]
    clients = [group for group in groups if "-1" in group]
    if clients:
        struck = nodes - (len(clients[0]) - 1)  # Live: these nodes' clients are gone.
    elif kind == "partition":
        rest = trace.nodes - len(named)
        struck = nodes - max([rest, *(len(group) for group in groups)])
    else:
        struck = len(named) or nodes
    extent = min(1.0, 3 * struck / nodes)
    consensus = trace.scenario.layer.consensus
    patience_ms = (
        consensus.timeout_propose_ms if isinstance(consensus, Tendermint) else _PATIENCE_MS
    )
    taken = {
        "slow": 1 - 1 / asked if asked > 1 else 0.0,
        "loss": asked,
        "delay": asked / (asked + patience_ms) if asked > 0 else 0.0,
        "bandwidth": 0.0,
    }.get(kind, 1.0)
    value = _spam(trace, row) if kind == "spam" else extent * taken
    where = "all nodes" if not named else f"nodes {', '.join(str(k) for k in sorted(named))}"
    at_s, until_s = (int(str(row[c])) / SECOND for c in ("at_ns", "until_ns"))
    what = f"fault {index} ({kind}) struck {struck} of {trace.nodes} nodes"
    what += f" from {at_s:.1f} to {min(until_s, trace.end_ns / SECOND):.1f} s"
    return Saturation("faults", where, value, value, at_s, what)


def _spam(trace: Trace, row: dict[str, object]) -> float:
    during = pl.col("created_ns").is_between(int(str(row["at_ns"])), int(str(row["until_ns"])))
    sources = trace["messages"].filter(during)["source"]
    return float((sources == Source.SPAM).sum()) / max(1, len(sources))
