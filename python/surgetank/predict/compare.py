"""Comparison of equal loads, simulated with the calibrated scenario and run against the target.

The prediction is finished before the first loaded run is made. Both sides run the same ladder of
loads and the same definition of capacity (`capacity_criterion.py`); live runs draw arrivals from
the same process as the simulated ones, and are longer. A chain's simulated capacity is found by a
search.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from surgetank.calibrate import Calibration
from surgetank.calibrate.rounds import SHARES, light_s
from surgetank.calibrate.spread import HALF_RUNS, LIVE_RUNS, Spread, joined
from surgetank.errors import SurgetankError
from surgetank.live import Rig
from surgetank.predict.allowance import Errors, allowance, ends
from surgetank.predict.allowance import known as model_errors
from surgetank.predict.capacity_criterion import CapacityCriterion, Side, capacity_of, knee_of
from surgetank.predict.prediction import CAPACITY_OFF_MAX, P99_OFF_MAX, Claim, LoadRow, Prediction
from surgetank.scenario import Scenario
from surgetank.search import search
from surgetank.search.live import LiveWork
from surgetank.search.probe import RunOutcome, Task, probe

__all__ = ["compare", "with_interval"]

Progress = Callable[[str], None]
Work = Callable[[Task], RunOutcome]

#: Loads of the ladder over the calibrated capacity; the first is run live only where
#: the second fails.
_LADDER: Final = (0.25, 0.5, 0.75, 0.9, 1.05, 1.25, 1.6, 2.2, 3.0)
#: Approximate time of a live run in addition to its schedule, s.
_BESIDE_S: Final = 3.0
_UNLOADED_SHARE: Final = 0.05
_UNLOADED_MESSAGES: Final = 4_000
#: A shorter run depends on single stalls of the operating system: in 0.4 s, 12 ms are a growth of
#: 0.03.
_MESSAGES_MAX: Final = 1_000_000
_SIMULATED_MAX: Final = 60_000
_SIMULATED_LEAST_S: Final = 0.2
_SIMULATED_RUNS: Final = 2
#: Number of messages simulated at half load, where p99 is predicted.
_HALF_MAX: Final = 150_000
#: Share of the allowed rate that a load may take, so that its bursts fit.
_OF_RATE_MAX: Final = 0.9


def compare(
    rig: Rig,
    calibration: Calibration,
    *,
    seconds: float | None = None,
    degradation: float = 2.0,
    cooldown_s: float = 0.5,
    work: Work | None = None,
    progress: Progress | None = None,
    errors: Errors | None = None,
) -> Prediction:
    """Predicts, then measures, and compares the two.

    `seconds` is the length of a live run (default: 3, or 12 for a chain); `work` makes the live
    runs in place of the rig. `errors` of the model are by default those that were measured.

    Raises:
        SurgetankError: the target cannot be run, or the prediction has no capacity.
    """
    chain = calibration.kind == "chain"
    length = seconds or (12.0 if chain else 3.0)
    live = work or LiveWork(rig, cooldown_s=cooldown_s)
    rig.options = replace(rig.options, lateness_p99_ms=calibration.late_ms_max(rig.options))
    most = rig.options.rate_max_per_s
    say = progress or (lambda _: None)
    off = model_errors() if errors is None else errors
    return _Comparison(calibration, live, length, most, degradation, say, off).all()


class _Comparison:
    def __init__(
        self,
        calibration: Calibration,
        live: Work,
        length: float,
        rate_max: float,
        degradation: float,
        progress: Progress,
        errors: Errors,
    ) -> None:
        self._of, self._live, self._progress = calibration, live, progress
        self._errors = errors
        self._length, self._degradation = length, degradation
        self._rate_max = rate_max
        self._began = time.monotonic()
        self._half = math.nan

    def all(self) -> Prediction:
        """Predicts, measures and compares."""
        predicted_at, chance = self._predicted_capacity()
        low = float(f"{_UNLOADED_SHARE * predicted_at:.4g}")
        rates = [float(f"{x * predicted_at:.4g}") for x in _LADDER]
        self._half = rates[_LADDER.index(0.5)]
        self._progress(f"simulating {1 + len(rates)} loads")
        base = self._simulated(low, unloaded=True)
        predicted = {rate: self._simulated(rate) for rate in rates}
        lines = [self._line(base)]
        if self._of.kind == "broker":
            found, *_ = capacity_of(list(predicted.items()), lines[0])
            predicted_at = predicted_at if found is None else found
            chance = self._of.spread.get("capacity")
        runs = LIVE_RUNS * (1 + len(rates)) + HALF_RUNS
        most_s = runs * (self._length + _BESIDE_S)  # a few of them longer
        self._progress(f"live: at most {runs} runs, {most_s / 60:.0f} min; fewer once a load fails")
        measured_base = self._measured(low, "unloaded", unloaded=True)
        lines.append(self._line(measured_base))
        measured = self._climbed(rates, lines[1])
        for rate in sorted(set(measured) - set(rates)):
            predicted[rate] = self._simulated(rate)
        rows = (
            LoadRow(low, base, measured_base),
            *(LoadRow(rate, predicted[rate], measured.get(rate)) for rate in sorted(predicted)),
        )
        return Prediction(
            calibration=self._of,
            predicted_line=lines[0],
            measured_line=lines[1],
            unloaded_per_s=low,
            rows=rows,
            claims=self._claims(predicted_at, chance, rows, lines[1]),
            seconds=time.monotonic() - self._began,
            notes=self._of.remarks,
        )

    def _line(self, base: Side) -> CapacityCriterion:
        kind: Final = "degraded" if self._of.kind == "chain" else "sustained"
        return CapacityCriterion(kind, base.p50_ms, base.p99_ms, self._degradation)

    def _predicted_capacity(self) -> tuple[float, Spread | None]:
        """The predicted capacity, 1/s, which is the centre of the ladder of loads (for a chain, the
        simulated capacity), and the factors of its random error."""
        capacity = self._of.capacity_per_s
        if self._of.kind == "broker":
            return capacity, None
        self._progress("simulating: search for the capacity")
        found = search(
            self._at(0.5 * capacity, _SIMULATED_MAX),
            range=(_UNLOADED_SHARE * capacity, 3.0 * capacity),
            degradation=self._degradation,
            precision=0.08,
            runs_max=48,
            workers=2,
            try_remedies=False,
        )
        if found.estimate is None or found.unloaded is None:
            raise SurgetankError(
                f"the simulator finds no capacity ({found.why})",
                place=self._of.scenario.name,
                hint="Look at the calibrated scenario: `surgetank search` it",
                exit_code=4,
            )
        by_search = None
        if found.ci_low and found.ci_high:
            by_search = found.ci_low / found.estimate, found.ci_high / found.estimate
        return found.estimate, joined([by_search, self._of.spread.get("capacity")])

    def _at(self, rate: float, messages: int, wanted_s: float = 0.0) -> Scenario:
        """A run of `wanted_s`, by default of the usual length, with at most so many messages."""
        seconds = min(wanted_s or self._length, messages / rate)
        if self._of.kind == "chain":  # never less than some blocks
            seconds = max(seconds, self._length)
        return self._of.scenario.with_values(
            {
                "flow.arrivals": {"kind": "poisson", "rate_per_s": rate},
                "flow.profile": {"kind": "constant"},
                "duration_s": round(seconds, 3),
                "warmup_s": round(0.15 * seconds, 3),
                "drain_s": 15.0 if self._of.kind == "chain" else 5.0,
            }
        )

    def _unloaded_s(self, rate: float) -> float:
        return min(max(self._length, _UNLOADED_MESSAGES / rate), 1.7 * self._length)

    def _simulated(self, rate: float, *, unloaded: bool = False) -> Side:
        half = rate == self._half
        wanted_s = self._unloaded_s(rate) if unloaded else self._length
        most = _HALF_MAX if half else max(_SIMULATED_MAX, int(_SIMULATED_LEAST_S * rate))
        scenario = self._at(rate, most, wanted_s)
        runs = _SIMULATED_RUNS * (2 if unloaded or half else 1)
        return _side([probe(Task(scenario, rate, seed + 1)) for seed in range(runs)])

    def _measured(
        self,
        rate: float,
        what: str,
        *,
        unloaded: bool = False,
        enough: Callable[[Side], bool] | None = None,
    ) -> Side:
        """Medians over live runs; fewer than usual where those made are `enough`."""
        runs, messages, wanted_s = LIVE_RUNS, _MESSAGES_MAX, self._length
        if unloaded:
            wanted_s = self._unloaded_s(rate)
        elif rate == self._half and self._of.kind == "broker":
            # As long as the light loads of a calibration's rounds: both contain as many stalls.
            runs, wanted_s = HALF_RUNS, light_s(SHARES[-1] * self._of.capacity_per_s)
            messages = int(rate * wanted_s)
        if rate > _OF_RATE_MAX * self._rate_max:
            messages = min(messages, int(_OF_RATE_MAX * self._rate_max))
        scenario = self._at(rate, messages, wanted_s)
        most = "" if enough is None else "at most "
        self._progress(f"live, {what}: {rate:,.0f}/s, {most}{runs} × {scenario.duration_s:g} s")
        outcomes: list[RunOutcome] = []
        while len(outcomes) < runs:
            outcomes.append(self._live(Task(scenario, rate, len(outcomes) + 1)))
            if enough is not None and enough(_side(outcomes)):
                break
        return _side(outcomes)

    def _climbed(self, rates: Sequence[float], line: CapacityCriterion) -> dict[float, Side]:
        """Measures loads upwards until two consecutive ones fail or the generator reaches its
        limit, then loads below the lowest if it failed, and last loads between passing and failing
        ones. A load with the same result as the one below it needs one run; a different result is
        repeated."""
        found: dict[float, Side] = {}
        broken = 0

        def as_below(side: Side) -> bool:
            return line.is_evidence(side) and line.exceeded(side) == (broken > 0)

        for i, rate in enumerate(rates[1:]):
            enough = as_below if i else None  # at half load p99 is judged
            side = self._measured(rate, f"load {i + 1} of at most {len(rates)}", enough=enough)
            found[rate] = side
            broken = broken + 1 if line.exceeded(side) else 0
            if broken >= 2 or not line.is_evidence(side):
                break
        first = found[rates[1]]
        if first.invalid or line.exceeded(first):
            found[rates[0]] = self._measured(rates[0], "half as much")
        _, low, high, _ = capacity_of(list(found.items()), line)
        if low is not None and high is not None:
            middle = float(f"{math.sqrt(low * high):.4g}")
            broken = 0
            found[middle] = self._measured(
                middle, "between passing and failing loads", enough=as_below
            )
        return found

    def _claims(
        self,
        predicted_at: float,
        chance: Spread | None,
        rows: Sequence[LoadRow],
        line: CapacityCriterion,
    ) -> tuple[Claim, ...]:
        seen = [(r.rate_per_s, r.measured) for r in rows[1:] if r.measured is not None]
        capacity, low, high, why = capacity_of(seen, line)
        unloaded = rows[0].measured
        if unloaded is not None and unloaded.invalid:
            # Without the unloaded value the criterion is undefined.
            capacity, low, high, why = (
                None,
                None,
                None,
                "the unloaded latency could not be measured",
            )
        half = next(r for r in rows[1:] if r.rate_per_s == self._half)
        same = [r for r in rows[1:] if r.measured is not None and not r.measured.invalid]
        knees = (
            knee_of([(r.rate_per_s, r.predicted) for r in same]),
            knee_of([(r.rate_per_s, r.measured) for r in same if r.measured is not None]),
        )
        p99_chance = self._of.spread.get("p99_at_half")
        claims = (
            Claim(
                "capacity",
                "1/s",
                predicted_at,
                None,
                None,
                capacity,
                low,
                high,
                CAPACITY_OFF_MAX,
                why,
                chance,
            ),
            _at_half("p99", half, lambda side: side.p99_ms, P99_OFF_MAX, p99_chance),
            _at_half("p50", half, lambda side: side.p50_ms, None, None),
            Claim("knee", "1/s", knees[0], None, None, knees[1], None, None, None),
        )
        return tuple(with_interval(c, self._of.target, self._errors) for c in claims)


def with_interval(claim: Claim, target: str, errors: Errors) -> Claim:
    """The claim with the interval of its chance and of the model's error on other systems."""
    error = allowance(errors.get(claim.name, {}), target)
    low, high = ends(claim.predicted, claim.chance, error)
    return replace(claim, predicted_low=low, predicted_high=high)


