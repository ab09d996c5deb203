"""An attacker's choices: a kind of attack, its settings, and its capital.

A strategy is a point of the unit cube, one coordinate a setting, so that all kinds are searched
alike. Ranges span what the models allow; the cost to the attacker goes from zero to its whole
budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from surgetank.scenario import Scenario

__all__ = ["KINDS", "SETTINGS", "ChosenKey", "Strategy", "drawn", "near"]

Point = NDArray[np.float64]


@dataclass(frozen=True)
class ChosenKey:
    """A key of `[attack]` and the range from which it is chosen."""

    key: str
    low: float
    high: float
    log: bool = True
    whole: bool = False

    def value(self, at: float) -> float | int:
        """The value at a coordinate from 0 to 1."""
        if self.log:
            value = self.low * (self.high / self.low) ** at
        else:
            value = self.low + (self.high - self.low) * at
        return round(value) if self.whole else float(value)


_RATE: Final = ChosenKey("rate_per_s", 20.0, 5_000.0)
_SIZE: Final = ChosenKey("size_usd", 200.0, 200_000.0)
_FEE: Final = ChosenKey("fee_usd", 0.01, 100.0)
_READS: Final = (ChosenKey("least_usd", 100.0, 50_000.0), _SIZE, _FEE)
_RACES: Final = (ChosenKey("move_bp", 0.5, 50.0), _SIZE, _FEE)

SETTINGS: Final[Mapping[str, tuple[ChosenKey, ...]]] = MappingProxyType(
    {
        "spam": (_RATE,),
        "sybil": (_RATE, ChosenKey("accounts", 2, 1_000, whole=True)),
        "cancel-storm": (_RATE,),
        "sandwich": _READS,
        "insider": _READS,
        "grind": (*_READS, ChosenKey("accounts", 2, 200, whole=True)),
        "withhold": (ChosenKey("rate_per_s", 0.1, 50.0), _SIZE),
        "latency-race": (*_RACES, ChosenKey("lane_usd", 0.1, 500.0)),
        "fee-jump": _RACES,
    }
)
"""Kind of attack → the settings that are chosen, in addition to the capital. Kinds whose attacker
cannot gain are left out; the attacker's node and the delay of its link are given by the scenario,
not chosen."""

KINDS: Final = tuple(SETTINGS)


@dataclass(frozen=True)
class Strategy:
    """A kind of attack with its settings."""

    kind: str
    at: tuple[float, ...]
    """Coordinates from 0 to 1 of the settings, with that of the capital last."""
    budget_usd: float

    @property
    def values(self) -> dict[str, Any]:
        """The settings as values of `[attack]`."""
        settings = (*SETTINGS[self.kind], ChosenKey("capital_usd", 0.001, 1.0))
        values: dict[str, Any] = {
            s.key: s.value(at) for s, at in zip(settings, self.at, strict=True)
        }
        values["capital_usd"] *= self.budget_usd
        return values

    def applied(self, scenario: Scenario) -> Scenario:
        """The scenario under this attack. Keys that are not chosen here (node, link, begin) keep
        the values of the scenario's own attack of this kind.

        Raises:
            SurgetankError: the scenario does not go with such an attack.
        """
        own = scenario.attack.model_dump(mode="json", by_alias=True)
        given = own if own["kind"] == self.kind else {"kind": self.kind}
        return scenario.with_values({"attack": given | self.values})


def drawn(kind: str, count: int, budget_usd: float, seed: int) -> list[Strategy]:
    """`count` strategies of a kind, spread evenly (a Latin hypercube; McKay, Beckman and Conover,
    Technometrics 21(2), 1979)."""
    from scipy.stats import qmc  # slow to import

    sampler = qmc.LatinHypercube(len(SETTINGS[kind]) + 1, rng=np.random.default_rng(seed))
    return [Strategy(kind, tuple(map(float, at)), budget_usd) for at in sampler.random(count)]


def near(strategy: Strategy, count: int, radius: float, seed: int) -> list[Strategy]:
    """`count` strategies around one: normal steps of this standard deviation, cut to the cube."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, radius, size=(count, len(strategy.at)))
    at: Point = np.clip(np.asarray(strategy.at) + steps, 0.0, 1.0)
    return [Strategy(strategy.kind, tuple(map(float, row)), strategy.budget_usd) for row in at]
