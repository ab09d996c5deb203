"""Runs on disk, paired for a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from surgetank.compare import Comparison, compare, compare_runs
from surgetank.compare.sides import JudgedRun, judged
from surgetank.errors import SurgetankError
from surgetank.trace import Trace, read_name
from surgetank.trace.store import RUN_FILE

__all__ = ["Compared", "Progress", "compare_folders", "compare_paths"]

Progress = Callable[[int, int], None]
"""Called with the number of runs read, and of all."""


@dataclass(frozen=True)
class Compared:
    """A comparison, and the traces of its first pair, of which the figures are drawn."""

    comparison: Comparison
    traces: tuple[Trace, Trace]


def compare_folders(a: Path, b: Path, progress: Progress = lambda done, total: None) -> Compared:
    """Compares the runs in two folders. Each is a run's folder, or a folder with runs of one
    scenario, a seed each; these are paired by seed, and seeds of one side only are left out.

    Raises:
        SurgetankError: there is no run in a folder, it cannot be read, the runs of a folder are of
            several scenarios or builds, or the two folders have no seed in common.
    """
    return compare_paths(_runs_in(a), _runs_in(b), f"{a} {b}", progress)


def compare_paths(
    a: Mapping[int, Path],
    b: Mapping[int, Path],
    place: str,
    progress: Progress = lambda done, total: None,
) -> Compared:
    """Compares runs of one scenario each, by seed; `place` names them in errors.

    Raises:
        SurgetankError: a run cannot be read, or the two have no seed in common.
    """
    pairs = _pairs(a, b, place)
    total = 2 * len(pairs)
    sides: tuple[list[JudgedRun], list[JudgedRun]] = ([], [])
    first: list[Trace] = []
    for done, folders in enumerate(pairs):
        for k, (side, folder) in enumerate(zip(sides, folders, strict=True)):
            progress(2 * done + k, total)
            trace = Trace.load(folder)
            side.append(judged(trace))
            first += [trace] if len(first) < 2 else []
    progress(total, total)
    traces = (first[0], first[1])
    if len(pairs) > 1:
        return Compared(compare_runs(*sides), traces)
    one, other = sides[0][0].measures, sides[1][0].measures
    return Compared(compare(*traces, measures=(one, other)), traces)


def _runs_in(folder: Path) -> dict[int, Path]:
    """The run that is in a folder, or the runs in the folders inside it, by seed."""
    inside = []
    if folder.is_dir() and not (folder / RUN_FILE).exists():
        inside = sorted(path.parent for path in folder.glob(f"*/{RUN_FILE}"))
    names = {path: read_name(path) for path in inside or [folder]}
    kinds = Counter((run.name, run.scenario_hash, run.build) for run in names.values())
    if len(kinds) > 1:
        of = ", ".join(f"{name} {hash_[:8]}" for name, hash_, _ in list(kinds)[:4])
        raise SurgetankError(
            f"has runs of {len(kinds)} scenarios or builds ({of}{', …' if len(kinds) > 4 else ''})",
            place=str(folder),
            hint="Name one run's folder, or a folder with runs of one scenario, a seed each",
        )
    found: dict[int, Path] = {}
    for path, run in names.items():
        if run.seed in found:
            raise SurgetankError(
                f"has two runs of seed {run.seed}: {found[run.seed].name} and {path.name}",
                place=str(folder),
                hint="Remove one of them",
            )
        found[run.seed] = path
    return found


def _pairs(a: Mapping[int, Path], b: Mapping[int, Path], place: str) -> list[tuple[Path, Path]]:
    if len(a) == len(b) == 1:
        return list(zip(a.values(), b.values(), strict=True))
    shared = sorted(a.keys() & b.keys())
    if not shared:
        raise SurgetankError(
            "the two folders have no seed in common, so their runs cannot be paired",
            place=place,
            hint="Run both scenarios with the same seeds",
        )
    return [(a[seed], b[seed]) for seed in shared]
