"""The two sides of a comparison: runs with their measures and verdicts, and in what they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from surgetank.measure import Measures, measure
from surgetank.scenario import Scenario
from surgetank.scenario.dotted import Keys, leaves
from surgetank.trace import Run, Stats, Trace
from surgetank.verdict import Status, Verdict, judge

__all__ = [
    "ComparedSide",
    "JudgedRun",
    "KeyChange",
    "Property",
    "judged",
    "key_changes",
    "properties",
]

#: Keys that do not change what a scenario does, and those that `properties` has.
_LABELS: Final = (
    *("name", "title", "event", "source", "description", "seed"),
    *("network_file", "network_hash", "tape_hash", "tape_options"),
    *("positions_hash", "positions_options"),
)


@dataclass(frozen=True)
class JudgedRun:
    """A run with its measures and verdict, without its tables."""

    run: Run
    scenario: Scenario
    stats: Stats
    chains: Mapping[str, Sequence[str]]
    """Links of each table's hash chain."""
    complete: bool
    measures: Measures
    verdict: Verdict


def judged(trace: Trace, measures: Measures | None = None) -> JudgedRun:
    """The run of a trace; `measures` saves computing them again."""
    found = measure(trace) if measures is None else measures
    verdict = judge(found, trace.scenario.limits.as_mapping(), trace)
    return JudgedRun(
        trace.run, trace.scenario, trace.stats, trace.chains, trace.complete, found, verdict
    )


@dataclass(frozen=True)
class ComparedSide:
    """A run, or runs of one scenario and build with a seed each, in the order of the pairs."""

    runs: tuple[JudgedRun, ...]

    @property
    def run(self) -> Run:
        """The name of the first run."""
        return self.runs[0].run

    @property
    def scenario(self) -> Scenario:
        """The scenario of all runs."""
        return self.runs[0].scenario

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each run."""
        return tuple(one.run.seed for one in self.runs)

    @property
    def statuses(self) -> tuple[Status, ...]:
        """The verdict of each run."""
        return tuple(one.verdict.status for one in self.runs)


@dataclass(frozen=True)
class Property:
    """Something besides the scenario's keys that names a run: its seed, its build, …"""

    name: str
    a: str
    """Empty if the run has none."""
    b: str

    @property
    def differs(self) -> bool:
        """Whether the two sides differ in it."""
        return self.a != self.b


def properties(a: ComparedSide, b: ComparedSide) -> tuple[Property, ...]:
    """What names the runs of both sides; without what neither side has."""
    one, other = map(_properties_of, (a, b))
    return tuple(Property(name, one[name], other[name]) for name in one if one[name] or other[name])


def _properties_of(side: ComparedSide) -> dict[str, str]:
    scenario, run = side.scenario, side.run
    live = side.runs[0].stats.live
    return {
        "scenario": run.name,
        "scenario hash": run.scenario_hash,
        "seed" if len(side.runs) == 1 else "seeds": ", ".join(map(str, side.seeds)),
        "build": run.build,
        "tape": scenario.tape_hash and f"{_named(scenario.tape_options)} {scenario.tape_hash}",
        "position book": scenario.positions_hash
        and f"{_named(scenario.positions_options)} {scenario.positions_hash}",
        "network file": scenario.network_hash
        and f"{scenario.network_file} {scenario.network_hash}",
        "target": live.target if live else "",
        "stopped early": ", ".join(str(one.run.seed) for one in side.runs if not one.complete)
        and "yes",
    }


def _named(options: Sequence[str]) -> str:
    """The file and what else it was read with: `--tape FILE --speed 2` without the first word."""
    return " ".join(options[1:])


@dataclass(frozen=True)
class KeyChange:
    """A scenario key whose values differ between the runs; None where a run does not have it."""

    key: str
    """As `--set` takes it: parts joined by dots."""
    a: object
    b: object


def key_changes(a: Scenario, b: Scenario) -> tuple[KeyChange, ...]:
    """The keys that differ, without seeds, descriptive texts, and what `properties` names."""
    one, other = (leaves(Keys(scenario).data) for scenario in (a, b))
    keys = [*one, *(key for key in other if key not in one)]
    return tuple(
        KeyChange(key, one.get(key), other.get(key))
        for key in keys
        if key not in _LABELS and one.get(key) != other.get(key)
    )
