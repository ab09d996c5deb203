"""Calibration of real servers: the reference server's service time is known, NATS is never skipped.

Nothing is asked of numbers that a busy machine moves: only orders of magnitude, and what a
disturbed calibration must say of itself.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from surgetank.calibrate import calibrate, procedure
from surgetank.cli import app
from surgetank.live import LiveOptions, Rig
from surgetank.scenario import Scenario, load
from surgetank.simulate import simulate

pytestmark = pytest.mark.live
_NATS = ["calibrate", "--target", "nats:", "--quick"]


@pytest.fixture(autouse=True)
def _two_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of four: what is asserted here rests on the trains, and each round has two."""
    monkeypatch.setattr(procedure, "_QUICK", replace(procedure._QUICK, rounds=2))


def test_the_reference_servers_service_time_is_found() -> None:
    """200 µs a message: the trains see it through a noisy machine; the scenario runs."""
    with Rig("memory:?service_us=200", LiveOptions(patience_s=90)) as rig:
        found = calibrate(rig, quick=True)
    each = found.estimate("service")
    assert each is not None
    assert each.value == pytest.approx(200, rel=0.15)
    assert found.load_share <= 0.35
    assert found.kind == "broker"
    trace = simulate(Scenario.from_toml(found.toml()), seed=1)
    assert trace["messages"].height > 500


def test_nats_is_calibrated_by_the_command(tmp_path: Path) -> None:
    """A file that `surgetank run` takes, and what it rests on."""
    file = tmp_path / "nats.toml"
    run = CliRunner().invoke(app, [*_NATS, "--out", str(file), "--json"])
    code = getattr(run.exception, "exit_code", run.exit_code)
    assert code in (0, 3, 4), run.output  # INVALID or UNKNOWN on a busy machine
    if code == 4:
        assert not file.exists()
        return
    printed = json.loads(run.stdout)
    assert printed["kind"] == "broker"
    assert printed["capacity_per_s"] > 10_000
    assert load(file).layer.consensus.kind == "single"
    again = CliRunner().invoke(app, [*_NATS, "--out", str(file)])
    assert "exists already" in str(again.exception)
