"""What an attack is measured by: the venue's loss, the attacker's net gain, or any measure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from surgetank.adversary.budget import AdversaryBudget
from surgetank.adversary.plan import AttackPlan
from surgetank.catalogue import MEASURES, Better
from surgetank.errors import SurgetankError
from surgetank.scenario import Scenario
from surgetank.search.probe import RunOutcome

__all__ = ["OBJECTIVES", "Objective", "net_gain_usd", "objective"]

VENUE_LOSS: Final = "venue-loss"
NET_GAIN: Final = "net-gain"

OBJECTIVES: Final[Mapping[str, str]] = MappingProxyType(
    {
        VENUE_LOSS: "debts of accounts beyond their collateral, booked or not",
        NET_GAIN: "what the attacker gains, less the price of its means",
    }
)
"""Objectives that are no measure, in words; both in USD."""


@dataclass(frozen=True)
class Objective:
    """What an adversary makes as large as it can."""

    name: str
    """A key of `OBJECTIVES`, or a measure."""
    unit: str
    sign: int = 1
    """−1 for a measure of which more is better: it is reduced."""
    ceiling: float = math.inf
    """What an infinite value counts as: a latency that was never reached, as the run's length."""

    def value(self, outcome: RunOutcome, plan: AttackPlan | None, budget: AdversaryBudget) -> float:
        """Its value in a run, larger for worse; NaN if the run is INVALID or has no data."""
        if outcome.invalid:
            return math.nan
        if self.name == NET_GAIN:
            return net_gain_usd(outcome, plan, budget)
        if self.name == VENUE_LOSS:
            return outcome.value("bad_debt_usd") + outcome.value("uncovered_loss_usd")
        return self.sign * min(outcome.value(self.name), self.ceiling)

    @property
    def text(self) -> str:
        """The objective in words."""
        return OBJECTIVES.get(self.name, self.name)


def net_gain_usd(outcome: RunOutcome, plan: AttackPlan | None, budget: AdversaryBudget) -> float:
    """The attacker's gain in a run less the price of its means, USD; 0 without an attack."""
    if plan is None:
        return 0.0
    gain = outcome.value("attacker_gain_usd") if "attack" in plan.parts else 0.0
    return (0.0 if math.isnan(gain) else gain) - plan.price_usd(budget)


def objective(name: str | None, scenario: Scenario) -> Objective:
    """An objective by its name; None: the venue's loss or, without a market, the p99 latency.

    Raises:
        SurgetankError: there is no such measure, neither more nor less of it is better, or it needs
            a market that the scenario does not have.
    """
    has_market = scenario.market is not None
    name = name or (VENUE_LOSS if has_market else "delay_p99_ms")
    place = f"--worst {name}"
    if name in OBJECTIVES:
        if not has_market:
            hint = "Name a measure, such as delay_p99_ms, or add [market]"
            raise SurgetankError("needs a market", place=place, hint=hint)
        return Objective(name, "USD")
    spec = MEASURES.get(name)
    if spec is None:
        hint = f"Give {', '.join(OBJECTIVES)} or a measure of docs/measures.md"
        raise SurgetankError("there is no such measure", place=place, hint=hint)
    if spec.better is Better.NEITHER:
        hint = "Give a measure of which more or less is better, such as delay_p99_ms"
        raise SurgetankError("neither more nor less of it is worse", place=place, hint=hint)
    ceiling = math.inf
    if spec.unit in ("ms", "s"):
        ceiling = (scenario.duration_s + scenario.drain_s) * (1e3 if spec.unit == "ms" else 1.0)
    return Objective(name, spec.unit, -1 if spec.better is Better.MORE else 1, ceiling)
