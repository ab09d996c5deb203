"""`surgetank risk`, as a person or a CI system meets it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from command_line import surgetank
from crashes import crash, falling
from surgetank.scenario.text import toml


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a venue whose price falls by 30 % in one step."""
    (tmp_path / "crash.toml").write_text(
        toml(crash(falling(0.7)).model_dump(mode="json", by_alias=True))
    )
    return tmp_path


QUICK = ["crash.toml", "--runs", "30", "--workers", "1"]


def test_one_json_object_and_its_files(here: Path) -> None:
    """Every quantity with its interval, the runs themselves, and the verdict; PASS is 0."""
    arguments = ["--limit", "bad_debt_probability_max=1", "--junit", "risk.xml"]
    done = surgetank("risk", *QUICK, *arguments, "--json", "--out", "r", cwd=here)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["verdict"]["status"] == "PASS" and found["runs"] == 30
    mean = found["estimates"]["bad_debt_mean_usd"]
    assert mean["low"] < mean["value"] < mean["high"] and mean["status"] == "KNOWN"
    assert found["estimates"]["bad_debt_es99_usd"]["status"] == "UNKNOWN"
    assert len(found["runs_usd"]["insurance"]) == 30
    assert {"risk.html", "risk.json", "runs.jsonl"} <= {
        path.name for path in (here / "r").iterdir()
    }
    assert ET.parse(here / "risk.xml").getroot().get("tests") == "1"


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("bad_debt_mean_usd_max=1", 1),
        ("bad_debt_p99_usd_max=1e9", 4),
        ("bad_debt_p50_usd_max=1e9", 0),
    ],
)
def test_limits_have_exit_codes(here: Path, limit: str, code: int) -> None:
    """FAIL is 1, UNKNOWN 4."""
    done = surgetank("risk", *QUICK, "--limit", limit, "--quiet", cwd=here)
    assert done.returncode == code, done.stderr
    assert "No limits are set" not in done.stdout
    assert ("needs at least 368 runs" in " ".join(done.stdout.split())) == (code == 4)


def test_a_change_is_tried_after_the_fact(here: Path) -> None:
    """--resume has the runs of the distribution already, and makes those of the change only."""
    first = surgetank("risk", *QUICK, "--quiet", "--out", "r", cwd=here)
    assert first.returncode == 0, first.stderr
    assert "No limits are set" in first.stdout
    tried = ["--try", "market.positions.leverage_max=1; market.positions.leverage_min=1"]
    done = surgetank("risk", *QUICK, *tried, "--resume", "--quiet", "--out", "r", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "Most is saved by: market.positions.leverage_max=1" in " ".join(done.stdout.split())
    assert len((here / "r" / "runs.jsonl").read_text().splitlines()) == 60
    assert max(map(len, done.stdout.splitlines())) <= 80 or "Most is saved" in done.stdout


def test_a_run_with_bad_debt_names_this_command(here: Path) -> None:
    """With the run's own options, as they were given; a run without bad debt does not."""
    again = "crash.toml --set limits.bad_debt_usd_max=0"
    done = surgetank("run", *again.split(), "--out", "r", "--no-report", cwd=here)
    assert done.returncode == 1, done.stderr
    assert f"surgetank risk {again} --remedies" in " ".join(done.stdout.split())
    path = "market.price.path.price_usd=[100,100,100]"
    safe = ["--set", path, "--set", "limits.delay_p50_ms_max=0", "--out", "s", "--no-report"]
    done = surgetank("run", "crash.toml", *safe, cwd=here)
    assert "surgetank risk" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--limit", "bad_debt_es99_usd_max"], "NAME=NUMBER"),
        (["--limit", "bad_debt_es98_usd_max=1"], "Did you mean bad_debt_es99_usd_max"),
        (["--try", "market.margin.insurance=1"], "insurance"),
        (["--try", "nothing"], "KEY=VALUE"),
        (["--precision", "7"], "between 0 and 1"),
        (["--junit", "."], "is a folder"),
        (["--mark", "BTC=65000"], "has no effect without --positions"),
    ],
)
def test_wrong_usage_leaves_nothing(here: Path, arguments: list[str], said: str) -> None:
    """One line that names the place and the remedy, exit code 2, no folder."""
    done = surgetank("risk", *QUICK, *arguments, cwd=here)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr and "Traceback" not in done.stderr
    assert not (here / "runs").exists()
