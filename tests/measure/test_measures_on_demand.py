"""Measures computed when they are asked for: the values are those of all measures together."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as some

from random_worlds import world
from surgetank.catalogue import CATALOGUE
from surgetank.measure import Measures, measure, parts
from surgetank.measure.parts import PARTS, MeasuresOnDemand, MeasurePart
from surgetank.simulate import simulate
from surgetank.trace import LiveStats, Trace
from venue_under_attack import CRASH, venue

WORLDS = 12


@cache
def traces() -> list[Trace]:
    """Random worlds, and a market in a crash under attack, as simulated and as if it were live."""
    crash = venue(attack__kind="sandwich", market__funding__interval_s=1.0, **CRASH)
    found = [simulate(scenario, seed=1) for scenario in (*map(world, range(WORLDS)), crash)]
    live = replace(found[-1].stats, live=LiveStats(ack="each"))
    return [*found, replace(found[-1], stats=live)]


@cache
def together(which: int) -> Measures:
    """All measures of a trace, computed in the order of the parts."""
    return Measures(measure(anew(which)).values())


def anew(which: int) -> Trace:
    """The same trace, of which nothing derived has been kept."""
    return replace(traces()[which])


def differing(which: int, names: list[str]) -> list[str]:
    """Measures that, asked for in this order and without the others, are not the same."""
    alone = measure(anew(which))
    return [name for name in names if repr(alone.get(name)) != repr(together(which).get(name))]


@given(some.data())
def test_a_measure_asked_alone_is_the_same(data: some.DataObject) -> None:
    """Of any trace, in any order; a measure for which there is no data is missing either way."""
    which = data.draw(some.integers(0, len(traces()) - 1))
    known = sorted({*together(which), *CATALOGUE})
    names = data.draw(some.lists(some.sampled_from(known), min_size=1, max_size=4, unique=True))
    assert differing(which, names) == []


def test_a_value_that_depends_on_the_others_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The positive control: a part whose value depends on what was asked before."""
    asked: list[str] = []
    first, *_ = PARTS

    def counting(run: parts.RunFacts) -> list[object]:
        asked.append("")
        return [replace(m, n=len(asked)) for m in first.compute(run)]

    together(0)
    broken = MeasurePart(first.names, counting)  # type: ignore[arg-type]
    monkeypatch.setattr(parts, "_PART_OF", {**parts._PART_OF, **dict.fromkeys(first.names, broken)})
    assert differing(0, ["delay_p50_ms"]) == ["delay_p50_ms"]


def test_every_entry_is_in_one_part() -> None:
    assert sorted(name for part in PARTS for name in part.names) == sorted(CATALOGUE)


def test_a_measure_of_another_part_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be missing if it was asked for alone."""
    first, second, *_ = PARTS
    wrong = MeasurePart(second.names, first.compute)
    monkeypatch.setattr(parts, "_PART_OF", parts._PART_OF | dict.fromkeys(second.names, wrong))
    with pytest.raises(ValueError, match="another part"):
        measure(anew(0)).get("wait_share.uplink")


def test_only_the_part_asked_for_is_computed() -> None:
    found = measure(anew(0))
    assert isinstance(found, MeasuresOnDemand)
    assert "delay_p99_ms" in found
    assert "no_such_measure" not in found
    assert [part.names[0] for part in found._computed] == ["delay_p50_ms"]


def test_order_and_size_are_those_of_all() -> None:
    """Also of a copy that went to another process, which carries no trace."""
    found = measure(anew(0))
    list(reversed([found[name] for name in ("throughput_per_s", "delay_p99_ms")]))
    sent = pickle.loads(pickle.dumps(found))
    assert list(found) == list(sent) == list(together(0))
    assert len(found) == len(sent) == len(together(0))
    assert type(sent) is Measures
