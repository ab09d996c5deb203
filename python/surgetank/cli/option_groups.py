"""Options that commands share, declared once as a dataclass and taken as one argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

__all__ = ["grouped"]

_Hints = Mapping[str, Any]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Gives Typer, which reads only a function's parameters, the fields of each parameter that is
    a dataclass. Fields have defaults, names that are unique in the command, and may be dataclasses
    themselves."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    flat: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            flat += _options(hints[parameter.name])
        else:
            flat.append(_option(parameter.name, hints[parameter.name], parameter.default))

    @wraps(command)
    def called(**given: Any) -> None:
        made = {name: _made(group, given) for name, group in groups.items()}
        command(**given, **made)

    called.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in flat}
    return called


def _option(name: str, hint: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=hint)


def _options(group: Any) -> list[inspect.Parameter]:
    """The options of a group and of the groups in it, in the order of its fields."""
    hints, found = get_type_hints(group, include_extras=True), []
    for field in fields(group):
        if is_dataclass(hints[field.name]):
            found += _options(hints[field.name])
        else:
            assert field.default is not MISSING, f"{group.__name__}.{field.name} has no default"
            found.append(_option(field.name, hints[field.name], field.default))
    return found


def _made(group: Any, given: dict[str, Any]) -> Any:
    """The group of the options given, which are taken out of `given`."""
    hints = get_type_hints(group, include_extras=True)
    return group(
        **{
            field.name: _made(hints[field.name], given)
            if is_dataclass(hints[field.name])
            else given.pop(field.name)
            for field in fields(group)
        }
    )
