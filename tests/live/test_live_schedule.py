"""What is to be sent does not hang on what the simulated venue would have made of it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import surgetank as st
from surgetank.calibrate.fitted_scenario import broker, plain
from surgetank.calibrate.queueing import FittedQueue
from surgetank.live import Schedule
from surgetank.simulate import simulate

_HAWKES = {"kind": "hawkes", "rate_per_s": 3_000.0, "branching": 0.6, "decay_per_s": 20.0}
_PROFILE = {"kind": "step", "from_s": 0.5, "until_s": 1.0, "factor": 4.0}


def same(one: Schedule, other: Schedule) -> bool:
    """Every message and every bound."""
    pairs = [(getattr(one, f.name), getattr(other, f.name)) for f in fields(Schedule)]
    return all(
        np.array_equal(a, b) if isinstance(a, np.ndarray) else bool(a == b) for a, b in pairs
    )


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"flow.arrivals": _HAWKES},
        {"flow.profile": _PROFILE},
        {"flow.mix.ioc": 0.5, "flow.mix.post_only": 0.5},
    ],
)
@pytest.mark.parametrize("rate_per_s", [500.0, 6_000.0])
def test_a_plain_flow_is_that_of_the_whole_simulation(
    changed: dict[str, Any], rate_per_s: float
) -> None:
    """Below capacity and at three times it, whatever the seed."""
    asked = broker(plain("known", rate_per_s, 2.0), FittedQueue(500.0, 3.0, 1.0, 0.3, 1.0))
    scenario = asked.with_values(changed)
    for seed in range(1, 5):
        whole = Schedule.from_trace(simulate(scenario, seed=seed), scenario)
        assert same(Schedule.of(scenario, seed), whole)
        assert not same(Schedule.of(scenario, seed + 1), whole)


def test_a_flow_that_reacts_is_simulated_with_its_venue() -> None:
    """Makers and keepers answer what the venue did: another venue would send other messages."""
    scenario = st.load("calm").with_values({"duration_s": 4.0, "warmup_s": 1.0, "drain_s": 2.0})
    whole = Schedule.from_trace(simulate(scenario, seed=1), scenario)
    assert same(Schedule.of(scenario, 1), whole)
    slow = scenario.with_values({"layer.service.validation.order_us": 20_000.0})
    assert not same(Schedule.of(slow, 1), whole)
