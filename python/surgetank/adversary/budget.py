"""What an adversary has: nodes, delay, time, bandwidth, money; and what they cost it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from surgetank.errors import SurgetankError
from surgetank.scenario import Scenario
from surgetank.scenario.flow import mean_rate_per_s

__all__ = ["AdversaryBudget"]

#: Share of the measured time during which an attack lasts, unless the budget says otherwise.
_LENGTH_SHARE = 0.25


@dataclass(frozen=True)
class AdversaryBudget:
    """The means of an adversary, each an upper bound, and their prices."""

    identities: int
    """Nodes that it holds: only their links it cuts or delays, and only they lie or fall silent."""
    delay_ms: float
    """The longest delay that it adds to a packet from or to a held node, ms."""
    attack_s: float
    """How long it attacks in all, seconds."""
    rate_per_s: float
    """Messages that it sends, per second."""
    capital_usd: float = 0.0
    """Capital with which it trades, USD; 0: it only disturbs."""
    identity_usd: float = 0.0
    """What a held node costs it, USD per run."""
    message_usd: float = 0.0
    """What a message of a flood costs it outside the venue, USD."""

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        *,
        identities: int | None = None,
        delay_ms: float = 1_000.0,
        attack_s: float | None = None,
        rate_per_s: float | None = None,
        capital_usd: float = 0.0,
        identity_usd: float = 0.0,
        message_usd: float = 0.0,
    ) -> AdversaryBudget:
        """A budget against a scenario. What is None is chosen by it: the most nodes that are fewer
        than a third, a quarter of the measured time, and as many messages as the background sends.

        Raises:
            SurgetankError: a number is out of range for the scenario.
        """
        nodes, measured_s = scenario.network.nodes, scenario.duration_s - scenario.warmup_s
        background = mean_rate_per_s(scenario.flow.arrivals)
        budget = cls(
            (nodes - 1) // 3 if identities is None else identities,
            float(delay_ms),
            _LENGTH_SHARE * measured_s if attack_s is None else float(attack_s),
            max(background, 1.0) if rate_per_s is None else float(rate_per_s),
            float(capital_usd),
            float(identity_usd),
            float(message_usd),
        )
        budget._check(nodes, measured_s)
        return budget

    def _check(self, nodes: int, measured_s: float) -> None:
        ranges = (
            ("--identities", self.identities, 0, nodes - 1, "of its nodes one is not held"),
            ("--delay-ms", self.delay_ms, 0, 1e6, "milliseconds"),
            ("--attack-s", self.attack_s, 1e-3, measured_s, "the measured time"),
            ("--flood-rate", self.rate_per_s, 0, 1e6, "messages per second"),
            ("--capital-usd", self.capital_usd, 0, 1e12, "USD"),
            ("--identity-usd", self.identity_usd, 0, 1e12, "USD"),
            ("--message-usd", self.message_usd, 0, 1e6, "USD"),
        )
        for flag, number, low, high, why in ranges:
            if not (math.isfinite(number) and low <= number <= high):
                raise SurgetankError(
                    f"must lie between {low:g} and {high:g} ({why})",
                    place=f"{flag} {number:g}",
                    hint=f"Give a number from {low:g} to {high:g}",
                )
