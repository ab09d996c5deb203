"""A search that a script calls: its worker processes import the script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from command_line import QUEUE

CALL = """
answer = st.search("small.toml", range=(500.0, 4_000.0), precision=0.3, runs_max=16, workers=2,
                   try_remedies=False)
print(answer.runs)
"""


def script(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Runs the code as a file of its own."""
    (folder / "small.toml").write_text(QUEUE)
    (folder / "mine.py").write_text(f"import surgetank as st\n{code}")
    command = [sys.executable, "mine.py"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.soak
def test_a_call_that_workers_would_repeat_is_refused_with_a_hint(tmp_path: Path) -> None:
    """And the same call below a check of `__name__` is answered."""
    refused = script(tmp_path, CALL)
    assert refused.returncode == 1
    assert 'below `if __name__ == "__main__":`' in refused.stderr.splitlines()[-1]
    guarded = CALL.strip().replace("\n", "\n    ")
    answered = script(tmp_path, f'if __name__ == "__main__":\n    {guarded}\n')
    assert (answered.returncode, answered.stderr) == (0, "")
    assert int(answered.stdout) > 0
