"""Files that commands write are there whole, or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import surgetank as st
from surgetank.output_folder import write_file, write_files


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A limit on the size of files stops the write in its middle."""
    script = """
import resource, signal
from pathlib import Path
from surgetank.errors import SurgetankError
from surgetank.output_folder import write_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write_file(Path("new"), b"x" * 200_000, hint="Give another")
except SurgetankError as error:
    print(error, error.exit_code)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout == "new: cannot be written (file too large). Give another 2\n", done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_is_not_left_without_the_other(tmp_path: Path) -> None:
    new, old = tmp_path / "new.toml", tmp_path / "old.toml"
    old.write_text("earlier")
    for first in (new, old):
        with pytest.raises(st.SurgetankError, match="is a directory"):
            write_files({first: "x", tmp_path: "y"}, hint="Give another")
    assert not new.exists() and old.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_full_is_the_machines_and_stays() -> None:
    with pytest.raises(st.SurgetankError, match="Free space") as caught:
        write_file(Path("/dev/full"), "x", hint="Give another")
    assert caught.value.exit_code == 74 and Path("/dev/full").is_char_device()
