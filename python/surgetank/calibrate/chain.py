"""Estimates of a chain from the arrival of its blocks, and the scenario that behaves like it.

**Block interval**: time over heights between blocks that carried single messages. **Time per
message**: the slope of the time that a whole train takes over its length (Theil and Sen's, the
median of all slopes between trains of different sizes: one slow block does not move it).
**Validation**: dispersion of the answers to a train, which come when a message has been checked.
**Fullest block**: the most messages found in one; it is the limit only if a train filled two.

The scenario is Tendermint on the same number of nodes. `timeout_commit` and the work on a proposal
are set by simulating until the interval and the median delay of single messages are the measured
ones; every message costs its measured time in execution, since a full block delays the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from surgetank.calibrate.estimate import Estimate, TrainArrivals, bootstrap
from surgetank.calibrate.fitted_scenario import class_times, rewritten
from surgetank.measure import measure
from surgetank.scenario import Scenario
from surgetank.simulate import simulate

__all__ = [
    "BlockArrivals",
    "ChainProperties",
    "block_arrivals",
    "fitted",
    "fullest",
    "in_full_us",
    "interval",
    "per_message",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_STEPS: Final = 5
_LINK_MS: Final = 0.1


@dataclass(frozen=True)
class BlockArrivals:
    """Blocks that carried probe messages, by height; shape (blocks,) each."""

    height: Ints
    time_ns: Ints
    """Time at which the first message of each block was delivered, ns."""
    messages: Ints


def block_arrivals(first_ns: Ints, height: Ints) -> BlockArrivals:
    """The blocks of messages delivered at `first_ns` (−1 never) in blocks `height` (−1 unknown)."""
    here = (first_ns >= 0) & (height >= 0)
    heights, index, counts = np.unique(height[here], return_inverse=True, return_counts=True)
    times = np.full(len(heights), np.iinfo(np.int64).max)
    np.minimum.at(times, index, first_ns[here])
    return BlockArrivals(heights, times, counts)


def interval(blocks: BlockArrivals) -> Estimate | None:
    """Mean time from block to block, ms; empty blocks count."""
    steps = np.diff(blocks.height)
    spans = np.diff(blocks.time_ns)
    if not len(steps):
        return None

    def mean(index: Ints) -> float:
        return float(spans[index].sum() / steps[index].sum()) / 1e6

    low, high = bootstrap(len(steps), mean)
    text = "time between blocks, from those that carried single messages"
    value = mean(np.arange(len(steps)))
    return Estimate("block_interval", value, low, high, "ms", int(steps.sum()), text)


def per_message(trains: Sequence[TrainArrivals]) -> Estimate | None:
    """Slope of a train's whole time over its length, µs; None without two lengths."""
    sizes = np.asarray([len(t) for t in trains], dtype=np.float64)
    times = np.asarray([t.last_ns for t in trains])
    if len(np.unique(sizes)) < 2:
        return None

    def slope(index: Ints) -> float:
        x, y = sizes[index], times[index]
        i, j = np.triu_indices(len(x), 1)
        apart = np.abs(x[i] - x[j]) > 0
        if not apart.any():
            return float("nan")
        # Weighted median: weights are the differences in length.
        gaps = (x[j] - x[i])[apart]
        slopes, weights = (y[j] - y[i])[apart] / gaps, np.abs(gaps)
        order = np.argsort(slopes)
        share = np.cumsum(weights[order]) / weights.sum()
        return float(slopes[order][int(np.searchsorted(share, 0.5))]) / 1e3

    value = slope(np.arange(len(sizes)))
    low, high = bootstrap(len(sizes), slope)
    text = "time that each further message of a train adds until it is in a block"
    return Estimate("service", value, low, high, "µs", len(sizes), text)


def fullest(blocks: BlockArrivals) -> tuple[int, bool]:
    """The most messages in a block, and whether that is a limit: two successive blocks held as
    many."""
    if not len(blocks.messages):
        return 0, False
    most = int(blocks.messages.max())
    full = blocks.messages >= 0.98 * most
    pairs = full[:-1] & full[1:] & (np.diff(blocks.height) == 1)
    return most, bool(pairs.any()) and most > 50


