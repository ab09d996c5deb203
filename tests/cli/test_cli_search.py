"""`surgetank search`, `frontier` and `compare`, as a person or a CI system meets them."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from command_line import QUEUE, QUICK, UNTIL, surgetank
from surgetank.cli import app
from surgetank.errors import SurgetankError


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a small scenario."""
    (tmp_path / "small.toml").write_text(QUEUE)
    return tmp_path


def test_a_search_its_baseline_and_a_fall(here: Path) -> None:
    """Found; held against itself; and, with a slower server, fallen significantly."""
    done = surgetank("search", "small.toml", *QUICK, "--json", "--out", "a", cwd=here)
    assert done.returncode == 0, done.stderr
    reported = json.loads(done.stdout)
    wanted = {"find", "estimate", "unit", "ci_low", "ci_high", "confidence", "runs", "most_used"}
    assert wanted <= set(reported)
    assert reported["find"] == "delay_p99_ms_max" and reported["unit"] == "1/s"
    assert reported["ci_low"] <= reported["estimate"] <= reported["ci_high"]
    # M/M/1: p99 = ln(100)/(μ − λ) with μ = 2,500/s.
    assert reported["estimate"] == pytest.approx(2_500 - 4.605 / 0.003, rel=0.15)
    assert {"search.json", "search.html", "runs.jsonl"} <= {p.name for p in (here / "a").iterdir()}

    same = ["--baseline", "a/search.json", "--fall", "0.05"]
    shutil.copytree(here / "a", here / "b")
    kept = ["--out", "b", "--resume"]
    again = surgetank("search", "small.toml", *QUICK, *same, *kept, cwd=here)
    assert again.returncode == 0, again.stderr
    assert "no significant fall" in again.stdout

    slower = ["--set", "layer.service.validation.order_us=600", *same, "--json"]
    fallen = surgetank("search", "small.toml", *QUICK, *slower, "--out", "c", cwd=here)
    assert fallen.returncode == 1, fallen.stderr
    assert json.loads(fallen.stdout)["baseline"]["p_fell"] < 0.05

    # Another question than the baseline's is refused before its minutes.
    other = ["search", "small.toml", "--baseline", "a/search.json", "--out", "d"]
    refused = surgetank(*other, cwd=here)
    assert refused.returncode == 2 and "cannot be compared" in refused.stderr
    assert not (here / "d").exists()

    both = surgetank("compare", "a", "c", "--json", cwd=here)
    assert both.returncode == 0 and json.loads(both.stdout)["significant"] is True
    assert json.loads(both.stdout)["ratio"] < 0.8
    shown = surgetank("compare", "a", "c", cwd=here)
    assert "significant" in shown.stdout and "b over a" in shown.stdout


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
    assert refused.returncode == 2 and "--resume continues" in refused.stderr
    both = surgetank("search", "small.toml", *QUICK, "--resume", "--force", cwd=here)
    assert both.returncode == 2 and "contradict" in both.stderr
    (here / "forged").mkdir()
    forged = [json.dumps(json.loads(line) | {"level": -5.0}) + "\n" for line in kept]
    (here / "forged" / "runs.jsonl").write_text("".join(forged))
    wrong = surgetank("search", "small.toml", *QUICK, "--out", "forged", "--resume", cwd=here)
    assert wrong.returncode == 2 and "is of level -5" in wrong.stderr, wrong.stderr
    done = surgetank("search", "small.toml", *QUICK, "--out", "s", "--resume", cwd=here)
    assert done.returncode == 0, done.stderr
    assert journal.read_text().splitlines()[: len(kept)] == kept


