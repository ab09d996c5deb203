"""Changes of a scenario that could relieve a saturated resource, small ones before large ones.

Whether a change helps is decided by a search that tries it. Each is a change of the scenario's own
numbers, so it is valid for the scenario at hand; a ladder whose key the scenario does not have is
empty.

Size of a change: larger over smaller value, less one. Doubling a rate, halving a time and a second
server beside the first are all of size 1. Of several numbers that change together by one factor
that factor counts. From zero, the number itself. A change in kind (another rule, another gossip)
has no ratio: it counts KIND.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.measure.saturation import Saturation
from surgetank.scenario import Scenario
from surgetank.scenario.consensus import Engine
from surgetank.scenario.dotted import Keys
from surgetank.scenario.faults import KINDS

__all__ = ["BLOCK_PACE", "KIND", "QUEUE_ORDER", "Change", "candidates"]

KIND: Final = 0.5
"""Size of a change in kind."""

QUEUE_ORDER: Final = "queue-order"
"""The resource name of changes of the order of service, which relieve no resource."""

BLOCK_PACE: Final = "block-pace"
"""The resource name of changes of the block interval. A shorter interval gives more room where
blocks are full, and shortens every wait for the next block where they are not, so its gain does not
show that block space was scarce."""

_MORE: Final = (1.25, 1.5, 2.0, 4.0)
#: Limits that are only configuration are raised by large factors.
_ROOM: Final = (*_MORE, 10.0)
_LESS: Final = (0.8, 0.5, 0.25)
_CLASSES: Final = ("price_update", "liquidation_order", "cancel", "replace", "order")
_URGENT: Final = ("liquidation-order", "price-update", "cancel")


@dataclass(frozen=True)
class Change:
    """A change that could relieve a resource."""

    resource: str
    """The resource that it relieves: in the ladder of a mempool, larger blocks relieve block
    space."""
    text: str
    """One line of text: `uplink 200 → 250 Mbit/s`."""
    values: Mapping[str, object]
    """The values to change, for `Scenario.with_values`."""
    size: float
    """Size of the change, as the module defines it."""


def candidates(scenario: Scenario, ranked: Sequence[Saturation]) -> list[Change]:
    """Changes for each resource in the ranking's order, each resource's from small to large.

    A change that would relieve several resources stands at the first of them.
    """
    values, found = _Values(scenario), list[Change]()
    seen: list[Mapping[str, object]] = []
    for resource in dict.fromkeys(one.resource for one in ranked):
        ladder = (replace(c, resource=c.resource or resource) for c in _LADDERS[resource](values))
        for change in sorted(ladder, key=lambda c: (c.size, c.text)):
            if change.values not in seen and _fits(scenario, change):
                seen.append(change.values)
                found.append(change)
    return found


def _fits(scenario: Scenario, change: Change) -> bool:
    """Whether the scenario's other values allow it (a degree and the nodes, one margin and the
    other)."""
    try:
        scenario.with_values(change.values)
    except SurgetankError:
        return False
    return True


class _Values(Keys):
    """The scenario's numbers by dotted keys, and ladders of changes of them."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._scenario = scenario

    @property
    def consensus(self) -> Engine:
        """The scenario's consensus engine, with its properties."""
        return self._scenario.layer.consensus

    def scaled(
        self, name: str, keys: Sequence[str], factors: Iterable[float], unit: str = ""
    ) -> Iterator[Change]:
        """All of these keys times each factor, whole numbers rounded away from the old one."""
        old = {key: self(key) for key in keys}
        old = {key: value for key, value in old.items() if value}
        for factor in factors if old else ():
            new = {key: _times(value, factor) for key, value in old.items()}
            changed = {key: value for key, value in new.items() if value != old[key]}
            if not changed:
                continue
            first = next(iter(changed))
            shown = f"{_number_text(old[first])} → {_number_text(changed[first])}{unit}"
            text = f"{name} {shown}" if len(old) == 1 else f"{name} × {factor:g}"
            yield Change("", text, changed, _size(old[first], changed[first]))

    def counted(self, name: str, key: str, most: int = 1_000) -> Iterator[Change]:
        """One more, twice and four times as many."""
        old = self(key)
        if old is None:
            return
        for new in dict.fromkeys((old + 1, 2 * old, 4 * old)):
            if old < new <= most:
                yield Change("", f"{name} {old} → {new}", {key: new}, _size(old, new))

    def kind(self, text: str, values: Mapping[str, object]) -> Iterator[Change]:
        """A change in kind."""
        yield Change("", text, values, KIND)


def _times(value: float, factor: float) -> float:
    if isinstance(value, int):
        return max(1, math.ceil(value * factor) if factor > 1 else math.floor(value * factor))
    return float(f"{value * factor:.6g}")


