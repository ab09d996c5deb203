"""Builds the sdist and, from it, a wheel: `make wheel`.

On Linux, Zig links against glibc 2.17, so that the wheel runs on any system of the last ten years.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def arguments(target: str) -> list[str]:
    """Options of `maturin` for a target of Rust; an empty one is this machine."""
    found = ["--target", target] if target else []
    if "linux" in (target or sys.platform):
        found += ["--zig", "--compatibility", "manylinux2014"]
    return found


def build(target: str, out: Path) -> None:
    """Writes both files into a folder.

    Raises:
        subprocess.CalledProcessError: the build failed; its output has the reason.
    """
    folder = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target/wheel"))
    # Without isolation: the environment has maturin, and Zig for it, among its programs.
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    made_by = {
        "MATURIN_PEP517_ARGS": shlex.join(arguments(target)),
        "CARGO_TARGET_DIR": folder,
        "PATH": programs,
    }
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, env=os.environ | made_by, check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="", help="a target of Rust; default: this machine")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="default: dist")
    chosen = parser.parse_args()
    build(chosen.target, chosen.out)
