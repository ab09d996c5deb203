"""Installs a wheel into a fresh environment without Rust, runs it, and tries each extra.

For each extra: the command that needs it says what is lacking; the command that it gives installs
that; then it works.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import venv
from collections.abc import Collection, Mapping
from pathlib import Path

SMALL = ["duration_s=4.0", "warmup_s=1.0", "drain_s=2.0"]
#: Extra → a command that needs it, and what it answers once the extra is there.
EXTRAS = {
    "cluster": ("surgetank search calm --dask 127.0.0.1:1", "no Dask scheduler answers"),
    "threshold": (
        "python -c 'import surgetank.keypers; print(surgetank.keypers.TAGS)'",
        "SURGETANK-",
    ),
    "live": ("surgetank dashboard", "surgetank_due_total"),
}


class Environment:
    """A virtual environment whose programs see no others."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "venv", with_pip=True)
        self.programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.folder = folder / "empty"
        self.folder.mkdir()
        system = {"SYSTEMROOT"} if os.name == "nt" else {"LANG"}
        pip = {name for name in os.environ if name.startswith("PIP_") or name.endswith("_proxy")}
        kept = {name: os.environ[name] for name in system | pip if name in os.environ}
        self.variables: Mapping[str, str] = kept | {"PATH": str(self.programs), "HOME": str(folder)}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a program of the environment in its empty folder."""
        found = self.programs / command[0]
        return subprocess.run(
            [str(found), *command[1:]],
            cwd=self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )

    def must(self, *command: str, codes: Collection[int] = (0,)) -> str:
        """What a command prints.

        Raises:
            SystemExit: it did not end with one of these exit codes.
        """
        done = self.run(*command)
        if done.returncode not in codes:
            shown = shlex.join(command)
            sys.exit(f"{shown}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout


def check(wheel: Path, extras: list[str]) -> None:
    """Raises SystemExit if the wheel, or an extra, does not do what its page says."""
    with tempfile.TemporaryDirectory() as name:
        fresh = Environment(Path(name))
        fresh.must("pip", "install", "--quiet", "--only-binary=:all:", str(wheel))
        print(fresh.must("surgetank", "--version").strip())
        small = [word for value in SMALL for word in ("--set", value)]
        for out in ("a", "b"):
            words = ["run", "calm", "--seed", "7", "--out", out, "--quiet", *small]
            fresh.must("surgetank", *words, codes=(0, 1))  # PASS or FAIL: it was made and judged.
        fresh.must("surgetank", "compare", "a", "b")
        print("a run, and its comparison with a second: done")
        for extra in extras:
            command, answer = EXTRAS[extra]
            before = fresh.run(*shlex.split(command))
            text = " ".join((before.stdout + before.stderr).split())
            hint = re.search(r"pip install ('[^']+' ?)+", text)
            if before.returncode == 0 or hint is None:
                sys.exit(f"{extra}: `{command}` does not say how to install it:\n{text}")
            fresh.must(*shlex.split(hint[0]), "--quiet")
            after = fresh.run(*shlex.split(command))
            if answer not in after.stdout + after.stderr:
                sys.exit(f"{extra}: `{command}` after `{hint[0]}`:\n{after.stdout}{after.stderr}")
            # The spelling that docs/install.md shows; everything is there, so it installs nothing.
            fresh.must("pip", "install", "--quiet", "--no-index", f"{wheel}[{extra}]")
            print(f"{extra}: installed as its error says, and works")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--extra", action="append", default=[], choices=list(EXTRAS))
    chosen = parser.parse_args()
    check(chosen.wheel.resolve(), chosen.extra)
