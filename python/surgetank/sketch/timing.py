"""When each node gets past each step of a sketch.

Every node takes the steps in their order; it stops only at a condition, until enough messages have
come. All rounds are computed at once. The time of a step is a monotone function (least of, greatest
of, n-th of, sum) of the times of steps before it at this and other nodes. The equations are solved
by repetition from "never": each pass can only bring times forward, and since no message is faster
than nothing and none is sent before the step before it, the solution is that of the events in their
order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from surgetank.sketch.protocol import (
    Await,
    Barrier,
    Condition,
    Either,
    Send,
    SendKind,
    SketchProtocol,
    ThresholdUnit,
)

__all__ = ["SketchRounds", "step_times"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SketchRounds:
    """Rounds over n nodes."""

    delay_ms: Array
    """(rounds, n, n), from row to column, ms."""
    proposer: NDArray[np.int64]
    """(rounds,): who proposes."""
    powers: list[int]
    silent: NDArray[np.bool_]
    """(n,): who never sends anything."""
    uplink_mbps: float = 0.0
    """Of every node: copies of a message leave one after another; 0 = unlimited."""


@dataclass(eq=False)
class _Pass:
    """One pass through the steps, for all rounds and nodes."""

    setting: SketchRounds
    heard: dict[int, Array]
    """By message: when each node (last axis) has it of each sender, as of the pass before."""
    sent: dict[int, Array] = field(default_factory=dict)
    """Likewise, of this pass so far."""

    def __post_init__(self) -> None:
        rounds, n, _ = self.setting.delay_ms.shape
        self.now: Array = np.zeros((rounds, n))
        self.uplink_free: Array = np.zeros((rounds, n))
        self.is_proposer = np.arange(n) == self.setting.proposer[:, None]

    def send(self, step: Send) -> None:
        """Adds the arrivals of a message to those that are known."""
        rounds, n = self.now.shape
        is_sender = self.is_proposer if step.kind is SendKind.PROPOSE else ~self.setting.silent
        at = np.where(is_sender & ~self.setting.silent, self.now, np.inf)
        reached = np.ones((rounds, 1, n), dtype=np.bool_)
        if step.kind is SendKind.REPLY:
            reached = self.is_proposer[:, None, :]
        arrival = np.where(reached, self._departures(step, at) + self.setting.delay_ms, np.inf)
        own = np.arange(n)
        # Its own message a node has at once, without network; of a reply only the proposer.
        keeps = self.is_proposer if step.kind is SendKind.REPLY else np.ones_like(self.is_proposer)
        arrival[:, own, own] = np.where(keeps, at, np.inf)
        known = self.sent.get(step.message)
        # Each sender counts once: with the first message of this number.
        self.sent[step.message] = arrival if known is None else np.minimum(known, arrival)

    def _departures(self, step: Send, at: Array) -> Array:
        """When each copy has left: (rounds, n, n), or with one column if all leave at once."""
        n = at.shape[1]
        copy_ms = 0.0
        if self.setting.uplink_mbps:
            copy_ms = step.size_bytes * 8 / (self.setting.uplink_mbps * 1e3)
        if not copy_ms:
            return at[:, :, None]
        begin = np.maximum(at, self.uplink_free)
        one = step.kind is SendKind.REPLY
        # In the order of their numbers, beginning after the sender's own.
        turn = np.ones((n, n)) if one else (np.arange(n)[None, :] - np.arange(n)[:, None]) % n
        copies = 1 if one else n - 1
        self.uplink_free = np.where(np.isfinite(begin), begin + copies * copy_ms, self.uplink_free)
        return begin[:, :, None] + turn * copy_ms

    def wait(self, condition: Condition) -> tuple[Array, Array]:
        """When the condition holds at each node, and when the node goes on."""
        if isinstance(condition, Await):
            return self._wait_for(condition)
        one, other = self.wait(condition.first), self.wait(condition.second)
        if isinstance(condition, Either):
            first = one[0] <= other[0]
            return np.minimum(one[0], other[0]), np.where(first, one[1], other[1])
        return np.maximum(one[0], other[0]), np.maximum(one[1], other[1])

    def _wait_for(self, one: Await) -> tuple[Array, Array]:
        known = [
            a for a in (self.heard.get(one.message), self.sent.get(one.message)) if a is not None
        ]
        arrival = known[0] if len(known) == 1 else np.minimum(*known)
        order = np.argsort(arrival, axis=1, kind="stable")
        ascending = np.take_along_axis(arrival, order, axis=1)
        n, ms = self.now.shape[1], one.per_message_ms
        powers = [1] * n if one.quorum.unit is ThresholdUnit.NODES else self.setting.powers
        power = np.cumsum(np.array(powers, dtype=np.float64)[order], axis=1)
        enough = power >= one.quorum.needed(powers)
        last = np.argmax(enough, axis=1)
        # Processed one at a time: f(j) = max(f(j - 1), a(j)) + ms, and f before the first is now.
        turn = np.arange(n)[None, :, None]
        latest = np.maximum.accumulate(ascending - turn * ms, axis=1)
        latest = np.take_along_axis(latest, last[:, None, :], axis=1)[:, 0, :]
        met = np.maximum(latest, self.now) + (last + 1) * ms
        met = np.where(enough.any(axis=1), met, np.inf)
        if one.proposer_only:
            met = np.where(self.is_proposer, met, self.now)
            return met, np.where(self.is_proposer, met + one.after_ms, self.now)
        return met, met + one.after_ms


def step_times(protocol: SketchProtocol, setting: SketchRounds) -> list[Array]:
    """For each barrier of the protocol: when it is passed, ms since the proposal; shape (rounds,
    nodes). Infinite: never. Where only the proposer waits, the times of others are not of interest.
    """
    heard: dict[int, Array] = {}
    before: list[Array] | None = None
    while True:
        run, times = _Pass(setting, heard), []
        for step in protocol.steps:
            if isinstance(step, Send):
                run.send(step)
                continue
            met, run.now = run.wait(step.condition) if _is_known(step, run) else _never(run)
            times.append(met)
        if before is not None and all(map(np.array_equal, before, times)):
            return times
        heard, before = run.sent, times


def _is_known(step: Barrier, run: _Pass) -> bool:
    """Whether each message that is waited for was sent in this pass or the one before."""

    def messages(condition: Condition) -> set[int]:
        if isinstance(condition, Await):
            return {condition.message}
        return messages(condition.first) | messages(condition.second)

    return messages(step.condition) <= run.heard.keys() | run.sent.keys()


def _never(run: _Pass) -> tuple[Array, Array]:
    never = np.full_like(run.now, np.inf)
    return never, never
