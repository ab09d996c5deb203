"""The same loads, simulated with the calibrated scenario and run against the target.

The prediction is finished before the first loaded run is made. Capacity is defined as in `search`:
the highest load whose p99 is at most `degradation` times its unloaded value and of whose messages
99 % are delivered. The simulated one is searched for; the measured one lies between two loads of
the ladder, which is the same for both sides. A load's live runs have the messages of its simulated
runs: same seeds, same times.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from surgetank.calibrate import Calibration
from surgetank.errors import SurgetankError
from surgetank.live import Rig
from surgetank.predict.prediction import (
    CAPACITY_OFF_MAX,
    P99_OFF_MAX,
    Claim,
    Prediction,
    Row,
    Side,
    capacity_of,
    knee_of,
)
from surgetank.scenario import Scenario
from surgetank.search import Answer, search
from surgetank.search.live import LiveWork
from surgetank.search.probe import Outcome, Task, probe

__all__ = ["compare"]

Told = Callable[[str], None]
Work = Callable[[Task], Outcome]

#: Loads of the ladder over the predicted capacity.
_LADDER: Final = (0.25, 0.5, 0.7, 0.85, 1.0, 1.15, 1.3, 1.6, 2.0)
#: Live runs of each, for their medians: a stall of the machine makes the p99 of one run.
_RUNS: Final = 3
_UNLOADED_SHARE: Final = 0.05
_UNLOADED_MESSAGES: Final = 4_000
_MESSAGES_MAX: Final = 200_000
_SIMULATED_MAX: Final = 60_000
_SIMULATED_RUNS: Final = 2


def compare(
    rig: Rig,
    calibration: Calibration,
    *,
    seconds: float | None = None,
    degradation: float = 2.0,
    cooldown_s: float = 0.5,
    work: Work | None = None,
    told: Told | None = None,
) -> Prediction:
    """Predicts, then measures, and lays both side by side.

    `seconds` is the length of a live run (default: 3, or 12 for a chain); `work` makes the live
    runs in place of the rig.

    Raises:
        SurgetankError: the target cannot be run, or the prediction has no capacity.
    """
    chain = calibration.kind == "chain"
    length = seconds or (12.0 if chain else 3.0)
    live = work or LiveWork(rig, cooldown_s=cooldown_s)
    rig.options = replace(rig.options, lateness_p99_ms=calibration.late_ms_max(rig.options))
    return _Comparison(calibration, live, length, degradation, told or (lambda _: None)).all()


class _Comparison:
    def __init__(
        self, calibration: Calibration, live: Work, length: float, degradation: float, told: Told
    ) -> None:
        self._of, self._live, self._told = calibration, live, told
        self._length, self._degradation = length, degradation
        self._began = time.monotonic()

    def all(self) -> Prediction:
        """The whole way."""
        found = self._searched()
        if found.estimate is None or found.unloaded is None:
            raise SurgetankError(
                f"the simulator finds no capacity ({found.why})",
                place=self._of.scenario.name,
                mend="Look at the calibrated scenario: `surgetank search` it",
                exit_code=4,
            )
        low = float(f"{_UNLOADED_SHARE * found.estimate:.4g}")
        rates = [float(f"{x * found.estimate:.4g}") for x in _LADDER]
        predicted = {rate: self._simulated(rate) for rate in rates}
        base = self._simulated(low, unloaded=True)
        measured_base = self._measured(low, unloaded=True)
        measured = self._climbed(rates, measured_base)
        rows = tuple(Row(rate, predicted[rate], measured.get(rate)) for rate in rates)
        first = Row(low, base, measured_base)
        claims = self._claims(found, (first, *rows), measured_base.p99_ms)
        return Prediction(
            calibration=self._of,
            degradation=self._degradation,
            predicted_unloaded_ms=base.p99_ms,
            measured_unloaded_ms=measured_base.p99_ms,
            unloaded_per_s=low,
            rows=(first, *rows),
            claims=claims,
            seconds=time.monotonic() - self._began,
            notes=self._of.notes,
        )

    def _searched(self) -> Answer:
        capacity = self._of.capacity_per_s
        self._told("simulating: search for the capacity")
        scenario = self._at(0.5 * capacity, _SIMULATED_MAX)
        return search(
            scenario,
            range=(_UNLOADED_SHARE * capacity, 3.0 * capacity),
            degradation=self._degradation,
            precision=0.08,
            runs_max=48,
            workers=2,
            try_remedies=False,
        )

    def _at(self, rate: float, messages: int, *, unloaded: bool = False) -> Scenario:
        least = 0.4 if self._of.kind == "broker" else self._length
        wanted = max(self._length, _UNLOADED_MESSAGES / rate) if unloaded else self._length
        seconds = max(least, min(wanted, 1.7 * self._length, messages / rate))
        return self._of.scenario.with_values(
            {
                "flow.arrivals": {"kind": "poisson", "rate_per_s": rate},
                "flow.profile": {"kind": "constant"},
                "duration_s": round(seconds, 3),
                "warmup_s": round(0.15 * seconds, 3),
                "drain_s": 15.0 if self._of.kind == "chain" else 5.0,
            }
        )

    def _simulated(self, rate: float, *, unloaded: bool = False) -> Side:
        scenario = self._at(rate, _SIMULATED_MAX, unloaded=unloaded)
        runs = _SIMULATED_RUNS * (2 if unloaded else 1)
        return _side([probe(Task(scenario, rate, seed + 1)) for seed in range(runs)])

    def _measured(self, rate: float, *, unloaded: bool = False) -> Side:
        scenario = self._at(rate, _MESSAGES_MAX, unloaded=unloaded)
        self._told(f"live: {rate:,.0f}/s, {_RUNS} × {scenario.duration_s:g} s")
        return _side([self._live(Task(scenario, rate, seed + 1)) for seed in range(_RUNS)])

    def _climbed(self, rates: Sequence[float], base: Side) -> dict[float, Side]:
        """Upwards until two loads in a row broke, or the generator gave up."""
        found: dict[float, Side] = {}
        broken = 0
        for share, rate in zip(_LADDER, rates, strict=True):
            side = self._measured(rate)
            found[rate] = side
            broken = broken + 1 if side.broke(base.p99_ms, self._degradation) else 0
            if (broken >= 2 and share >= 0.7) or side.invalid:
                break
        return found

    def _claims(self, found: Answer, rows: Sequence[Row], base_ms: float) -> tuple[Claim, ...]:
        seen = [(r.rate_per_s, r.measured) for r in rows[1:] if r.measured is not None]
        capacity, low, high, why = capacity_of(seen, base_ms, self._degradation)
        unloaded = rows[0].measured
        if unloaded is not None and unloaded.invalid:
            # What the line is held against is not known; then neither is the line.
            capacity, low, high, why = None, None, None, "the unloaded delay could not be measured"
        half = rows[1 + _LADDER.index(0.5)]
        usable = half.measured if half.measured and not half.measured.invalid else None
        same = [r for r in rows[1:] if r.measured is not None and not r.measured.invalid]
        knees = (
            knee_of([(r.rate_per_s, r.predicted) for r in same]),
            knee_of([(r.rate_per_s, r.measured) for r in same if r.measured is not None]),
        )
        estimate = found.estimate
        ends = (found.ci_low, found.ci_high)
        return (
            Claim("capacity", "1/s", estimate, *ends, capacity, low, high, CAPACITY_OFF_MAX, why),
            _at_half("p99", half.predicted.p99_ms, usable.p99_ms if usable else None),
            _at_half("p50", half.predicted.p50_ms, usable.p50_ms if usable else None),
            Claim("knee", "1/s", knees[0], None, None, knees[1], None, None, None),
        )


def _at_half(name: str, predicted: float, measured: float | None) -> Claim:
    known = measured if measured is not None and math.isfinite(measured) else None
    judged = P99_OFF_MAX if name == "p99" else None
    why = "" if known is not None else "the load could not be measured"
    value = predicted if math.isfinite(predicted) else None
    return Claim(f"{name} at half load", "ms", value, None, None, known, None, None, judged, why)


def _side(outcomes: Sequence[Outcome]) -> Side:
    """Medians over the valid runs; if none is valid, over all, and why."""
    valid = [o for o in outcomes if not o.invalid]
    kept = valid or list(outcomes)

    def middle(name: str) -> float:
        return float(np.median([o.value(name) for o in kept]))

    return Side(
        runs=len(kept),
        p50_ms=middle("delay_p50_ms"),
        p99_ms=middle("delay_p99_ms"),
        throughput_per_s=middle("throughput_per_s"),
        executed_share=middle("executed_share"),
        invalid="" if valid else outcomes[0].invalid[0],
    )
