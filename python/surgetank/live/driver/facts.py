"""Builds the trace of a live run from the recordings of its processes.

The stamps of a message: created = when it was due; gateway = when the generator handed it over, so
that the generator's own lateness is the stage `client_link`; admitted and queued = the same, or
when the target accepted it; proposed and decided = when the target had put it in order,
or, where it does not say, when it was delivered; executed = its first delivery. With blocks,
proposed = when its block was. `confirmed_ns` is when it was acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from surgetank.live.driver.messages import Finished, Subscriber
from surgetank.live.driver.recording import Sending, State
from surgetank.live.driver.schedule import Schedule
from surgetank.live.options import LiveOptions
from surgetank.live.target import Block, Capabilities
from surgetank.native import build
from surgetank.scenario import Scenario
from surgetank.trace import CLASSES, LiveStats, Outcome, OutcomeReason, Run, Stats, Trace
from surgetank.trace.schema import empty_table
from surgetank.trace.stats import FaultError

__all__ = ["Played", "trace_of"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Played:
    """The recordings of a finished run."""

    schedule: Schedule
    sending: Sending
    """Times since the start of the run."""
    deliveries: npt.NDArray[Any]
    """Rows of `recording.DELIVERY`, in the order of arrival."""
    capabilities: Capabilities
    options: LiveOptions
    url: str
    version: str
    start_ns: int
    """`time.monotonic_ns()` at which the run's time is 0."""
    end_ns: int
    start_unix_ns: int
    finished: Mapping[str, Finished]
    """The final report of each process."""
    complete: bool
    blocks: Sequence[Block]
    faults: Sequence[Mapping[str, Any]]
    nodes: int
    run: int
    """The run's number on the wire."""
    fault_errors: Sequence[FaultError] = ()
    cpu_share: Mapping[str, float] = field(default_factory=dict)
    """Share of a core used by surgetank's processes other than publishers and subscriber, by
    name."""
    server_cores: float | None = None
    """Mean number of cores that the server kept busy; None where that cannot be read."""

    def first_ns(self) -> Ints:
        """Time of each message's first delivery since the start of the run, ns; −1 for never."""
        return _first(self)[0]

    @property
    def cores_busy(self) -> float | None:
        """Mean number of cores kept busy by clients, link proxy and server together; None where the
        server's cannot be read."""
        if self.server_cores is None:
            return None
        return self.server_cores + sum(self.shares().values())

    def shares(self) -> dict[str, float]:
        """Share of a core by process of surgetank."""
        clients = {
            name: part.cost.core_share for name, end in self.finished.items() for part in end.parts
        }
        return clients | dict(self.cpu_share)


def trace_of(played: Played, scenario: Scenario, seed: int) -> Trace:
    """The trace of a live run of a scenario."""
    deliveries = _deliveries(played)
    return Trace.from_tables(
        {
            "messages": _messages(played),
            "deliveries": deliveries,
            "receipts": _receipts(played, deliveries),
            "faults": pl.DataFrame(list(played.faults), schema=empty_table("faults").schema),
            **_chain(played),
        },
        run=Run(scenario.name, seed, scenario.hash, f"{build()} on {played.version}"),
        stats=_stats(played),
        complete=played.complete,
        scenario=scenario,
    )


def _first(played: Played) -> tuple[Ints, npt.NDArray[Any]]:
    """Time of each message's first delivery, and that delivery's row."""
    rows = played.deliveries
    n = len(played.schedule)
    by_time = np.argsort(rows["time_ns"], kind="stable")
    numbers, index = np.unique(rows["number"][by_time], return_index=True)
    first = np.full(n, -1, dtype=np.int64)
    which = np.full(n, -1, dtype=np.int64)
    which[numbers] = by_time[index]
    first[numbers] = rows["time_ns"][which[numbers]] - played.start_ns
    return first, which


