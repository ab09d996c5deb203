"""The same name gives the same bytes; another seed gives others; faults leave the flow's draws."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.trace import Source

FAULTS: list[dict[str, Any]] = [
    {"kind": "partition", "at_s": 4.0, "duration_s": 2.0, "groups": [[0, 1, 2, 3]]},
    {"kind": "crash", "at_s": 7.0, "duration_s": 1.0, "nodes": [5]},
    {"kind": "loss", "at_s": 8.0, "duration_s": 1.0, "probability": 0.2},
]


def short(name: str, **values: object) -> st.Scenario:
    """A named scenario, cut to ten seconds."""
    cut: dict[str, object] = {"duration_s": 10.0, "warmup_s": 2.0, "faults": []}
    return st.load(name).with_values(cut | values)


def hash_elsewhere(name: str, seed: int, hash_seed: str) -> str:
    """The trace hash from another process, with another order of Python's sets."""
    code = (
        "import surgetank as st;"
        f"s = st.load({name!r}).with_values({{'duration_s': 10.0, 'warmup_s': 2.0, 'faults': []}});"
        f"print(st.run(s, seed={seed}).trace.trace_hash)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["burst"])
def test_same_name_same_bytes(name: str) -> None:
    """Two processes, two hash seeds, this one: one hash. Another seed: another."""
    here = st.run(short(name), seed=5).trace.trace_hash
    assert hash_elsewhere(name, 5, "1") == here
    assert hash_elsewhere(name, 5, "2") == here
    assert hash_elsewhere(name, 6, "1") != here


def test_progress_does_not_change_a_run() -> None:
    """Looking on leaves no mark."""
    seen: list[float] = []

    def look(simulated_s: float, messages: int, events: int) -> bool:
        seen.append(simulated_s)
        return True

    watched = st.run(short("calm"), seed=5, progress=look).trace.trace_hash
    assert seen and seen == sorted(seen)
    assert watched == st.run(short("calm"), seed=5).trace.trace_hash


def test_a_fault_leaves_the_flow_alone() -> None:
    """Background messages are the same ones, at the same times, from the same accounts."""
    columns = ["created_ns", "class", "account", "gateway", "size_bytes"]
    flows = []
    for faults in ([], FAULTS):
        trace = st.run(short("calm", faults=faults), seed=5).trace
        flows.append(
            trace["messages"].filter(pl.col("source") == Source.BACKGROUND).select(columns)
        )
    assert flows[0].height > 1_000
    assert flows[0].equals(flows[1])


@pytest.mark.parametrize("gossip", ["flood", "mesh"])
def test_the_shortcut_is_exact(gossip: str) -> None:
    """Every copy an event, or only those that can be first: one trace, jitter and loss included."""
    hashes = []
    for every_copy in (False, True):
        values = {"layer.gossip.kind": gossip, "network.loss": 0.02, "faults": FAULTS[::2]}
        trace = st.run(short("calm", **values, **{"network.every_copy": every_copy}), seed=5).trace
        hashes.append(trace.chains)
    assert hashes[0] == hashes[1]
