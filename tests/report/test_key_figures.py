"""The key figures on top of a report follow their causes: a cause removed or added moves the
figures that it should move, in every seed, and far beyond their scatter."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest

import surgetank as st

SEEDS = (1, 2)
#: The crash of black-thursday without its last 27 quiet seconds.
SHORT = {"duration_s": 48.0, "drain_s": 12.0}
LESS, MORE = operator.lt, operator.gt
#: Change of the scenario → figure, and what it is compared with: so many times its value before.
MOVED: dict[str, tuple[dict[str, Any], dict[str, tuple[Callable[[float, float], bool], float]]]] = {
    "no slow nodes": (
        {"faults": []},
        {
            "delay_p99_ms": (LESS, 0.6),
            "jitter_p99_min_ms": (LESS, 0.6),
            "desynchronised_share_max": (LESS, 0.6),
            "liquidation_delay_p99_ms": (LESS, 0.7),
            "bad_debt_usd": (LESS, 0.7),
            "insurance_drawn_usd": (LESS, 0.8),
        },
    ),
    "no surge": (
        {"flow.profile.kind": "constant"},
        {"delay_p99_ms": (LESS, 0.8), "throughput_per_s": (LESS, 0.95)},
    ),
    "narrow uplinks": (
        {"network.uplink_mbps": 20.0},
        {"propagation_p99_ms": (MORE, 1.05), "delay_p99_ms": (MORE, 1.1)},
    ),
    "no insurance": ({"market.margin.insurance_usd": 0.0}, {"insurance_drawn_usd": (LESS, 0.2)}),
    "no fall of the price": (
        {"market.price.path.price_usd": [194.0] * 7},
        {"late_liquidations": (LESS, 0.2), "bad_debt_usd": (LESS, 0.2)},
    ),
}


@pytest.fixture(scope="module")
def before() -> dict[int, st.Measures]:
    scenario = st.load("black-thursday").with_values(SHORT)
    return {seed: st.run(scenario, seed=seed).measures for seed in SEEDS}


@pytest.mark.parametrize("change", MOVED)
def test_a_figure_follows_its_cause(change: str, before: dict[int, st.Measures]) -> None:
    values, moved = MOVED[change]
    scenario = st.load("black-thursday").with_values(SHORT | values)
    for seed in SEEDS:
        after = st.run(scenario, seed=seed).measures
        for name, (compare, factor) in moved.items():
            old, new = before[seed].value(name), after.value(name)
            assert old is not None and new is not None, name
            assert compare(new, factor * old), (name, seed, old, new)