def in_full_us(blocks: BlockArrivals, interval_ms: float) -> float:
    """Time that each message adds to the interval after a full block, µs; at least 0."""
    most = int(blocks.messages.max())
    full = blocks.messages >= 0.98 * most
    after = full[:-1] & (np.diff(blocks.height) == 1)
    spans = np.diff(blocks.time_ns)[after]
    if not len(spans):
        return 0.0
    return max(0.0, (float(np.median(spans)) / 1e6 - interval_ms) * 1e3 / most)


@dataclass(frozen=True)
class ChainProperties:
    """Properties of a chain that the scenario must reproduce."""

    nodes: int
    interval_ms: float
    delay_p50_ms: float
    """Median latency of single messages, ms."""
    service_us: float
    validation_us: float
    block_messages_max: int
    gap_s: float
    """Gap between single messages, s."""


def fitted(scenario: Scenario, chain: ChainProperties) -> tuple[Scenario, Mapping[str, float]]:
    """The fitted scenario, and the simulated delays of single messages in it."""
    commit, proposal = max(1.0, chain.interval_ms * 0.8), 1.0
    progress: dict[str, float] = {}
    for _ in range(_STEPS):
        trial = _tendermint(_idle(scenario, chain), chain, commit, proposal)
        trace = simulate(trial, seed=1)
        decided = np.sort(trace["blocks"]["decided_ns"].to_numpy().astype(np.float64))
        simulated = float(np.diff(decided).mean()) / 1e6
        p50 = measure(trace)["delay_p50_ms"].value or chain.delay_p50_ms
        progress = {"block_interval_ms": simulated, "delay_p50_ms": p50}
        off = chain.interval_ms - simulated
        # A message waits half an interval for the next block; the rest is consensus.
        more = chain.delay_p50_ms - p50 - off / 2
        step = max(more / 2, 0.1 - proposal)
        proposal += step
        commit = max(0.1, commit + off - step)
    progress |= {"timeout_commit_ms": commit, "proposal_ms": proposal}
    return _tendermint(scenario, chain, commit, proposal), progress


def _idle(scenario: Scenario, chain: ChainProperties) -> Scenario:
    seconds = max(30.0, 40 * chain.interval_ms / 1e3)
    values: dict[str, Any] = {"duration_s": seconds, "warmup_s": seconds / 10}
    values["flow.arrivals"] = {"kind": "poisson", "rate_per_s": 1 / chain.gap_s}
    return scenario.with_values(values)


def _tendermint(
    scenario: Scenario, chain: ChainProperties, commit: float, proposal: float
) -> Scenario:
    patient = max(3_000.0, 5 * chain.interval_ms)
    validation = class_times(chain.validation_us)
    return rewritten(
        scenario,
        {
            "network": {
                "nodes": chain.nodes,
                "uplink_mbps": 0.0,
                "delay": {"kind": "fixed", "delay_ms": _LINK_MS, "jitter": 0.0},
            },
            "flow.client_link": {"fixed_ms": _LINK_MS, "jitter_ms": _LINK_MS},
            "layer.gossip": {"kind": "flood"},
            "layer.queue": {"rule": "fifo", "ingress_max": 1_000_000, "mempool_max": 1_000_000},
            "layer.service": {
                "servers": 1,
                "validation": validation | {"proposal_us": proposal * 1e3, "vote_us": 50.0},
                "execution": class_times(chain.service_us),
                "distribution": {"kind": "fixed"},
            },
            "layer.consensus": {
                "kind": "tendermint",
                "timeout_commit_ms": commit,
                "timeout_propose_ms": patient,
                "timeout_vote_ms": patient,
                "rebroadcast_ms": patient,
                "block_messages_max": chain.block_messages_max,
                "block_bytes_max": 100_000_000,
            },
        },
    )
