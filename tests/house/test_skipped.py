"""What was skipped is said at the end of `make test`, with the command that installs it."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Reporter:
    """Of pytest's terminal reporter, what the summary uses."""

    def __init__(self, *reasons: str) -> None:
        skipped = [SimpleNamespace(longrepr=("file", 1, f"Skipped: {why}")) for why in reasons]
        self.stats = {"skipped": skipped}
        self.lines: list[str] = []

    def section(self, title: str) -> None:
        """Records a heading."""
        self.lines.append(title)

    def write_line(self, line: str) -> None:
        """Records a line."""
        self.lines.append(line)


def test_the_reasons_are_counted_and_collected(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs of pytest append to one file, which `make test` shows."""
    conftest: Any = request.config.pluginmanager.get_plugin(str(ROOT / "tests" / "conftest.py"))
    file = tmp_path / "skipped.txt"
    monkeypatch.setattr(conftest, "SKIPPED", str(file))
    runs: list[Any] = [Reporter("no broker: apt install x", "no broker: apt install x"), Reporter()]
    for run in [*runs, Reporter("no Go")]:
        conftest.pytest_terminal_summary(run)
    assert runs[0].lines == ["not tested here", "   2 skipped: no broker: apt install x"]
    assert runs[1].lines == []
    assert file.read_text() == "   2 skipped: no broker: apt install x\n   1 skipped: no Go\n"


def test_make_shows_the_file() -> None:
    """Of both runs, and after them."""
    recipe = (ROOT / "Makefile").read_text().partition("\ntest: ")[2].partition("\n\n")[0]
    runs = [line for line in recipe.splitlines() if "-m pytest" in line]
    assert len(runs) == 2
    assert all("SURGETANK_SKIPPED=$(SKIPPED)" in line for line in runs)
    last = recipe.splitlines()[-1]
    assert re.search(r"test -s \$\(SKIPPED\).*cat \$\(SKIPPED\)", last)
