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
from surgetank.scenario.problem import models_of
from surgetank.scenario.section import COUNT_MAX, MOST, Section

Path = tuple[str | int, ...]
_BOUNDS = ("ge", "gt", "le", "lt")

#: Every section that may be left out is there.
WHOLE: dict[str, Any] = {
    "name": "whole",
    "network": {"nodes": 5, "machines": [{"name": "large", "nodes": [0]}]},
    "layer": {
        "queue": {"fair": {"faulty": 1}},
        "consensus": {"kind": "single"},
        "admission": {
            "policy": "rates",
            "reducing": "own",
            "price": {"kind": "eip1559"},
            "relief": "capped",
            "remember_cancels": True,
        },
    },
    "market": {
        "margin": {"mode": "cross", "per_block": {}, "fillable": {}, "partial": {}, "backstop": {}}
        | {"tiers": [{"above_usd": 1e6, "initial": 0.1, "maintenance": 0.05}]}
        | {"open_interest": {"lower_usd": 1e6, "upper_usd": 2e6}},
        "options": {},
        "perpetuals": [
            {
                "name": "ETH",
                "tick_usd": 0.01,
                "price": {"path": {"kind": "follows", "start_usd": 3_000.0}},
                # Not the first's: to leave them out is another value.
                "margin": {"initial": 0.1},
                "protection": {"band_bp": 50.0},
                "funding": {"interest_bp": 2.0},
            }
        ],
        "funding": {},
        "collateral": [{"name": "USDX", "price_usd": 1.0, "haircut": 0.02, "share": 0.1}],
    },
    "faults": [{"kind": "crash", "at_s": 1.0, "duration_s": 1.0, "nodes": [0]}],
}
#: Keys that Python keeps to itself.
OWN: set[Path] = {("layer", "queue", "rule"), ("tape_hash",), ("tape_options",), ("limits",)}
OWN |= {("market", "margin", "late_after_ms"), ("network_file",), ("network_hash",)}
OWN |= {("market", "collateral", 0, "market")}
OWN |= {(name,) for name in ("name", "title", "event", "source", "description", "seed")}

_QUEUE, _ADMISSION = ("layer", "queue"), ("layer", "admission")
_MARGIN = ("market", "margin")
#: Keys that cross only where another has this value; the longest path that fits counts.
UNDER: dict[Path, tuple[Path, str]] = {
    (*_ADMISSION, "quota"): ((*_ADMISSION, "policy"), "quota"),
    ("layer", "tuning", "bounds", "weight_least"): ((*_QUEUE, "discipline"), "lanes"),
    ("layer", "tuning", "bounds", "weight_most"): ((*_QUEUE, "discipline"), "lanes"),
    (*_MARGIN, "close_out_bp"): ((*_MARGIN, "close_out"), "oracle"),
    ("market", "funding", "damping_bp"): (("market", "funding", "formula"), "damped"),
    (*_QUEUE, "high"): ((*_QUEUE, "discipline"), "priority"),
    (*_QUEUE, "quantum_bytes"): ((*_QUEUE, "discipline"), "drr"),
    (*_QUEUE, "codel"): ((*_QUEUE, "discipline"), "codel"),
    (*_QUEUE, "seed"): ((*_QUEUE, "order"), "drawn"),
    (*_QUEUE, "sealed"): ((*_QUEUE, "unsealing"), "threshold"),
    (*_QUEUE, "sealed", "reveal_ms"): ((*_QUEUE, "unsealing"), "commit-reveal"),
}


def every_key() -> Iterator[tuple[Path, st.Scenario]]:
    """Where, and the scenario with a limit there; each kind of each section counts as a value."""
    base = st.Scenario.build(WHOLE)
    yield (), base
    for path in _walk(base, ()):
        there = _crossing(base, path)
        yield from ((path, replaced(there, path, value)) for value in _values(there, path))
    for path, kind in _kinds(base):
        other = replaced(base, path, kind)
        yield (*path, "kind"), other
        for inner in _walk(kind, path):
            yield from ((inner, replaced(other, inner, v)) for v in _values(other, inner))


def _crossing(base: st.Scenario, path: Path) -> st.Scenario:
    """The scenario in which the key at this path crosses."""
    fits = [prefix for prefix in UNDER if path[: len(prefix)] == prefix]
    return replaced(base, *UNDER[max(fits, key=len)]) if fits else base