SLOW = [*UNTIL, "--precision", "0.01", "--set", "duration_s=30", "--workers", "2", "--out", "s"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_search(here: Path, how: signal.Signals) -> None:
    """Politely or not: none of its processes is left behind, and finished runs are kept."""
    command = [sys.executable, "-c", "from surgetank.cli import main; main()", "search"]
    with subprocess.Popen(
        [*command, "small.toml", *SLOW], cwd=here, stderr=subprocess.PIPE, text=True
    ) as process:
        journal = here / "s" / "runs.jsonl"
        _until(lambda: journal.exists() and bool(journal.read_text()))
        born = psutil.Process(process.pid).children(recursive=True)
        assert len(born) >= 2, "two workers"
        process.send_signal(how)
        _, said = process.communicate(timeout=120)
    if how is signal.SIGTERM:
        assert process.returncode == 4 and "--resume --out s" in said, said
    _, alive = psutil.wait_procs(born, timeout=5)
    assert not alive
    assert journal.read_text().endswith("\n")


def _until(seen: Callable[[], bool]) -> None:
    for _ in range(600):
        if seen():
            return
        time.sleep(0.1)
    pytest.fail("it never came")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--find", "speed"],
        ["--until", "delay_p50_ms_max"],
        ["--baseline", "small.toml"],
        ["--target", "moon:"],
        ["--target", "redis://127.0.0.1:9"],
        ["--per", "day"],
    ],
)
def test_a_mistyped_command_leaves_nothing(
    here: Path, wrong: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a folder that blocks the corrected command, nor, with --force, a hole where an
    earlier answer lay."""
    monkeypatch.chdir(here)
    command = ["search", "small.toml", "--workers", "1", *wrong, "--out", "s"]
    assert isinstance(CliRunner().invoke(app, command).exception, SurgetankError)
    assert not (here / "s").exists()
    (here / "s").mkdir()
    for name in ("runs.jsonl", "search.json"):
        (here / "s" / name).write_text("{}\n")
    again = CliRunner().invoke(app, [*command, "--force"])
    assert isinstance(again.exception, SurgetankError)
    assert {p.name for p in (here / "s").iterdir()} == {"runs.jsonl", "search.json"}


@pytest.mark.parametrize("command", ["search", "compare", "frontier"])
def test_an_error_before_the_first_run_leaves_nothing(
    here: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that only shows when the runs begin: this fault can only happen to a real system."""
    monkeypatch.chdir(here)
    fault = 'faults=[{kind="partition",at_s=1.0,duration_s=1.0,groups=[[-1],[0]]}]'
    more = {"search": QUICK, "compare": ["--vary", "layer.queue.rule=fifo"], "frontier": []}
    name = "rollup-sequencer" if command == "frontier" else "small.toml"
    arguments = [command, name, *more[command], "--set", fault, "--out", "s", "--workers", "1"]
    found = CliRunner().invoke(app, arguments).exception
    assert isinstance(found, SurgetankError) and "live systems" in str(found), found
    assert not (here / "s").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search", "small.toml", "--find", "speed"], "--find speed: there is no search"),
        (["search", "small.toml", "--range", "5"], "Write two numbers"),
        (["search", "small.toml", "--until", "delay_p50_ms_max"], "sets no such limit"),
        (["search", "small.toml", "--until", "delay_p50_ms"], "limits.delay_p50_ms_max=…"),
        (["search", "small.toml", "--until", "lag_max_ms"], "is a tolerance"),
        (["explain", "small.toml", "--kept", "/dev/zero"], "is not a file"),
        (["explain", "runs/nowhere"], "no such folder"),
        (["search", "small.toml", "--find", "safe-leverage"], "needs a market"),
        (
            ["search", "small.toml", "--per", "day", "--find", "safe-leverage"],
            "liquidation, run, account",
        ),
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
    """Exit code 2, the place and the hint, no traceback."""
    if "--resume" in arguments:
        (here / "s").mkdir()
        said = "there is no search to resume"
    done = surgetank(*arguments, cwd=here)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_frontier_in_four_forms(here: Path) -> None:
    """Page, picture, table and JSON agree; points that were not found are kept and say why."""
    done = surgetank(
        *["frontier", "rollup-sequencer", "--loads", "10:20", "--points", "2"],
        *["--curve", "as it is", "--curve", "slow keepers: flow.keepers.reaction_ms=500"],
        *["--set", "duration_s=40", "--set", "warmup_s=10", "--set", "market.positions.count=100"],
        *["--budget", "0.1", "--precision", "0.3", "--runs-max", "20"],
        *["--workers", "1", "--quiet", "--json", "--out", "f"],
        cwd=here,
    )
    assert done.returncode in (0, 4), done.stderr
    reported = json.loads(done.stdout)
    assert [c["name"] for c in reported["curves"]] == ["as it is", "slow keepers"]
    assert len(reported["points"]) == 4
    first = {p["curve"]: p for p in reported["points"] if p["load"] == 10}
    assert first["as it is"]["theory"] and first["slow keepers"]["theory"] is None
    assert first["slow keepers"]["estimate"] < first["as it is"]["estimate"]
    folder = here / "f"
    assert {"frontier.html", "frontier.svg", "frontier.csv", "frontier.json"} <= {
        p.name for p in folder.iterdir()
    }
    assert (folder / "frontier.csv").read_text().count("\n") == 5
