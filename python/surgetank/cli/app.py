"""What all commands share: the application, its two consoles, and how values are read and told."""

from __future__ import annotations

import math
import tomllib
from typing import Any

import typer
from rich.console import Console

from surgetank.errors import SurgetankError

__all__ = ["app", "err", "finite", "out", "overrides"]

app = typer.Typer(
    help="Stress tests for the messaging layer of a derivatives venue.",
    epilog="Exit codes: 0 PASS · 1 FAIL · 2 usage · 3 INVALID · 4 UNKNOWN (also: stopped).",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
err = Console(stderr=True, emoji=False)
out = Console(emoji=False)


def overrides(values: list[str]) -> dict[str, Any]:
    """`KEY=VALUE` pairs; values are TOML, or text where that fails."""
    found: dict[str, Any] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SurgetankError("not KEY=VALUE", place=f"--set {text}", mend="Write key=value")
        try:
            found[key.strip()] = tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value
    return found


def finite(value: Any) -> Any:
    """Infinities and NaN as null, so that any JSON reader reads it."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return value
