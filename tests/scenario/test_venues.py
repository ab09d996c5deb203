"""Presets of venues: every figure has a source, reaches the scenario, and can be overridden."""

from __future__ import annotations

from typing import Any

import pytest

import surgetank as st
from surgetank.scenario.dotted import Keys, put
from surgetank.scenario.venues import OURS, VENUES, Venue, VenueFigure

#: Another value of each key whose value is a word.
OTHER = {
    "oracle": "median",
    "median": "oracle",
    "cross": "isolated",
    "isolated": "cross",
    "damped": "added",
    "added": "damped",
    "mean": "time-weighted",
    "time-weighted": "mean",
    "replace": "cancel-new",
    "cancel-new": "replace",
    "class": "fifo",
    "block": "messages",
}
FIGURES = [(venue, figure) for venue in VENUES.values() for figure in venue.figures]


def scenario(venue: Venue, **values: Any) -> st.Scenario:
    return st.Scenario.build({"name": "own", "venue": venue.name, "market": {}} | values)


def others(figure: VenueFigure) -> list[Any]:
    """Other values of the key, of which its bounds allow at least one."""
    if isinstance(figure.value, list):
        return [[]]
    if isinstance(figure.value, str):
        return ["book" if figure.key.endswith("close_out") else OTHER[figure.value]]
    if isinstance(figure.value, int):
        return [figure.value + 1]
    return [figure.value * 0.999, figure.value * 1.001] if figure.value else [1.0]


@pytest.mark.parametrize("venue", VENUES.values(), ids=VENUES)
def test_every_figure_reaches_the_scenario(venue: Venue) -> None:
    keys = Keys(scenario(venue))
    for figure in venue.figures:
        found = keys(figure.key)
        assert found == figure.value, figure.key
        assert figure.source.text
        assert figure.source.date
        assert figure.source is OURS or any(c.isdigit() for c in figure.source.date)
    assert venue.left_out, "a preset states what it does not have"


def test_every_figure_can_be_overridden() -> None:
    tried = 0
    for venue, figure in FIGURES:
        if figure.key.endswith(".kind"):
            continue  # Another kind has other keys.
        found = []
        for value in others(figure):
            data: dict[str, Any] = {"name": "own", "venue": venue.name, "market": {}}
            put(data, figure.key, value)
            try:
                found.append(Keys(st.Scenario.build(data))(figure.key) == value)
            except st.SurgetankError:
                continue
        assert found and all(found), (venue.name, figure.key)
        tried += 1
    assert tried > 80


def test_a_preset_makes_no_market_and_its_margin_runs() -> None:
    for venue in VENUES.values():
        assert st.Scenario.build({"name": "own", "venue": venue.name}).market is None
        market = scenario(venue).market
        assert market is not None
        for tier in market.margin.tiers:
            assert tier.initial >= market.margin.initial
