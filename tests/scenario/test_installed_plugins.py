"""Plug-ins of installed packages: found by name, trusted, and recorded as their class."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import surgetank as st
from command_line import TINY, surgetank_process
from surgetank.live.registry import parse, target_class
from surgetank.plugins import QUEUE_RULES, code_refused, installed

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = """
[surgetank.queue_rules]
lottery = {module}:Lottery
fifo = {module}:Lottery
[surgetank.controllers]
steady = {module}:Steady
[surgetank.targets]
own = {module}:Own
"""
MODULE = (
    (ROOT / "docs/plugin_example.py").read_text(encoding="utf-8")
    + """

from surgetank.live.systems.memory.target import Memory
from surgetank.plugins import Controller


class Own(Memory):
    pass


class Steady(Controller):
    def __init__(self, seed):
        pass

    def control(self, observation):
        return {}
"""
)


def wheel(folder: Path, module: str) -> Path:
    """A wheel with one module and its entry points."""
    info = f"{module}-1.0.dist-info"
    files = {
        f"{module}.py": MODULE,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": ENTRIES.format(module=module),
    }
    listed = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in {**files, f"{info}/RECORD": listed}.items():
            packed.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package."""
    folder = tmp_path_factory.mktemp("packages")
    made = wheel(tmp_path_factory.mktemp("wheels"), "term_rules")
    options = ["--quiet", "--no-index", "--no-deps", "--target", str(folder), str(made)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options], check=True, timeout=120)
    return folder


@pytest.fixture
def on_path(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(packages)
    return packages


def test_a_rule_that_is_installed_has_a_name(packages: Path, tmp_path: Path) -> None:
    """Without --allow-code, in a process of its own; run.json names the class."""
    (tmp_path / "good.toml").write_text(TINY.format(limit=60_000.0))
    path = f"{ROOT / 'python'}:{packages}"
    command = ["run", "good.toml", "--no-report", "--out", "x", "--quiet"]
    rule = ["--set", "layer.queue.rule=lottery", "--set", "layer.consensus.kind=single"]
    done = surgetank_process(*command, *rule, cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    queue = json.loads((tmp_path / "x/run.json").read_text())["scenario"]["layer"]["queue"]
    assert queue["rule"] == queue["discipline"] == "term_rules:Lottery"
    gone = surgetank_process(*command[:-1], *rule, cwd=tmp_path)
    assert gone.returncode == 2 and "no such rule" in gone.stderr


def test_names_of_surgetank_take_precedence(on_path: Path) -> None:
    """A package cannot replace `fifo`, and its names are suggested beside ours."""
    assert installed(QUEUE_RULES)["fifo"] == "term_rules:Lottery"
    calm = st.load("calm")
    assert calm.with_values({"layer.queue.rule": "fifo"}).layer.queue.discipline == "fifo"
    with pytest.raises(st.SurgetankError, match="did you mean `lottery`"):
        calm.with_values({"layer.queue.rule": "lotery"})
    tuned = calm.with_values({"layer.tuning.controller": "steady"})
    assert tuned.layer.tuning.plugin == "term_rules:Steady"


def test_only_what_is_declared_is_trusted(on_path: Path, tmp_path: Path) -> None:
    """Another class of the same installed module still needs --allow-code."""
    calm = st.load("calm")
    with code_refused():
        assert calm.with_values({"layer.queue.rule": "lottery"}).hash
        with pytest.raises(st.SurgetankError, match="--allow-code"):
            assert calm.with_values({"layer.queue.rule": "term_rules:Other"}).hash


def test_a_target_that_is_installed_has_a_scheme(on_path: Path) -> None:
    where = parse("own://127.0.0.1:9/orders?depth=3")
    assert (where.scheme, where.port, where.name) == ("term_rules:Own", 9, "orders")
    assert where.options == {"depth": "3"} and target_class(where).__name__ == "Own"
    assert target_class(parse("own:")).__name__ == "Own"
    assert parse("own:Class").scheme == "own:Class", "module:Class is still that"
    with pytest.raises(st.SurgetankError, match="did you mean own:"):
        parse("owm:")


def test_two_packages_with_one_name_are_refused(
    on_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them is meant depends on no order of folders."""
    second = wheel(tmp_path, "other_rules")
    monkeypatch.syspath_prepend(tmp_path / "second")
    zipfile.ZipFile(second).extractall(tmp_path / "second")
    with pytest.raises(st.SurgetankError, match="two packages declare it"):
        st.load("calm").with_values({"layer.queue.rule": "lottery"})
