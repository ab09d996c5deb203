"""A scenario's plain values by dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["nested", "value_at"]


def value_at(data: Any, key: str) -> Any:
    """The value at a dotted key of tables and lists (by index); None if there is none."""
    for part in key.split("."):
        if isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        elif isinstance(data, Mapping):
            data = data.get(part)
        else:
            return None
    return data


def nested(key: str, value: Any) -> dict[str, Any]:
    """Tables in tables, with the value at a dotted key."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)
