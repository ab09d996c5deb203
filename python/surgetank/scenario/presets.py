"""Named presets, each with its source. Keys given in the scenario override the preset's.

- `layer.queue.rule`: see `surgetank.scenario.rule`.
- `[network] preset = "aws-13"`: one-way delays between 13 AWS zones, as CometBFT's end-to-end tests
  emulate them (σ = delay/20, normal). Source: cometbft/cometbft,
  test/e2e/pkg/files/aws-latencies.csv, Apache-2.0.
- `venue`: see `surgetank.scenario.venues`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.scenario import venues
from surgetank.scenario.dotted import nested, value_at
from surgetank.scenario.rule import MATCHING, RULE, name_of, settings

ZONES: Final = (
    "N_Virginia",
    "Canada",
    "N_California",
    "London",
    "Oregon",
    "Ireland",
    "Frankfurt",
    "S_Paulo",
    "Tokyo",
    "Mumbai",
    "Sydney",
    "Seoul",
    "Singapore",
)

#: One-way delay from row to column, ms. The measured matrix is not exactly symmetric.
_MATRIX_MS: Final = (
    (0, 7, 30, 38, 39, 33, 44, 58, 73, 93, 98, 87, 105),
    (7, 0, 38, 39, 29, 35, 46, 63, 70, 94, 97, 85, 103),
    (30, 39, 0, 68, 10, 68, 75, 88, 54, 116, 69, 67, 86),
    (38, 39, 68, 0, 63, 5, 8, 94, 104, 56, 131, 118, 82),
    (39, 29, 10, 63, 0, 59, 68, 88, 49, 109, 69, 63, 84),
    (33, 35, 68, 5, 59, 0, 13, 88, 100, 61, 127, 114, 90),
    (44, 46, 75, 8, 68, 13, 0, 101, 111, 60, 143, 109, 77),
    (58, 63, 88, 94, 88, 89, 101, 0, 128, 151, 155, 142, 161),
    (73, 70, 54, 104, 49, 100, 111, 128, 0, 60, 57, 16, 39),
    (93, 94, 116, 56, 109, 61, 60, 151, 60, 0, 76, 57, 27),
    (98, 97, 69, 131, 69, 127, 143, 155, 57, 76, 0, 69, 45),
    (87, 84, 67, 118, 63, 114, 109, 142, 17, 57, 69, 0, 36),
    (105, 103, 86, 82, 81, 90, 77, 161, 39, 27, 45, 36, 0),
)


def aws_matrix_ms() -> list[list[float]]:
    """13 × 13 one-way delays in milliseconds, in the order of `ZONES`."""
    return [[float(value) for value in row] for row in _MATRIX_MS]


def _networks() -> dict[str, dict[str, Any]]:
    delay = {"kind": "regions", "names": list(ZONES), "matrix_ms": aws_matrix_ms()}
    return {"aws-13": {"delay": delay | {"intra_ms": 0.5, "jitter": 0.05}}}


_VENUES: Final[Mapping[str, Mapping[str, Any]]] = {
    name: venue.values for name, venue in venues.VENUES.items()
}

VENUES: Final = tuple(_VENUES)
#: Keys of a scenario that name a preset.
KEYS: Final = ("venue", "network.preset", RULE)


def names_of(key: str) -> tuple[str, ...]:
    """Names of the presets of `venue` or of `network.preset`."""
    return tuple({"venue": _VENUES, "network.preset": _networks()}[key])


def expand(data: Mapping[str, Any]) -> dict[str, Any]:
    """The scenario's data with its presets filled in; keys that the scenario sets itself have
    precedence.

    Raises:
        SurgetankError: if there is no such preset.
    """
    whole = _ruled(data, data)
    if "venue" in whole:
        venue = whole.pop("venue")
        whole = _under(_ruled(_of_venue(venue, whole), whole), whole)
    network = whole.get("network")
    if isinstance(network, Mapping) and "preset" in network:
        own = {key: value for key, value in network.items() if key != "preset"}
        preset = _chosen(network["preset"], _networks(), "network.preset")
        whole["network"] = _under(preset, own)
    return _named(whole)


def over(data: Mapping[str, Any], key: str, name: Any) -> dict[str, Any]:
    """A complete scenario with a preset's values replacing its own; `key` is one of `KEYS`.

    Raises:
        SurgetankError: if there is no such preset.
    """
    if key == "venue":
        preset = _ruled(_of_venue(name, data), data)
    elif key == RULE:
        preset = _ruled(nested(RULE, name), data)
    else:
        preset = {"network": _chosen(name, _networks(), key)}
    return dict(_under(data, preset))


def _named(whole: dict[str, Any]) -> dict[str, Any]:
    """The data with `rule` set to the name of the resulting settings."""
    layer = whole.get("layer", {})
    queue = layer.get("queue", {}) if isinstance(layer, Mapping) else None
    if not isinstance(queue, Mapping) or not isinstance(queue.get("rule", ""), str):
        return whole  # An invalid value is refused when the scenario is validated.
    return whole | {"layer": {**layer, "queue": {**queue, "rule": name_of(whole)}}}


def rule_in(key: str, value: Any) -> Any:
    """The rule that a value at a dotted key implies, if any."""
    return value_at(nested(key, value), RULE)


def _ruled(data: Mapping[str, Any], scenario: Mapping[str, Any]) -> dict[str, Any]:
    """The data with the settings of their rule, if they name one; settings in the data have
    precedence.

    A rule does not make a market where the scenario has none.
    """
    rule, whole = value_at(data, RULE), dict(data)
    if isinstance(rule, str):
        for key, value in settings(rule).items():
            if key != MATCHING or scenario.get("market") is not None:
                whole = dict(_under(nested(key, value), whole))
    return whole


def _of_venue(name: Any, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A venue's rules; they do not make a market where the scenario has none."""
    preset = _chosen(name, _VENUES, "venue")
    return {key: preset[key] for key in preset if key != "market" or data.get("market") is not None}


def _chosen(name: Any, known: Mapping[str, Mapping[str, Any]], place: str) -> Mapping[str, Any]:
    if not isinstance(name, str) or name not in known:
        hint = f"There are: {', '.join(sorted(known))}"
        raise SurgetankError(f"no preset {name!r}", place=place, hint=hint)
    return known[name]


def _under(preset: Any, own: Any) -> Any:
    """`own` merged over `preset`, table by table. A table with another `kind` replaces the
    preset's."""
    if not (isinstance(preset, Mapping) and isinstance(own, Mapping)):
        return own
    if own.get("kind", preset.get("kind")) != preset.get("kind"):
        return dict(own)
    keys = [*preset, *(key for key in own if key not in preset)]
    return {
        key: _under(preset[key], own[key])
        if key in preset and key in own
        else own[key]
        if key in own
        else preset[key]
        for key in keys
    }