def _messages(played: Played) -> pl.DataFrame:
    schedule, sending = played.schedule, played.sending
    n = len(schedule)
    zero = np.zeros(n, dtype=np.int64)
    first, which = _first(played)
    delivered = first >= 0
    outcome, reason = _outcomes(played, delivered)
    due, sent = schedule.due_ns, sending.sent_ns
    # A stamp is never earlier than the one before it: a timer may wake a few microseconds early.
    gateway = np.where(sent >= 0, np.maximum(sent, due), -1)
    executed = np.where(delivered & (sent >= 0), np.maximum(first, gateway), -1)
    decided = np.where(executed >= 0, _decided(played, which, gateway, executed), -1)
    position = np.full(n, -1, dtype=np.int64)
    order = np.argsort(np.where(delivered, which, n + len(played.deliveries)), kind="stable")
    position[order[: int(delivered.sum())]] = np.arange(int(delivered.sum()))
    height = np.full(n, -1, dtype=np.int64)
    height[delivered] = played.deliveries["height"][which[delivered]]
    stamps = {
        "gateway_ns": gateway,
        "admitted_ns": gateway,
        "queued_ns": gateway,
        "proposed_ns": _proposed(played, height, gateway, decided),
        "decided_ns": decided,
        "executed_ns": executed,
        "confirmed_ns": np.where(sending.state == State.ACKNOWLEDGED, sending.answered_ns, -1),
    }
    return pl.DataFrame(
        {
            "message": schedule.message,
            "class": schedule.class_number,
            "account": schedule.account,
            "gateway": schedule.account % played.nodes if played.capabilities.gossips else zero,
            "size_bytes": schedule.size_bytes,
            "outcome": outcome,
            "reason": reason,
            "tries": np.ones(n, dtype=np.int64),
            "source": schedule.source,
            "height": _or_null(height),
            "position": _or_null(position),
            "fee_micros": np.zeros(n, dtype=np.int64),
            "paid_micros": np.zeros(n, dtype=np.int64),
            "created_ns": due,
            **{name: _or_null(values) for name, values in stamps.items()},
        }
    )


def _decided(played: Played, which: Ints, gateway: Ints, executed: Ints) -> Ints:
    stamped = np.full(len(which), -1, dtype=np.int64)
    known = which >= 0
    stamped[known] = played.deliveries["decided_ns"][which[known]]
    decided = np.where(stamped >= 0, stamped - played.start_ns, executed)
    return np.clip(decided, gateway, executed)


def _proposed(played: Played, height: Ints, gateway: Ints, decided: Ints) -> Ints:
    """Time at which each message's block was proposed; the time of decision where there are no
    blocks."""
    if not played.blocks:
        return decided
    heights = np.array([block.height for block in played.blocks], dtype=np.int64)
    times = np.array([block.proposed_ns for block in played.blocks], dtype=np.int64)
    at = np.minimum(np.searchsorted(heights, height), len(heights) - 1)
    known = (decided >= 0) & (heights[at] == height)
    proposed = np.clip(times[at] - played.start_ns, gateway, np.maximum(decided, gateway))
    return np.where(known, proposed, decided)


def _or_null(values: Ints) -> pl.Series:
    return pl.Series(values).set(pl.Series(values < 0), None)


