"""Scenarios in which, taken together, every key of the models stands with every value at a limit.

Nothing is validated: each differs from one scenario in one key, whatever else that would need.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Iterator
from typing import Any

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import surgetank as st
from surgetank.scenario.section import COUNT_MAX, MOST, Section

Path = tuple[str | int, ...]

#: Every section that may be left out is there.
WHOLE: dict[str, Any] = {
    "name": "whole",
    "network": {"nodes": 5},
    "layer": {"queue": {"fair": {"faulty": 1}}, "consensus": {"kind": "single"}},
    "market": {
        "margin": {"per_block": {}, "fillable": {}, "partial": {}, "backstop": {}},
        "options": {},
    },
    "faults": [{"kind": "crash", "at_s": 1.0, "duration_s": 1.0, "nodes": [0]}],
}
#: Keys that Python keeps to itself.
OWN = {"name", "title", "event", "source", "description", "seed", "limits", "rule"}
OWN |= {"tape_hash", "tape_options"}


def every_key() -> Iterator[tuple[Path, st.Scenario]]:
    """Where, and the scenario with a limit there; each kind of each section counts as a value."""
    base = st.Scenario.build(WHOLE)
    yield (), base
    for path in _walk(base, ()):
        yield from ((path, replaced(base, path, value)) for value in _values(base, path))
    for path, kind in _kinds(base):
        other = replaced(base, path, kind)
        yield (*path, kind.kind), other
        for key in type(kind).model_fields:
            inner = (*path, key)
            yield from ((inner, replaced(other, inner, v)) for v in _values(other, inner))


def replaced(section: Any, path: Path, value: Any) -> Any:
    """The section with another value at a path."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(head, int):
        return [replaced(one, rest, value) if i == head else one for i, one in enumerate(section)]
    return section.model_copy(update={head: replaced(getattr(section, head), rest, value)})


def at(section: Any, path: Path) -> Any:
    """The value at a path."""
    for part in path:
        section = section[part] if isinstance(part, int) else getattr(section, part)
    return section


def _walk(section: Section, path: Path) -> Iterator[Path]:
    for name in type(section).model_fields:
        if name in OWN and path in ((), ("layer", "queue")):
            continue
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from _walk(value, (*path, name))
        elif isinstance(value, list) and value and isinstance(value[0], Section):
            yield from _walk(value[0], (*path, name, 0))
        else:
            yield (*path, name)


def _values(scenario: st.Scenario, path: Path) -> Iterator[Any]:
    field = type(at(scenario, path[:-1])).model_fields[str(path[-1])]
    yield from limits(field.annotation, field.metadata)


def _kinds(base: st.Scenario) -> Iterator[tuple[Path, Any]]:
    """Every alternative of every section that has a `kind`, filled in."""
    for path in _sections(base, ()):
        field_owner = at(base, path[:-1]) if isinstance(path[-1], str) else at(base, path[:-2])
        name = path[-1] if isinstance(path[-1], str) else path[-2]
        for model in _models(type(field_owner).model_fields[str(name)].annotation):
            if "kind" in model.model_fields:
                made = filled(model)
                if not getattr(made, "live_only", False):
                    yield path, made


def _sections(section: Section, path: Path) -> Iterator[Path]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, list) and value and isinstance(value[0], Section):
            yield (*path, name, 0)
            value, name_path = value[0], (*path, name, 0)
        else:
            name_path = (*path, name)
        if isinstance(value, Section) and path + (name,) != ("limits",):
            if isinstance(name_path[-1], str):
                yield name_path
            yield from _sections(value, name_path)


def filled(model: type[BaseModel]) -> Any:
    """A section with the keys it needs, each at its first limit."""
    needed = {
        name: next(limits(field.annotation, field.metadata))
        for name, field in model.model_fields.items()
        if field.default is PydanticUndefined and field.default_factory is None
    }
    return model.model_construct(**needed)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]


def limits(annotation: Any, metadata: list[Any]) -> Iterator[Any]:
    """The least and the greatest value of a type, or each of those that it lists."""
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from limits(inside[0], [*_flat(inside[1:]), *metadata])
    elif origin is typing.Literal:
        yield from inside
    elif annotation is bool:
        yield from (False, True)
    elif annotation in (int, float):
        yield from _numbers(annotation, metadata)
    elif origin is list:
        yield from ([value] for value in limits(inside[0], []))
    elif origin is tuple:
        yield tuple(next(limits(part, [])) for part in inside)
    elif annotation is str:
        yield "text"
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield filled(annotation)
    else:  # a union: what it may be, one after the other
        for part in inside:
            if part is type(None):
                yield None
            elif part is not str:
                yield from limits(part, metadata)


def _flat(metadata: Any) -> list[Any]:
    return [m for one in metadata for m in (one.metadata if isinstance(one, FieldInfo) else [one])]


def _numbers(kind: type, metadata: list[Any]) -> Iterator[float]:
    least, most = (0, COUNT_MAX) if kind is int else (-MOST, MOST)
    step = (lambda x, way: x + way) if kind is int else (lambda x, way: math.nextafter(x, way * MOST))
    for one in metadata:
        if isinstance(one, annotated_types.Ge):
            least = one.ge
        elif isinstance(one, annotated_types.Gt):
            least = step(one.gt, 1)
        elif isinstance(one, annotated_types.Le):
            most = min(most, one.le)
        elif isinstance(one, annotated_types.Lt):
            most = step(one.lt, -1)
    yield from dict.fromkeys((kind(max(least, 0 if kind is int else least)), kind(most)))
