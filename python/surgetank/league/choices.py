"""The values that a key of a scenario can take, where its model lists them."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel

from surgetank.errors import SurgetankError
from surgetank.scenario import Scenario

__all__ = ["choices", "is_key"]


def choices(key: str, model: type[BaseModel] = Scenario) -> list[Any]:
    """Every value of a dotted key that takes one of a list; empty if it takes other values too.

    Below a section of several kinds, the key of all of them: `layer.gossip.kind` gives every kind.

    Raises:
        SurgetankError: if there is no such key.
    """
    values: dict[str, Any] = {}
    for annotation in _walk(key, model):
        found = _listed(annotation)
        if found is None:
            return []
        values |= {repr(value): value for value in found}
    return list(values.values())


def is_key(key: str, model: type[BaseModel] = Scenario) -> bool:
    """Whether a scenario may have this key."""
    try:
        return bool(_walk(key, model))
    except SurgetankError:
        return False


def _walk(key: str, model: type[BaseModel]) -> list[Any]:
    """The type annotations of a key."""
    here: list[Any] = [model]
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if part.isdecimal():
            here = [inner for annotation in here for inner in _items(annotation)]
            known: list[str] = []
        else:
            models = [m for annotation in here for m in _models(annotation)]
            known = sorted({name for m in models for name in m.model_fields})
            here = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        if not here:
            close = difflib.get_close_matches(part, known, n=1)
            hint = f"Did you mean `{'.'.join([*parts[:depth], close[0]])}`?" if close else ""
            raise SurgetankError(
                "a scenario has no such key", place=key, hint=hint or "See `surgetank schema`"
            )
    return here


def _parts(annotation: Any) -> Iterable[Any]:
    """The members of a union or of an annotated type; of any other type, the type itself."""
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _parts(inside[0])
    if origin in (Union, UnionType):
        return [part for one in inside for part in _parts(one)]
    return [annotation]


def _models(annotation: Any) -> list[type[BaseModel]]:
    return [p for p in _parts(annotation) if isinstance(p, type) and issubclass(p, BaseModel)]


def _items(annotation: Any) -> list[Any]:
    lists = [p for p in _parts(annotation) if typing.get_origin(p) is list]
    return [inner for p in lists for inner in typing.get_args(p)]


def _listed(annotation: Any) -> list[Any] | None:
    """The values of an annotation; None if they are no list.

    A text beside listed names (a class of the user's own) leaves the list as it is.
    """
    values: list[Any] = []
    parts = list(_parts(annotation))
    for part in parts:
        if part is bool:
            values += [False, True]
        elif typing.get_origin(part) is Literal:
            values += typing.get_args(part)
        elif part not in (NoneType, str):
            return None
    return values or None
