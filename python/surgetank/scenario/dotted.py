"""Access to a scenario's plain values by dotted keys, and the unit in which a key's name ends.

A part of a key is a name in a table, or an index in a list: `faults.0.at_s`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from surgetank.errors import SurgetankError

__all__ = ["Keys", "leaves", "nested", "put", "unit_of", "value_at"]

_MISSING: Final = object()


def _child(data: Any, part: str) -> Any:
    if isinstance(data, list):
        return data[int(part)] if part.isdecimal() and int(part) < len(data) else _MISSING
    return data.get(part, _MISSING) if isinstance(data, Mapping) else _MISSING


def _at(data: Any, key: str) -> Any:
    for part in key.split("."):
        data = _child(data, part)
    return data


def value_at(data: Any, key: str) -> Any:
    """The value at a dotted key; None if there is none."""
    found = _at(data, key)
    return None if found is _MISSING else found


class Keys:
    """A scenario's values, as in its file, by dotted keys."""

    def __init__(self, scenario: BaseModel) -> None:
        self.data: dict[str, Any] = scenario.model_dump(mode="json", by_alias=True)

    def __call__(self, key: str) -> Any:
        """The value at a key; None if there is none."""
        return value_at(self.data, key)

    def __contains__(self, key: str) -> bool:
        return _at(self.data, key) is not _MISSING


def put(data: dict[str, Any], key: str, value: Any) -> None:
    """Sets the value at a dotted key; tables on the way that are missing are made.

    Another `kind` has other keys: setting it empties its table first.

    Raises:
        SurgetankError: a list has no such entry, or a value stands where a table should.
    """
    *path, last = key.split(".")
    table: Any = data
    for depth, part in enumerate(path):
        here = ".".join(path[: depth + 1])
        if isinstance(table, list):
            table = table[_index(table, part, here)]
            continue
        if table.get(part) is None:
            table[part] = {}
        table = table[part]
        if not isinstance(table, dict | list):
            raise SurgetankError("this is a value, not a section", place=here)
    if isinstance(table, list):
        table[_index(table, last, key)] = value
        return
    if last == "kind" and table.get("kind") != value:
        table.clear()
    table[last] = value


def _index(table: list[Any], part: str, place: str) -> int:
    if _child(table, part) is not _MISSING:
        return int(part)
    hint = f"Take an index in 0..{len(table) - 1}, or give the whole list" if table else ""
    raise SurgetankError(f"there are {len(table)} entries", place=place, hint=hint)


def leaves(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values that are not tables, by dotted keys; a list is one value."""
    found: dict[str, Any] = {}
    for name, inner in data.items():
        if isinstance(inner, Mapping):
            found |= leaves(inner, f"{prefix}{name}.")
        else:
            found[prefix + name] = inner
    return found


def nested(key: str, value: Any) -> dict[str, Any]:
    """Tables in tables, with the value at a dotted key."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


#: Units by the last part of a key's name (docs/CONTRIBUTING.md).
_UNITS: Final = {
    "per_s": "1/s",
    "ms": "ms",
    "us": "µs",
    "s": "s",
    "mbps": "Mbit/s",
    "usd": "USD",
    "bp": "bp",
    "bytes": "bytes",
    "pct": "%",
}


def unit_of(key: str) -> str:
    """The unit of the number at a dotted key, by the end of its name; `1` without one."""
    words = key.rpartition(".")[2].split("_")
    return _UNITS.get("_".join(words[-2:])) or _UNITS.get(words[-1], "1")
