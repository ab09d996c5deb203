"""Each key is declared once, in Python; the core has the same keys, types and values, and no more.

What the core has read it writes down again: where that is what it was given, no key is missing on
either side, no type is another's, and no value at a limit was changed on the way.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

import every_key
import surgetank as st
from surgetank import _core
from surgetank.scenario.faults import Crash, Timed
from surgetank.scenario.gossipsub import EthereumScore
from surgetank.scenario.limits import Limits
from surgetank.scenario.section import Nanoseconds

Keys = tuple[str | int, ...]
CASES = [(path, s) for path, s in every_key.every_key() if not any(f.live_only for f in s.faults)]
KINDS = [(path, s) for path, s in CASES if path[-1:] in ((), ("kind",))]


def read(document: Any) -> Any:
    """The document as the core has read it."""
    return json.loads(_core.scenario_read(json.dumps(document)))


def document(scenario: st.Scenario) -> Any:
    """The document that crosses to the core."""
    return json.loads(scenario.to_core())


def test_every_key_crosses_at_its_limits_unchanged() -> None:
    """Both limits of each number, each listed value, each kind of each section."""
    found = [path for path, scenario in CASES if read(document(scenario)) != document(scenario)]
    assert not found
    assert len(CASES) > 700


def test_no_key_of_the_models_is_left_out() -> None:
    """The cases above hold each key of each section that crosses."""
    tried = {(type(every_key.at(s, path[:-1])), path[-1]) for path, s in CASES if path}
    models = set(every_key.sections(st.Scenario)) - set(every_key.sections(Limits))
    live = {m for m in models if issubclass(m, Timed) and every_key.filled(m).live_only}
    due = {
        (model, name)
        for model in models - live
        for name, field in model.model_fields.items()
        if name != "kind" and not every_key.sections(field.annotation)
    }
    # Filecoin's keys, with other defaults.
    due = {(model, name) for model, name in due if model is not EthereumScore}
    base = CASES[0][1]
    own = {(type(every_key.at(base, path[:-1])), path[-1]) for path in every_key.OWN}
    own |= {(Crash, "power_loss")}
    assert due - own - tried == set()


def test_every_key_reaches_the_core() -> None:
    """Another value of a key is another document."""
    of: dict[tuple[Keys, str], list[str]] = {}
    for path, scenario in CASES:
        kind = getattr(every_key.at(scenario, path[:-1]), "kind", "") if path else ""
        of.setdefault((path, kind), []).append(scenario.to_core())
    same = [key for key, documents in of.items() if len(set(documents)) < len(documents)]
    assert not same


def _tables(data: Any, path: Keys = ()) -> Iterator[Keys]:
    if isinstance(data, dict):
        yield path
        for key, value in data.items():
            yield from _tables(value, (*path, key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from _tables(value, (*path, i))


def _table(data: Any, path: Keys) -> Any:
    for part in path:
        data = data[part]
    return data


def _changed(whole: Any, path: Keys) -> Iterator[tuple[str, Any]]:
    """A key too many, and each key of a table: once away, once of another type."""
    other = copy.deepcopy(whole)
    _table(other, path)["surplus"] = 1
    yield "surplus", other
    for key, value in _table(whole, path).items():
        for change in ("without", "another type"):
            other = copy.deepcopy(whole)
            if change == "without":
                del _table(other, path)[key]
            else:
                _table(other, path)[key] = 7 if isinstance(value, str | bool) else "seven"
            yield f"{key} {change}", other


@pytest.mark.parametrize("change", ["surplus", "without", "another type"])
def test_a_difference_is_caught(change: str) -> None:
    """The control: a key that only Python has, one that only the core has, and one of another type.

    Of a key that may be absent, the core says that it is: the document is not what was given.
    """
    missed, tried = [], 0
    for where, scenario in KINDS:
        whole = document(scenario)
        inside = tuple("what" if part == "kind" else part for part in where[:-1])
        for path in _tables(whole):
            if path[: len(inside)] != inside[: len(path)] and where:
                continue
            for name, other in _changed(whole, path):
                if not name.endswith(change):
                    continue
                tried += 1
                try:
                    if read(other) == other:
                        missed.append((path, name))
                except ValueError:
                    pass
    assert not missed
    assert tried > (30 if change == "surplus" else 300)


@pytest.mark.parametrize(
    ("value", "unit", "per_s", "nanoseconds"),
    [
        (0.0, "ms", 1e3, 0),
        (1e-6, "ms", 1e3, 1),
        (1.5e-6, "ms", 1e3, 2),
        (2.5e-3, "us", 1e6, 3),
        (1e9, "s", 1.0, 10**18),
        (1e12, "ms", 1e3, 10**18),
    ],
)
def test_spans_are_rounded_to_nearest(
    value: float, unit: str, per_s: float, nanoseconds: int
) -> None:
    """Halves go up, as the core rounds."""
    assert Nanoseconds(unit, per_s).of(f"wait_{unit}", value) == ("wait_ns", nanoseconds)


def test_a_span_that_rounds_to_nothing_is_refused() -> None:
    """Where nothing would be another thing: the core has no clamp."""
    with pytest.raises(st.SurgetankError, match=r"layer\.queue\.codel\.interval_ms"):
        st.load("calm").with_values({"layer.queue.codel.interval_ms": 4e-7})
