"""A resource made free, faster or slower: what an intervention changes in a scenario.

Each intervention scales the scenario's own numbers by one factor: 0 makes the resource free, 0.5
twice as fast, 2 twice as slow (a capacity is then half as large). The flow, the seed and every
other number stay the same. A resource that the scenario lacks has no intervention.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from surgetank.scenario import Scenario
from surgetank.scenario.consensus import Engine
from surgetank.scenario.dotted import Keys
from surgetank.trace import CLIENT_CLASSES

__all__ = ["FASTER", "FREE", "INTERVENTIONS", "SLOWER", "changed"]

FREE: Final = 0.0
FASTER: Final = 0.5
SLOWER: Final = 2.0

_Changes = Iterator[tuple[str, object]]
_CLIENTS: Final = tuple(name.replace("-", "_") for name in CLIENT_CLASSES)
#: No block reaches these.
_MESSAGES_ANY, _BYTES_ANY = 10_000_000, 1_000_000_000
_LINKS: Final = "network.delay.links"
#: A link that loses every packet would be no link.
_LOSS_MOST: Final = 0.999999


class _Values(Keys):
    """The scenario's values by dotted keys, and scaled copies of them."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._scenario = scenario

    @property
    def consensus(self) -> Engine:
        """The scenario's consensus engine, with its properties."""
        return self._scenario.layer.consensus

    def times(self, factor: float, *keys: str) -> _Changes:
        """The numbers at these keys times the factor; those that are zero are left out."""
        for key in keys:
            if self(key):
                yield key, self(key) * factor


def _validation(values: _Values, factor: float) -> _Changes:
    yield from values.times(factor, *(f"layer.service.validation.{c}_us" for c in _CLIENTS))


def _execution(values: _Values, factor: float) -> _Changes:
    yield from values.times(factor, *(f"layer.service.execution.{c}_us" for c in _CLIENTS))


def _consensus(values: _Values, factor: float) -> _Changes:
    if values.consensus.votes:
        keys = ("proposal_us", "vote_us")
        yield from values.times(factor, *(f"layer.service.validation.{key}" for key in keys))


def _computation(values: _Values, factor: float) -> _Changes:
    for part in (_validation, _execution, _consensus):
        yield from part(values, factor)


def _bandwidth(values: _Values, factor: float) -> _Changes:
    for key in ("network.uplink_mbps", "network.downlink_mbps"):
        if values(key):
            # 0 is unlimited.
            yield key, values(key) / factor if factor else 0.0
        name = key.rpartition(".")[2]
        for i, machine in enumerate(values("network.machines") or []):
            if machine[name]:
                rate = machine[name] / factor if factor else 0.0
                yield f"network.machines.{i}.{name}", rate
    links = values(_LINKS)
    if links and any(link["mbps"] for link in links):
        faster = [link | {"mbps": link["mbps"] / factor if factor else 0.0} for link in links]
        yield _LINKS, faster


def _distance(values: _Values, factor: float) -> _Changes:
    if values("network.nodes") == 1:
        return
    place = "network.delay"
    yield from values.times(factor, *(f"{place}.{key}" for key in ("delay_ms", "intra_ms")))
    # The greater first: at no time may low be above high.
    keys = ("high_ms", "low_ms") if factor > 1 else ("low_ms", "high_ms")
    yield from values.times(factor, *(f"{place}.{key}" for key in keys))
    matrix = values(f"{place}.matrix_ms")
    if matrix:
        yield f"{place}.matrix_ms", [[cell * factor for cell in row] for row in matrix]
    links = values(_LINKS)
    if links:
        yield _LINKS, [link | {"delay_ms": link["delay_ms"] * factor} for link in links]


def _client_link(values: _Values, factor: float) -> _Changes:
    keys = ("fixed_ms", "jitter_ms")
    yield from values.times(factor, *(f"flow.client_link.{key}" for key in keys))


def _timers(values: _Values, factor: float) -> _Changes:
    """Scales the wait after a decision, or the batch's window. Timeouts of rounds matter only with
    faults."""
    pace = values.consensus.pace
    if pace is not None:
        yield from values.times(factor, f"layer.consensus.{pace.key}")


def _block_space(values: _Values, factor: float) -> _Changes:
    bounds = {"block_messages_max": _MESSAGES_ANY, "block_bytes_max": _BYTES_ANY}
    for key, any_ in bounds.items():
        old = values(f"layer.consensus.{key}")
        if old:
            yield f"layer.consensus.{key}", max(1, int(old / factor)) if factor else any_


def _admission(values: _Values, factor: float) -> _Changes:
    """Scales the time after which clients retry."""
    if not values("flow.retry.tries_max"):
        return
    # It must be positive.
    yield from values.times(max(factor, 1e-6), "flow.retry.backoff_ms")


def _loss(values: _Values, factor: float) -> _Changes:
    loss = values("network.loss")
    if loss:
        yield "network.loss", min(1.0, loss * factor)
    links = values(_LINKS)
    if links and any(link["loss"] for link in links):
        yield _LINKS, [link | {"loss": min(_LOSS_MOST, link["loss"] * factor)} for link in links]


def _rules(values: _Values, factor: float) -> _Changes:
    """The delays of the express lane, of sealed messages and of a fair order."""
    if values("layer.queue.express.enabled"):
        yield from values.times(factor, "layer.queue.express.advantage_ms")
    if values("layer.queue.unsealing") == "commit-reveal":
        # It must be positive.
        yield from values.times(max(factor, 1e-6), "layer.queue.sealed.reveal_ms")
    if values("layer.queue.unsealing") == "threshold":
        yield from values.times(factor, "layer.queue.sealed.share_us")
    if values("layer.queue.order") in ("themis", "median"):
        # It must be positive.
        yield from values.times(max(factor, 1e-6), "layer.queue.fair.report_ms")


def _faults(values: _Values, factor: float) -> _Changes:
    """A factor of 0 removes the faults; larger factors scale their durations only, since there is
    no such thing as twice a crash."""
    faults = values.data["faults"]
    if faults and not factor:
        yield "faults", []
    elif faults:
        longer = [fault | {"duration_s": fault["duration_s"] * factor} for fault in faults]
        yield "faults", longer


INTERVENTIONS: Final[Mapping[str, Callable[[_Values, float], _Changes]]] = MappingProxyType(
    {
        "computation": _computation,
        "validation": _validation,
        "execution": _execution,
        "consensus": _consensus,
        "bandwidth": _bandwidth,
        "distance": _distance,
        "client_link": _client_link,
        "timers": _timers,
        "block_space": _block_space,
        "admission": _admission,
        "loss": _loss,
        "rules": _rules,
        "faults": _faults,
    }
)
"""Resource → how its numbers scale. `computation` is validation, execution and consensus."""


def changed(scenario: Scenario, resource: str, factor: float) -> dict[str, object]:
    """The arguments for `Scenario.with_values`; empty if the scenario lacks the resource."""
    return dict(INTERVENTIONS[resource](_Values(scenario), factor))
