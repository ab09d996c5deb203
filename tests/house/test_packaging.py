"""Wheels, image, workflows: linted here; built, installed and run by `make soak`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILE = ROOT / "packaging/Containerfile"
WORKFLOWS = [ROOT / "packaging/ci/capacity.yml", ROOT / ".github/workflows/wheels.yml"]


def ran(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a module of this environment."""
    return subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False, **options
    )


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_valid(workflow: Path, tmp_path: Path) -> None:
    """By GitHub's schema; each job has a time limit; a misspelt key is seen."""
    text = workflow.read_text(encoding="utf-8")
    (tmp_path / "seeded.yml").write_text(text.replace("runs-on:", "run-on:", 1))
    for schema in ("vendor.github-workflows", "custom.github-workflows-require-timeout"):
        checked = ran("check_jsonschema", "--builtin-schema", schema, str(workflow))
        assert checked.returncode == 0, checked.stdout
    named = ["--builtin-schema", "vendor.github-workflows"]
    assert ran("check_jsonschema", *named, "seeded.yml", cwd=tmp_path).returncode == 1


def test_files_that_workflows_name_exist() -> None:
    """Scripts of this repository, with options that they have."""
    lines = [
        line
        for workflow in WORKFLOWS
        for job in yaml.safe_load(workflow.read_text("utf-8"))["jobs"].values()
        for step in job["steps"]
        for line in step.get("run", "").splitlines()
    ]
    scripts = [line.split()[1:] for line in lines if line.startswith("python ")]
    assert scripts
    for script, *words in scripts:
        text = (ROOT / script).read_text(encoding="utf-8")
        assert [word for word in words if word.startswith("--") and f'"{word}"' not in text] == []


def test_wheels_are_of_the_systems_that_the_page_lists() -> None:
    """The rows of the workflow's matrix: Linux, macOS and Windows, and their processors."""
    job = yaml.safe_load(WORKFLOWS[1].read_text("utf-8"))["jobs"]["wheel"]
    targets = {row["target"] for row in job["strategy"]["matrix"]["include"]}
    assert targets == {
        "x86_64-unknown-linux-gnu",
        "aarch64-unknown-linux-gnu",
        "aarch64-apple-darwin",
        "x86_64-apple-darwin",
        "x86_64-pc-windows-msvc",
    }


def test_the_containerfile_is_linted(tmp_path: Path) -> None:
    """By hadolint, without a finding; an image whose last user is root is seen."""
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, CONTAINERFILE], capture_output=True, text=True, check=False)
    assert done.stdout == "" and done.returncode == 0
    seeded = tmp_path / "Containerfile"
    seeded.write_text(CONTAINERFILE.read_text("utf-8").replace("USER 1000", "USER root"))
    done = subprocess.run([hadolint, seeded], capture_output=True, text=True, check=False)
    assert "DL3002" in done.stdout


def test_the_image_is_built_from_files_that_are_there() -> None:
    """And the ignore file lets them through; they are all that the sdist's build reads."""
    text = CONTAINERFILE.read_text(encoding="utf-8")
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for name in line.split()[:-1]
    }
    assert [name for name in sorted(copied) if not (ROOT / name).exists()] == []
    ignored = (ROOT / "packaging/Containerfile.dockerignore").read_text(encoding="utf-8")
    assert copied == set(re.findall(r"^!(.+)$", ignored, re.MULTILINE))
    last = text[text.rindex("\nFROM ") :]
    assert "\nUSER 1000\n" in last and '\nENTRYPOINT ["surgetank"]\n' in last


def test_the_devcontainer_runs_what_there_is() -> None:
    """Its commands are goals of the Makefile; CI or a target's page names its packages."""
    settings = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    goal = settings["postCreateCommand"].removeprefix("make ")
    assert f"\n{goal}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
    packages = settings["onCreateCommand"].partition("--yes ")[2].split()
    says = (ROOT / ".ci/run", ROOT / "docs/target-gossipsub.md")
    needed = "".join(path.read_text(encoding="utf-8") for path in says)
    assert packages and [name for name in packages if name not in needed] == []


def not_on_windows(*paths: str) -> set[str]:
    """Modules that use what Python has on POSIX only, found by types: without the live package,
    whose runs are refused on Windows."""
    checked = ran("mypy", "--platform", "win32", *paths, cwd=ROOT)
    found = re.findall(r"^(\S+?):\d+: error: .*\[attr-defined\]$", checked.stdout, re.MULTILINE)
    return {path for path in found if "surgetank/live/" not in path}


@pytest.mark.soak
def test_simulated_runs_use_nothing_that_windows_lacks(tmp_path: Path) -> None:
    """No compiler of Windows' Python is here, so types stand in for it; a seeded use is seen."""
    assert not_on_windows("python") == set()
    seeded = tmp_path / "seeded.py"
    seeded.write_text("import fcntl\n\nfcntl.flock(0, fcntl.LOCK_EX)\n")
    assert not_on_windows(str(seeded)) == {str(seeded)}


@pytest.mark.soak
def test_a_wheel_from_the_sdist_runs_without_rust(tmp_path: Path) -> None:
    """As `make wheel` makes them; each extra is installed by the command that its error gives."""
    subprocess.run(["make", "wheel", f"DIST={tmp_path}"], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert len(list(tmp_path.glob("*.tar.gz"))) == 1
    check = [sys.executable, str(ROOT / "packaging/check_wheel.py"), str(wheel)]
    extras = [word for extra in ("cluster", "threshold", "live") for word in ("--extra", extra)]
    subprocess.run([*check, *extras], check=True)


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("go") is None, reason="actionlint is built by Go")
def test_workflows_pass_actionlint() -> None:
    """Expressions, names of actions' inputs, shell quoting."""
    linter = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
    done = subprocess.run(
        ["go", "run", linter, *map(str, WORKFLOWS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
