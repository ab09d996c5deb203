"""The memory and the work of a run, estimated before it begins, and a guard while it goes on.

The estimate counts messages that are certain to be sent, accounts, and readings. What actors and
retries add is not known before: `MemoryGuard` stops a run before an allocation fails, since the
core would abort then, without an exit code of ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from surgetank.errors import EXIT_MACHINE, SurgetankError
from surgetank.free_memory import free_memory
from surgetank.scenario.flow import Constant, Piecewise, Profile, Ramp, Spike, mean_rate_per_s
from surgetank.scenario.whole import Scenario

__all__ = ["MemoryGuard", "Size", "byte_text", "needs", "refuse_too_large", "size_of"]

#: Bytes of a message in the core and in the trace's tables, and for each node beside; and what
#: its measures and its report take after the run. Measured: 60,000 and 120,000 messages of `calm`
#: on 13 and 7 nodes.
MESSAGE_BYTES: Final = 400
NODE_BYTES: Final = 42
AFTER_BYTES: Final = 1_700
#: Bytes that a run of any size takes. Measured.
LEAST_BYTES: Final = 150e6
#: Bytes of a vote at a node that has received it.
VOTE_BYTES: Final = 8
#: Bytes of one direction of a connection, with what is in flight. Measured.
CONNECTION_BYTES: Final = 1_500
#: Bytes of an account, of an actor beside it, and of a row of market or gauges. Measured.
ACCOUNT_BYTES: Final = 200
ROW_BYTES: Final = 60
#: Most accounts that keepers examine in all; more take days on a fast machine.
LOOKS_MAX: Final = 1e11


def needs(scenario: Scenario) -> Iterator[tuple[str, float, float]]:
    """(key, messages, bytes) of each part of a scenario whose size has no upper bound."""
    flow, market = scenario.flow, scenario.market
    a_message = MESSAGE_BYTES + NODE_BYTES * scenario.network.nodes + AFTER_BYTES
    for key, messages in _messages(scenario):
        yield key, messages, messages * a_message
    counts = {"flow.accounts": flow.accounts, "flow.oracle.count": flow.oracle.count}
    counts |= {"flow.makers.count": flow.makers.count, "flow.keepers.count": flow.keepers.count}
    counts["attack.accounts"] = int(getattr(scenario.attack, "accounts", 0))
    if market is not None:
        counts["market.positions.count"] = market.positions.count
    for key, count in counts.items():
        yield key, 0.0, count * ACCOUNT_BYTES
    seconds = scenario.duration_s + scenario.drain_s
    if scenario.trace.gauge_ms:
        readings = 1e3 * seconds / scenario.trace.gauge_ms * scenario.network.nodes
        yield "trace.gauge_ms", 0.0, readings * ROW_BYTES
    if scenario.layer.consensus.votes:
        # The votes of one height: each node votes twice, and all nodes receive them.
        yield "network.nodes", 0.0, 2.0 * scenario.network.nodes**2 * VOTE_BYTES
    if scenario.network.transport != "datagram":
        yield "network.topology", 0.0, scenario.network.links * CONNECTION_BYTES
    if market is not None:
        steps = 1e3 * seconds / market.price.step_ms * len(market.names)
        yield "market.price.step_ms", 0.0, steps * ROW_BYTES / 10


def _messages(scenario: Scenario) -> Iterator[tuple[str, float]]:
    flow, attack, seconds = scenario.flow, scenario.attack, scenario.duration_s
    markets = 1 if scenario.market is None else len(scenario.market.names)
    if flow.replay_messages and scenario.tape is not None:
        yield "--tape", float((scenario.tape.messages_ns < seconds * 1e9).sum())
    elif not flow.replay_messages:
        yield "flow.arrivals", mean_rate_per_s(flow.arrivals) * _weighted_s(flow.profile, seconds)
    if flow.oracle.count:
        yield "flow.oracle.interval_ms", markets * 1e3 * seconds / flow.oracle.interval_ms
    if scenario.market is not None:
        yield "flow.makers.count", markets * 2.0 * flow.makers.count * flow.makers.levels
    rate = float(getattr(attack, "rate_per_s", 0.0))
    yield "attack.rate_per_s", rate * max(0.0, min(attack.duration_s, seconds - attack.at_s))
    yield "attack.messages", float(getattr(attack, "messages", 0))
    end = seconds + scenario.drain_s
    for i, fault in enumerate(scenario.faults):
        rate = float(getattr(fault, "rate_per_s", 0.0))
        lasts = max(0.0, min(fault.duration_s, end - fault.at_s))
        yield f"faults[{i}].rate_per_s", rate * lasts


def _weighted_s(profile: Profile, seconds: float) -> float:
    """The integral of the profile's factor over the run, seconds."""
    if isinstance(profile, Constant):
        return seconds
    if isinstance(profile, Spike):
        after = max(0.0, seconds - profile.at_s)
        lasting = profile.decay_s * -math.expm1(-after / profile.decay_s)
        return seconds + (profile.factor - 1.0) * lasting
    if isinstance(profile, Piecewise):
        ends = [min(end, seconds) for end in (*profile.from_s[1:], math.inf)]
        pieces = zip(profile.from_s, ends, profile.factors, strict=True)
        return sum(factor * max(0.0, end - begin) for begin, end, factor in pieces)
    inside = max(0.0, min(seconds, profile.until_s) - profile.from_s)
    if isinstance(profile, Ramp):
        span = profile.until_s - profile.from_s
        beyond = max(0.0, seconds - profile.until_s)
        return seconds + (profile.factor - 1.0) * (inside * inside / (2 * span) + beyond)
    return seconds + (profile.factor - 1.0) * inside


