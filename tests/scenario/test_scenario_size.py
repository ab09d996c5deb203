"""Scenarios that no machine could run, or no market could count, are refused before they begin."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import surgetank as st
from surgetank.errors import SurgetankError
from surgetank.free_memory import groups_left
from surgetank.scenario.flow import Fees
from surgetank.scenario.size import MESSAGE_BYTES, needs, size_of
from surgetank.simulate import simulate
from surgetank.verdict.validity import CheckKind, checks


def refused(**values: Any) -> str:
    """The error of `calm` with these values."""
    with pytest.raises(SurgetankError) as reported:
        simulate(st.load("calm").with_values({k.replace("__", "."): v for k, v in values.items()}))
    return str(reported.value)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("flow.arrivals.rate_per_s", 1e9, "flow.arrivals"),
        ("flow.makers.count", 2**31, "flow.makers.count"),
        ("flow.keepers.count", 2**31, "flow.keepers.count"),
        ("flow.oracle.interval_ms", 1e-6, "flow.oracle.interval_ms"),
        ("trace.gauge_ms", 1e-6, "trace.gauge_ms"),
        ("duration_s", 1e9, "flow.arrivals"),
        ("network.nodes", 100_000, "network.nodes"),
    ],
)
def test_what_needs_more_memory_than_there_is(key: str, value: float, named: str) -> None:
    """Before, the process was ended by the system, or sat for hours."""
    said = refused(**{key.replace(".", "__"): value})
    assert named in said and "of memory" in said and "Lower" in said


def test_keepers_that_have_no_one_to_watch() -> None:
    said = refused(flow__keepers__count=1_000_000, market__positions__count=5_000)
    assert "flow.keepers.count" in said and "days" in said


def test_the_estimate_is_a_lower_bound_and_no_fiction() -> None:
    """Messages that were sent, and what they take in the trace, are at least what was counted."""
    scenario = st.load("calm").with_values({"duration_s": 20.0})
    counted = size_of(scenario).messages
    trace = simulate(scenario)
    sent = trace["messages"].height
    assert 0.3 * sent < counted < 1.1 * sent
    assert trace["messages"].estimated_size() / sent < MESSAGE_BYTES


@pytest.mark.parametrize(
    "profile",
    [
        {"kind": "constant"},
        {"kind": "ramp", "from_s": 4.0, "until_s": 9.0, "factor": 7.0},
        {"kind": "ramp", "from_s": 4.0, "until_s": 90.0, "factor": 7.0},
        {"kind": "step", "from_s": 4.0, "until_s": 6.0, "factor": 0.2},
        {"kind": "spike", "at_s": 3.0, "decay_s": 2.0, "factor": 9.0},
    ],
)
def test_messages_of_a_profile_are_those_of_its_integral(profile: dict[str, Any]) -> None:
    """Poisson arrivals: those of the core lie within four standard deviations."""
    values = {"name": "p", "duration_s": 12.0, "network": {"nodes": 1}}
    flow = {"arrivals": {"kind": "poisson", "rate_per_s": 300.0}, "profile": profile}
    flow |= {"oracle": {"count": 0}}
    scenario = st.Scenario.build(values | {"flow": flow})
    trace = simulate(scenario)
    expected = size_of(scenario).messages
    assert abs(trace["messages"].height - expected) < 4 * math.sqrt(expected)


def test_a_control_group_limits_the_memory_that_is_free(tmp_path: Path) -> None:
    """v1 and v2; the limit of a group above counts; file caches are free."""
    own = tmp_path / "v2/a/b"
    own.mkdir(parents=True)
    (tmp_path / "v2/memory.max").write_text("max\n")
    for group, limit, used, cached in ((own, 900, 100, 0), (own.parent, 1_000, 600, 50)):
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{used}\n")
        (group / "memory.stat").write_text(f"anon 3\ninactive_file {cached}\n")
    groups = tmp_path / "cgroup"
    groups.write_text("0::/a/b\n")
    assert min(groups_left(groups, tmp_path / "v2")) == 450
    old = tmp_path / "v1/memory/c"
    old.mkdir(parents=True)
    (old / "memory.limit_in_bytes").write_text("700\n")
    (old / "memory.usage_in_bytes").write_text("300\n")
    (old / "memory.stat").write_text("total_inactive_file 10\n")
    groups.write_text("8:pids:/\n4:cpu,memory:/c\n")
    assert min(groups_left(groups, tmp_path / "v1")) == 410
    assert list(groups_left(tmp_path / "none", tmp_path)) == []


#: Bytes of address space: libraries map most of it.
AS_BYTES = 2_600_000_000
#: One node that orders at once: many messages in little time.
DENSE = """
name = "dense"
duration_s = 20.0
warmup_s = 1.0
[flow.arrivals]
kind = "poisson"
rate_per_s = {rate}
[flow.oracle]
count = 0
[network]
nodes = 1
[trace]
gauge_ms = 0.0
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS is of Linux")
@pytest.mark.parametrize(
    ("rate", "estimated", "codes"),
    [(1e9, True, {2}), (1_000, True, {0, 4}), (60_000, False, {74})],
)
def test_no_run_that_is_admitted_is_aborted_by_the_allocator(
    rate: float, estimated: bool, codes: set[int], tmp_path: Path
) -> None:
    """Under a real limit of address space: refused, stopped with the system's code, or run.
    What actors add is not in the estimate; there the guard acts, here without any estimate. An
    abort would be −6."""
    (tmp_path / "dense.toml").write_text(DENSE.format(rate=rate))
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, ({AS_BYTES}, {AS_BYTES}))
from surgetank.cli import main
if not {estimated}:
    from importlib import import_module
    import_module("surgetank.simulate").refuse_too_large = lambda scenario: None
