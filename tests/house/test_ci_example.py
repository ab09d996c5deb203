"""The CI example, step by step in a repository with a pull request, as GitHub's runner would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from command_line import QUEUE
from shown_commands import commands_in, wrong_with

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "packaging/ci/capacity.yml"
SLOWER = """
[[network.machines]]
name = "old"
nodes = [0]
speed = 0.5
"""


def steps() -> list[str]:
    """The shell steps of the workflow, but for the installation."""
    job: Any = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["capacity"]
    return [step["run"] for step in job["steps"] if "run" in step and step["name"] != "Install"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose origin has the venue on its main branch; the command on the path."""
    place = tmp_path_factory.mktemp("ci")
    origin = place / "origin"
    origin.mkdir()
    (origin / "venue.toml").write_text(QUEUE)
    named = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], [*named, "commit", "-qm", "a"]):
        subprocess.run(["git", *command], cwd=origin, check=True)
    subprocess.run(["git", "clone", "-q", f"file://{origin}", "checkout"], cwd=place, check=True)
    program = place / "surgetank"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m surgetank "$@"\n')
    program.chmod(0o755)
    return place


def pull_request(workplace: Path, venue: str) -> list[int]:
    """Exit codes of the steps with this venue, to the first that fails."""
    here = workplace / "checkout"
    (here / "venue.toml").write_text(venue)
    shutil.rmtree(here / "runs/after", ignore_errors=True)
    paths = f"{workplace}:{os.environ['PATH']}"
    env = os.environ | {"PATH": paths, "GITHUB_BASE_REF": "main"}
    codes = []
    for number, step in enumerate(steps()):
        if number == 0 and (here / "runs/before").exists():
            continue  # The search of the main branch, which all pull requests share.
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", step], cwd=here, env=env, check=False
        )
        codes.append(done.returncode)
        if done.returncode:
            break
    return codes


@pytest.mark.soak
def test_a_fall_fails_the_pull_request(workplace: Path) -> None:
    """Exit code 0 where nothing changes but a comment, 1 where a machine is half as fast."""
    assert pull_request(workplace, f"# A comment.\n{QUEUE}") == [0, 0]
    assert pull_request(workplace, QUEUE + SLOWER) == [1]


def test_its_page_shows_its_commands() -> None:
    """docs/ci.md has the workflow's searches, of a scenario that all readers have."""
    shown = list(commands_in((ROOT / "docs/ci.md").read_text(encoding="utf-8")))
    searches = [
        line.replace("before.toml", "calm").replace("venue.toml", "calm")
        for step in steps()
        for line in step.splitlines()
        if line.startswith("surgetank search")
    ]
    assert len(searches) == 2
    assert [line for line in searches if line not in shown or wrong_with(line)] == []