@dataclass(frozen=True)
class Size:
    """An estimate of a run's size, without what actors and retries add."""

    messages: float
    bytes: float


def size_of(scenario: Scenario) -> Size:
    """The size of a run."""
    found = list(needs(scenario))
    return Size(sum(need[1] for need in found), LEAST_BYTES + sum(need[2] for need in found))


class MemoryGuard:
    """Asks a run to stop when what is left of the memory is needed for its results."""

    def __init__(self, progress: Callable[[float, int, int], bool] | None = None) -> None:
        """`progress` is called with every reading of the run and can stop it too."""
        self._progress = progress
        self.stopped_s: float | None = None
        """Simulated seconds at which it stopped the run."""

    def __call__(self, simulated_s: float, messages: int, events: int) -> bool:
        """False asks the run to stop."""
        if free_memory() < LEAST_BYTES + AFTER_BYTES * messages:
            self.stopped_s = simulated_s
            return False
        return self._progress is None or self._progress(simulated_s, messages, events)

    def check(self, scenario: Scenario) -> None:
        """Called after the run.

        Raises:
            SurgetankError: the run was stopped for lack of memory.
        """
        if self.stopped_s is not None:
            raise SurgetankError(
                f"not enough memory: stopped after {self.stopped_s:.3g} s of "
                f"{scenario.duration_s:g} s, {byte_text(free_memory())} are free",
                place=scenario.name,
                hint="Shorten the run (--set duration_s=…), or use a machine with more memory",
                exit_code=EXIT_MACHINE,
            )


def refuse_too_large(scenario: Scenario) -> None:
    """Refuses a run that could not end on this machine.

    Raises:
        SurgetankError: names the key that requires most, with the estimate.
    """
    found = list(needs(scenario))
    total, free = size_of(scenario).bytes, free_memory()
    key, messages, most = max(found, key=lambda need: need[2])
    hint = f"Lower {key}, or shorten the run"
    if total > free:
        what = (
            f"the run would take about {byte_text(total)} of memory, and {byte_text(free)} are free"
        )
        detail = f": {messages:.3g} messages" if messages else f": {byte_text(most)} of it for this"
        raise SurgetankError(what + detail, place=f"{scenario.name}: {key}", hint=hint)
    market, keepers = scenario.market, scenario.flow.keepers
    if market is not None and keepers.count:
        steps = 1e3 * scenario.duration_s / max(market.price.step_ms, 1.0)
        looks = float(keepers.count) * steps * max(1, market.positions.count)
        if looks > LOOKS_MAX and keepers.count > market.positions.count:
            what = f"keepers would look at {looks:.3g} accounts, which takes days"
            where = f"{scenario.name}: flow.keepers.count"
            hint = "Lower flow.keepers.count: each watches its share of the accounts"
            raise SurgetankError(what, place=where, hint=hint)


def byte_text(count: float) -> str:
    """Bytes with a unit: 3.2 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1e3:
            return f"{count:.3g} {unit}"
        count /= 1e3
    return f"{count:,.3g} TB"
