"""The catalogue of measures: every entry is measured, and every name keeps to its entry."""

from __future__ import annotations

import re
import typing
from dataclasses import replace

import pytest

from surgetank.catalogue import CATALOGUE, LIMITS, MEASURES, LimitSide, families, title_of, what_of
from surgetank.measure import Measure, measure
from surgetank.scenario.queue import ClassName
from surgetank.simulate import simulate
from surgetank.trace import CLASSES, CLIENT_CLASSES, STAGES, WAITS, LiveStats, Trace
from venue_under_attack import CRASH, venue


def live_of(trace: Trace) -> Trace:
    """The same facts, as if a live target had produced them."""
    return replace(trace, stats=replace(trace.stats, live=LiveStats(ack="each")))


def test_every_entry_is_measured() -> None:
    """By some function, in a run that has the facts for it; an entry alone measures nothing."""
    crash = venue(attack__kind="sandwich", market__funding__interval_s=1.0, **CRASH)
    gossip = {"layer__gossip__kind": "flood", "network__nodes": 5}
    fair = venue(layer__queue__rule="themis", duration_s=2.0, **gossip)
    votes = venue(layer__consensus__kind="tendermint", duration_s=2.0, **gossip)
    traces = [simulate(scenario, seed=1) for scenario in (crash, fair, votes)]
    found = {name.partition(".")[0] for trace in traces for name in measure(trace)}
    live = {name.partition(".")[0] for name in measure(live_of(traces[0]))}
    assert found | live == set(CATALOGUE)
    assert live - found == {name for name, spec in CATALOGUE.items() if spec.live_only}


def test_a_measure_without_an_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="no delay_p98_ms"):
        Measure("delay_p98_ms", 1.0)
    with pytest.raises(ValueError, match="unknown"):
        Measure("delay_p99_ms.unknown", 1.0)


def test_members_are_those_of_the_trace() -> None:
    """Declared for a reader here, and by number where they are recorded."""
    assert tuple(families.CLASS.members) == CLASSES[: len(CLIENT_CLASSES)]
    assert set(families.CLASS.members) == set(CLIENT_CLASSES) == set(typing.get_args(ClassName))
    assert tuple(families.STAGE.members) == tuple(STAGES)
    assert tuple(families.WAIT.members) == WAITS


_ENDINGS = {"per_s": "1/s", "ms": "ms", "s": "s", "usd": "USD", "seconds": "s", "count": "count"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_name_says_unit_and_quantile(name: str) -> None:
    """Units stand last in names; a share is one, and a quantile is the one of the name."""
    spec = CATALOGUE[name]
    head = name.removesuffix("_max").removesuffix("_mean")
    ending = next((e for e in _ENDINGS if head.endswith(f"_{e}")), None)
    assert ending is None or _ENDINGS[ending] == spec.unit
    assert (spec.unit == "bp") == ("_bp_" in name)
    assert spec.unit == "share" or "share" not in name.split("_")
    quantile = re.search(r"_p(\d+)_", name)
    if name.startswith("propagation_"):
        assert spec.quantile == 0.5, "the median over messages; the name tells the share of nodes"
    elif quantile is None:
        assert spec.quantile is None
    else:
        assert spec.quantile == float(f"0.{quantile[1]}")


def test_a_reader_can_read_it() -> None:
    """No placeholder is left, titles are apart, and every formula has a source."""
    titles = [title_of(name) for name in MEASURES]
    assert len(set(titles)) == len(titles)
    assert not set("{}") & set("".join([*titles, *(what_of(name) for name in MEASURES)]))
    assert all(spec.source for spec in CATALOGUE.values())


def test_a_limit_finds_its_measure() -> None:
    assert LIMITS["desynchronised_share_max"].measure == "desynchronised_share_max"
    assert LIMITS["lag_max_ms_max"].measure == "lag_max_ms"
    of_class = LIMITS["delay_p99_ms_max.cancel"]
    assert (of_class.measure, of_class.side) == ("delay_p99_ms.cancel", LimitSide.MOST)
    assert len(LIMITS) == 2 * len(MEASURES), "no two limits of one name"
