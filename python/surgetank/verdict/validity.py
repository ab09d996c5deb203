"""Checks of the run itself: faults, generator, conservation of money, safety, stages.

Sampling tolerances are wide on purpose (5 standard errors): a run is INVALID only when
chance cannot explain the deviation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from surgetank.measure.latency import stages
from surgetank.measure.ledger import COLUMNS, ledger
from surgetank.scenario.flow import Constant, Flow, Hawkes, Mmpp, mean_rate_per_s
from surgetank.trace import Trace

__all__ = ["Check", "CheckKind", "checks", "dispersion"]

_SIGMAS: Final = 5.0


class CheckKind(StrEnum):
    """Kinds of checks of the run itself."""

    FAULT = "fault"
    """Whether a fault had the requested effect."""
    BACKGROUND = "background"
    """Whether the number of background messages fits the requested rate."""
    SCHEDULE_KEPT = "schedule_kept"
    """Whether a live run's sender kept its schedule."""
    CPU = "cpu"
    """Whether a process of a live run's generator had enough processor time."""
    TARGET_CODE = "target_code"
    """Whether the target's own code works."""
    MONEY_CONSERVED = "money_conserved"
    NUMBERS_FIT = "numbers_fit"
    SAFETY = "safety"
    LEDGER_BALANCED = "ledger_balanced"
    STAGES_EXACT = "stages_exact"
    COMPLETE = "complete"
    """Whether the run was completed."""

    @property
    def of_generator(self) -> bool:
        """Whether it checks that a live run's generator could make the load."""
        return self in (CheckKind.SCHEDULE_KEPT, CheckKind.CPU)

    def title_of(self, of: str) -> str:
        """The title of a check of this kind; `of` is the fault or process that it is about."""
        return f"{_TITLES[self]}: {of}" if of else _TITLES[self]


_TITLES: Final = {
    CheckKind.FAULT: "Fault had the effect requested",
    CheckKind.BACKGROUND: "Load generated as requested",
    CheckKind.SCHEDULE_KEPT: "Generator kept its schedule",
    CheckKind.CPU: "Generator had processor time to spare",
    CheckKind.TARGET_CODE: "Target's code ran without error",
    CheckKind.MONEY_CONSERVED: "Money conserved",
    CheckKind.NUMBERS_FIT: "Prices and amounts in range",
    CheckKind.SAFETY: "Same block order on all nodes",
    CheckKind.LEDGER_BALANCED: "Gains and losses sum to zero",
    CheckKind.STAGES_EXACT: "Stages sum to the latency",
    CheckKind.COMPLETE: "Run completed",
}


@dataclass(frozen=True)
class Check:
    """One check of the run itself."""

    kind: CheckKind
    ok: bool
    measured: float | None
    asked: float | None
    text: str
    of: str = ""
    """The instance that is checked: a process, or a fault's kind."""
    fault: int | None = None
    """The number of the fault that is checked."""

    @property
    def name(self) -> str:
        """The name as in verdicts: `money_conserved`, `fault 0 slow`."""
        number = "" if self.fault is None else str(self.fault)
        return " ".join(part for part in (self.kind, number, self.of) if part)

    @property
    def instance(self) -> str:
        """The instance in words, as the scenario names it: `slow, faults[0]`."""
        return self.of if self.fault is None else f"{self.of}, faults[{self.fault}]"


def checks(trace: Trace) -> list[Check]:
    """All checks for which the trace has data."""
    found = [*_faults(trace), *_background(trace), *_live(trace)]
    flags = (
        (
            CheckKind.MONEY_CONSERVED,
            trace.stats.money_conserved,
            "money in equals money out at every step",
        ),
        (
            CheckKind.NUMBERS_FIT,
            trace.stats.numbers_fit,
            "no price is above 2^40 ticks and no amount above 2^63 quanta; if one is, make "
            "`market.tick_usd` or `market.lot` larger",
        ),
        (
            CheckKind.SAFETY,
            trace.stats.safety,
            "no two nodes executed different blocks at one height, and no orderer's chain broke",
        ),
    )
    for kind, held, text in flags:
        if held is not None:
            said = text if held else f"violated: {text}"
            found.append(Check(kind, bool(held), float(bool(held)), 1.0, said))
    found += _ledger(trace)
    if trace.orders:
        found.append(_stages(trace))
    return found


def _ledger(trace: Trace) -> Iterator[Check]:
    """Whether gains and losses of all groups sum to zero, to the last quantum, in every column."""
    rows = ledger(trace)
    if rows.is_empty():
        return
    sums = {column: sum(rows[column].to_list()) for column in COLUMNS}
    wrong = [f"{column} sums to {total} quanta" for column, total in sums.items() if total]
    text = "; ".join(wrong) or "gains and losses of all groups sum to zero, to the last quantum"
    yield Check(CheckKind.LEDGER_BALANCED, not wrong, float(sums["total"]), 0.0, text)


