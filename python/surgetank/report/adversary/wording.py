"""The worst attack in words, for the page and the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from surgetank.adversary import AttackPlan, DefenceTried, PartDamage, WorstAttack
from surgetank.adversary.plan import LEADER_FAULTS, PARTS
from surgetank.attacker.race import MeanGain
from surgetank.catalogue import title_of
from surgetank.number_format import counted, milliseconds, number, share, usd, value
from surgetank.verdict import Status

__all__ = [
    "AttackFigure",
    "budget_rows",
    "comparisons",
    "damage_text",
    "defence_rows",
    "part_rows",
    "sentence",
    "steps",
    "tiles",
    "title",
]

_LINKS: Final = {
    "partition": "Cut off from the others",
    "crash": "Stopped, and restarted after each pulse",
    "leader-partition": "Cut off from the others: whoever leads at the time",
}
_VERDICTS: Final = {True: "helps", False: "does not help", None: "not shown to help"}
_NEEDED: Final = {True: "does damage", False: "does none", None: "not shown to do damage"}


@dataclass(frozen=True)
class AttackFigure:
    """A figure with its title and what is below it."""

    title: str
    value: str
    detail: str


def title(found: WorstAttack) -> str:
    """The objective as a heading: "Venue's loss"."""
    own = {"venue-loss": "Venue's loss", "net-gain": "Attacker's net gain"}
    return own.get(found.objective.name) or title_of(found.objective.name)


def damage_text(found: WorstAttack, mean: MeanGain) -> str:
    """A damage with its interval: $82.9 k [$70.4 k, $95.5 k]."""
    return _interval(mean, found.objective.unit)


def sentence(found: WorstAttack) -> str:
    """The result in a sentence."""
    worst = damage_text(found, found.damage)
    if found.forks:
        runs = f"{found.forks} of {len(found.fresh_seeds)} fresh runs"
        return f"The chain forks in {runs}: two honest nodes decide differently."
    if found.status is Status.INVALID:
        return f"{counted(len(found.invalid), 'run')} failed their own checks; nothing is known."
    if found.status is Status.FAIL:
        return f"The worst attack found adds {worst} to {title(found).lower()}, per run."
    limit = value(found.tolerance, found.objective.unit)
    if found.status is Status.PASS:
        return f"No attack was found that adds more than {limit}: the worst adds {worst}."
    return (
        f"Whether the worst attack found adds more than {limit} is undecided with these seeds: "
        f"{worst}."
    )


def steps(plan: AttackPlan) -> list[str]:
    """What the attack consists of, a sentence a part."""
    words: Mapping[str, Any] = {
        "links": _links_text,
        "keypers": _keypers_text,
        "flood": lambda _, keys: f"{number(keys['rate_per_s'])} messages/s flood all gateways.",
        "attack": _attack_text,
    }
    found = [words[part](plan, plan.parts[part]) for part in PARTS if part in plan.parts]
    return [*found, _when(plan)]


def tiles(found: WorstAttack) -> list[AttackFigure]:
    """Key figures of the page."""
    unit, gain, over = found.objective.unit, found.net_gain, found.over_random
    forks = f"{found.forks} of {len(found.fresh_seeds)} runs"
    damage = value(found.damage.mean, unit), _ends(found.damage, unit)
    first = ("Forks", forks, "two honest nodes decided differently")
    shown = [
        first if found.forks else ("Damage per run", *damage),
        (f"{title(found)} without it", _plain(found, found.before), "mean of the same seeds"),
        ("Attacker's net gain", usd(gain.mean), _ends(gain, "USD")),
        ("More than a random attack", value(over.mean, unit), _ends(over, unit)),
    ]
    return [AttackFigure(*texts) for texts in shown]


def comparisons(found: WorstAttack) -> list[str]:
    """What the damage is compared with, a sentence each; nothing where it has no size."""
    texts: list[str] = []
    if found.forks:
        return texts
    if found.over_textbook is not None and found.textbook is not None:
        simple = " ".join(steps(found.textbook))
        texts.append(
            f"It does {damage_text(found, found.over_textbook)} more than the best of the "
            "textbook's attacks (one part, all of the budget, in the middle of the run), on the "
            f"same seeds. That one: {simple}"
        )
    else:
        texts.append("It is itself one of the textbook's attacks: one part, all of the budget.")
    texts.append(
        f"It does {damage_text(found, found.over_random)} more than attacks drawn at random within "
        "the budget, another for each seed."
    )
    bias = value(found.searched, found.objective.unit)
    texts.append(f"On the seeds on which it was chosen it did {bias}.")
    for group, mean in found.pockets.items():
        texts.append(f"Its trades took {_interval(mean, 'USD')} from {group}.")
    return texts


def part_rows(found: WorstAttack) -> list[tuple[str, str, str]]:
    """Part, what it adds, and whether that is significant."""
    return [
        (_part(c), damage_text(found, c.damage), _NEEDED[c.needed]) for c in found.contributions
    ]


def defence_rows(found: WorstAttack) -> list[tuple[str, str, str, str, str]]:
    """Change, damage of the same attack, of the worst attack found against it, what it saves, and
    the conclusion."""
    rows = []
    for d in found.defences:
        adapted = "not searched" if d.adapted is None else damage_text(found, d.adapted)
        saved, same = damage_text(found, d.saved), damage_text(found, d.same)
        rows.append((d.text, same, adapted, saved, _conclusion(found, d)))
    return rows


def budget_rows(found: WorstAttack) -> list[tuple[str, str, str]]:
    """Means, the budget, and what the attack uses of it."""
    b, plan = found.budget, found.plan
    delay = max(
        float(plan.parts.get(part, {}).get("extra_ms", 0.0))
        for part in ("links", "keypers", "attack")
    )
    return [
        ("nodes held", number(b.identities), number(plan.identities)),
        ("longest delay added", milliseconds(b.delay_ms), milliseconds(delay)),
        ("time", milliseconds(1e3 * b.attack_s), milliseconds(1e3 * plan.attack_s)),
        (
            "messages of floods",
            number(b.rate_per_s * b.attack_s),
            number(plan.messages),
        ),
        ("capital", usd(b.capital_usd), usd(_capital(plan))),
        ("price of its means", "", usd(plan.price_usd(b))),
    ]


def _capital(plan: AttackPlan) -> float:
    return float(plan.parts.get("attack", {}).get("capital_usd", 0.0))


def _conclusion(found: WorstAttack, tried: DefenceTried) -> str:
    if tried.invalid:
        return f"INVALID: {tried.invalid}"
    worst = tried.adapted
    if worst is not None and max(worst.high, tried.same.high) <= found.tolerance:
        return "no attack found does damage any more"
    text = _VERDICTS[tried.helps]
    return f"{text}; it no longer pays" if found.net_gain.low > 0 >= tried.net_gain.high else text


def _part(contribution: PartDamage) -> str:
    return PARTS[contribution.part]


def _links_text(plan: AttackPlan, keys: Mapping[str, Any]) -> str:
    if keys["kind"] == "delay":
        what = f"Delayed by {milliseconds(keys['extra_ms'])} each way"
    elif keys["kind"] == "leader-delay":
        return f"Delayed by {milliseconds(keys['extra_ms'])} each way: whoever leads at the time."
    elif keys["kind"] == "loss":
        what = f"Losing {share(keys['probability'])} of all packets"
    else:
        what = _LINKS[keys["kind"]]
    return f"{what}." if keys["kind"] in LEADER_FAULTS else f"{what}: {_nodes(plan.held)}."


def _keypers_text(plan: AttackPlan, keys: Mapping[str, Any]) -> str:
    late = f" by {milliseconds(keys['extra_ms'])}" if "extra_ms" in keys else ""
    return f"Keypers that are {keys['conduct']}{late}: {_nodes(plan.held)}."


def _attack_text(plan: AttackPlan, keys: Mapping[str, Any]) -> str:
    known = {"kind", "capital_usd", "node", "nodes"}
    more = [f"{key} {_setting(v)}" for key, v in keys.items() if key not in known]
    where = (
        _nodes(keys["nodes"] if "nodes" in keys else [keys["node"]])
        if (keys.keys() & {"node", "nodes"})
        else ""
    )
    capital = f"capital {usd(keys['capital_usd'])}" if keys["capital_usd"] else ""
    details = ", ".join(text for text in (where, capital, *more) if text)
    return f"[attack] {keys['kind']}: {details}." if details else f"[attack] {keys['kind']}."


def _setting(v: Any) -> str:
    return number(v) if isinstance(v, int | float) else str(v)


def _when(plan: AttackPlan) -> str:
    first, length = plan.spans[0]
    for_s = milliseconds(1e3 * length)
    if len(plan.spans) == 1:
        return f"From {number(first)} s on, for {for_s}."
    begins = ", ".join(number(at) for at, _ in plan.spans)
    return f"{len(plan.spans)} pulses of {for_s}, at {begins} s."


def _nodes(nodes: Sequence[int]) -> str:
    word = "node" if len(nodes) == 1 else "nodes"
    return f"{word} {', '.join(map(str, nodes))}"


def _plain(found: WorstAttack, x: float) -> str:
    return value(found.objective.sign * x, found.objective.unit)


def _interval(mean: MeanGain, unit: str) -> str:
    if math.isnan(mean.mean):
        return "not known"
    return f"{value(mean.mean, unit)} {_ends(mean, unit)}"


def _ends(mean: MeanGain, unit: str) -> str:
    return f"[{value(mean.low, unit)}, {value(mean.high, unit)}]"
