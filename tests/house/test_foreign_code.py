"""Code that a scenario brings, and files that lie about: nothing runs that was not asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import surgetank as st
from command_line import TINY
from live_command import SMALL
from surgetank.cli.app import app
from surgetank.cli.exit_codes import ended

#: Leaves a trace of having been run.
MARK = "from pathlib import Path\n\nPath('ran').touch()\n"
RULE = MARK + "from plugin_example import Lottery\n\n\nclass Rule(Lottery):\n    pass\n"
CONTROLLER = (
    MARK + "from surgetank.plugins import Controller\n\n\nclass Rule(Controller):\n"
    "    def control(self, observation):\n        return {}\n"
)


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scenario, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "docs"))
    text = TINY.format(limit=60_000.0).replace("4.0", "1.0").replace("warmup_s = 1.0", "warmup_s=0")
    (tmp_path / "tiny.toml").write_text(text)
    return tmp_path


COMMANDS = [
    ["run", "foreign.toml"],
    ["run", "foreign.toml", "--out", "x"],
    ["run", "tiny.toml", "--set", "KEY"],
    ["search", "foreign.toml"],
    ["frontier", "black-thursday", "--set", "KEY"],
    ["compare", "tiny.toml", "--vary", "KEY"],
    ["compare", "foreign.toml", "--vary", "load=1,2"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_scenario_does_not_run_code_unasked(
    command: list[str], inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 before anything of it is imported, and no folder is left behind."""
    (inside / "evil.py").write_text(RULE)
    text = (inside / "tiny.toml").read_text() + '[layer.queue]\nrule = "evil:Rule"\n'
    (inside / "foreign.toml").write_text(text)
    asked = [part.replace("KEY", "layer.queue.rule=evil:Rule") for part in command]
    assert ended(lambda: app(asked)) == 2
    reported = capsys.readouterr().err
    assert "runs code from `evil`" in reported and "--allow-code" in reported
    left = {path.name for path in inside.rglob("*") if path.is_file()}
    assert left == {"evil.py", "tiny.toml", "foreign.toml"}


@pytest.mark.parametrize(
    ("key", "text"), [("layer.queue.rule", RULE), ("layer.tuning.controller", CONTROLLER)]
)
def test_it_runs_when_it_is_trusted(key: str, text: str, inside: Path) -> None:
    """With --allow-code; and the next command asks again."""
    name = f"mine_{key.rpartition('.')[2]}"
    (inside / f"{name}.py").write_text(text)
    asked = ["run", "tiny.toml", "--set", f"{key}={name}:Rule", "--no-report", "--out"]
    assert ended(lambda: app([*asked, "a", "--allow-code"])) in (0, 4)
    assert (inside / "ran").exists() and (inside / "a" / "run.json").exists()
    assert ended(lambda: app([*asked, "b"])) == 2


def test_the_library_does_not_ask(inside: Path) -> None:
    """Whoever writes Python has chosen."""
    (inside / "chosen_rule.py").write_text(RULE)
    scenario = st.load("tiny.toml").with_values({"layer.queue.rule": "chosen_rule:Rule"})
    assert st.simulate(scenario).complete


def test_files_beside_do_not_take_the_place_of_libraries(inside: Path) -> None:
    """Neither in the driver nor in a run's processes: what lies in the current directory is found
    last, and for targets that come with surgetank not at all."""
    for name in ("redis", "uvloop", "numpy", "asyncio"):
        (inside / f"{name}.py").write_text(MARK + "raise ImportError('not the library')\n")
    (inside / "small.toml").write_text(SMALL.format(seconds=0.6))
    (inside / "mine_target.py").write_text(
        "import redis\nfrom surgetank.live.systems.memory.target import Memory\n\n\n"
        "class Mine(Memory):\n    pass\n"
    )
    code = "from surgetank.live.registry import parse, target_class as t; "
    code += "t(parse('redis:')), t(parse('mine_target:Mine')); "
    code += "from surgetank.cli import main; main()"
    asked = ["run", "small.toml", "--target", "memory:", "--no-report"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *asked], capture_output=True, text=True
    )
    assert done.returncode in (0, 3, 4), done.stderr
    assert not (inside / "ran").exists()