def _stages(trace: Trace) -> Check:
    split = stages(trace)
    total = sum(split.total_ns.values())
    text = f"the stages of {split.executed} executed messages sum to their latency"
    if not split.exact:
        text = (
            f"the stages sum to {total} ns, the latencies to {split.delay_ns} ns; "
            f"{split.unstamped} messages lack a stamp, {split.negative} have stamps out of order"
        )
    delay_ns = float(split.delay_ns)
    return Check(CheckKind.STAGES_EXACT, split.exact, float(total), delay_ns, text)


def _faults(trace: Trace) -> Iterator[Check]:
    """Whether the measured effect of each fault is in the range that its injector allows."""
    failed = _not_injected(trace)
    yield from failed.values()
    for fault in trace["faults"].iter_rows(named=True):
        of, number = fault["kind"], fault["index"]
        if number in failed:
            continue
        quantity, asked, measured = fault["quantity"], fault["asked"], fault["measured"]
        low, high = fault["allowed_low"], fault["allowed_high"]
        if not fault["samples"] or measured is None:
            if trace.complete:
                free = low is None and high is None
                why = "it could not be measured" if free else "no traffic passed it"
                text = f"{quantity}: requested, but {why}"
                yield Check(CheckKind.FAULT, free, None, asked, text, of, number)
            continue
        least, most = -math.inf if low is None else low, math.inf if high is None else high
        text = (
            f"{quantity}: measured {measured:.6g} on {fault['samples']} samples, requested "
            f"{asked:.6g}"
            f" (allowed {least:.6g} to {most:.6g})"
        )
        held = least <= measured <= most
        yield Check(CheckKind.FAULT, held, measured, asked, text, of, number)


def _not_injected(trace: Trace) -> dict[int, Check]:
    """Faults of the scenario, by number, that failed or that the table `faults` does not know."""
    texts: dict[int, tuple[str, str]] = {}
    if trace.complete:
        known = set(trace["faults"]["index"].to_list())
        for i, fault in enumerate(trace.scenario.faults):
            if i not in known and not fault.sends_messages:
                end_s = trace.end_ns / 1e9
                texts[i] = fault.kind, f"it never began: the run was over at {end_s:.3g} s"
    live = trace.stats.live
    for error in () if live is None else live.fault_errors:
        texts[error.index] = error.kind, f"it was not injected as requested: {error.error}"
    return {
        i: Check(CheckKind.FAULT, False, None, None, text, kind, i)
        for i, (kind, text) in sorted(texts.items())
    }


def _background(trace: Trace) -> Iterator[Check]:
    """Arrivals generated against the integral of the requested rate."""
    expected, found = trace.stats.expected_background, trace.stats.background
    if expected is None or found is None or not trace.complete:
        return
    spread = dispersion(trace.scenario.flow, expected)
    allowed = _SIGMAS * math.sqrt(expected * spread) + 2
    text = f"background messages: {found} sent, {expected:.6g} expected (± {allowed:.3g})"
    held = abs(found - expected) <= allowed
    yield Check(CheckKind.BACKGROUND, held, float(found), expected, text)


def _live(trace: Trace) -> Iterator[Check]:
    """Whether the generator of a live run kept its schedule, and had the processor time to."""
    live = trace.stats.live
    if live is None:
        return
    late, most = live.lateness_p99_ns / 1e6, live.lateness_p99_max_ns / 1e6
    text = f"the generator was {late:.3g} ms behind its schedule at p99 (at most {most:g})"
    if not live.sent:
        text, late = "nothing was sent", math.inf
    yield Check(CheckKind.SCHEDULE_KEPT, late <= most, late, most, text)
    allowed = live.cpu_share_max
    for name, share in sorted(live.cpu_share.items()):
        text = f"the {name} process used {share:.0%} of a core (at most {allowed:.0%})"
        yield Check(CheckKind.CPU, share <= allowed, share, allowed, text, of=name)
    for text in live.target_errors:
        yield Check(CheckKind.TARGET_CODE, False, None, None, text)


def dispersion(flow: Flow, expected: float) -> float:
    """Upper bound on variance over mean of the number of background arrivals.

    Poisson: 1. Hawkes: 1/(1 − n)² (Hawkes, Biometrika 58, 1971), multiplied like the rate by the
    profile's factor. MMPP: 1 + 2·Var(λ)·Σ dwell / mean λ, with the correlation time bounded by one
    whole cycle; never more than what the whole run in its fastest state would give.
    """
    arrivals, profile = flow.arrivals, flow.profile
    factor = 1.0 if isinstance(profile, Constant) else max(1.0, profile.factor)
    if isinstance(arrivals, Hawkes):
        return factor / (1 - arrivals.branching) ** 2
    if isinstance(arrivals, Mmpp):
        rates, dwell = arrivals.rates_per_s, arrivals.dwell_s
        cycle = sum(dwell)
        mean = mean_rate_per_s(arrivals)
        variance = sum((r - mean) ** 2 * d for r, d in zip(rates, dwell, strict=True)) / cycle
        bound = 1 + 2 * factor * variance * cycle / mean if mean else 1.0
        return min(bound, 1 + expected * (max(rates) / mean) ** 2) if mean else 1.0
    return 1.0
