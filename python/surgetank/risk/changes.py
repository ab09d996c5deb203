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
from surgetank.scenario.margin import Rates
from surgetank.scenario.market import Market
from surgetank.search.parameter import further_rates, parameter

__all__ = ["Intervention", "candidates"]

#: Points of notional by which the initial margin is raised, and all other rates as much in ratio.
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
            SurgetankError: its other values do not allow it, or it changes nothing.
        """
        changed = scenario.with_values(self.values)
        if self.leverage_cap is not None:
            changed = parameter(changed, "leverage").at(changed, self.leverage_cap)
        if changed.hash == scenario.hash:
            raise SurgetankError("it changes nothing in this scenario", place=self.text)
        return changed


def candidates(scenario: Scenario) -> list[Intervention]:
    """The changes to try, in the order: margin, fund, rules, actors, machines. The scenario's other
    values may not allow one, or it may change nothing: `Intervention.applied` then says why."""
    values = Keys(scenario)
    found = [*_margins(scenario)]
    found += [change for ladder in _LADDERS for change in ladder(values)]
    return [*found, *_faster(scenario), *_capped_book(scenario)]


def _margins(scenario: Scenario) -> Iterator[Intervention]:
    """Higher margin rates, and higher maintenance margins only, of all perpetuals and tiers."""
    market = scenario.market
    if market is None:
        return
    yield from _higher_margin(Keys(scenario), market)
    yield _earlier(market)


def _higher_margin(values: Keys, market: Market) -> Iterator[Intervention]:
    """The initial margin one point higher and all other rates in the same ratio, at most 100 %, as
    in a search for safe leverage; positions at the start keep within the new initial margin."""
    initial, maintenance = market.margin.initial, market.margin.maintenance
    more = initial + _MARGIN_MORE
    if more > 1:
        return
    factor = more / initial
    new = {
        f"{_MARGIN}.initial": more,
        f"{_MARGIN}.maintenance": maintenance * factor,
        **further_rates(market, factor),
        **_capped(values, 1 / more),
    }
    text = f"initial margin {initial:.2%} → {more:.2%}, maintenance {maintenance:.2%} → "
    text += f"{maintenance * factor:.2%}"
    yield Intervention(text + _also(market, f"in the same ratio (×{factor:.3g})"), new)


def _earlier(market: Market) -> Intervention:
    """Maintenance margins higher by half of their distance to initial margins: same leverage,
    earlier liquidation."""
    old = market.margin.maintenance
    first = _halfway(market.margin)
    new: dict[str, Any] = {f"{_MARGIN}.maintenance": first["maintenance"]}
    if market.margin.tiers:
        new[f"{_MARGIN}.tiers"] = first["tiers"]
    if any(one.margin for one in market.perpetuals):
        new["market.perpetuals"] = [
            one.model_dump(mode="json")
            | ({} if one.margin is None else {"margin": _halfway(one.margin)})
            for one in market.perpetuals
        ]
    text = f"maintenance margin {old:.2%} → {first['maintenance']:.2%}"
    return Intervention(text + _also(market, "as far"), new)


def _halfway(rates: Rates) -> dict[str, Any]:
    """The rates as values, every maintenance margin half the way to its initial margin."""
    values = rates.model_dump(mode="json")
    for one in (values, *values["tiers"]):
        one["maintenance"] = (one["initial"] + one["maintenance"]) / 2
    return values


def _also(market: Market, how: str) -> str:
    """What else of the venue's margin rates changes, as text."""
    others = [one.name for one in market.perpetuals if one.margin is not None]
    tiers = any(one.tiers for one in (market.margin, *(p.margin for p in market.perpetuals)) if one)
    named = [*(["tiers"] if tiers else []), *others]
    return f"; {', '.join(named)} {how}" if named else ""


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
