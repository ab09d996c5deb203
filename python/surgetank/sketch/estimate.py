"""How long a sketch takes: its steps' times over rounds, proposers and nodes, with intervals."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from surgetank.errors import SurgetankError
from surgetank.sketch.delays import DrawDelays
from surgetank.sketch.protocol import Barrier, SketchProtocol
from surgetank.sketch.timing import SketchRounds, step_times

__all__ = ["SketchEstimate", "StepTimes", "estimate"]

#: Delays that are held in memory at once.
_AT_ONCE: Final = 4_000_000
_CYCLES_MIN: Final = 10


@dataclass(frozen=True)
class StepTimes:
    """When a step is over, ms since the proposal was sent."""

    line: int
    text: str
    proposer_only: bool
    """Of the proposer only, else of all nodes that are not silent."""
    mean_ms: float
    low_ms: float
    """95 % interval of the mean, from its spread over cycles in which each node proposes once."""
    high_ms: float
    p50_ms: float
    p90_ms: float
    by_region_ms: dict[str, float]
    """Mean by the region of the node."""
    by_proposer_ms: dict[str, float]
    """Mean by the region of the proposer."""


@dataclass(frozen=True)
class SketchEstimate:
    """The times of a sketch's steps; a node decides at the last."""

    name: str
    nodes: int
    silent: int
    rounds: int
    steps: tuple[StepTimes, ...]

    @property
    def decided(self) -> StepTimes:
        """The last step."""
        return self.steps[-1]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def estimate(
    protocol: SketchProtocol,
    delays: DrawDelays,
    regions: Sequence[str],
    *,
    powers: Sequence[int] = (),
    silent: int = 0,
    uplink_mbps: float = 0.0,
    rounds: int = 1000,
    seed: int = 1,
) -> SketchEstimate:
    """Times a protocol; every node with voting power that is not silent proposes equally often.

    Args:
        delays: draws one-way delays (`sketch_delays`).
        regions: the region of each node, for the parts of the answer.
        powers: voting power of each node; equal without.
        silent: so many nodes, the last ones, never send anything.
        uplink_mbps: of every node; 0 = unlimited.
        rounds: proposals, at least; whole cycles are made, and ten or more.

    Raises:
        SurgetankError: a step is never passed, so that nodes wait forever.
    """
    n = len(regions)
    held = list(powers) or [1] * n
    if not 0 <= silent < n:
        hint = f"Give 0 to {n - 1}"
        raise SurgetankError(f"{silent} of {n} nodes", place="silent nodes", hint=hint)
    is_silent = np.arange(n) >= n - silent
    proposers = np.flatnonzero(~is_silent & (np.array(held) > 0))
    if not len(proposers):
        hint = "Let fewer be silent"
        raise SurgetankError("no node is left that could propose", place="silent nodes", hint=hint)
    cycles = max(_CYCLES_MIN, math.ceil(rounds / len(proposers)))
    rng = np.random.default_rng(seed)
    parts: list[list[NDArray[np.float64]]] = []
    per_part = max(1, _AT_ONCE // (len(proposers) * n * n))
    for begin in range(0, cycles, per_part):
        due = min(per_part, cycles - begin)
        proposer = np.tile(proposers, due)
        setting = SketchRounds(delays(rng, len(proposer)), proposer, held, is_silent, uplink_mbps)
        parts.append(step_times(protocol, setting))
    proposer = np.tile(proposers, cycles)
    steps = tuple(
        _summary(barrier, np.concatenate(times), proposer, is_silent, regions, protocol)
        for barrier, times in zip(protocol.barriers, zip(*parts, strict=True), strict=True)
    )
    return SketchEstimate(protocol.name, n, silent, len(proposer), steps)


def _summary(
    barrier: Barrier,
    times: NDArray[np.float64],
    proposer: NDArray[np.int64],
    is_silent: NDArray[np.bool_],
    regions: Sequence[str],
    protocol: SketchProtocol,
) -> StepTimes:
    """Of one step; `times` has shape (rounds, nodes)."""
    names = np.array(regions)
    if barrier.proposer_only:
        of = proposer[:, None]
    else:
        of = np.broadcast_to(np.flatnonzero(~is_silent), (len(proposer), (~is_silent).sum()))
    seen = np.take_along_axis(times, of, axis=1)
    if not np.isfinite(seen).all():
        place = f"{protocol.place}, line {barrier.line}"
        hint = "Lower its threshold, or let fewer be silent"
        raise SurgetankError("nodes wait here forever", place=place, hint=hint)
    per_cycle = seen.mean(axis=1).reshape(-1, len(np.unique(proposer))).mean(axis=1)
    mean = float(per_cycle.mean())
    half = float(stats.t.ppf(0.975, len(per_cycle) - 1) * stats.sem(per_cycle))
    of_region, by = names[of], names[proposer]
    return StepTimes(
        barrier.line,
        barrier.text,
        barrier.proposer_only,
        mean,
        mean - half,
        mean + half,
        float(np.median(seen)),
        float(np.quantile(seen, 0.9)),
        {name: float(seen[of_region == name].mean()) for name in sorted(set(of_region.flat))},
        {name: float(seen[by == name].mean()) for name in sorted(set(by))},
    )