def _size(old: float, new: float) -> float:
    low, high = sorted((float(old), float(new)))
    return high if low <= 0 else high / low - 1


def _number_text(value: float) -> str:
    whole = float(value).is_integer()
    return f"{value:,.0f}" if whole else f"{value:,.6g}"


def _of(resource: str, changes: Iterable[Change]) -> Iterator[Change]:
    """Marks changes in one resource's ladder that relieve another."""
    return (replace(change, resource=change.resource or resource) for change in changes)


def _links(values: _Values, key: str, name: str) -> Iterator[Change]:
    yield from values.scaled(name, [key], _MORE, " Mbit/s")
    if values("layer.gossip.kind") == "direct":
        return
    degree = values("network.topology.degree")
    kind, nodes = values("network.topology.kind"), values("network.nodes")
    if kind == "random-regular" and degree > 4:
        fewer = degree - 2
        text = f"links per node {degree} → {fewer}"
        yield Change("", text, {"network.topology.degree": fewer}, _size(degree, fewer))
    # A mesh of six only spares links where there are more.
    most = {"full": nodes - 1, "random-regular": degree, "random-dial": 2 * (degree or 0)}
    if values("layer.gossip.kind") == "flood" and most.get(kind, 0) > 6:
        yield from values.kind("gossip: flood → mesh", {"layer.gossip.kind": "mesh"})


def _uplink(values: _Values) -> Iterator[Change]:
    return _links(values, "network.uplink_mbps", "uplink")


def _downlink(values: _Values) -> Iterator[Change]:
    return _links(values, "network.downlink_mbps", "downlink")


def _service(values: _Values, stage: str, classes: Sequence[str], name: str) -> Iterator[Change]:
    keys = [f"layer.service.{stage}.{one}_us" for one in classes]
    return values.scaled(name, keys, _LESS)


def _urgent_first(values: _Values) -> Iterator[Change]:
    """Liquidation orders, price updates and cancels ahead of all other messages."""
    # Under another discipline `high` is only its default, which says nothing.
    high = values("layer.queue.high") if values("layer.queue.discipline") == "priority" else []
    if set(_URGENT) <= set(high):
        return
    lanes = [*high, *(name for name in _URGENT if name not in high)]
    text = f"queues: first {', '.join(lanes)}"
    changes = {"layer.queue.discipline": "priority", "layer.queue.high": lanes}
    yield from _of(QUEUE_ORDER, values.kind(text, changes))


def _validation(values: _Values) -> Iterator[Change]:
    yield from values.counted("validation servers", "layer.service.servers", 1_024)
    yield from _service(values, "validation", _CLASSES, "validation times")
    yield from _urgent_first(values)


def _consensus_validation(values: _Values) -> Iterator[Change]:
    if values.consensus.votes:
        name = "validation of proposals and votes"
        yield from _service(values, "validation", ("proposal", "vote"), name)


def _execution(values: _Values) -> Iterator[Change]:
    return _service(values, "execution", _CLASSES, "execution times")


def _pace(values: _Values) -> Iterator[Change]:
    """Changes that make blocks more often."""
    pace = values.consensus.pace
    if pace is not None:
        yield from values.scaled(pace.name, [f"layer.consensus.{pace.key}"], _LESS, " ms")


def _block_space(values: _Values) -> Iterator[Change]:
    keys = ["layer.consensus.block_messages_max", "layer.consensus.block_bytes_max"]
    yield from values.scaled("block size (messages and bytes)", keys, _ROOM)
    yield from _of(BLOCK_PACE, _pace(values))
    yield from _urgent_first(values)


def _mempool(values: _Values) -> Iterator[Change]:
    # A smaller queue refuses earlier, which shortens the wait of admitted messages.
    yield from values.scaled("mempool", ["layer.queue.mempool_max"], (0.5, *_ROOM), " messages")
    yield from _of("block-space", _block_space(values))


def _ingress(values: _Values) -> Iterator[Change]:
    key = "layer.queue.ingress_max"
    if values(key) == 0:
        yield Change("", "ingress queue 0 → 100 messages", {key: 100}, _size(0, 100))
    yield from values.scaled("ingress queue", [key], (0.5, *_ROOM), " messages")
    yield from _of("validation", _validation(values))


def _timeouts(values: _Values) -> Iterator[Change]:
    timeouts, pace = values.consensus.round_timeouts, values.consensus.pace
    if not timeouts:
        return
    names = [key.removesuffix("_ms") for key in timeouts]
    keys = [f"layer.consensus.{key}" for key in timeouts]
    yield from values.scaled(names[0], keys[:1], _MORE, " ms")
    yield from values.scaled(" and ".join(names), keys, _MORE)
    if pace is not None:
        yield from values.scaled(pace.name, [f"layer.consensus.{pace.key}"], (1.5, 2.0), " ms")
    yield from values.scaled(
        "block size (messages)", ["layer.consensus.block_messages_max"], (0.5,), " messages"
    )