def sections(annotation: Any) -> list[type[BaseModel]]:
    """Every section that a type can hold, at any depth."""
    found: dict[type[BaseModel], None] = {}
    for model in models_of(annotation):
        found[model] = None
        for field in model.model_fields.values():
            found |= dict.fromkeys(sections(field.annotation))
    return list(found)


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
        if name == "kind" or (*path, name) in OWN:
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
    values = list(limits(field.annotation, field.metadata))
    # A fault's nodes must be there, so of their greatest number there is no world.
    yield from values[:1] if path[0] == "faults" and isinstance(values[0], list) else values


def _kinds(base: st.Scenario) -> Iterator[tuple[Path, Any]]:
    """Every alternative of every section that has a `kind`, filled in."""
    for path in _sections(base, ()):
        owner, name = (path[:-1], path[-1]) if path[-1] != 0 else (path[:-2], path[-2])
        for model in models_of(type(at(base, owner)).model_fields[str(name)].annotation):
            if "kind" in model.model_fields and model is not type(at(base, path)):
                yield path, filled(model)


def _sections(section: Section, path: Path) -> Iterator[Path]:
    for name in type(section).model_fields:
        value, inner = getattr(section, name), (*path, name)
        if isinstance(value, list) and value and isinstance(value[0], Section):
            value, inner = value[0], (*inner, 0)
        if isinstance(value, Section) and inner not in OWN:
            yield inner
            yield from _sections(value, inner)


def filled(model: type[BaseModel]) -> Any:
    """A section with the keys it needs, each at its first limit."""
    needed = {
        name: next(limits(field.annotation, field.metadata))
        for name, field in model.model_fields.items()
        if field.default is PydanticUndefined and field.default_factory is None
    }
    return model.model_construct(**needed)


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


def beyond(annotation: Any, metadata: list[Any]) -> Iterator[Any]:
    """Values of a type that are next to a bound, on its other side."""
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from beyond(inside[0], [*_flat(inside[1:]), *metadata])
    elif annotation in (int, float):
        yield from _outside(annotation, metadata)
    elif origin is list:
        yield from ([value] for value in beyond(inside[0], []))
    elif origin is tuple:
        first = [next(limits(part, [])) for part in inside]
        for i, part in enumerate(inside):
            yield from ([*first[:i], value, *first[i + 1 :]] for value in beyond(part, []))
    elif origin is not typing.Literal and inside:
        for part in inside:
            yield from beyond(part, metadata)


def _outside(kind: type, metadata: list[Any]) -> Iterator[float]:
    def below(bound: float) -> float:
        return bound - 1 if kind is int else math.nextafter(bound, -math.inf)

    def above(bound: float) -> float:
        return bound + 1 if kind is int else math.nextafter(bound, math.inf)

    yield COUNT_MAX + 1 if kind is int else above(MOST)
    for one in metadata:
        if isinstance(one, annotated_types.Ge):
            yield below(one.ge)  # type: ignore[arg-type]
        elif isinstance(one, annotated_types.Gt):
            yield one.gt  # type: ignore[misc]
        elif isinstance(one, annotated_types.Le):
            yield above(one.le)  # type: ignore[arg-type]
        elif isinstance(one, annotated_types.Lt):
            yield one.lt  # type: ignore[misc]


def _flat(metadata: Any) -> list[Any]:
    return [m for one in metadata for m in (one.metadata if isinstance(one, FieldInfo) else [one])]


def _numbers(kind: type, metadata: list[Any]) -> Iterator[float]:
    # −1 is a node of live runs only.
    least, most = (0, COUNT_MAX) if kind is int else (-MOST, MOST)
    for one in metadata:
        bound: Any = next((getattr(one, name) for name in _BOUNDS if hasattr(one, name)), None)
        if isinstance(one, annotated_types.Ge):
            least = max(bound, 0) if kind is int else bound
        elif isinstance(one, annotated_types.Gt):
            least = math.nextafter(bound, MOST)
        elif isinstance(one, annotated_types.Le):
            most = min(most, bound)
        elif isinstance(one, annotated_types.Lt):
            most = math.nextafter(bound, -MOST)
    yield from dict.fromkeys((kind(least), kind(most)))
