"""Writes docs/scenario.md from the models: `python docs/reference.py`. A test runs it with --check."""

from __future__ import annotations

import sys
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import surgetank as st

PAGE = Path(__file__).with_name("scenario.md")
HEAD = """# Scenario reference

A scenario is one TOML file. Every key is below, with its default; only `name` must be given. Unknown keys are refused. Units stand last
in names. `surgetank schema` prints the same as JSON schema; `surgetank init NAME` writes a commented file to start from.

Presets lie under what the file says: `venue = "dydx-v4"`, `"hyperliquid"`, `"binance"` or `"deribit"` at the top, `preset = "aws-13"` in `[network]`
(their constants and sources: `python/surgetank/scenario/presets.py`).

This page is written by `docs/reference.py`.
"""


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Every model that an annotation can hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models_in(part)]


def default_of(field: FieldInfo) -> str:
    """The default as a reader of TOML would write it."""
    if field.default_factory is not None:
        return ""
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "none"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return f'"{field.default}"' if isinstance(field.default, str) else f"{field.default}"


def section(path: str, model: type[BaseModel], lines: list[str]) -> None:
    """A heading per key, depth first."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key == "kind":
            continue
        whole = f"{path}.{key}" if path else key
        default = default_of(field)
        lines += [f"### `{whole}`", ""]
        text = (field.description or "").strip()
        told = f"{text[:1].upper()}{text[1:]}."
        lines += [told + (f" Default: `{default}`." if default else ""), ""]
        inner = models_in(field.annotation)
        kinds = [m for m in inner if "kind" in m.model_fields]
        if kinds:
            names = ", ".join(f"`{m.model_fields['kind'].default}`" for m in kinds)
            lines += [f"Kinds: {names}.", ""]
        for one in inner:
            kind = one.model_fields.get("kind")
            place = f"{whole}[kind = {kind.default}]" if kind is not None else whole
            if kind is not None:
                doc = " ".join((one.__doc__ or "").split())
                lines += [f"#### `{place}`", "", doc, ""]
            section(place, one, lines)


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    section("", st.Scenario, lines)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