def _keepers(values: _Values) -> Iterator[Change]:
    yield from values.counted("keepers", "flow.keepers.count")
    yield from values.scaled("orders of a keeper per price", ["flow.keepers.orders_max"], _ROOM)
    yield from values.scaled("resend after", ["flow.keepers.resend_ms"], _LESS, " ms")
    yield from values.scaled("reaction of keepers", ["flow.keepers.reaction_ms"], (0.5,), " ms")
    if values("flow.oracle.count"):
        yield from values.scaled("oracle interval", ["flow.oracle.interval_ms"], (0.5,), " ms")
    if values("flow.keepers.watch") == "venue":
        yield from values.kind("keepers watch the outside price", {"flow.keepers.watch": "outside"})


def _limits(values: _Values) -> Iterator[Change]:
    """The venue's limits per block, all by one factor (a share stays a share); and how much of a
    large position is closed at first, and the pause after that."""
    partial = "market.margin.partial"
    shares = values.scaled("share closed at first", [f"{partial}.share"], (1.5, 2.0, 4.0))
    yield from (change for change in shares if _most(change) <= 1)
    yield from values.scaled("cooldown", [f"{partial}.cooldown_ms"], _LESS, " ms")
    place = "market.margin.per_block"
    bounds = values(place)
    if not isinstance(bounds, Mapping):
        return
    numbers = {k: v for k, v in bounds.items() if _is_number(v) and v > 0}
    for factor in (1.5, 2.0, 4.0):
        new = {
            f"{place}.{key}": min(1.0, _times(old, factor))
            if _is_share(key)
            else _times(old, factor)
            for key, old in numbers.items()
        }
        if new:
            yield Change("", f"liquidation limits per block × {factor:g}", new, factor - 1)


def _most(change: Change) -> float:
    return max(value for value in change.values.values() if isinstance(value, int | float))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(key: str) -> bool:
    return "share" in key


def _book_depth(values: _Values) -> Iterator[Change]:
    if values("market") is None:
        return
    yield from values.scaled("makers' reaction to volatility", ["flow.makers.fear"], _LESS)
    if values("flow.makers.count"):
        yield from values.scaled(
            "size of a maker's level", ["flow.makers.level_usd"], _MORE, " USD"
        )
        yield from values.counted("maker levels", "flow.makers.levels", 100)
    yield from values.counted("makers", "flow.makers.count")
    yield from values.scaled("share closed at once", ["market.margin.liquidation_share"], _LESS)


def _insurance(values: _Values) -> Iterator[Change]:
    yield from values.scaled("insurance fund", ["market.margin.insurance_usd"], _MORE, " USD")
    # An account that is closed out earlier has more collateral left.
    maintenance = "market.margin.maintenance"
    for change in values.scaled("maintenance margin", [maintenance], (1.1, 1.25, 1.5)):
        # The rates of all margin tiers rise with the first.
        factor = change.size + 1
        tiers = [
            tier | {"maintenance": _times(tier["maintenance"], factor)}
            for tier in values("market.margin.tiers")
        ]
        more = {"market.margin.tiers": tiers} if tiers else {}
        yield replace(change, values={**change.values, **more})


def _faults(values: _Values) -> Iterator[Change]:
    """Changes that mitigate the kinds of faults in this scenario."""
    sections = (KINDS[fault["kind"]] for fault in values.data["faults"])
    relieved_by = {relief for section in sections for relief in section.relieved_by}
    if "consensus-timeouts" in relieved_by:
        yield from _of("consensus-timeouts", _timeouts(values))
    if "links" in relieved_by and values("network.topology.kind") == "random-regular":
        degree = values("network.topology.degree")
        for more in (degree + 2, 2 * degree):
            text = f"links per node {degree} → {more}"
            yield Change("", text, {"network.topology.degree": more}, _size(degree, more))
    if "servers" in relieved_by:
        yield from _of("validation", _validation(values))
        yield from _of("execution", _execution(values))


_LADDERS: Final[Mapping[str, Callable[[_Values], Iterator[Change]]]] = {
    "uplink": _uplink,
    "downlink": _downlink,
    "validation": _validation,
    "consensus-validation": _consensus_validation,
    "execution": _execution,
    "block-space": _block_space,
    "keepers": _keepers,
    "liquidation-limits": _limits,
    "mempool": _mempool,
    "ingress-queue": _ingress,
    "consensus-timeouts": _timeouts,
    "book-depth": _book_depth,
    "insurance": _insurance,
    "faults": _faults,
}
