"""Dotted keys: one way to read, to write, and to tell a key's unit."""

from __future__ import annotations

from typing import Any

import pytest

import surgetank as st
from surgetank.errors import SurgetankError
from surgetank.scenario.dotted import Keys, nested, put, unit_of, value_at


def leaves(data: Any, at: str = "") -> list[str]:
    """Keys of all values that are no table, and no list with anything in it."""
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    found = []
    for name, value in inner:
        key = f"{at}.{name}" if at else str(name)
        found += leaves(value, key) if isinstance(value, dict | list) and value else [key]
    return found


def test_what_was_put_is_there() -> None:
    """At every key of a scenario, in tables and lists."""
    keys = Keys(st.load("black-thursday"))
    found = leaves(keys.data)
    assert len(found) > 150 and any(".0." in key for key in found)
    for key in found:
        before = keys(key)
        put(keys.data, key, before)
        assert key in keys and keys(key) == before
        assert value_at(nested(key, before), key) == before
    assert "network.nodez" not in keys and keys("network.nodez") is None
    assert keys("name.of") is None and keys("faults.99") is None


def test_what_cannot_be_put_is_refused_by_name() -> None:
    data = {"name": "x", "faults": [{"at_s": 1.0}]}
    for key, place in (
        ("name.of", "name"),
        ("faults.7.at_s", "faults.7"),
        ("faults.x", "faults.x"),
    ):
        with pytest.raises(SurgetankError) as caught:
            put(data, key, 1)
        assert caught.value.place == place


def test_another_kind_starts_anew() -> None:
    data: dict[str, Any] = {"flow": {"arrivals": {"kind": "poisson", "rate_per_s": 9.0}}}
    put(data, "flow.arrivals.kind", "hawkes")
    assert data["flow"]["arrivals"] == {"kind": "hawkes"}


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("flow.arrivals.rate_per_s", "1/s"),
        ("duration_s", "s"),
        ("network.uplink_mbps", "Mbit/s"),
        ("layer.service.validation.cancel_us", "µs"),
        ("network.nodes", "1"),
    ],
)
def test_units_stand_last_in_keys(key: str, unit: str) -> None:
    assert unit_of(key) == unit
