"""Every command that a document shows can be entered as it stands; every block of Python runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import surgetank as st
from command_line import surgetank
from shown_commands import commands_in, wrong_with

ROOT = Path(__file__).resolve().parents[2]
#: What is true today; decisions and the change log say what was true then.
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "ARCHITECTURE.md"])
SHOWN = [(page, line) for page in PAGES for line in commands_in(page.read_text(encoding="utf-8"))]


@pytest.fixture(autouse=True)
def _beside_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes named `plugin_example:…` are found in the current directory."""
    monkeypatch.chdir(ROOT / "docs")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_can_be_entered(page: Path) -> None:
    """Command, options, values, keys set, targets and questions are what there is."""
    lines = [line for shown, line in SHOWN if shown == page]
    assert {line: why for line in lines if (why := wrong_with(line))} == {}


def test_there_are_commands() -> None:
    assert len(SHOWN) > 100


@pytest.mark.parametrize(
    "seeded",
    [
        "surgetank gone",
        "surgetank run gone --seeds 3",
        "surgetank run calm --seed many",
        "surgetank run S --target nats:",
        "surgetank run calm --set layer.queue.rul=fifo",
        "surgetank run calm --speed 3",
        "surgetank run calm --target 'nats:?gone=1'",
        "surgetank run calm --target gone",
        "surgetank search calm --find gone",
        "surgetank search calm --vary network.uplink_mbps --range 200:1 --until gone_max",
        "surgetank compare calm --vary layer.queue.rule=fifo,gone",
        "surgetank compare calm --vary layer.queue.rule --attack gone",
        "surgetank explain calm --by p999",
        "surgetank attack calm --kinds gone",
        "surgetank run burst --set layer.queue.rule=plugin_example:Lottery",
        "surgetank run burst --set layer.queue.rule=plugin_example:Gone --allow-code",
        "python benchmarks/gone.py",
        "python benchmarks/rules.py --gone",
        "make gone",
        ".venv/bin/python -m pytest tests/gone",
        "pip install '.[gone]'",
    ],
)
def test_a_wrong_command_is_seen(seeded: str) -> None:
    """The control: each would be refused."""
    assert wrong_with(seeded)


def test_the_first_steps_of_start_run(tmp_path: Path) -> None:
    """Own scenario, two runs and their comparison, as docs/start.md shows them."""
    text = (ROOT / "docs/start.md").read_text(encoding="utf-8")
    steps = text[text.index("## 3.") : text.index("## 4.")]
    done = [
        surgetank(*shlex.split(line, comments=True)[1:], cwd=tmp_path)
        for line in commands_in(steps)
        if line.startswith("surgetank")
    ]
    assert [run.returncode for run in done] == [0] * 5, [run.stderr for run in done]
    assert done[-1].stdout.count("my-venue") >= 2


def python_blocks(page: Path) -> list[str]:
    """Blocks of Python in a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if python_blocks(page)], ids=lambda page: page.name
)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, one block after the other, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": page.stem}
    for block in python_blocks(page):
        exec(compile(block, str(page), "exec"), names)


def test_the_controller_of_tuning_controls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the name and in the file that docs/tuning.md gives it."""
    (block,) = python_blocks(ROOT / "docs/tuning.md")
    (tmp_path / "my_control.py").write_text(block)
    monkeypatch.chdir(tmp_path)
    values = {"duration_s": 5.0, "warmup_s": 1.0, "layer.tuning.controller": "my_control:Half"}
    found = st.simulate(st.load("calm").with_values(values), seed=7)
    assert found.tables["decisions"].height > 0
