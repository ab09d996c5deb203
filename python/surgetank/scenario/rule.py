"""`layer.queue.rule`: one name for the five settings that make an order.

A name sets the settings that define it and the others to their defaults, so that a league can vary
one key. Names joined by `+` combine: `drr+themis`, `lanes+auction`. A setting in the scenario has
precedence over its rule; the scenario's rule is then named after the resulting settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.plugins import QUEUE_RULES, is_plugin
from surgetank.scenario.dotted import value_at
from surgetank.scenario.queue import DISCIPLINES, RULES
from surgetank.scenario.section import known_or_plugin

__all__ = ["MATCHING", "RULE", "name_of", "settings"]

RULE: Final = "layer.queue.rule"
DISCIPLINE: Final = "layer.queue.discipline"
EXPRESS: Final = "layer.queue.express.enabled"
ORDER: Final = "layer.queue.order"
UNSEALING: Final = "layer.queue.unsealing"
MATCHING: Final = "market.matching"

#: The default settings.
_PLAIN: Final[Mapping[str, Any]] = {
    DISCIPLINE: "fifo",
    EXPRESS: False,
    ORDER: "as-proposed",
    UNSEALING: "none",
    MATCHING: "continuous",
}
#: Sealed messages have a drawn order unless another is named, so that no sender can choose its
#: place.
_SEALED: Final = {ORDER: "drawn"}
_NAMES: Final[Mapping[str, tuple[str, Any]]] = {
    **{name: (DISCIPLINE, name) for name in DISCIPLINES},
    "express": (EXPRESS, True),
    "as-proposed": (ORDER, "as-proposed"),
    "hash": (ORDER, "drawn"),
    "themis": (ORDER, "themis"),
    "median": (ORDER, "median"),
    "commit-reveal": (UNSEALING, "commit-reveal"),
    "threshold": (UNSEALING, "threshold"),
    "auction": (MATCHING, "auction"),
}


def settings(rule: str) -> dict[str, Any]:
    """All five settings of a rule, by dotted keys.

    Raises:
        SurgetankError: if there is no such rule, or two of its names set the same.
    """
    found: dict[str, tuple[str, Any]] = {}
    for name in rule.split("+"):
        key, value = _NAMES[name] if name in _NAMES else (DISCIPLINE, _plugin(name))
        if key in found:
            what = f"`{found[key][0]}` and `{name}` both set `{key}` (it is {rule!r})"
            raise SurgetankError(what, place=RULE, hint="Leave one of them out")
        found[key] = name, value
    own = {key: value for key, (_, value) in found.items()}
    return {**_plain(own), **own}


def name_of(data: Mapping[str, Any]) -> str:
    """The rule whose settings a scenario's data have; a setting that is absent is the default."""
    own = {key: value_at(data, key) for key in _PLAIN}
    own = {key: _PLAIN[key] if value is None else value for key, value in own.items()}
    plain, discipline = _plain(own), own[DISCIPLINE]
    names = [discipline] if isinstance(discipline, str) and is_plugin(discipline) else []
    names += [name for name, (key, value) in _NAMES.items() if own[key] == value != plain[key]]
    return "+".join(names) or "fifo"


def _plain(own: Mapping[str, Any]) -> dict[str, Any]:
    sealed = own.get(UNSEALING, "none") != "none"
    return {**_PLAIN, **_SEALED} if sealed else dict(_PLAIN)


def _plugin(name: str) -> str:
    try:
        return known_or_plugin("rule", RULES, QUEUE_RULES)(name)
    except ValueError as error:
        raise SurgetankError(f"{error} (it is {name!r})", place=RULE) from None