main()
"""
    command = [sys.executable, "-c", script, "run", "dense.toml", "--no-report", "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode in codes, done.stdout + done.stderr
    assert ("memory" in done.stderr) == (codes != {0, 4})


@pytest.mark.parametrize(
    "name", ["calm", "black-thursday", "burst", "options-crash", "rollup-sequencer"]
)
def test_shipped_scenarios_are_small(name: str) -> None:
    assert sum(need[2] for need in needs(st.load(name))) < 2e9


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"market.price.path.start_usd": 1e12}, "start_usd"),
        ({"market.tick_usd": 1e-9}, "market.tick_usd"),
        ({"market.lot": 5e-324}, "lot"),
        ({"market.lot": 1e-12}, "lot"),
        ({"market.margin.insurance_usd": 1e12, "market.lot": 1e-12}, "lot"),
        ({"market.positions.notional_usd": 1e12}, "notional_usd"),
        ({"market.margin.taker_fee_bp": 10_001}, "taker_fee_bp"),
        ({"market.price.path.volatility": 1e5}, "volatility"),
        ({"layer.queue.mempool_max": 1e12}, "layer.queue.mempool_max"),
        ({"seed": True}, "seed"),
        ({"seed": "3"}, "seed"),
        ({"layer.queue.weights.cancel": "1"}, "layer.queue.weights.cancel"),
        ({"layer.queue.weights.cancel": True}, "layer.queue.weights.cancel"),
        ({"layer.tuning.bounds.weight_most": "9"}, "layer.tuning.bounds.weight_most"),
    ],
)
def test_what_the_core_cannot_count_is_named(values: dict[str, Any], named: str) -> None:
    """Before: panics of the core, an abort, "expected u32 at column 2209", or taken without a
    word."""
    with pytest.raises(SurgetankError) as reported:
        simulate(st.load("calm").with_values({"duration_s": 4.0, "warmup_s": 1.0} | values))
    assert named in str(reported.value)


def test_the_largest_bid_that_can_be_drawn_is_counted() -> None:
    """The core draws −ln(1 − u) · mean with 53 bits, and counts a bid in 32 bits of 1e-6 USD."""
    most = max(one.le for one in Fees.model_fields["background_usd"].metadata if hasattr(one, "le"))
    assert -math.log(2.0**-53) * most * 1e6 < 2**32


def test_a_price_beyond_the_integers_makes_the_run_invalid() -> None:
    """It rises above the largest price; before, the run went on with a price that was cut."""
    path = {"kind": "gbm", "start_usd": 10_000.0, "drift": 1e6, "volatility": 0.5}
    values = {"market.price.path": path, "market.tick_usd": 1e-8, "duration_s": 20.0}
    result = st.run(st.load("calm").with_values(values | {"market.lot": 1.0}))
    [check] = [one for one in checks(result.trace) if one.kind is CheckKind.NUMBERS_FIT]
    assert not check.ok and "market.tick_usd" in check.text
    assert result.verdict.status is st.Status.INVALID


def test_a_price_that_runs_away_stays_countable() -> None:
    """As much volatility as is taken: no panic, and money is conserved."""
    values = {"market.price.path.volatility": 1_000.0, "duration_s": 4.0, "warmup_s": 1.0}
    assert simulate(st.load("calm").with_values(values)).stats.money_conserved
