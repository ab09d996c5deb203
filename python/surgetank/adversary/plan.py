"""An attack: which nodes are held, when, and what is done; replayable as a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from surgetank.adversary.budget import AdversaryBudget
from surgetank.scenario import Scenario

__all__ = ["FLOODS", "LEADER_FAULTS", "PARTS", "AttackPlan", "Part", "held_nodes"]

Part = Literal["links", "flood", "keypers", "attack"]

PARTS: Final[Mapping[Part, str]] = {
    "links": "what happens to the held nodes",
    "flood": "messages that fill the gateways",
    "keypers": "misbehaviour of the held keypers",
    "attack": "[attack]",
}
"""The parts of an attack, each of which can be left out, in words."""

#: Kinds of faults that follow whoever leads, and so name no nodes.
LEADER_FAULTS: Final = ("leader-delay", "leader-partition")

#: Kinds of `[attack]` that are floods; their messages cost what those of the part `flood` do.
FLOODS: Final = ("spam", "sybil", "cancel-storm")


def held_nodes(nodes: int, first: int, count: int, stride: int = 1) -> tuple[int, ...]:
    """`count` of `nodes` nodes, every `stride`-th from `first` on, around the end; in order."""
    return tuple(sorted({(first + i * stride) % nodes for i in range(count)}))


@dataclass(frozen=True)
class AttackPlan:
    """An attack on a scenario."""

    held: tuple[int, ...]
    """The held nodes."""
    spans: tuple[tuple[float, float], ...]
    """Begin and length of each pulse, seconds."""
    parts: Mapping[Part, Mapping[str, Any]] = field(default_factory=dict)
    """Part → its keys, as in `[[faults]]` or `[attack]`."""

    def without(self, part: Part) -> AttackPlan:
        """The same attack, without one of its parts."""
        parts = {name: keys for name, keys in self.parts.items() if name != part}
        return AttackPlan(self.held, self.spans, parts)

    @property
    def attack_s(self) -> float:
        """How long it lasts in all, seconds."""
        return sum(length for _, length in self.spans)

    @property
    def identities(self) -> int:
        """How many nodes it makes use of."""
        attack, links = self.parts.get("attack", {}), self.parts.get("links", {})
        follows = links.get("kind") in LEADER_FAULTS
        if "keypers" in self.parts or "nodes" in attack or (links and not follows):
            return len(self.held)
        return 1 if follows or "node" in attack else 0

    @property
    def messages(self) -> float:
        """Expected number of messages of its floods."""
        rate = float(self.parts.get("flood", {}).get("rate_per_s", 0.0))
        attack = self.parts.get("attack", {})
        if attack.get("kind") in FLOODS:
            rate += float(attack["rate_per_s"])
        return rate * self.attack_s

    def price_usd(self, budget: AdversaryBudget) -> float:
        """What its means cost, at the prices of a budget, USD; what it pays to the venue is in the
        measure `attacker_gain_usd`."""
        return self.identities * budget.identity_usd + self.messages * budget.message_usd

    def within(self, budget: AdversaryBudget) -> bool:
        """Whether no means exceeds the budget."""
        flood, attack = self.parts.get("flood", {}), self.parts.get("attack", {})
        rates = [flood.get("rate_per_s", 0.0)]
        rates += [attack["rate_per_s"]] if attack.get("kind") in FLOODS else []
        delays = [self.parts.get("links", {}).get("extra_ms", 0.0)]
        delays += [of.get("extra_ms", 0.0) for of in (self.parts.get("keypers", {}), attack)]
        room = 1 + 1e-9
        return (
            self.identities <= budget.identities
            and self.attack_s <= budget.attack_s * room
            and sum(rates) <= budget.rate_per_s * room
            and max(delays) <= budget.delay_ms * room
            and attack.get("capital_usd", 0.0) <= max(budget.capital_usd, 1.0) * room
        )

    def values(self, scenario: Scenario) -> dict[str, Any]:
        """The keys of the scenario that it changes, for `Scenario.with_values`. Faults are added
        to those of the scenario."""
        held = list(self.held)
        faults = [fault.model_dump(mode="json", by_alias=True) for fault in scenario.faults]
        for at_s, length_s in self.spans:
            when = {"at_s": at_s, "duration_s": length_s}
            for part in ("links", "keypers", "flood"):
                keys = self.parts.get(part)
                if keys is not None:
                    faults.append({**keys, **when, **_where(keys["kind"], held)})
        values: dict[str, Any] = {"faults": faults}
        attack = self.parts.get("attack")
        if attack is not None:
            first = self.spans[0][0]
            values["attack"] = {**attack, "at_s": first, "duration_s": self.attack_s}
        return values

    def applied(self, scenario: Scenario) -> Scenario:
        """The scenario under this attack.

        Raises:
            SurgetankError: the scenario does not go with it.
        """
        return scenario.with_values(self.values(scenario))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "held": list(self.held),
            "spans_s": [list(span) for span in self.spans],
            "parts": {name: dict(keys) for name, keys in self.parts.items()},
        }


def _where(kind: str, held: list[int]) -> dict[str, Any]:
    """The keys that name the nodes of a fault; a flood is of all gateways."""
    if kind == "spam" or kind in LEADER_FAULTS:
        return {}
    return {"groups": [held]} if kind == "partition" else {"nodes": held}