def _outcomes(played: Played, delivered: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Outcome and reason of each message. A delivered message counts as executed, whatever the
    target answered."""
    state = played.sending.state
    n = len(state)
    outcome, reason = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    acknowledges = played.capabilities.ack != "none"
    rows = (
        (
            State.SENT,
            Outcome.LOST,
            OutcomeReason.TIMED_OUT if acknowledges else OutcomeReason.PACKET_LOST,
        ),
        (State.ACKNOWLEDGED, Outcome.LOST, OutcomeReason.ACKNOWLEDGED_AND_LOST),
        (State.REFUSED, Outcome.REFUSED, OutcomeReason.TARGET_REFUSED),
        (State.DISCONNECTED, Outcome.LOST, OutcomeReason.DISCONNECTED),
        (State.NOT_SENT, Outcome.LOST, OutcomeReason.NOT_SENT),
    )
    for known, what, why in rows:
        which = state == known
        outcome[which], reason[which] = what, why
    outcome[delivered], reason[delivered] = Outcome.EXECUTED, OutcomeReason.NONE
    if not played.complete:
        # The run ended before these were answered, so their outcome is unknown.
        open_ends = [State.WAITING, State.SENT, State.ACKNOWLEDGED]
        unknown = ~delivered & np.isin(state, open_ends)
        outcome[unknown], reason[unknown] = Outcome.PENDING, OutcomeReason.NONE
    return outcome, reason


def _deliveries(played: Played) -> pl.DataFrame:
    rows = played.deliveries
    frame = pl.DataFrame(
        {
            "message": played.schedule.message[rows["number"]],
            "node": rows["node"],
            "time_ns": np.maximum(rows["time_ns"] - played.start_ns, 0),
        }
    )
    return frame.with_columns(
        pl.int_range(pl.len()).over("node").alias("position"),
        pl.int_range(pl.len()).over("message", "node").alias("copy"),
    )


def _receipts(played: Played, deliveries: pl.DataFrame) -> pl.DataFrame:
    """The first receipt of each message at each node, where messages spread from node to node."""
    if not played.capabilities.gossips:
        return empty_table("receipts")
    return deliveries.filter(pl.col("copy") == 0).select("message", "node", "time_ns")


def _chain(played: Played) -> dict[str, pl.DataFrame]:
    """The tables of blocks and executions, where the target makes blocks."""
    seen = [block for block in played.blocks if block.decided_ns >= played.start_ns]
    if not seen:
        return {}

    def since(time_ns: int) -> int:
        return max(0, time_ns - played.start_ns)

    columns = ("height", "round", "proposer", "messages", "size_bytes", "hash")
    blocks = [
        {name: getattr(block, name) for name in columns}
        | {name: since(getattr(block, name)) for name in ("proposed_ns", "decided_ns")}
        for block in seen
    ]
    executions = [
        {
            "height": block.height,
            "node": node,
            "decided_ns": since(block.decided_ns),
            "executed_ns": since(at),
        }
        for block in seen
        for node, at in block.executed_ns.items()
    ]
    return {"blocks": pl.DataFrame(blocks), "executions": pl.DataFrame(executions)}


def _stats(played: Played) -> Stats:
    schedule, sending = played.schedule, played.sending
    sent = sending.sent_ns >= 0
    late = np.maximum(sending.sent_ns - schedule.due_ns, 0)[sent]
    end = max(played.end_ns - played.start_ns, schedule.flow_end_ns if played.complete else 1)
    reasons: dict[str, int] = {}
    parts = [part for end in played.finished.values() for part in end.parts]
    for part in parts:
        for text, count in part.refusals.items():
            reasons[text] = reasons.get(text, 0) + count
    p50, p99, most = np.quantile(late, (0.5, 0.99, 1.0)) if len(late) else (0.0, 0.0, 0.0)
    return Stats(
        measured_from_ns=schedule.measured_from_ns,
        flow_end_ns=schedule.flow_end_ns,
        end_ns=end,
        nodes=played.nodes,
        expected_background=schedule.expected_background,
        background=schedule.background,
        live=LiveStats(
            target=played.url,
            version=played.version,
            ack=played.capabilities.ack,
            acks=tuple(played.capabilities.acks),
            ordered=played.capabilities.ordered,
            durable=played.capabilities.durable,
            redelivers=played.capabilities.redelivers,
            workers=played.options.workers,
            scheduled=len(schedule),
            sent=int(sent.sum()),
            not_sent=int((sending.state == State.NOT_SENT).sum()),
            lateness_p50_ns=float(p50),
            lateness_p99_ns=float(p99),
            lateness_max_ns=float(most),
            lateness_p99_max_ns=played.options.lateness_p99_ms * 1e6,
            cpu_share=played.shares(),
            cpu_share_max=played.options.cpu_share_max,
            server_cores=played.server_cores,
            refusals=reasons,
            target_errors=tuple(part.error for part in parts if part.error),
            fault_errors=tuple(played.fault_errors),
            foreign=sum(part.foreign for part in parts if isinstance(part, Subscriber)),
            start_unix_ns=played.start_unix_ns,
            run=played.run,
            sample=played.options.sample,
            classes=tuple(CLASSES[c] for c in sorted(set(schedule.class_number.tolist()))),
        ),
    )
