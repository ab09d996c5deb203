"""Impact of faults: the part of the layer that a fault takes away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from surgetank.measure.saturation.resource_use import SECOND, Saturation
from surgetank.scenario.faults import KINDS
from surgetank.trace import Source, Trace
from surgetank.trace.frames import groups_of

__all__ = ["faults"]

#: Reference for added delays where there is no consensus: Tendermint's default timeout.
_PATIENCE_MS: Final = 1_000.0


def faults(trace: Trace) -> Iterator[Saturation]:
    """The worst fault: its severity times the share of nodes affected, 1 = it must halt the layer.

    How many: the share of the voting power that it affects over one third, at most 1 (a quorum
    does not survive the loss of more than a third). How much: the severity of its kind
    (`scenario.faults`), where delays are compared with timeout_propose (1 s where there is none). A
    fault that sends messages: its share of the messages of its time.
    """
    rows = trace["faults"].unique("index").iter_rows(named=True)
    # The severity of a kind that the scenario does not know is unknown, too.
    every = [_one(trace, row) for row in rows if row["kind"] in KINDS]
    if every:
        yield max(every, key=lambda found: (found.value, -found.at_s, found.what))


def _one(trace: Trace, row: dict[str, object]) -> Saturation:
    kind, index, weights = str(row["kind"]), int(str(row["index"])), trace.weights.tolist()
    section = KINDS[kind]
    groups = groups_of(str(row["nodes"]))
    named = [node for group in groups for node in group if node >= 0]
    struck = section.struck(groups, weights)
    extent = min(1.0, 3 * sum(weights[node] for node in struck if node >= 0) / max(1, sum(weights)))
    patience_ms = trace.scenario.layer.consensus.proposal_timeout_ms or _PATIENCE_MS
    if section.sends_messages:
        value = _spam(trace, row)
    else:
        value = extent * section.severity(float(str(row["asked"])), patience_ms)
    where = "all nodes" if not named else f"nodes {', '.join(str(k) for k in sorted(named))}"
    at_s, until_s = (int(str(row[c])) / SECOND for c in ("at_ns", "until_ns"))
    what = f"fault {index} ({kind}) affected {len(struck)} of {trace.nodes} nodes"
    what += f" from {at_s:.1f} to {min(until_s, trace.end_ns / SECOND):.1f} s"
    return Saturation("faults", where, value, value, at_s, what)


def _spam(trace: Trace, row: dict[str, object]) -> float:
    during = pl.col("created_ns").is_between(int(str(row["at_ns"])), int(str(row["until_ns"])))
    sources = trace["messages"].filter(during)["source"]
    return float((sources == Source.SPAM).sum()) / max(1, len(sources))
