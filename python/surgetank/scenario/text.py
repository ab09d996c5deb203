"""A scenario in full as TOML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["toml"]


def toml(scenario: Mapping[str, Any]) -> str:
    """The scenario as TOML. What is null is left out, as TOML has no null."""
    lines: list[str] = []
    _table(scenario, "", lines)
    return "\n".join(lines).strip() + "\n"


def _table(table: Mapping[str, Any], path: str, lines: list[str]) -> None:
    for key, value in table.items():
        if value is not None and not _is_table(value) and not _is_tables(value):
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in table.items():
        name = f"{path}.{_key(key)}" if path else _key(key)
        if _is_table(value):
            lines += ["", f"[{name}]"]
            _table(value, name, lines)
        elif _is_tables(value):
            for entry in value:
                lines += ["", f"[[{name}]]"]
                _table(entry, name, lines)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_tables(value: Any) -> bool:
    listed = isinstance(value, Sequence) and not isinstance(value, str)
    return bool(listed and value and all(isinstance(v, Mapping) for v in value))


def _key(key: str) -> str:
    bare = key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)
    return key if bare else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        lines = "\n" in value and all(c.isprintable() or c == "\n" for c in value)
        if lines and "'''" not in value and not value.endswith("'"):
            return f"'''\n{value}'''"
        # JSON's escapes are TOML's; DEL is the one character JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inside} }}"
    if isinstance(value, Sequence):
        return f"[{', '.join(_value(v) for v in value if v is not None)}]"
    return str(value)
