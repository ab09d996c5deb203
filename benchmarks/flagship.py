"""How long the simulator takes for a whole scenario, beside an older commit of itself.

    python benchmarks/flagship.py [SCENARIO]... [--commit C | --older TREE] [--pairs N]

    python benchmarks/flagship.py                              # black-thursday and calm, to bc07f37
    python benchmarks/flagship.py burst --commit HEAD~20 --pairs 20
    python benchmarks/flagship.py --older ../surgetank-before  # a tree that is built already

The older commit is checked out into a temporary git worktree and built there with its own profile;
its Python runs in this environment, so dependencies are the same. Each turn is a new process that
loads one scenario and simulates it twice; the second run counts, because the first one imports.

Compared is CPU time (user and system) of `simulate` per client message, because two builds need not
send as many messages: what they do may have changed in between. The ratio is the older build's over
this one's (paired.py).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

from paired import in_turn, ratio
from simulator import ROOT, machine

COMMIT = "bc07f37"
#: A program for either build, so it names only what both have.
TURN = """
import json, sys, time
import surgetank as st
from surgetank.simulate import simulate
scenario = st.load(sys.argv[1])
simulate(scenario, seed=0)  # imports of first use are not what is compared
before = time.process_time()
trace = simulate(scenario, seed=int(sys.argv[2]))
print(json.dumps([time.process_time() - before, trace["messages"].height]))
"""


def cost_us(tree: Path, scenario: str) -> Callable[[int], float]:
    """CPU microseconds per client message of a tree's build; the seed is the number of the pair."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "python")}

    def measured(pair: int) -> float:
        command = [sys.executable, "-P", "-c", TURN, scenario, str(pair)]
        seconds, messages = json.loads(output(command, environment, tree))
        return float(seconds / messages * 1e6)

    return measured


def output(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> str:
    """What a program prints; if it fails, this one ends with what it says."""
    done = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"flagship.py: {' '.join(command[:2])} in {folder} failed, see above")
    return done.stdout


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A temporary worktree of a commit, built."""
    with tempfile.TemporaryDirectory(prefix="surgetank-") as place:
        tree = Path(place) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        output([*git, "add", "--quiet", "--detach", str(tree), commit], os.environ, ROOT)
        try:
            build(tree)
            yield tree
        finally:
            output([*git, "remove", "--force", str(tree)], os.environ, ROOT)


def build(tree: Path) -> None:
    """Builds the core of a tree into its package, as `make build` does."""
    command = ["cargo", "build", "--release", "--quiet", "--package", "surgetank-bindings"]
    # Kept: what does not come from the tree need not be built again.
    target = ROOT / "target" / "flagship"
    environment = {"PYO3_PYTHON": sys.executable, "CARGO_TARGET_DIR": str(target)}
    output([*command, "--features", "pyo3/extension-module"], {**os.environ, **environment}, tree)
    core = target / "release" / ("lib_core" + library_suffix())
    shutil.copy(core, tree / "python" / "surgetank" / "_core.abi3.so")


def library_suffix() -> str:
    """How names of shared libraries end here."""
    return ".dylib" if sys.platform == "darwin" else ".so"


def main() -> None:
    describe, details = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(
        description=describe,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", nargs="*", default=["black-thursday", "calm"])
    parser.add_argument("--commit", default=COMMIT, help=f"the older commit (default {COMMIT})")
    parser.add_argument("--older", type=Path, metavar="TREE", help="a built tree of it instead")
    parser.add_argument("--pairs", type=int, default=7, help="pairs of runs (default 7)")
    given = parser.parse_args()
    if given.pairs < 2:
        parser.error("--pairs: at least 2, or there is no interval")
    if given.older is not None and not (given.older / "python" / "surgetank").is_dir():
        parser.error(f"--older: {given.older} is no tree of surgetank; give one that is built")
    print(f"{given.pairs} pairs on {machine()}. CPU time per client message, median.\n")
    print(f"| scenario | {given.older or given.commit}, µs | this tree, µs | ratio |")
    print("|---|---|---|---|", flush=True)
    tree = nullcontext(given.older.resolve()) if given.older else checked_out(given.commit)
    with tree as older:
        for scenario in given.scenario:
            before, now = in_turn(given.pairs, cost_us(older, scenario), cost_us(ROOT, scenario))
            costs = " | ".join(f"{np.median(us):.1f}" for us in (before, now))
            print(f"| {scenario} | {costs} | {ratio(before, now).text(2)} |", flush=True)


if __name__ == "__main__":
    main()
