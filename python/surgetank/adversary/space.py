"""The attacks from which the search chooses: every part that a scenario can have, within a budget.

A point is drawn by the methods of an Optuna trial, so that the sampler sees which choices exist
beside which; anything with these methods serves (`Suggests`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, get_args

from surgetank.adversary.budget import AdversaryBudget
from surgetank.adversary.plan import FLOODS, LEADER_FAULTS, AttackPlan, Part, held_nodes
from surgetank.attacker.strategies import SETTINGS
from surgetank.errors import SurgetankError
from surgetank.scenario import Scenario
from surgetank.scenario.attack import ATTACKS
from surgetank.scenario.queue import ClassName

__all__ = ["NONE", "AttackSpace", "Suggests"]

NONE: Final = "none"

#: `spam` is what the part `flood` does; a stampede follows a halt, which only the venue orders.
_NOT_ITS: Final = (NONE, "spam", "stampede")
_LINKS: Final = ("partition", "delay", "loss", "crash", *LEADER_FAULTS)
_CONDUCTS: Final = ("late", "silent", "colluding")
_CLASSES: Final[Sequence[str]] = get_args(ClassName)
_PULSES: Final = 6


def _needs_capital(kind: str) -> bool:
    """Whether an attack of this kind trades, or opens accounts."""
    section = ATTACKS[kind]
    return section.trades or "accounts" in section.model_fields


class Suggests(Protocol):
    """The methods of `optuna.Trial` that draw a value."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of these."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from `low` to `high`."""


@dataclass(frozen=True)
class AttackSpace:
    """The attacks on a scenario within a budget."""

    scenario: Scenario
    budget: AdversaryBudget
    links: tuple[str, ...]
    """Kinds of faults of held nodes that the scenario can have."""
    conducts: tuple[str, ...]
    """Misbehaviours of keypers that it can have."""
    attacks: tuple[str, ...]
    """Kinds of `[attack]` that it can have."""
    left_out: Mapping[str, str]
    """Parts that it cannot have, and why."""

    @classmethod
    def of(cls, scenario: Scenario, budget: AdversaryBudget) -> AttackSpace:
        """The space of a scenario; what it refuses is left out.

        Raises:
            SurgetankError: nothing is left.
        """
        whole = cls(scenario, budget, _LINKS, _CONDUCTS, tuple(ATTACKS), {})
        why: dict[str, str] = {}
        links = [kind for kind in _LINKS if whole._can(why, "links", kind)]
        conducts = [kind for kind in _CONDUCTS if whole._can(why, "keypers", kind)]
        attacks = [k for k in ATTACKS if k not in _NOT_ITS and whole._can(why, "attack", k)]
        found = cls(scenario, budget, tuple(links), tuple(conducts), tuple(attacks), why)
        if not (links or conducts or attacks or budget.rate_per_s):
            raise SurgetankError(
                "leaves the adversary nothing to do",
                place="the budget",
                hint="Give it --identities, --flood-rate or --capital-usd",
            )
        return found

    def draw(self, trial: Suggests) -> AttackPlan:
        """An attack; of no parts if all were drawn as none."""
        parts: dict[Part, dict[str, Any]] = {}
        choice = {
            name: trial.suggest_categorical(name, (NONE, *kinds)) if kinds else NONE
            for name, kinds in self._kinds.items()
        }
        held = self._held(trial) if self.budget.identities else ()
        if choice["links"] != NONE:
            parts["links"] = self._links(trial, choice["links"])
        if choice["keypers"] != NONE:
            parts["keypers"] = self._keypers(trial, choice["keypers"])
        if choice["flood"] != NONE:
            rate = self.budget.rate_per_s * trial.suggest_float("flood_share", 0.01, 1.0, log=True)
            parts["flood"] = {"kind": "spam", "rate_per_s": _rounded(rate)}
        if choice["attack"] != NONE:
            taken = parts.get("flood", {}).get("rate_per_s", 0.0)
            attack = self._attack(trial, choice["attack"], held, taken)
            if attack is not None:
                parts["attack"] = attack
        return AttackPlan(held, self._spans(trial), parts)

    @property
    def _kinds(self) -> Mapping[str, Sequence[str]]:
        flood = ("spam",) if self.budget.rate_per_s else ()
        return {
            "links": self.links,
            "keypers": self.conducts,
            "flood": flood,
            "attack": self.attacks,
        }

    def textbook(self) -> list[dict[str, Any]]:
        """The simplest attacks, each with one part and all of its budget, as parameters of a
        trial: they are tried first."""
        found = []
        # The leader of a single sequencer, which every message passes, is the first to be tried.
        leader = self.scenario.layer.consensus.leader or 0
        full: dict[str, Any] = {
            "held": self.budget.identities,
            "first": leader,
            "stride": 1,
            "delay_share": 1.0,
            "loss": 1.0,
            "flood_share": 1.0,
            "attack_rate_share": 1.0,
            "capital_share": 1.0,
            "start": 0.5,
            "pulses": 1,
        }
        for name, kinds in self._kinds.items():
            for kind in kinds:
                others = {other: NONE for other, some in self._kinds.items() if some}
                found.append({**full, **others, name: kind})
        return found

    def _can(self, why: dict[str, str], part: Part, kind: str) -> bool:
        """Whether the scenario and the budget allow a part of this kind; else notes why not."""
        reason = self._refusal(part, kind)
        if reason:
            why[f"{part} {kind}"] = reason
        return not reason

    def _refusal(self, part: Part, kind: str) -> str:
        budget, names = self.budget, ATTACKS[kind].model_fields if part == "attack" else {}
        needs_nodes = part != "attack" or "node" in names or "nodes" in names
        if needs_nodes and not budget.identities:
            return "it holds no node"
        if part == "attack":
            if self.scenario.attack.kind != NONE:
                return "the scenario has an attack of its own"
            if _needs_capital(kind) and not budget.capital_usd:
                return "it has no capital"
            if kind in FLOODS and not budget.rate_per_s:
                return "it has no bandwidth"
        try:
            spans = ((self.scenario.warmup_s, 0.001),)
            AttackPlan((0,), spans, {part: _least(part, kind)}).applied(self.scenario)
        except SurgetankError as error:
            return str(error)
        return ""

    def _held(self, trial: Suggests) -> tuple[int, ...]:
        nodes = self.scenario.network.nodes
        count = trial.suggest_int("held", 1, self.budget.identities)
        first = trial.suggest_int("first", 0, nodes - 1)
        stride = trial.suggest_int("stride", 1, max(1, nodes // self.budget.identities))
        return held_nodes(nodes, first, count, stride)

    def _links(self, trial: Suggests, kind: str) -> dict[str, Any]:
        keys: dict[str, Any] = {"kind": kind}
        if kind in ("delay", "leader-delay"):
            keys["extra_ms"] = self._delay(trial, "delay_share")
        if kind == "loss":
            keys["probability"] = round(trial.suggest_float("loss", 0.02, 1.0), 4)
        return keys

    def _delay(self, trial: Suggests, name: str) -> float:
        share = trial.suggest_float(name, 0.01, 1.0, log=True)
        return _rounded(self.budget.delay_ms * share)

    def _keypers(self, trial: Suggests, conduct: str) -> dict[str, Any]:
        keys: dict[str, Any] = {"kind": "keypers", "conduct": conduct}
        if conduct == "late":
            keys["extra_ms"] = self._delay(trial, "keypers_share")
        return keys

    def _attack(
        self, trial: Suggests, kind: str, held: Sequence[int], taken: float
    ) -> dict[str, Any] | None:
        """The keys of `[attack]`; None for a flood that a flood of faults leaves no bandwidth."""
        names = ATTACKS[kind].model_fields
        keys: dict[str, Any] = {"kind": kind, "capital_usd": 0.0}
        if _needs_capital(kind):
            share = trial.suggest_float("capital_share", 0.001, 1.0, log=True)
            keys["capital_usd"] = _rounded(self.budget.capital_usd * share)
        for setting in SETTINGS.get(kind, ()):
            at = trial.suggest_float(f"{kind}.{setting.key}", 0.0, 1.0)
            value = setting.value(at)
            keys[setting.key] = value if isinstance(value, int) else _rounded(value)
        if kind in FLOODS:
            # Of the whole bandwidth, as that of the venue's own settings may be much smaller.
            share = trial.suggest_float("attack_rate_share", 0.01, 1.0, log=True)
            rate = min(self.budget.rate_per_s * share, self.budget.rate_per_s - taken)
            if rate <= 0:
                return None
            keys["rate_per_s"] = _rounded(rate)
        if kind == "censor":
            keys["class"] = trial.suggest_categorical("censored", tuple(_CLASSES))
            keys["votes"] = trial.suggest_categorical("censors_vote", (False, True))
        if kind == "late-proposal":
            keys["extra_ms"] = self._delay(trial, "late_share")
        if "node" in names:
            keys["node"] = held[0]
        if "nodes" in names:
            keys["nodes"] = list(held)
        return keys

    def _spans(self, trial: Suggests) -> tuple[tuple[float, float], ...]:
        """Pulses that together last as long as the budget allows."""
        begin_s, length_s = self.scenario.warmup_s, self.budget.attack_s
        window_s = self.scenario.duration_s - begin_s
        pulses = trial.suggest_int("pulses", 1, _PULSES)
        stretch = trial.suggest_float("stretch", 0.0, 1.0) if pulses > 1 else 0.0
        extent_s = length_s + stretch * (window_s - length_s)
        at_s = begin_s + trial.suggest_float("start", 0.0, 1.0) * (window_s - extent_s)
        each_s = length_s / pulses
        step_s = (extent_s - each_s) / (pulses - 1) if pulses > 1 else 0.0
        return tuple((round(at_s + i * step_s, 3), _floor(each_s)) for i in range(pulses))


def _least(part: Part, kind: str) -> dict[str, Any]:
    """Keys with which a part of this kind is built only to see whether it is refused."""
    if part == "keypers":
        return {"kind": "keypers", "conduct": kind}
    more: dict[str, dict[str, Any]]
    more = {kind: {"extra_ms": 1.0} for kind in ("delay", "leader-delay")}
    more["loss"] = {"probability": 1.0}
    return {"kind": kind, **(more.get(kind, {}) if part == "links" else {})}


def _rounded(x: float) -> float:
    """To six digits and not upwards, so that it stays within the budget."""
    near = float(f"{x:.6g}")
    return near if near <= x else float(f"{x * (1 - 1e-6):.6g}")


def _floor(seconds: float) -> float:
    """To a microsecond, downwards."""
    return max(int(seconds * 1e6), 1) / 1e6
