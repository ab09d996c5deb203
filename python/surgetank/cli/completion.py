"""Completion in a shell: what an option or argument can be, when the tabulator key is pressed.

Typer calls these functions with the context of the words before, and the word begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from surgetank.scenario import Scenario

__all__ = [
    "attack_kinds",
    "curve_names",
    "keys_to_compare",
    "keys_to_set",
    "keys_to_vary",
    "limit_names",
    "listed",
    "measure_names",
    "runs_and_scenarios",
    "scenario_names",
    "search_names",
    "target_schemes",
]

#: Whose keys are offered before a scenario is named: it has every section.
_EXAMPLE = "black-thursday"


def _beginning(found: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in found if name.startswith(incomplete)]


def scenario_names(incomplete: str) -> list[str]:
    """Scenarios that come with surgetank, and files in the current directory."""
    from surgetank.scenario import names

    files = (path.name for path in Path.cwd().glob("*.toml"))
    return _beginning((*names(), *sorted(files)), incomplete)


def runs_and_scenarios(incomplete: str) -> list[str]:
    """Folders of runs and searches in `runs`, and scenarios."""
    marks = ("run.json", "search.json")
    folders = sorted(p for p in Path("runs").glob("*") if any((p / m).exists() for m in marks))
    return [*_beginning(map(str, folders), incomplete), *scenario_names(incomplete)]


def target_schemes(incomplete: str) -> list[str]:
    """Targets that surgetank can start, and those of installed packages: `nats:`."""
    from surgetank.live.registry import SYSTEMS
    from surgetank.plugins import TARGETS, installed

    return _beginning((f"{name}:" for name in (*SYSTEMS, *installed(TARGETS))), incomplete)


def search_names(incomplete: str) -> list[str]:
    """What a search can find."""
    from surgetank.search.goal import FINDS

    return _beginning(FINDS, incomplete)


def attack_kinds(incomplete: str) -> list[str]:
    """Kinds of attack."""
    from surgetank.scenario.attack import ATTACKS

    return _beginning(ATTACKS, incomplete)


def measure_names(incomplete: str) -> list[str]:
    """Names of measures."""
    from surgetank.catalogue import CATALOGUE

    return _beginning(CATALOGUE, incomplete)


def listed(each: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Completion of the last name of a list with commas."""

    def complete(incomplete: str) -> list[str]:
        head, comma, last = incomplete.rpartition(",")
        return [f"{head}{comma}{name}" for name in each(last)]

    return complete


def limit_names(context: typer.Context, incomplete: str) -> list[str]:
    """Limits that the scenario sets, and `any`."""
    return _beginning((*_scenario(context).limits.as_mapping(), "any"), incomplete)


def curve_names(context: typer.Context, incomplete: str) -> list[str]:
    """Curves of a frontier that apply to the scenario."""
    from surgetank.search.sweep import curves_of

    return _beginning((curve.name for curve in curves_of(_scenario(context))), incomplete)


def keys_to_set(context: typer.Context, incomplete: str) -> list[str]:
    """`KEY=` of the scenario and of its presets; after the equals sign, the values that the key's
    model lists."""
    key, equals, _ = incomplete.partition("=")
    if equals:
        return _beginning((f"{key}={value}" for value in _values(key)), incomplete)
    return [f"{key}=" for key in _beginning((*_PRESETS, *_leaves(context)), incomplete)]


def keys_to_vary(context: typer.Context, incomplete: str) -> list[str]:
    """Quantities that a search can vary: numbers."""
    from surgetank.search.parameter import DERIVED

    numbers = (
        key
        for key, value in _leaves(context).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    )
    return _beginning((*DERIVED, *numbers), incomplete)


def keys_to_compare(context: typer.Context, incomplete: str) -> list[str]:
    """Keys of a league; after the equals sign, the next value that the key's model lists."""
    from surgetank.search.parameter import DERIVED

    key, equals, values = incomplete.partition("=")
    if not equals:
        return _beginning((*DERIVED, *_leaves(context)), incomplete)
    head, comma, last = values.rpartition(",")
    return [f"{key}={head}{comma}{value}" for value in _beginning(_values(key), last)]


_PRESETS = ("venue", "network.preset")


def _scenario(context: typer.Context) -> Scenario:
    """The scenario named before; an example if there is none, or it cannot be read."""
    from surgetank.errors import SurgetankError
    from surgetank.scenario import load

    words = (context.params.get(name) for name in ("scenario", "a", "run"))
    try:
        return load(next(word for word in words if word))
    except (StopIteration, SurgetankError):
        return load(_EXAMPLE)


def _leaves(context: typer.Context) -> dict[str, Any]:
    from surgetank.scenario.dotted import Keys, leaves

    return leaves(Keys(_scenario(context)).data)


def _values(key: str) -> Iterator[str]:
    """The values of a key that takes one of a list, as `--set` reads them."""
    from surgetank.errors import SurgetankError
    from surgetank.league.choices import choices
    from surgetank.plugins import CONTROLLERS, QUEUE_RULES, installed
    from surgetank.scenario import presets

    if key in _PRESETS:
        yield from presets.names_of(key)
        return
    try:
        found = choices(key)
    except SurgetankError:
        return
    for value in found:
        yield str(value).lower() if isinstance(value, bool) else str(value)
    groups = {"layer.queue.rule": QUEUE_RULES, "layer.tuning.controller": CONTROLLERS}
    if key in groups:
        yield from installed(groups[key])
