"""How long the simulator takes for a whole scenario, beside an older commit of itself.

    python benchmarks/flagship.py [SCENARIO]... [--commit C | --older TREE] [--pairs N]

    python benchmarks/flagship.py                              # black-thursday and calm, to bc07f37
    python benchmarks/flagship.py burst --commit HEAD~20 --pairs 20
    python benchmarks/flagship.py --older ../surgetank-before  # a tree that is built already

The older commit is checked out into a temporary git worktree and built there with its own profile;
its Python runs in this environment, so dependencies are the same. Both builds take turns, and whose
turn is first alternates (ABBA). Each turn is a new process that loads one scenario and simulates it
twice; the second run counts, because the first one imports. The seed of a pair is its number.

Compared is CPU time (user and system) of `simulate` per client message, because wall-clock time
depends on what else the machine does, and because two builds need not send as many messages: what
they do may have changed in between. CPU time is not quite free of other load, which takes caches
and turns the clock down, but both turns of a pair suffer from it. The ratio is that of the sums
over all pairs; its 95 % interval comes from 10,000 bootstrap samples of pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator import machine

ROOT = Path(__file__).resolve().parents[1]
COMMIT = "bc07f37"
TURN = """
import json, resource, sys
import surgetank as st
from surgetank.simulate import simulate
def cpu_s():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
scenario = st.load(sys.argv[1])
simulate(scenario, seed=0)  # imports of first use are not what is compared
before = cpu_s()
trace = simulate(scenario, seed=int(sys.argv[2]))
print(json.dumps([cpu_s() - before, trace["messages"].height]))
"""


@dataclass(frozen=True)
class Cost:
    """CPU time of one scenario by pair, in seconds, and the messages of each."""

    seconds: np.ndarray
    messages: np.ndarray

    def us(self) -> float:
        """CPU microseconds per client message."""
        return float(self.seconds.sum() / self.messages.sum() * 1e6)


def ratio(older: Cost, this: Cost, samples: int = 10_000) -> tuple[float, float, float]:
    """The older build's CPU time per message over this one's, and its 95 % interval."""
    pairs = len(older.seconds)
    chosen = np.random.default_rng(1).integers(pairs, size=(samples, pairs))

    def totals(values: np.ndarray) -> np.ndarray:
        return np.asarray(values[chosen].sum(axis=1))

    seconds = totals(older.seconds) / totals(this.seconds)
    low, high = np.quantile(
        seconds * totals(this.messages) / totals(older.messages), [0.025, 0.975]
    )
    return older.us() / this.us(), float(low), float(high)


def turn(tree: Path, scenario: str, seed: int) -> tuple[float, int]:
    """CPU seconds and messages of one run of a tree's build, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "python")}
    command = [sys.executable, "-P", "-c", TURN, scenario, str(seed)]
    out = subprocess.run(command, env=environment, cwd=tree, check=True, capture_output=True)
    seconds, messages = json.loads(out.stdout)
    return seconds, messages


def measure(older: Path, scenario: str, pairs: int) -> tuple[Cost, Cost]:
    """Both builds' costs, taken in turn."""
    found: dict[Path, list[tuple[float, int]]] = {older: [], ROOT: []}
    for pair in range(pairs):
        for tree in (older, ROOT) if pair % 2 == 0 else (ROOT, older):
            found[tree].append(turn(tree, scenario, pair + 1))
    first, second = (np.array(found[tree]) for tree in (older, ROOT))
    return Cost(first[:, 0], first[:, 1]), Cost(second[:, 0], second[:, 1])


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """A temporary worktree of a commit, built."""
    with tempfile.TemporaryDirectory(prefix="surgetank-") as place:
        tree = Path(place) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), commit], check=True)
        try:
            build(tree)
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def build(tree: Path) -> None:
    """Builds the core of a tree into its package, as `make build` does."""
    package = ["--package", "surgetank-bindings", "--features", "pyo3/extension-module"]
    subprocess.run(
        ["cargo", "build", "--release", "--quiet", *package],
        cwd=tree,
        check=True,
        env={**os.environ, "PYO3_PYTHON": sys.executable, "CARGO_TARGET_DIR": str(tree / "target")},
    )
    core = tree / "target" / "release" / ("lib_core" + library_suffix())
    core.rename(tree / "python" / "surgetank" / "_core.abi3.so")


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
    parser.add_argument("--pairs", type=int, default=10, help="pairs of runs (default 10)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    given = parser.parse_args()
    if given.pairs < 2:
        parser.error("--pairs: at least 2, or there is no interval")
    if given.older is not None and not (given.older / "python" / "surgetank").is_dir():
        parser.error(f"--older: {given.older} is no tree of surgetank; give one that is built")
    head = [
        machine(),
        "",
        f"| scenario | {given.older or given.commit}, µs | this tree, µs | ratio | 95 % interval |",
        "|---|---|---|---|---|",
    ]
    rows = []
    tree = nullcontext(given.older.resolve()) if given.older else checked_out(given.commit)
    with tree as older:
        for scenario in given.scenario:
            before, now = measure(older, scenario, given.pairs)
            times, low, high = ratio(before, now)
            costs = f"{before.us():.1f} | {now.us():.1f}"
            rows.append(f"| {scenario} | {costs} | {times:.2f} | {low:.2f} to {high:.2f} |")
            print(rows[-1], file=sys.stderr, flush=True)
    table = "\n".join([*head, *rows])
    print(table)
    if given.markdown is not None:
        given.markdown.write_text(table + "\n")


if __name__ == "__main__":
    main()
