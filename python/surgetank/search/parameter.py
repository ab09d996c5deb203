"""The varied quantity: load, leverage, a recording's speed, or any numeric key of the scenario."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.positions import PositionBook
from surgetank.scenario import Scenario
from surgetank.scenario.dotted import Keys, unit_of
from surgetank.scenario.flow import mean_rate_per_s
from surgetank.scenario.market import Market
from surgetank.tape import Tape

__all__ = ["DERIVED", "Parameter", "further_rates", "is_ratio_scale", "parameter"]

#: Quantities that can be varied and are no key of a scenario.
DERIVED: Final = ("load", "leverage", "speed")


@dataclass(frozen=True)
class Parameter:
    """A quantity of a scenario that can be set."""

    key: str
    unit: str
    own: float
    """The scenario's own value."""
    whole: bool
    """Whether it takes whole numbers only."""
    values: Callable[[float], Mapping[str, Any]]
    """Level → values for `Scenario.with_values`."""
    book: PositionBook | None = None
    """The position book whose leverage the level caps."""
    tape: Tape | None = None
    """The recording whose speed the level is."""

    def at(self, scenario: Scenario, level: float) -> Scenario:
        """The scenario at this level.

        Raises:
            SurgetankError: if the scenario allows no such level.
        """
        if self.tape is not None:
            faster = replace(self.tape, speed=level)
            return scenario.with_values({"tape_hash": "", **self.values(level)}).with_tape(faster)
        if self.book is None:
            return scenario.with_values(self.values(level))
        capped = self.book.capped(level)
        return scenario.with_values({"positions_hash": capped.hash}).holding(capped)

    def rounded(self, level: float) -> float:
        """The nearest level that the parameter can take: whole, or of six digits."""
        return float(round(level)) if self.whole else float(f"{level:.6g}")


def parameter(scenario: Scenario, key: str) -> Parameter:
    """`load` (background messages/s), `leverage` (×), `speed` (× a recording's), or a dotted key
    such as `network.nodes`.

    Raises:
        SurgetankError: if the scenario has no such number.
    """
    if key == "load":
        return _load(scenario)
    if key == "leverage":
        return _leverage(scenario)
    if key == "speed":
        return _speed(scenario)
    own = _number_at(scenario, key)
    return Parameter(
        key, unit_of(key), float(own), isinstance(own, int), lambda level: _put(key, own, level)
    )


def _put(key: str, own: float, level: float) -> Mapping[str, Any]:
    return {key: round(level) if isinstance(own, int) else level}


def _load(scenario: Scenario) -> Parameter:
    """The mean rate of background messages; the profile multiplies it as before."""
    arrivals = scenario.flow.arrivals
    if scenario.flow.replay_messages:
        raise SurgetankError(
            "the background messages are those of the recording, which have no rate to vary",
            place="load",
            hint="Vary `speed`, take a recording of prices, or `surgetank fit` it",
        )
    if arrivals.kind == "none":
        raise SurgetankError(
            "this scenario has no background process whose rate could be raised",
            place="flow.arrivals",
            hint="Set `flow.arrivals.kind`, or vary another key",
        )
    if arrivals.kind != "mmpp":
        rate = arrivals.rate_per_s
        return Parameter("load", "1/s", rate, False, lambda x: {"flow.arrivals.rate_per_s": x})
    rates, mean = arrivals.rates_per_s, mean_rate_per_s(arrivals)
    if mean <= 0:
        raise SurgetankError(
            "all rates are zero", place="flow.arrivals.rates_per_s", hint="Raise one"
        )
    return Parameter(
        "load",
        "1/s",
        mean,
        False,
        lambda x: {"flow.arrivals.rates_per_s": [r * x / mean for r in rates]},
    )


