"""Runs with money on a venue that runs already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import surgetank as st
from surgetank.live.target import TargetError
from surgetank.trace import Outcome
from surgetank.venue import ServedVenue, VenueKey
from surgetank.venue.keys import write_keys

pytestmark = pytest.mark.live

SEED = 7


def short(**values: Any) -> st.Scenario:
    """A short `calm`, which opens as the whole one does."""
    brief = {"duration_s": 1.5, "warmup_s": 0.5, "drain_s": 1.0}
    return st.load("calm").with_values(brief | values)


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedVenue]:
    """A venue that opened as `calm` does."""
    folder = tmp_path_factory.mktemp("venue")
    (folder / "venue.toml").write_text(f'scenario = "calm"\nseed = {SEED}\n')
    rig = VenueKey.new("rig", 0, "trade", "keeper", "price", "on-behalf")
    write_keys(folder / "keys.toml", [VenueKey.new("desk", 1000), rig])
    with st.serve(folder / "venue.toml", data=folder / "data") as served:
        yield served


def url(venue: ServedVenue, **changed: str | None) -> str:
    """The target of the venue."""
    options: dict[str, str | None] = {
        "keys": str(venue.file.parent / "keys.toml"),
        "genesis": str(venue.data / "genesis.json"),
    }
    given = [f"{name}={value}" for name, value in (options | changed).items() if value is not None]
    return f"venue://{venue.address}?{'&'.join(given)}"


@pytest.mark.parametrize(
    ("changed", "scenario", "seed", "says"),
    [
        ({"keys": None}, {}, SEED, r"Add \?keys=FILE"),
        ({"genesis": None}, {}, SEED, r"Add \?genesis=FILE"),
        ({"key": "desk"}, {}, SEED, "permissions"),
        ({}, {}, SEED + 1, f'scenario = "calm" and seed = {SEED + 1}'),
        ({"ky": "rig"}, {}, SEED, "did you mean key"),
        (
            {},
            {"faults": [{"kind": "crash", "at_s": 0.1, "duration_s": 0.1, "nodes": [0]}]},
            SEED,
            "a server that surgetank started",
        ),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_remedy(
    venue: ServedVenue, changed: dict[str, str], scenario: dict[str, Any], seed: int, says: str
) -> None:
    with pytest.raises(st.SurgetankError, match=says):
        st.run(short(**scenario), seed=seed, target=url(venue, **changed))


def test_another_opening_behind_the_address_is_refused(venue: ServedVenue, tmp_path: Path) -> None:
    """The file says when the venue opened; the venue itself says by its hash that it did."""
    opened = json.loads((venue.data / "genesis.json").read_text())
    file = tmp_path / "genesis.json"
    file.write_text(json.dumps(opened | {"start_ns": opened["start_ns"] - 1}))
    with pytest.raises(st.SurgetankError, match="did not open as this scenario"):
        st.run(short(), seed=SEED, target=url(venue, genesis=str(file)))


def test_a_scenario_is_played_on_a_venue_that_runs_and_only_once(venue: ServedVenue) -> None:
    result = st.run(short(), seed=SEED, target=url(venue))
    assert set(result.trace["messages"]["outcome"].unique()) == {Outcome.EXECUTED}
    live = result.trace.stats.live
    assert live is not None and live.clock is not None and live.clock.error_ns > 0
    assert "keys" not in live.target
    with pytest.raises(TargetError, match="traded on already"):
        st.run(short(), seed=SEED, target=url(venue))
