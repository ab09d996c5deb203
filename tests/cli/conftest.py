"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import TINY


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with two scenarios: one that passes and one that fails."""
    (tmp_path / "good.toml").write_text(TINY.format(limit=60_000.0))
    (tmp_path / "bad.toml").write_text(TINY.format(limit=0.001))
    return tmp_path
