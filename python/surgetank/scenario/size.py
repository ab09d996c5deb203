"""Lower bounds on the memory and the work of a run, computed before it begins.

They count messages that are certain to be sent, accounts, and readings. A run that is refused could
not have ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import psutil

from surgetank.errors import SurgetankError
from surgetank.scenario.whole import Scenario

__all__ = ["needs", "refuse_too_large"]

#: Bytes of a message in the core and in the trace's tables, and per node beside. Measured.
MESSAGE_BYTES: Final = 500
NODE_BYTES: Final = 8
#: Bytes of an account, of an actor beside it, and of a row of market or gauges. Measured.
ACCOUNT_BYTES: Final = 200
ROW_BYTES: Final = 60
#: Most accounts that keepers examine in all; more take days on a fast machine.
LOOKS_MAX: Final = 1e11


def needs(scenario: Scenario) -> Iterator[tuple[str, float, float]]:
    """(key, messages, bytes) of each part of a scenario whose size has no upper bound."""
    flow, market = scenario.flow, scenario.market
    a_message = MESSAGE_BYTES + NODE_BYTES * scenario.network.nodes
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
        yield "network.nodes", 0.0, 2.0 * scenario.network.nodes**2 * NODE_BYTES
    if market is not None:
        yield "market.price.step_ms", 0.0, 1e3 * seconds / market.price.step_ms * ROW_BYTES / 10


def _messages(scenario: Scenario) -> Iterator[tuple[str, float]]:
    flow, attack, seconds = scenario.flow, scenario.attack, scenario.duration_s
    if not flow.replay_messages:
        yield "flow.arrivals", _rate(flow.arrivals) * seconds
    if flow.oracle.count:
        yield "flow.oracle.interval_ms", 1e3 * seconds / flow.oracle.interval_ms
    if scenario.market is not None:
        yield "flow.makers.count", 2.0 * flow.makers.count * flow.makers.levels
    rate = float(getattr(attack, "rate_per_s", 0.0))
    yield "attack.rate_per_s", rate * max(0.0, min(attack.duration_s, seconds - attack.at_s))
    yield "attack.messages", float(getattr(attack, "messages", 0))
    end = seconds + scenario.drain_s
    for i, fault in enumerate(scenario.faults):
        rate = float(getattr(fault, "rate_per_s", 0.0))
        lasts = max(0.0, min(fault.duration_s, end - fault.at_s))
        yield f"faults[{i}].rate_per_s", rate * lasts


def _rate(arrivals: Any) -> float:
    """Mean rate of the arrivals, messages per second."""
    rates = getattr(arrivals, "rates_per_s", None)
    if rates is None:
        return float(getattr(arrivals, "rate_per_s", 0.0))
    weighted = sum(rate * dwell for rate, dwell in zip(rates, arrivals.dwell_s, strict=True))
    return float(weighted / sum(arrivals.dwell_s))


def refuse_too_large(scenario: Scenario) -> None:
    """Refuses a run that could not end on this machine.

    Raises:
        SurgetankError: names the key that requires most, with the estimate.
    """
    found = list(needs(scenario))
    total, free = sum(need[2] for need in found), psutil.virtual_memory().available
    key, messages, most = max(found, key=lambda need: need[2])
    hint = f"Lower {key}, or shorten the run"
    if total > free:
        what = f"the run would take at least {_bytes(total)} of memory, and {_bytes(free)} are free"
        detail = f": {messages:.3g} messages" if messages else f": {_bytes(most)} of it for this"
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


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1e3:
            return f"{count:.3g} {unit}"
        count /= 1e3
    return f"{count:,.3g} TB"
