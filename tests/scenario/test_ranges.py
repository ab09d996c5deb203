"""Ranges are checked in Python only, so Python checks each: the core clamps nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import every_key
import surgetank as st
from surgetank.scenario.section import Section


def _cases() -> Iterator[tuple[type[Section], every_key.Path, st.Scenario]]:
    """Each number, or list of numbers, of each section: its key, and a scenario that has it."""
    seen = set()
    for path, scenario in every_key.every_key():
        if path and path[-1] != "kind":
            model = type(every_key.at(scenario, path[:-1]))
            if (model, path) not in seen:
                seen.add((model, path))
                yield model, path, scenario


def _beyond() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Values just outside a bound: the key, the value, and the scenario's data with it."""
    for model, path, scenario in _cases():
        field = model.model_fields[str(path[-1])]
        for value in every_key.beyond(field.annotation, field.metadata):
            other = every_key.replaced(scenario, path, value)
            key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
            yield key[1:], value, other.model_dump(mode="json", by_alias=True, warnings=False)


def _accepted(key: str, data: dict[str, Any]) -> bool:
    """Whether a scenario is accepted, or refused for the sake of another key."""
    try:
        st.Scenario.build(data)
    except st.SurgetankError as error:
        named = error.place.startswith(key) or f"`{key.rpartition('.')[2]}`" in error.message
        return not named
    return True


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
def test_every_number_beyond_its_bound_is_refused_with_its_key() -> None:
    """The bounds that a key declares, those of its type, and those of the core's counters."""
    cases = list(_beyond())
    assert [(key, value) for key, value, data in cases if _accepted(key, data)] == []
    assert len(cases) > 700
