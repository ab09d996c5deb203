"""The messages to send and their due times, computed before the run by the simulator's own flow
machines.

The messages are those of the simulated run of the same name: same seed, same arrivals, classes,
accounts and sizes. Actors that react (makers, keepers, panicking traders) react as in the
simulation, so that a live run and its simulation can be compared message by message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from surgetank.errors import SurgetankError
from surgetank.live.options import LiveOptions
from surgetank.scenario import Scenario
from surgetank.simulate import simulate
from surgetank.trace import MessageClass, Trace

__all__ = ["Schedule"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Schedule:
    """n messages in order of due time; row i is message number i on the wire."""

    due_ns: Ints
    """Shape (n,), since the start of the run, ascending."""
    class_number: Ints
    account: Ints
    size_bytes: Ints
    """Payload size of each message, bytes."""
    source: Ints
    message: Ints
    """Number of each message in the simulated run of the same name."""
    measured_from_ns: int
    flow_end_ns: int
    drain_ns: int
    """Time that answers are waited for after the flow has ended, ns."""
    expected_background: float | None = None
    """Integral of the background rate, in messages; None where a tape sends them."""
    background: int | None = None
    """Background messages that the simulation sent; None for a schedule not made from a
    scenario."""

    def __len__(self) -> int:
        return len(self.due_ns)

    @classmethod
    def of(cls, scenario: Scenario, seed: int) -> Self:
        """The schedule of a scenario.

        Raises:
            SurgetankError: the scenario cannot be simulated, or sends nothing.
        """
        simulated = [f for f in scenario.faults if not getattr(f, "live_only", False)]
        flow = scenario
        if len(simulated) < len(scenario.faults):
            flow = scenario.with_values({"faults": [f.model_dump(mode="json") for f in simulated]})
        if _is_plain(flow):
            # The same messages at a multiple of the rate.
            flow = flow.with_values({"layer.service": {}, "layer.queue.ingress_max": 0})
        return cls.from_trace(simulate(flow, seed=seed), scenario)

    @classmethod
    def from_trace(cls, trace: Trace, scenario: Scenario) -> Self:
        """The schedule of a trace's messages."""
        rows = (
            trace["messages"]
            .filter(pl.col("created_ns") < trace.flow_end_ns)
            .sort("created_ns", "message")
        )
        if rows.is_empty():
            raise SurgetankError(
                "nothing is ever sent",
                place=f"scenario {scenario.name}",
                hint="Give `flow.arrivals` a rate",
            )
        take = {
            name: rows[name].to_numpy().astype(np.int64)
            for name in ("created_ns", "class", "account", "size_bytes", "source", "message")
        }
        return cls(
            take["created_ns"],
            take["class"],
            take["account"],
            take["size_bytes"],
            take["source"],
            take["message"],
            trace.measured_from_ns,
            trace.flow_end_ns,
            int(scenario.drain_s * 1e9),
            trace.stats.expected_background,
            trace.stats.background,
        )

    @classmethod
    def plain(
        cls,
        due_ns: Ints,
        *,
        class_name: str = "order",
        size_bytes: int = 128,
        accounts: int = 64,
        drain_s: float = 2.0,
        end_ns: int | None = None,
    ) -> Self:
        """Messages of one class at given times (for calibration and benchmarks)."""
        due = np.sort(np.asarray(due_ns, dtype=np.int64))
        n = len(due)
        number = np.arange(n, dtype=np.int64)
        end = int(due[-1]) + 1 if end_ns is None else end_ns
        return cls(
            due,
            np.full(n, MessageClass.named(class_name), dtype=np.int64),
            number % accounts,
            np.full(n, size_bytes, dtype=np.int64),
            np.zeros(n, dtype=np.int64),
            number,
            0,
            end,
            int(drain_s * 1e9),
        )

    def bounded(self, options: LiveOptions) -> None:
        """Checks the bounds.

        Raises:
            SurgetankError: it is longer, larger or faster than allowed.
        """
        seconds = (self.flow_end_ns + self.drain_ns) / 1e9
        busiest = int(np.bincount(self.due_ns // 1_000_000_000).max()) if len(self) else 0
        for what, value, most, flag in (
            ("messages", len(self), options.messages_max, "--messages-max"),
            ("seconds", seconds, options.seconds_max, "--seconds-max"),
            ("messages in one second", busiest, options.rate_max_per_s, "--rate-max"),
        ):
            if value > most:
                raise SurgetankError(
                    f"the run has {value:,.0f} {what}, more than the {most:,.0f} allowed",
                    place="live run",
                    hint=f"Lower the load, or raise {flag}",
                )


def _is_plain(scenario: Scenario) -> bool:
    """Whether no sender waits for an answer: all messages are background messages and none
    withdraws another, so that the messaging layer does not affect what is sent."""
    flow = scenario.flow
    senders = (flow.makers.count, flow.oracle.count, flow.keepers.count, flow.retry.tries_max)
    withdrawals = (flow.mix.cancel, flow.mix.replace, flow.panic.rate_per_s_per_pct)
    return (
        scenario.market is None
        and scenario.attack.kind == "none"
        and not scenario.faults
        and not any(senders)
        and not any(withdrawals)
        and not flow.replay_messages
        and scenario.layer.tuning.controller == "none"
    )