def _at_half(
    name: str,
    row: LoadRow,
    of: Callable[[Side], float],
    off_max: float | None,
    chance: Spread | None,
) -> Claim:
    side = row.measured
    known = None if side is None or side.invalid or not math.isfinite(of(side)) else of(side)
    value = of(row.predicted) if math.isfinite(of(row.predicted)) else None
    why = "" if known is not None else "the load could not be measured"
    name = f"{name} at half load"
    return Claim(name, "ms", value, None, None, known, None, None, off_max, why, chance)


def _side(outcomes: Sequence[RunOutcome]) -> Side:
    """Medians over the valid runs; if none is valid, over all, and why."""
    valid = [o for o in outcomes if not o.invalid]
    kept = valid or list(outcomes)

    def middle(name: str) -> float:
        return float(np.median([o.value(name) for o in kept]))

    growth, growth_sent = middle("backlog_growth"), middle("backlog_growth_sent")
    # A simulated sender is never late.
    return Side(
        runs=len(kept),
        p50_ms=middle("delay_p50_ms"),
        p99_ms=middle("delay_p99_ms"),
        throughput_per_s=middle("throughput_per_s"),
        executed_share=middle("executed_share"),
        growth=growth,
        growth_sent=growth if math.isnan(growth_sent) else growth_sent,
        invalid="" if valid else outcomes[0].invalid[0],
        sent_late=not valid and all(o.sent_late for o in outcomes),
        beyond_generator=not valid and all(o.beyond_generator for o in outcomes),
    )
