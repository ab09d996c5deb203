"""Changes of a scenario that could reduce bad debt: of its margin, its rules, its machines.

Each changes the scenario's own numbers; where a section allows no such change there is none. The
runs of a change and of the scenario have the same seeds, so that the same positions meet the same
prices, unless the change itself draws others (more nodes, other leverage).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.explain.interventions import FASTER
from surgetank.explain.interventions import changed as made_faster
from surgetank.scenario import Scenario
from surgetank.scenario.dotted import Keys
from surgetank.search.parameter import parameter

__all__ = ["Intervention", "candidates"]

#: Points of notional by which both margins are raised.
_MARGIN_MORE: Final = 0.01
_URGENT: Final = ("liquidation-order", "price-update", "cancel")
_MARGIN: Final = "market.margin"


@dataclass(frozen=True)
class Intervention:
    """A change whose effect on bad debt is measured."""

    text: str
    """What changes, in one line: `insurance fund 250,000 → 500,000 USD`."""
    values: Mapping[str, Any]
    """The values to change, for `Scenario.with_values`."""
    leverage_cap: float | None = None
    """The greatest leverage of the accounts of a position book."""

    def applied(self, scenario: Scenario) -> Scenario:
        """The scenario with the change.

        Raises:
            SurgetankError: its other values do not allow it.
        """
        changed = scenario.with_values(self.values)
        if self.leverage_cap is None:
            return changed
        return parameter(changed, "leverage").at(changed, self.leverage_cap)


def candidates(scenario: Scenario) -> list[Intervention]:
    """The changes that the scenario allows, in the order: margin, fund, rules, actors, machines."""
    values = Keys(scenario)
    found = [change for ladder in _LADDERS for change in ladder(values)]
    found += [*_faster(scenario), *_capped_book(scenario)]
    return [change for change in found if _fits(scenario, change)]


def _fits(scenario: Scenario, change: Intervention) -> bool:
    """Whether it changes the scenario, and its other values allow it."""
    try:
        return change.applied(scenario).hash != scenario.hash
    except SurgetankError:
        return False


def _higher_margin(values: Keys) -> Iterator[Intervention]:
    """Both margins one point higher; positions at the start keep within the new initial margin."""
    initial, maintenance = (values(f"{_MARGIN}.{key}") for key in ("initial", "maintenance"))
    more = initial + _MARGIN_MORE
    if more > 1:
        return
    text = f"initial margin {initial:.2%} → {more:.2%}, maintenance {maintenance:.2%} → "
    new = {
        f"{_MARGIN}.initial": more,
        f"{_MARGIN}.maintenance": maintenance + _MARGIN_MORE,
        **_capped(values, 1 / more),
    }
    yield Intervention(text + f"{maintenance + _MARGIN_MORE:.2%}", new)


def _earlier(values: Keys) -> Iterator[Intervention]:
    """Maintenance margin higher by half of its distance to initial margin: same leverage, earlier
    liquidation."""
    initial, maintenance = (values(f"{_MARGIN}.{key}") for key in ("initial", "maintenance"))
    new = (initial + maintenance) / 2
    yield Intervention(
        f"maintenance margin {maintenance:.2%} → {new:.2%}", {f"{_MARGIN}.maintenance": new}
    )


def _leverage(values: Keys) -> Iterator[Intervention]:
    """Half of the largest leverage at the start."""
    most = values("market.positions.leverage_max")
    if most > 1 and values("market.positions.count") and not values("positions_hash"):
        cap = max(1.0, most / 2)
        yield Intervention(f"largest leverage {most:g} → {cap:g}", _capped(values, cap))


def _capped_book(scenario: Scenario) -> Iterator[Intervention]:
    """Half of the largest leverage in a position book."""
    if scenario.position_book is not None:
        most = parameter(scenario, "leverage").own
        cap = max(1.0, most / 2)
        yield Intervention(f"largest leverage {most:.3g} → {cap:.3g}", {}, cap)


def _capped(values: Keys, most: float) -> dict[str, float]:
    keys = [f"market.positions.leverage_{end}" for end in ("max", "min")]
    return {key: max(1.0, most) for key in keys if values(key) > most}


def _insurance(values: Keys) -> Iterator[Intervention]:
    fund = values(f"{_MARGIN}.insurance_usd")
    if fund:
        text = f"insurance fund {fund:,.0f} → {2 * fund:,.0f} USD"
        yield Intervention(text, {f"{_MARGIN}.insurance_usd": 2 * fund})


def _rules(values: Keys) -> Iterator[Intervention]:
    """Rules of liquidation that the venue lacks, with their defaults, and without those it has."""
    named = {
        "partial": "partial liquidation of large positions",
        "fillable": "worst price of a liquidation by equity",
        "backstop": "backstop vault",
        "per_block": "limits per block on liquidations",
    }
    for key, name in named.items():
        if values(f"{_MARGIN}.{key}") is not None:
            yield Intervention(f"without {name}", {f"{_MARGIN}.{key}": None})
        elif key != "per_block":
            yield Intervention(f"with {name}", {f"{_MARGIN}.{key}": {}})


def _urgent_first(values: Keys) -> Iterator[Intervention]:
    """Liquidation orders, price updates and cancels ahead of all other messages."""
    lanes = values("layer.queue.high") if values("layer.queue.discipline") == "priority" else []
    if set(_URGENT) <= set(lanes):
        return
    new = [*lanes, *(name for name in _URGENT if name not in lanes)]
    changed = {"layer.queue.discipline": "priority", "layer.queue.high": new}
    yield Intervention("queues: liquidations, prices and cancels first", changed)


def _actors(values: Keys) -> Iterator[Intervention]:
    count = values("flow.keepers.count")
    if count:
        yield Intervention(f"keepers {count} → {2 * count}", {"flow.keepers.count": 2 * count})
    interval = values("flow.oracle.interval_ms")
    if values("flow.oracle.count") and interval:
        text = f"oracle interval {interval:g} → {interval / 2:g} ms"
        yield Intervention(text, {"flow.oracle.interval_ms": interval / 2})


def _nodes(values: Keys) -> Iterator[Intervention]:
    nodes = values("network.nodes")
    if nodes > 1:
        yield Intervention(f"validators {nodes} → {2 * nodes}", {"network.nodes": 2 * nodes})


def _faster(scenario: Scenario) -> Iterator[Intervention]:
    """Resources made twice as fast, as `surgetank explain` does."""
    for resource, text in _FASTER.items():
        yield Intervention(text, made_faster(scenario, resource, FASTER))


_LADDERS: Final[tuple[Callable[[Keys], Iterator[Intervention]], ...]] = (
    _higher_margin,
    _earlier,
    _leverage,
    _insurance,
    _rules,
    _urgent_first,
    _actors,
    _nodes,
)
_FASTER: Final = {
    "computation": "machines twice as fast",
    "execution": "execution twice as fast",
    "timers": "wait between blocks halved",
}
