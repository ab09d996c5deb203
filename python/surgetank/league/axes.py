"""The entrants of a league: the scenario with each combination of the varied values."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.league.choices import choices, is_key
from surgetank.scenario import Scenario
from surgetank.scenario.dotted import Keys
from surgetank.search.parameter import DERIVED, parameter

__all__ = ["ATTACK", "NONE", "RULE", "Entrant", "Vary", "attacked", "attacks_of", "entrants_of"]

RULE: Final = "layer.queue.rule"
ATTACK: Final = "attack.kind"
NONE: Final = "none"
"""Name of the attack `none`."""

Vary = str | Iterable[str] | Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Entrant:
    """A variant of the scenario that is compared with the others."""

    name: str
    rule: str
    """Its queue rule, whether varied or not."""
    values: Mapping[str, Any]
    """The keys varied and their values here."""

    def at(self, scenario: Scenario) -> Scenario:
        """The scenario with this entrant's values.

        Raises:
            SurgetankError: if the scenario does not allow these values.
        """
        made = scenario.with_values({k: v for k, v in self.values.items() if k not in DERIVED})
        for key in DERIVED:
            if key in self.values:
                made = parameter(made, key).at(made, float(self.values[key]))
        return made


def entrants_of(scenario: Scenario, vary: Vary) -> tuple[list[Entrant], list[str]]:
    """Every combination of the varied values, and those left out, each with the reason.

    Each value that the user named must fit the scenario in some combination. Combinations that do
    not fit are left out.

    Raises:
        SurgetankError: naming the key or value, and the hint.
    """
    axes = _axes(vary)
    found: list[Entrant] = []
    wrong: dict[str, tuple[Mapping[str, Any], SurgetankError]] = {}
    for values in product(*(chosen for _, chosen, _ in axes)):
        keyed = {key: value for (key, _, _), value in zip(axes, values, strict=True)}
        name = _name(keyed)
        entrant = Entrant(name, "", keyed)
        try:
            found.append(replace(entrant, rule=_rule(entrant.at(scenario))))
        except SurgetankError as error:
            wrong[name] = keyed, error
    for key, chosen, asked in axes:
        for value in chosen if asked else []:
            if not any(e.values[key] == value for e in found):
                raise _refused(key, value, wrong)
    if not found:
        key, chosen, _ = axes[0]
        raise _refused(key, chosen[0], wrong)
    names = [e.name for e in found]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise SurgetankError("occurs twice", place=f"--vary {twice}", hint="Give each value once")
    return found, [f"{name}: {error}" for name, (_, error) in wrong.items()]


def _refused(
    key: str, value: Any, wrong: Mapping[str, tuple[Mapping[str, Any], SurgetankError]]
) -> SurgetankError:
    error = next(e for values, e in wrong.values() if values[key] == value)
    return SurgetankError(
        f"{error.place}: {error.message}" if error.place else error.message,
        place=f"--vary {key}={_value_text(value)}",
        hint=error.hint or "Set what it needs with --set, or leave the value out",
    )


def attacks_of(
    scenario: Scenario, entrants: Sequence[Entrant], kinds: str | Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """Kinds of attack by name; and those left out of `all`, each with the reason.

    `all` is every kind of the scenario's model that fits it; None is none and the scenario's own.

    Raises:
        SurgetankError: if there is no such kind, or it does not fit the scenario.
    """
    known = [NONE, *(k for k in _attack_kinds() if k != NONE)]
    if kinds is None:
        own = Keys(scenario)(ATTACK)
        return ([NONE] if own in (None, NONE) else [NONE, str(own)]), []
    asked = kinds.split(",") if isinstance(kinds, str) else list(kinds)
    asked = list(dict.fromkeys(name.strip() for name in asked))
    found, out = [], []
    for name in known if asked == ["all"] else asked:
        if name not in known:
            raise SurgetankError(
                "no such attack",
                place=f"--attack {name}",
                hint=f"There are: {', '.join(known)}; or all",
            )
        try:
            for entrant in entrants:
                attacked(entrant.at(scenario), name)
            found.append(name)
        except SurgetankError as error:
            if asked != ["all"]:
                raise
            out.append(str(error))
    return found, out


def attacked(scenario: Scenario, kind: str) -> Scenario:
    """The scenario under an attack; one of its own kind keeps its own keys.

    Raises:
        SurgetankError: if the scenario does not allow this attack.
    """
    own = Keys(scenario)(ATTACK) or NONE
    if kind == own or not is_key(ATTACK):
        return scenario
    try:
        return scenario.with_values({ATTACK: kind})
    except SurgetankError as error:
        where = f"--attack {kind}: {error.place}" if error.place else f"--attack {kind}"
        raise SurgetankError(error.message, place=where, hint=error.hint) from None


def _attack_kinds() -> list[str]:
    return [str(kind) for kind in choices(ATTACK)] if is_key(ATTACK) else []


def _axes(vary: Vary) -> list[tuple[str, list[Any], bool]]:
    """Key, values, and whether the user named the values."""
    if isinstance(vary, Mapping):
        pairs = [(str(key), list(values)) for key, values in vary.items()]
    else:
        texts = [vary] if isinstance(vary, str) else list(vary)
        pairs = [_pair(text) for text in texts]
    axes = []
    for key, values in pairs:
        if [k for k, _ in pairs].count(key) > 1:
            raise SurgetankError(
                "this key is varied twice", place=f"--vary {key}", hint="Give all its values once"
            )
        if key == ATTACK:
            raise SurgetankError("attacks have an option", place=f"--vary {key}", hint="--attack")
        if key in DERIVED:
            values = [_level(key, value) for value in values]
        known = [] if key in DERIVED else choices(key)
        if not values and not known:
            raise SurgetankError(
                "has no list of values to choose from",
                place=f"--vary {key}",
                hint=f"List them: --vary {key}=A,B",
            )
        axes.append((key, values or known, bool(values)))
    return axes


def _level(key: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    raise SurgetankError("not a positive number", place=f"--vary {key}={value}", hint="Try 500")


def _pair(text: str) -> tuple[str, list[Any]]:
    """`KEY` or `KEY=v1,v2`; values are TOML, or text where that fails."""
    key, equals, rest = text.partition("=")
    if not key.strip() or (equals and not rest.strip()):
        raise SurgetankError("not KEY or KEY=A,B", place=f"--vary {text}", hint="Write key=a,b")
    return key.strip(), [_value(part.strip()) for part in _split(rest)] if equals else []


def _split(text: str) -> list[str]:
    """The parts of a text between commas that are outside brackets and quotes."""
    parts, depth, quoted = [""], 0, False
    for sign in text:
        quoted ^= sign == '"'
        depth += 0 if quoted else (sign in "[{") - (sign in "]}")
        if sign == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += sign
    return [part for part in parts if part.strip()]


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def _name(values: Mapping[str, Any]) -> str:
    """An entrant's name: the rule by itself, other keys by their last part and value, `as it is` if
    nothing varies."""
    if not values:
        return "as it is"
    parts = []
    for key, value in values.items():
        last = key.rpartition(".")[2]
        bare = isinstance(value, str) and (key == RULE or len(values) == 1)
        parts.append(str(value) if bare else f"{last} {_value_text(value)}")
    return ", ".join(parts)


def _value_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "+".join(_value_text(v) for v in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rule(scenario: Scenario) -> str:
    return str(Keys(scenario)(RULE) or "")
