"""The interface of user extensions: a queue rule or a controller written in Python.

A queue rule is made without arguments, twice for every node: for the queue before validation and
for the queue before ordering. It is called for each decision, so it is slower than the built-in
rules (docs/plugins.md has figures). A controller is made once for every node that makes blocks,
with a seed, and is called every `layer.tuning.interval_ms` (docs/tuning.md).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import ClassVar, Protocol, TypedDict

__all__ = ["Controller", "Observation", "QueueRule", "Setting", "Ticket", "Wishes"]


class Ticket(Protocol):
    """The properties of a message that a rule may use."""

    message: int
    class_number: int
    """Index into `surgetank.trace.CLASSES`."""
    flags: int
    """1 post-only, 2 immediate, 4 reduce-only, 8 sealed: nothing else about it can be read."""
    size_bytes: int
    account: int
    fee_micros: int
    """Fee that the sender bids, in millionths of a USD."""
    reduces_risk: bool


class QueueRule:
    """The interface of a queue rule. Every waiting message has a numbered place, which is reused
    afterwards; the rule orders the places.

    Override `push`, `pop` and `remove`. The same calls must give the same answers: draw from a
    `random.Random(seed)` of your own, and never read the clock.
    """

    pays_bids: ClassVar[bool] = False
    """Whether an executed message owes the fee that it bid, as under the discipline `fee`."""

    def push(self, now_ns: int, place: int, ticket: Ticket) -> None:
        """A message is put into a place."""
        raise NotImplementedError

    def pop(self, now_ns: int) -> int | None:
        """The place to be served next; None if nothing waits."""
        raise NotImplementedError

    def remove(self, places: list[int]) -> None:
        """Removes these places: another node has put their messages into a block."""
        raise NotImplementedError

    def make_room(self, ticket: Ticket) -> int | None:
        """The queue is full: the place to drop for the new message; None refuses the new one."""
        return None

    def order(self) -> list[int]:
        """All places in order of service without further arrivals. By default: pops a copy
        empty."""
        twin, places = copy.deepcopy(self), dict[int, None]()
        while (place := twin.pop(0)) is not None:
            if place in places:
                raise ValueError(f"queue rule: `pop` gave place {place} twice")
            places[place] = None
        return list(places)


class Setting(Protocol):
    """The settings that a controller can change."""

    batch_messages_max: int
    window_ns: int
    """Time that a batch stays open, ns; under Tendermint, the wait after a decision."""
    admission_limit: int
    """Number of messages waiting at the node from which on orders are refused."""
    lane_weights: list[int]
    """Weight of each lane by class number, under the rule `lanes`."""


class Observation(Protocol):
    """Observations of a node since the last call of its controller."""

    now_ns: int
    served: int
    """Number of messages that it put into blocks; the sojourn times (arrival to block) are of
    these."""
    refused: int
    sojourn_min_ns: int
    sojourn_mean_ns: int
    sojourn_p50_ns: int
    sojourn_p99_ns: int
    inflight: int
    """The most messages that waited at once."""
    backlog_ns: int
    """Time that the waiting work will take, ns."""
    reducing_served: int
    """Number of served messages that reduce risk; the next two fields are of these."""
    reducing_min_ns: int
    reducing_p99_ns: int
    ahead_ns: int
    """Time of the work ahead of a new message that reduces risk, ns."""
    block_interval_ns: int
    """Smoothed time between decided blocks; 0 under a single sequencer."""
    waiting: list[int]
    """Number of messages that wait for a block, by class number."""
    refused_by_class: list[int]
    volatility_ppm: int
    """Realised volatility of the mark, millionths per √s; 178 is 100 % a year."""
    now_set: Setting
    least: Setting
    most: Setting


class Wishes(TypedDict, total=False):
    """Settings to change; None leaves a setting as it is."""

    batch_messages_max: int
    window_ns: int
    admission_limit: int
    lane_weights: list[int]
    on: int
    """The number that the decision is based on, for the trace."""


class Controller:
    """The interface of a controller, which tunes a node that makes blocks. It is constructed once
    for every such node, with a seed of its own.

    Wishes are clamped to the scenario's bounds. The same seed and observations must give the same
    wishes.
    """

    files: ClassVar[tuple[Path, ...]] = ()
    """Files that it reads, beside its source; like the source they are a part of the run's name."""

    def __init__(self, seed: int) -> None:
        """`seed` follows from the run's seed and the node."""

    def control(self, observation: Observation) -> Wishes:
        """Called every `layer.tuning.interval_ms`."""
        raise NotImplementedError
