"""The result of a search for the worst attack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from surgetank.adversary.budget import AdversaryBudget
from surgetank.adversary.hunt import Found
from surgetank.adversary.objective import Objective
from surgetank.adversary.plan import AttackPlan, Part
from surgetank.attacker.race import MeanGain
from surgetank.measure.measured import plain
from surgetank.shown import Shown
from surgetank.verdict import EXIT_CODES, Status

__all__ = ["DefenceTried", "PartDamage", "WorstAttack"]


@dataclass(frozen=True)
class PartDamage:
    """What a part of the attack adds: the damage of the whole less that of the attack without
    it, on the same seeds."""

    part: Part
    damage: MeanGain

    @property
    def needed(self) -> bool | None:
        """Whether removing it reduces the damage; None: too few seeds to decide."""
        return self.damage.pays


@dataclass(frozen=True)
class DefenceTried:
    """A change of the venue, the same attack against it, and the worst found against it."""

    text: str
    values: Mapping[str, Any]
    same: MeanGain
    """Damage of the same attack, each run against one of the changed venue without attack."""
    adapted: MeanGain | None
    """Damage of the worst attack found against the changed venue; None if not searched."""
    plan: AttackPlan | None
    """The attack found against it."""
    saved: MeanGain
    """Damage before less damage after, by the worse of the two attacks, on the same seeds."""
    net_gain: MeanGain
    """The net gain of that attack, USD."""
    invalid: str = ""
    """Why its runs say nothing, if they do not."""

    @property
    def helps(self) -> bool | None:
        """Whether it reduces the damage of an attacker who knows of it; None: undecided."""
        return None if self.invalid or self.adapted is None else self.saved.pays


@dataclass(frozen=True, repr=False)
class WorstAttack(Shown):
    """The worst attack that was found within a budget, measured on fresh seeds."""

    scenario: str
    objective: Objective
    budget: AdversaryBudget
    tolerance: float
    """Damage that does not count, in the objective's unit."""
    plan: AttackPlan
    damage: MeanGain
    """Mean over fresh seeds of the objective with the attack less without, larger for worse."""
    before: float
    """Mean of the objective without the attack."""
    searched: float
    """Mean damage on the seeds of the search, which the selection biases upwards."""
    forks: int
    """Fresh runs in which two honest nodes decided differently; their damage is not counted."""
    over_textbook: MeanGain | None
    """Its damage less that of the best of the textbook's attacks; None if it is that attack."""
    textbook: AttackPlan | None
    """The best of the textbook's attacks: one part, all of the budget, in the middle of the run."""
    over_random: MeanGain
    """Its damage less that of attacks drawn at random within the same budget."""
    net_gain: MeanGain
    """What the attacker gains less the price of its means, USD per run."""
    pockets: Mapping[str, MeanGain]
    """Group → what the attacker's trades took from it, USD."""
    contributions: tuple[PartDamage, ...]
    defences: tuple[DefenceTried, ...]
    tried: tuple[Found, ...]
    """Every attack that was tried, in order."""
    search_seeds: range
    fresh_seeds: range
    runs: int
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Parts that the scenario or the budget does not allow, and why."""
    invalid: tuple[str, ...] = ()
    """Fresh runs that are INVALID for another reason than a fork, and why."""

    def in_short(self) -> str:
        """Status, the scenario and the damage."""
        return f"{self.status} {self.scenario}: {self.objective.name} +{self.damage.mean:g}"

    @property
    def status(self) -> Status:
        """FAIL: the chain forks, or the damage is above the tolerance; PASS: it is not; UNKNOWN:
        its interval contains the tolerance; INVALID: a fresh run is."""
        if self.forks:
            return Status.FAIL
        if self.invalid:
            return Status.INVALID
        if self.damage.low > self.tolerance:
            return Status.FAIL
        return Status.PASS if self.damage.high <= self.tolerance else Status.UNKNOWN

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        return EXIT_CODES[self.status]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found: dict[str, Any] = plain(
            {
                "scenario": self.scenario,
                "status": self.status.value,
                "objective": self.objective.name,
                "unit": self.objective.unit,
                "tolerance": self.tolerance,
                "budget": asdict(self.budget),
                "attack": self.plan.to_dict(),
                "damage": asdict(self.damage),
                "before": self.before,
                "searched": self.searched,
                "forks": self.forks,
                "over_textbook": self.over_textbook and asdict(self.over_textbook),
                "textbook": self.textbook and self.textbook.to_dict(),
                "over_random": asdict(self.over_random),
                "net_gain_usd": asdict(self.net_gain),
                "pockets_usd": {name: asdict(mean) for name, mean in self.pockets.items()},
                "contributions": [
                    {"part": c.part, "needed": c.needed, "damage": asdict(c.damage)}
                    for c in self.contributions
                ],
                "defences": [_defence(tried) for tried in self.defences],
                "tried": [
                    {"attack": t.plan.to_dict(), "damage": t.damage, "textbook": t.textbook}
                    for t in self.tried
                ],
                "search_seeds": list(self.search_seeds),
                "fresh_seeds": list(self.fresh_seeds),
                "runs": self.runs,
                "left_out": dict(self.left_out),
                "invalid": list(self.invalid),
            }
        )
        return found


def _defence(tried: DefenceTried) -> dict[str, Any]:
    return {
        "text": tried.text,
        "values": dict(tried.values),
        "helps": tried.helps,
        "same": asdict(tried.same),
        "adapted": tried.adapted and asdict(tried.adapted),
        "attack": tried.plan and tried.plan.to_dict(),
        "saved": asdict(tried.saved),
        "net_gain_usd": asdict(tried.net_gain),
        "invalid": tried.invalid,
    }
