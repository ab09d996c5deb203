"""A validation error as one line: which key, what is wrong, how to mend it."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from surgetank.errors import SurgetankError

Place = tuple[int | str, ...]


def explain(error: ValidationError, model: type[BaseModel], place: str = "") -> SurgetankError:
    """The first problem of a ValidationError for a person."""
    first = error.errors(include_url=False)[0]
    path, siblings = _walk(model, first["loc"])
    key = _dotted(path)
    where = f"{place}: {key}" if place and key else key or place
    kind = first["type"]
    if kind == "extra_forbidden":
        name = str(path[-1])
        return SurgetankError("unknown key", place=where, mend=_suggest(name, siblings))
    if kind == "missing":
        return SurgetankError("this key is missing", place=where, mend="Add it")
    if kind.startswith("union_tag"):
        expected = first.get("ctx", {}).get("expected_tags", "")
        return SurgetankError("no such `kind`", place=where, mend=f"Take one of {expected}")
    message = first["msg"].removeprefix("Value error, ")
    got = first["input"]
    shown = "" if isinstance(got, dict | list | BaseModel) else f" (it is {got!r})"
    return SurgetankError(message[:1].lower() + message[1:] + shown, place=where)


def _dotted(path: Place) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _suggest(name: str, siblings: Iterable[str]) -> str:
    known = sorted(siblings)
    stem = name.rsplit("_", 1)[0]
    same = [key for key in known if key.rsplit("_", 1)[0] == stem]
    if same:
        return f"This section has `{same[0]}`; mind the unit"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"Did you mean `{close[0]}`?"
    return f"This section has: {', '.join(known)}"


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Every model that an annotation can hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]


def keys_of(models: Iterable[type[BaseModel]]) -> set[str]:
    """Keys that a table of one of these models may have."""
    return {info.alias or name for model in models for name, info in model.model_fields.items()}


def _walk(model: type[BaseModel], loc: Place) -> tuple[Place, set[str]]:
    """The path without the tags of unions, and the keys beside its last part."""
    models: list[type[BaseModel]] = [model]
    path: list[int | str] = []
    siblings = keys_of(models)
    for part in loc:
        if isinstance(part, int):
            path.append(part)
            continue
        tagged = [
            m for m in models if "kind" in m.model_fields and m.model_fields["kind"].default == part
        ]
        if tagged and part not in keys_of(models):
            models, siblings = tagged, keys_of(tagged)
            continue
        path.append(part)
        siblings = keys_of(models)
        fields = [
            info
            for m in models
            for name, info in m.model_fields.items()
            if part in (name, info.alias)
        ]
        models = [inner for info in fields for inner in _models(info.annotation)] or models
    return tuple(path), siblings
