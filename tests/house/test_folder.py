"""The folder of a run: claimed by one, and gone again if a mistyped command made it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import surgetank as st
from surgetank.cli.app import app
from surgetank.cli.exit_codes import ended
from surgetank.output_folder import claimed, locked

HOLD = "from surgetank.output_folder import claimed; from pathlib import Path; import sys\n"
HOLD += "with claimed(Path('out'), force=True):\n    print('mine', flush=True); sys.stdin.read()"


def test_one_folder_has_one_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second run is refused, with --force too, and the first one's files stay; the lock ends
    with the process, even if it is killed."""
    monkeypatch.chdir(tmp_path)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdout.readline() == "mine\n"
    (tmp_path / "out" / "run.json").write_text("{}")
    asked = ["run", "calm", "--set", "duration_s=0.5", "--set", "warmup_s=0", "--no-report"]
    for command in (["search", "calm"], asked):
        assert ended(lambda c=command: app([*c, "--out", "out", "--force"])) == 2  # type: ignore[misc]
        assert "another run is writing there" in capsys.readouterr().err
    assert (tmp_path / "out" / "run.json").read_text() == "{}"
    other.kill()
    other.communicate()
    assert ended(lambda: app([*asked, "--out", "out", "--force"])) in (0, 1, 4)
    assert st.Trace.load(tmp_path / "out").complete


def test_a_mistake_leaves_no_folder_behind(tmp_path: Path) -> None:
    """It would block the corrected command."""
    out = tmp_path / "out"
    for wrong in (["--target", "rediss:"], ["--target", "memory:?sevice_us=1"]):
        assert ended(lambda w=wrong: app(["run", "calm", *w, "--out", str(out)])) == 2  # type: ignore[misc]
        assert not out.exists()
    out.mkdir()
    with pytest.raises(st.SurgetankError), claimed(out, force=False):
        raise st.SurgetankError("a mistake")
    assert out.exists()  # it was there before


def test_where_it_cannot_be(tmp_path: Path) -> None:
    """Clear errors for what cannot be a folder."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(st.SurgetankError, match="this is a file"),
        claimed(tmp_path / "file", force=True),
    ):
        pass
    with pytest.raises(st.SurgetankError, match="not a directory"), locked(tmp_path / "file/x"):
        pass
