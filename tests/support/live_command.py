"""`surgetank run --target` as a process, for tests that look at it from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

SMALL = """
name = "small"
duration_s = {seconds}
warmup_s = 0.5
drain_s = 1.0
[flow.arrivals]
kind = "poisson"
rate_per_s = 200.0
[network]
nodes = 1
[layer.consensus]
kind = "single"
"""
CLI = "import sys; from surgetank.cli import main; sys.argv[0] = 'surgetank'; sys.exit(main())"


class Command:
    """`surgetank run small --target …`, in a process group of its own, as from a shell."""

    def __init__(
        self, folder: Path, target: str, *more: str, seconds: float = 30.0, faults: str = ""
    ) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        (folder / "small.toml").write_text(SMALL.format(seconds=seconds) + faults)
        self.out = folder / "out"
        asked = ["run", "small.toml", "--target", target, "--out", str(self.out), "--no-report"]
        path = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path if entry)
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLI, *asked, *more],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(self.temporary)},
            start_new_session=True,
        )
        self.said: list[str] = []

    def in_the_middle(self, reported: str = "1/") -> list[psutil.Process]:
        """Waits for a line with these words; all processes that there are then."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if reported in line:
                return list(psutil.Process(self.process.pid).children(recursive=True))
        raise AssertionError(f"never came to the middle: {''.join(self.said)}")

    def end(self) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        out, errors = self.process.communicate(timeout=60)
        return self.process.returncode, out, "".join(self.said) + errors
