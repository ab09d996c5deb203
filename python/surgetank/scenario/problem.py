"""A validation error as one line: the key, the problem, the hint."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from surgetank.errors import SurgetankError

Place = tuple[int | str, ...]


def explain(error: ValidationError, model: type[BaseModel], place: str = "") -> SurgetankError:
    """The first problem of a ValidationError for a person."""
    errors = error.errors(include_url=False)
    first = _slip(errors, errors[0])
    path, beside, inside = _walk(model, first["loc"])
    key = _dotted(path)
    where = f"{place}: {key}" if place and key else key or place
    kind = first["type"]
    if kind == "extra_forbidden":
        name = str(path[-1])
        return SurgetankError("unknown key", place=where, hint=_suggest(name, keys_of(beside)))
    if kind == "missing":
        return SurgetankError("this key is missing", place=where, hint="Add it")
    if kind.startswith("union_tag"):
        kinds = [str(m.model_fields["kind"].default) for m in inside if "kind" in m.model_fields]
        listed = f"Take one of: {', '.join(kinds)}"
        given = first["input"] if isinstance(first["input"], Mapping) else {}
        if kind == "union_tag_not_found":
            unknown = [str(key) for key in given if key not in keys_of(inside)]
            misspelt = difflib.get_close_matches("kind", unknown, n=1)
            if misspelt:
                place = f"{where}.{misspelt[0]}"
                return SurgetankError("unknown key", place=place, hint="Did you mean `kind`?")
            return SurgetankError("`kind` is missing", place=where, hint=listed)
        close = difflib.get_close_matches(str(given.get("kind")), kinds, n=1)
        hint = f"Did you mean `{close[0]}`? {listed}" if close else listed
        return SurgetankError(f"no such `kind` {given.get('kind')!r}", place=where, hint=hint)
    # What a validator of ours raised, without what pydantic puts before it.
    message = str(first["ctx"]["error"]) if kind == "value_error" else first["msg"]
    got = first["input"]
    shown = "" if isinstance(got, dict | list | tuple | BaseModel) else f" (it is {got!r})"
    return SurgetankError(message[:1].lower() + message[1:] + shown, place=where)


def _slip(errors: list[Any], first: Any) -> Any:
    """The error to report if a key is missing and a similar unknown key stands beside it: the
    unknown one, which is the misspelt key."""
    if first["type"] != "missing":
        return first
    *table, name = first["loc"]
    beside = {
        str(e["loc"][-1]): e
        for e in errors
        if e["type"] == "extra_forbidden" and list(e["loc"][:-1]) == table
    }
    close = difflib.get_close_matches(str(name), beside, n=1, cutoff=0.5)
    stem = [key for key in beside if key.rsplit("_", 1)[0] == str(name).rsplit("_", 1)[0]]
    found = [*stem, *close]
    return beside[found[0]] if found else first


def _dotted(path: Place) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _suggest(name: str, siblings: Sequence[str]) -> str:
    known = sorted(siblings)
    stem = name.rsplit("_", 1)[0]
    same = [key for key in known if key.rsplit("_", 1)[0] == stem]
    if same:
        return f"This section has `{same[0]}`; mind the unit"
    # Keys of which the name is the end come first: `p99_ms_max` for `delay_p99_ms_max`.
    whole = [key for key in siblings if key.endswith(f"_{name}")]
    close = [*whole, *difflib.get_close_matches(name, known, n=3, cutoff=0.5)]
    if close:
        *others, last = [f"`{key}`" for key in dict.fromkeys(close)][:3]
        return f"Did you mean {', '.join(others)}{' or ' if others else ''}{last}?"
    return f"This section has: {', '.join(known)}"


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """Every model that an annotation can hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models_of(part)]


def keys_of(models: Iterable[type[BaseModel]]) -> list[str]:
    """Keys that a table of one of these models may have, in the order of their declaration."""
    fields = [field for model in models for field in model.model_fields.items()]
    return list(dict.fromkeys(info.alias or name for name, info in fields))


def _walk(
    model: type[BaseModel], loc: Place
) -> tuple[Place, list[type[BaseModel]], list[type[BaseModel]]]:
    """The path without the tags of unions; models beside its last part; models inside it."""
    path: list[int | str] = []
    beside: list[type[BaseModel]] = [model]
    inside = [model]
    for part in loc:
        if part == "[key]":
            continue
        if isinstance(part, int):
            path.append(part)
            continue
        if len(inside) > 1:
            # pydantic puts the chosen kind of a union after the key that holds it.
            inside = [m for m in inside if m.model_fields["kind"].default == part]
            continue
        path.append(part)
        beside = inside
        fields = [
            info
            for m in beside
            for name, info in m.model_fields.items()
            if part in (name, info.alias)
        ]
        inside = [inner for info in fields for inner in models_of(info.annotation)] or beside
    return tuple(path), beside, inside
