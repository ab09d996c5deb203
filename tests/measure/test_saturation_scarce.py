"""The proof: one thing is made scarce in a run, and it is named first."""

from __future__ import annotations

import pytest

import surgetank as st
from scarce import FALL, HASTY, SCARCE, SHORT
from surgetank.measure.saturation import FULL, saturation


def test_nothing_is_scarce_on_a_calm_day() -> None:
    """The reference of the others: every resource is used to less than a third."""
    trace = st.run(st.load("calm").with_values(SHORT | FALL)).trace
    assert {s.resource: s.value for s in saturation(trace) if s.value > 1 / 3} == {}


@pytest.mark.parametrize("resource", SCARCE)
def test_what_is_scarce_comes_first(resource: str) -> None:
    """And is full, or (time in failed rounds) near it."""
    trace = st.run(st.load("calm").with_values({**SHORT, **SCARCE[resource]})).trace
    ranked = saturation(trace)
    assert ranked[0].resource == resource
    # Of a few liquidations some still find somebody.
    near = {"consensus-timeouts": 0.75, "book-depth": 0.5}
    assert ranked[0].value >= near.get(resource, FULL)


def test_a_few_bytes_are_as_scarce_as_a_few_messages() -> None:
    values = SHORT | {"layer.consensus.block_bytes_max": 8_000}
    assert saturation(st.run(st.load("calm").with_values(values)).trace)[0].resource == (
        "block-space"
    )


def test_the_same_run_gives_the_same_ranking() -> None:
    scenario = st.load("calm").with_values({**SHORT, **HASTY})
    first, second = (saturation(st.run(scenario, seed=3).trace) for _ in range(2))
    assert first == second
