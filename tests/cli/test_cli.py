"""The command line, as a person or a CI system meets it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import typer

from command_line import TINY, surgetank
from surgetank.attacker import KINDS
from surgetank.cli import app
from surgetank.run import run
from surgetank.scenario import load


def test_run_for_machines(here: Path) -> None:
    """`--json` prints one object, and nothing else, on stdout."""
    done = surgetank("run", "good.toml", "--json", "--no-report", "--seed", "3", cwd=here)
    assert done.returncode == 0, done.stderr
    reported = json.loads(done.stdout)
    assert reported["verdict"] == "PASS"
    assert reported["complete"] is True
    assert reported["run"]["seed"] == 3
    assert {"name", "seed", "scenario_hash", "build"} <= set(reported["run"])
    p50 = reported["measures"]["delay_p50_ms"]
    assert p50["unit"] == "ms" and p50["low"] <= p50["value"] <= p50["high"]
    assert len(reported["trace_hash"]) == 64
    folder = here / reported["out"]
    kept = json.loads((folder / "run.json").read_text())
    assert kept["trace_hash"] == reported["trace_hash"]


def test_exit_codes_and_junit(here: Path) -> None:
    """0 PASS, 1 FAIL, 2 usage; JUnit counts the limit that is not met."""
    done = surgetank("run", "bad.toml", "--no-report", "--junit", "ci/out.xml", cwd=here)
    assert done.returncode == 1
    assert "FAIL" in done.stdout and "Mean latency by stage" in done.stdout
    assert re.search(r"Median latency +\S+\sms +≤ 1\sµs", done.stdout)
    assert re.search(r"Stages sum to the latency +passed", done.stdout)
    assert re.search(r"^What to improve: surgetank explain runs/tiny-7-", done.stdout, re.M)
    suite = ET.parse(here / "ci/out.xml").getroot()
    assert len(suite.findall(".//failure")) == 1
    assert surgetank("run", "good.toml", "--wrong", cwd=here).returncode == 2


def test_invalid_and_unknown(here: Path) -> None:
    """3: a fault that nothing passed by. 4: too few samples to tell."""
    fault = '[[faults]]\nkind = "loss"\nat_s = 7.9\nduration_s = 0.05\nprobability = 0.5\n'
    quiet = TINY.format(limit=1.0).replace('"poisson"', '"none"').replace("rate_per_s = 200.0", "")
    quiet = quiet.replace("[network]", '[layer.consensus]\nkind = "none"\n[network]')
    (here / "invalid.toml").write_text(quiet + fault)
    (here / "unknown.toml").write_text(quiet)
    assert surgetank("run", "invalid.toml", "--no-report", cwd=here).returncode == 3
    assert surgetank("run", "unknown.toml", "--no-report", cwd=here).returncode == 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "nothing"], "no scenario of this name"),
        (["run", "gone.toml"], "gone.toml"),
        (["run", "good.toml", "--set", "flow.arivals.x=1"], "Did you mean `arrivals`"),
        (["run", "good.toml", "--set", "nonsense"], "nonsense: has no value. Write KEY=VALUE"),
        (["run", "good.toml", "--tape", "gone.csv"], "gone.csv"),
        (["run", "good.toml", "--out", "good.toml"], "this is a file"),
        (["run", "good.toml", "--out", "x", "--junit", "."], "--junit .: is a folder"),
        (["run", "good.toml", "--out", "x", "--junit", "good.toml/x"], "good.toml/x"),
        (["run", "good.toml", "--target", "memory:", "--otel-endpoint", ":"], "not HTTP"),
        (["run", "good.toml", "--tape", "two.csv"], "two.csv:1: two columns are named `time`"),
        (["report", "good.toml"], "is a file, and no run's folder"),
        (["run", "good.toml", "--out", "/proc/nowhere/run"], "/proc/nowhere/run"),
        (["report", "nowhere"], "nowhere"),
        (["compare", "nowhere", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_get_one_line(here: Path, arguments: list[str], said: str) -> None:
    """Exit code 2, the place and the hint on stderr, no traceback; no folder is left."""
    (here / "two.csv").write_text("time,time,price\n1,1,5\n2,2,5\n")
    done = surgetank(*arguments, cwd=here)
    assert done.returncode == 2
    assert not (here / "x").exists()
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_folder_in_use_is_kept(here: Path) -> None:
    """Nothing is overwritten unasked; with --force only an earlier run is."""
    once = surgetank("run", "good.toml", "--no-report", "--out", "a", cwd=here)
    again = surgetank("run", "good.toml", "--no-report", "--out", "a", cwd=here)
    assert (once.returncode, again.returncode) == (0, 2)
    assert "--force" in again.stderr
    assert (
        surgetank("run", "good.toml", "--no-report", "--out", "a", "--force", cwd=here).returncode
        == 0
    )
    (here / "mine").mkdir()
    (here / "mine" / "thesis.txt").write_text("years of work")
    done = surgetank("run", "good.toml", "--out", "mine", "--force", cwd=here)
    assert done.returncode == 2
    assert (here / "mine" / "thesis.txt").read_text() == "years of work"


def test_interrupt_keeps_what_was_measured(here: Path) -> None:
    """Ctrl-C in mid-run: the trace so far is written and marked incomplete; UNKNOWN."""
    text = TINY.format(limit=60_000.0).replace("duration_s = 4.0", "duration_s = 40000.0")
    (here / "long.toml").write_text(text)
    command = [sys.executable, "-c", "from surgetank.cli import main; main()", "run", "long.toml"]
    command += ["--json", "--no-report", "--out", "long"]
    process = subprocess.Popen(
        command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (here / "long").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(2.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    reported = json.loads(out)
    assert reported["complete"] is False, err
    assert reported["verdict"] == "UNKNOWN"
    assert process.returncode == 4
    assert reported["measures"]["delay_p50_ms"]["value"] > 0
    assert json.loads((here / "long/run.json").read_text())["complete"] is False


def test_report_and_compare(here: Path) -> None:
    """A run can be drawn again, and two runs laid side by side."""
    for seed in (1, 2):
        run(here / "good.toml", seed=seed, out=here / str(seed))
    done = surgetank("report", "1", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "<html" in (here / "1/report.html").read_text()[:2_000]
    reported = json.loads(surgetank("compare", "1", "2", "--json", cwd=here).stdout)
    assert reported["same_trace"] is False
    assert reported["differences"]["delay_p50_ms"]["change"] != 0
    reported = json.loads(surgetank("compare", "1", "1", "--json", cwd=here).stdout)
    assert reported["same_trace"] is True
    assert "byte for byte" in surgetank("compare", "1", "1", cwd=here).stdout


def test_scenarios_schema_init(here: Path) -> None:
    """What there is, what it may say, and something to start from."""
    reported = json.loads(surgetank("scenarios", "--json", cwd=here).stdout)
    assert "12–13 March 2020" in reported["black-thursday"]["event"]
    listed = surgetank("scenarios", cwd=here).stdout.splitlines()
    assert max(map(len, listed)) < 500
    named = [line.split()[0] for line in listed if line[:1].islower()]
    assert named == list(reported)
    schema = json.loads(surgetank("schema", cwd=here).stdout)
    assert "flow" in schema["properties"]
    assert surgetank("init", "mine", cwd=here).returncode == 0
    assert 'name = "mine"' in (here / "mine.toml").read_text()
    again = surgetank("init", "mine", cwd=here)
    assert again.returncode == 2 and "exists already" in again.stderr


def test_a_shipped_scenario_is_shown_and_copied(here: Path) -> None:
    """With its comments; the copy has its own name, and is the same scenario otherwise."""
    shown = surgetank("scenarios", "show", "calm", cwd=here)
    assert shown.returncode == 0 and tomllib.loads(shown.stdout)["name"] == "calm"
    assert surgetank("init", "mine", "--from", "calm", cwd=here).returncode == 0
    copied = (here / "mine.toml").read_text()
    assert copied.startswith("#:schema ./scenario.schema.json\n")
    assert [line for line in shown.stdout.splitlines() if line not in copied] == ['name = "calm"']
    assert load(here / "mine.toml") == load("calm").with_values({"name": "mine"})
    # A copy of a copy has one schema line; a file of the schema's name is left as it is.
    (here / "scenario.schema.json").write_text("{}")
    assert surgetank("init", "second", "--from", "mine.toml", cwd=here).returncode == 0
    assert (here / "second.toml").read_text().count("#:schema") == 1
    assert (here / "scenario.schema.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scenarios", "show", "clam"], "Did you mean `calm`?"),
        (["scenarios", "--json", "show", "calm"], "is for the list"),
        (["init", "mine", "--from", "clam"], "Did you mean `calm`?"),
        (["init", "mine", "--from", "broken.toml"], "broken.toml: acounts: unknown key"),
    ],
)
def test_no_scenario_leaves_no_file(here: Path, arguments: list[str], said: str) -> None:
    """Neither the scenario's nor the schema's."""
    (here / "broken.toml").write_text('name = "broken"\nacounts = 3\n')
    before = sorted(here.iterdir())
    done = surgetank(*arguments, cwd=here)
    assert done.returncode == 2 and said in done.stderr
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize("command", ["run", "report", "compare", "scenarios", "schema", "init"])
def test_help_has_examples(here: Path, command: str) -> None:
    """Every --help shows how."""
    done = surgetank(command, "--help", cwd=here)
    assert done.returncode == 0
    assert f"surgetank {command}" in done.stdout


def test_help_of_attack_names_all_kinds() -> None:
    """They are written out there, so that help loads nothing of the search for attacks."""
    option = next(
        param
        for param in typer.main.get_command(app).commands["attack"].params  # type: ignore[attr-defined]
        if param.name == "kinds"
    )
    assert option.help == f"Kinds, by default all: {', '.join(KINDS)}."
