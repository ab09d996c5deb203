"""The interface of what a user brings: a queue rule or a controller written in Python.

The class is made without arguments, twice for every node. It is asked per decision, so it is slower
than the built-in rules: docs/plugins.md says how much.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import ClassVar, Protocol, TypedDict

__all__ = ["Controller", "Observation", "QueueRule", "Setting", "Ticket", "Wishes"]


class Ticket(Protocol):
    """What a rule may know of a message."""

    message: int
    class_number: int
    """Index into `surgetank.trace.CLASSES`."""
    flags: int
    """1 post-only, 2 immediate, 4 reduce-only."""
    size_bytes: int
    account: int
    fee_micros: int
    """Offered to be served earlier, in millionths of a USD."""
    reduces_risk: bool


class QueueRule:
    """Orders places: every waiting message lies in a numbered place, which is free again after.

    Override `push`, `pop` and `remove`. The same calls must give the same answers: draw from a
    `random.Random(seed)` of your own, never from the clock.
    """

    def push(self, now_ns: int, place: int, ticket: Ticket) -> None:
        """A message is put into a place."""
        raise NotImplementedError

    def pop(self, now_ns: int) -> int | None:
        """The place to be served next; None if nothing waits."""
        raise NotImplementedError

    def remove(self, places: list[int]) -> None:
        """Forgets these places: another node has put their messages into a block."""
        raise NotImplementedError

    def make_room(self, ticket: Ticket) -> int | None:
        """The queue is full: the place of whoever makes room; None refuses the newcomer."""
        return None

    def order(self) -> list[int]:
        """All places in order of service, if nothing more came. Inherited: pops a copy empty."""
        twin, places = copy.deepcopy(self), dict[int, None]()
        while (place := twin.pop(0)) is not None:
            if place in places:
                raise ValueError(f"queue rule: `pop` gave place {place} twice")
            places[place] = None
        return list(places)


class Setting(Protocol):
    """Numbers that can be tuned."""

    batch_messages_max: int
    window_ns: int
    """How long a batch stays open; under Tendermint, the wait after a decision."""
    admission_limit: int
    """Orders are refused while so many messages wait at the node."""
    lane_weights: list[int]
    """By class number, under the rule `lanes`."""


class Observation(Protocol):
    """What a node has seen since it last asked its controller."""

    now_ns: int
    served: int
    """Messages that it put into blocks; the sojourns (arrival to block) are theirs."""
    refused: int
    sojourn_min_ns: int
    sojourn_mean_ns: int
    sojourn_p50_ns: int
    sojourn_p99_ns: int
    inflight: int
    """Most messages that waited at once."""
    backlog_ns: int
    """How long the work that waits will take."""
    reducing_served: int
    """How many of the served reduce risk; the next two are theirs."""
    reducing_min_ns: int
    reducing_p99_ns: int
    ahead_ns: int
    """How long what stands before a newcomer that reduces risk will take."""
    block_interval_ns: int
    """Smoothed time between decided blocks; 0 under a single sequencer."""
    waiting: list[int]
    """How many wait for a block, by class number."""
    refused_by_class: list[int]
    volatility_ppm: int
    """Realised volatility of the mark, millionths per √s; 178 is 100 % a year."""
    now_set: Setting
    least: Setting
    most: Setting


class Wishes(TypedDict, total=False):
    """What to set; what is left out stays."""

    batch_messages_max: int
    window_ns: int
    admission_limit: int
    lane_weights: list[int]
    on: int
    """On what number it was decided: for the trace."""


class Controller:
    """Tunes a node that makes blocks. Made once for every such node, with a seed of its own.

    Wishes are cut to the scenario's bounds. The same seed and observations must give the same
    wishes.
    """

    files: ClassVar[tuple[Path, ...]] = ()
    """Files beside its source that it reads: a part of the run's name, as the source is."""

    def __init__(self, seed: int) -> None:
        """`seed` follows from the run's seed and the node."""

    def control(self, observation: Observation) -> Wishes:
        """Asked every `layer.tuning.interval_ms`."""
        raise NotImplementedError
