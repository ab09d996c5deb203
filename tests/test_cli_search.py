"""`surgetank search`, `frontier` and `compare`, as a person or a CI system meets them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from test_cli import surgetank

SMALL = """
name = "small"
duration_s = 3.0
warmup_s = 0.5
drain_s = 3.0
[flow]
client_link = { fixed_ms = 0.0, jitter_ms = 0.0 }
[flow.arrivals]
kind = "poisson"
rate_per_s = 1000.0
[flow.mix]
limit = 1.0
post_only = 0.0
market = 0.0
ioc = 0.0
cancel = 0.0
replace = 0.0
[network]
nodes = 1
[layer.queue]
ingress_max = 1000
[layer.service]
distribution = { kind = "exponential" }
[layer.service.validation]
order_us = 400.0
[layer.service.execution]
order_us = 0.0
[layer.consensus]
kind = "single"
window_ms = 0.0
[limits]
delay_p99_ms_max = 3.0
"""
UNTIL = ["--until", "delay_p99_ms_max", "--vary", "load", "--range", "100:5000"]
QUICK = [*UNTIL, "--precision", "0.2", "--workers", "1", "--no-remedies", "--quiet"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a small scenario."""
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


def test_a_search_its_baseline_and_a_fall(here: Path) -> None:
    """Found; held against itself; and, with a slower server, fallen significantly."""
    done = surgetank("search", "small.toml", *QUICK, "--json", "--out", "a", cwd=here)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    wanted = {"find", "estimate", "unit", "ci_low", "ci_high", "confidence", "runs", "gave_way"}
    assert wanted <= set(told)
    assert told["find"] == "delay_p99_ms_max" and told["unit"] == "1/s"
    assert told["ci_low"] <= told["estimate"] <= told["ci_high"]
    # M/M/1: p99 = ln(100)/(μ − λ) with μ = 2,500/s.
    assert told["estimate"] == pytest.approx(2_500 - 4.605 / 0.003, rel=0.15)
    assert {"search.json", "search.html", "runs.jsonl"} <= {p.name for p in (here / "a").iterdir()}

    same = ["--baseline", "a/search.json", "--fall", "0.05"]
    again = surgetank("search", "small.toml", *QUICK, *same, "--out", "b", cwd=here)
    assert again.returncode == 0, again.stderr
    assert "no significant fall" in again.stdout

    slower = ["--set", "layer.service.validation.order_us=600", *same, "--json"]
    fallen = surgetank("search", "small.toml", *QUICK, *slower, "--out", "c", cwd=here)
    assert fallen.returncode == 1, fallen.stderr
    assert json.loads(fallen.stdout)["baseline"]["p_fell"] < 0.05

    both = surgetank("compare", "a", "c", "--json", cwd=here)
    assert both.returncode == 0 and json.loads(both.stdout)["apart"] is True
    assert json.loads(both.stdout)["ratio"] < 0.8
    shown = surgetank("compare", "a", "c", cwd=here)
    assert "apart" in shown.stdout and "b over a" in shown.stdout


def test_an_interrupted_search_goes_on(here: Path) -> None:
    """Ctrl-C keeps finished runs and says how to go on; --resume finds them."""
    command = [sys.executable, "-c", "from surgetank.cli import main; main()", "search"]
    arguments = ["small.toml", *UNTIL, "--precision", "0.02", "--workers", "1", "--out", "s"]
    with subprocess.Popen(
        [*command, *arguments], cwd=here, stderr=subprocess.PIPE, text=True
    ) as process:
        journal = here / "s" / "runs.jsonl"
        for _ in range(600):
            if journal.exists() and len(journal.read_text().splitlines()) >= 5:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 4, said
    assert "--resume --out s" in said and "Traceback" not in said
    kept = journal.read_text().splitlines()
    assert len(kept) >= 5

    refused = surgetank("search", "small.toml", *QUICK, "--out", "s", cwd=here)
    assert refused.returncode == 2 and "--resume goes on" in refused.stderr
    done = surgetank("search", "small.toml", *QUICK, "--out", "s", "--resume", cwd=here)
    assert done.returncode == 0, done.stderr
    assert journal.read_text().splitlines()[: len(kept)] == kept


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "small.toml", "--find", "speed"], "capacity, failure-threshold"),
        (["search", "small.toml", "--range", "5"], "Write two numbers"),
        (["search", "small.toml", "--until", "delay_p50_ms_max"], "sets no such limit"),
        (["search", "small.toml", "--find", "safe-leverage"], "needs a market"),
        (["search", "small.toml", "--per", "day", "--find", "safe-leverage"], "liquidation or run"),
        (["search", "small.toml", "--baseline", "nothing.json"], "nothing.json"),
        (["search", "small.toml", "--out", "small.toml"], "this is a file"),
        (["search", "small.toml", "--out", "s", "--resume"], "small.toml"),
        (["search", "small.toml", "--dask", "tcp://127.0.0.1:9"], "no Dask scheduler answers"),
        (["frontier", "small.toml"], "needs a market"),
        (["frontier", "rollup-sequencer", "--curve", "moon"], "There are: as it is"),
        (["frontier", "rollup-sequencer", "--loads", "9:3"], "0 < A < B"),
        (["compare", "nowhere/search.json", "nowhere/search.json"], "nowhere/search.json"),
    ],
)
def test_wrong_usage_is_one_line(here: Path, arguments: list[str], said: str) -> None:
    """Exit code 2, the place and the mend, no traceback."""
    if "--resume" in arguments:
        (here / "s").mkdir()
        said = "no search to go on with"
    done = surgetank(*arguments, cwd=here)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_frontier_in_four_forms(here: Path) -> None:
    """Page, picture, table and JSON agree; points that were not found are kept and say why."""
    done = surgetank(
        *["frontier", "rollup-sequencer", "--loads", "10:40", "--points", "2"],
        *["--curve", "as it is", "--curve", "slow keepers: flow.keepers.reaction_ms=500"],
        *["--set", "duration_s=90", "--set", "market.positions.count=100", "--budget", "0.1"],
        *["--precision", "0.3", "--runs-max", "40"],
        *["--workers", "1", "--quiet", "--json", "--out", "f"],
        cwd=here,
    )
    assert done.returncode in (0, 4), done.stderr
    told = json.loads(done.stdout)
    assert [c["name"] for c in told["curves"]] == ["as it is", "slow keepers"]
    assert len(told["points"]) == 4
    first = {p["curve"]: p for p in told["points"] if p["load"] == 10}
    assert first["as it is"]["theory"] and first["slow keepers"]["theory"] is None
    assert first["slow keepers"]["estimate"] < first["as it is"]["estimate"]
    folder = here / "f"
    assert {"frontier.html", "frontier.svg", "frontier.csv", "frontier.json"} <= {
        p.name for p in folder.iterdir()
    }
    assert (folder / "frontier.csv").read_text().count("\n") == 5