def _leverage(scenario: Scenario) -> Parameter:
    """The highest initial leverage L: initial margin 1/L, maintenance κ/L with the venue's own κ.

    Rates of margin tiers and of other perpetuals change by the same factor, at most to 100 %.
    Positions at the start keep their place below the highest leverage (at least 1). Of a position
    book the level is a cap: accounts above it get the collateral that brings them to it, and
    margins stay as they are.
    """
    market = scenario.market
    if market is None:
        raise SurgetankError(
            "leverage needs a market", place=scenario.name, hint="Add a [market] to the scenario"
        )
    book = scenario.position_book
    if book is not None:
        own = max((x for x in book.leverage.tolist() if math.isfinite(x)), default=1.0)
        return Parameter("leverage", "x", own, False, lambda level: {}, book)
    kappa = market.margin.maintenance / market.margin.initial
    least = market.positions.leverage_min * market.margin.initial
    most = market.positions.leverage_max * market.margin.initial

    def values(level: float) -> Mapping[str, Any]:
        return {
            "market.margin.initial": 1 / level,
            "market.margin.maintenance": kappa / level,
            **further_rates(market, 1 / (level * market.margin.initial)),
            "market.positions.leverage_min": max(1.0, min(least * level, level)),
            "market.positions.leverage_max": max(1.0, min(most * level, level)),
        }

    return Parameter("leverage", "x", 1 / market.margin.initial, False, values)


def _speed(scenario: Scenario) -> Parameter:
    """How many times as fast as it was recorded a recording is replayed, messages and prices alike.

    Every level replays the same part: the run and its warm-up are as much shorter as it is faster.
    """
    tape = scenario.tape
    if tape is None:
        hint = "Give --tape FILE, or vary another key"
        raise SurgetankError("the scenario replays no recording", place="speed", hint=hint)
    if scenario.faults or scenario.attack.kind != "none":
        hint = "Take out faults and attack, or vary another key"
        what = "faults and attacks have times of their own, which do not scale with the recording"
        raise SurgetankError(what, place="speed", hint=hint)

    def values(level: float) -> Mapping[str, Any]:
        factor = tape.speed / level
        return {
            "duration_s": scenario.duration_s * factor,
            "warmup_s": scenario.warmup_s * factor,
        }

    return Parameter("speed", "x", tape.speed, False, values, tape=tape)


def further_rates(market: Market, factor: float) -> dict[str, Any]:
    """The rates of margin tiers and of other perpetuals times a factor, as values for
    `Scenario.with_values`; without keys that the market does not have."""
    tiers, perpetuals = market.margin.tiers_times(factor), _perpetuals_times(market, factor)
    return {
        **({"market.margin.tiers": tiers} if tiers else {}),
        **({"market.perpetuals": perpetuals} if perpetuals else {}),
    }


def _perpetuals_times(market: Market, factor: float) -> list[dict[str, Any]]:
    """The further perpetuals as values of the key, those with margin rates of their own with rates
    times a factor, the initial margin at most 1; none if all have those of the first."""
    if not any(perpetual.margin for perpetual in market.perpetuals):
        return []
    found = []
    for perpetual in market.perpetuals:
        data, rates = perpetual.model_dump(mode="json"), perpetual.margin
        if rates is not None:
            times = min(factor, 1 / rates.initial)
            data["margin"] |= {
                "initial": rates.initial * times,
                "maintenance": rates.maintenance * times,
                "tiers": rates.tiers_times(factor),
            }
        found.append(data)
    return found


def _number_at(scenario: Scenario, key: str) -> float:
    keys = Keys(scenario)
    if key not in keys:
        raise SurgetankError(
            "the scenario has no such key", place=key, hint="See `surgetank schema`"
        )
    value = keys(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SurgetankError("this is not a number", place=key, hint="Vary a numeric key")
    return value


def is_ratio_scale(low: float, high: float) -> bool:
    """Whether levels between these two are better spaced by ratio than by difference."""
    return min(low, high) > 0 and math.log(max(low, high) / min(low, high)) > math.log(1.5)
