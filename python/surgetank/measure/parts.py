"""Which function computes which measures, in the order in which a reader meets them.

A part is computed as a whole, when one of its measures is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from surgetank.measure.attack import attack
from surgetank.measure.backlog import backlog
from surgetank.measure.bad_debt import bad_debt
from surgetank.measure.cascades import cascade_measures
from surgetank.measure.delivery import delivery
from surgetank.measure.fairness import fairness
from surgetank.measure.latency import delays, jitter
from surgetank.measure.ledger import ledger_measures
from surgetank.measure.liquidations import liquidation_measures
from surgetank.measure.measured import Measure, Measures
from surgetank.measure.propagation import propagation
from surgetank.measure.saturation import measures as saturation_measures
from surgetank.measure.shortfall import shortfall
from surgetank.measure.solvency import money, stale_prices
from surgetank.measure.synchrony import Synchrony, blocks
from surgetank.measure.synchrony.measures import nodes, state, views
from surgetank.measure.throughput import throughput
from surgetank.measure.waiting import waiting
from surgetank.trace import Trace

__all__ = ["PARTS", "MeasuresOnDemand", "MeasurePart", "RunFacts"]


@dataclass(frozen=True)
class RunFacts:
    """What the functions of all parts take."""

    trace: Trace
    synchrony: Synchrony
    late_after_ms: float | None
    """Time after which a liquidation is late; None: none is."""


@dataclass(frozen=True, eq=False)
class MeasurePart:
    """Measures that one function computes together."""

    names: tuple[str, ...]
    """Names of their entries in the catalogue."""
    compute: Callable[[RunFacts], Iterable[Measure]]
    """The measures for which the trace has data."""


def _part(names: str, compute: Callable[[RunFacts], Iterable[Measure]]) -> MeasurePart:
    return MeasurePart(tuple(names.split()), compute)


def _ordered(names: str, compute: Callable[[Trace], Iterable[Measure]]) -> MeasurePart:
    """A part that only a run with ordering has."""
    return _part(names, lambda run: compute(run.trace) if run.trace.orders else ())


def _money(names: str, compute: Callable[[RunFacts], Iterable[Measure]]) -> MeasurePart:
    """A part that only a run with a market has."""
    return _part(names, lambda run: () if run.trace["market"].is_empty() else compute(run))


PARTS: Final = (
    _part(
        "delay_p50_ms delay_p99_ms delay_p999_ms delay_mean_ms stage_mean_ms stage_p99_ms",
        lambda run: delays(run.trace),
    ),
    _part(
        "wait_share wait_mean_ms computation_share late_wait_share",
        lambda run: waiting(run.trace, run.late_after_ms),
    ),
    _part(
        "offered_per_s throughput_per_s goodput_ratio executed_share refused_share lost_share",
        lambda run: throughput(run.trace),
    ),
    _ordered("backlog_growth backlog_growth_sent", backlog),
    _part(
        "ack_p50_ms ack_p99_ms duplicates_share reordered_share refused_count timed_out_count "
        "disconnected_count not_sent_count acknowledged_lost_count",
        lambda run: delivery(run.trace),
    ),
    _ordered("jitter_p99_min_ms jitter_sd_ms jitter_rfc3550_ms", jitter),
    _part(
        "desynchronised_share_max desynchronised_node_seconds fault_budget_left half_budget_s "
        "systemic_desync_s standstill_s lag_max_ms",
        lambda run: nodes(run.synchrony),
    ),
    _part("view_divergence_share view_lag_max_ms", lambda run: views(run.synchrony)),
    _part(
        "stale_s state_age_p50_ms state_age_p99_ms state_age_max_ms",
        lambda run: state(run.synchrony),
    ),
    _ordered("block_interval_p50_ms rounds_mean equivocations", blocks),
    _part(
        "propagation_p50_ms propagation_p99_ms propagation_full_ms delivered_share "
        "duplicates_per_message",
        lambda run: propagation(run.trace),
    ),
    _ordered(
        "inversions_send inversions_receive rank_error fairness_violations condorcet_cycle_rate "
        "condorcet_share delay_gini account_share_max block_share fair_cycle_share "
        "fair_unplaced_share fair_forced_pairs fair_order_breaks fair_forged_reports",
        fairness,
    ),
    _money("staleness_p50_ms staleness_p99_ms", lambda run: stale_prices(run.trace)),
    _money(
        "liquidations liquidations_parts liquidations_not_due liquidations_empty due "
        "due_liquidated due_recovered unliquidated late_liquidations late_share "
        "liquidation_delay_p50_ms liquidation_delay_p99_ms",
        lambda run: liquidation_measures(run.trace, run.late_after_ms),
    ),
    _money(
        "bad_debt_usd insurance_drawn_usd deleveraged_usd funding_paid_usd",
        lambda run: money(run.trace),
    ),
    _money(
        "liquidations_triggered bad_debts bad_debt_share",
        lambda run: bad_debt(run.trace),
    ),
    _money(
        "branching_ratio cascades cascade_size_max cascade_generations_max",
        lambda run: cascade_measures(run.trace),
    ),
    _money(
        "shortfall_bp_mean shortfall_delay_bp_mean shortfall_execution_bp_mean "
        "failed_trades_share opportunity_bp_mean slippage_bp_mean mispricing_bp_mean",
        lambda run: shortfall(run.trace),
    ),
    _part(
        "makers_edge_usd traders_edge_usd leveraged_edge_usd uncovered_loss_usd attacker_gain_usd "
        "attacker_cost_usd attacker_from_usd attacker_capital_usd others_loss_usd",
        lambda run: attack(run.trace),
    ),
    _part("ledger_usd", lambda run: ledger_measures(run.trace)),
    _part("saturation", lambda run: saturation_measures(run.trace)),
)
"""Every entry of the catalogue is in exactly one of them."""

_PART_OF: Final = {name: part for part in PARTS for name in part.names}


class MeasuresOnDemand(Measures):
    """The measures of a run, each computed with its part when it is first asked for; all of them,
    when they are counted or gone through.

    They refer to the trace until then; `Measures(found.values())` does not.
    """

    def __init__(self, run: RunFacts) -> None:
        super().__init__([])
        self._run = run
        self._computed: dict[MeasurePart, dict[str, Measure]] = {}

    def __getitem__(self, name: str) -> Measure:
        part = _PART_OF.get(name.partition(".")[0])
        if part is None:
            raise KeyError(name)
        return self._of(part)[name]

    def __iter__(self) -> Iterator[str]:
        return (name for part in PARTS for name in self._of(part))

    def __len__(self) -> int:
        return sum(len(self._of(part)) for part in PARTS)

    def __reduce__(self) -> tuple[Any, ...]:
        return Measures, (list(self.values()),)

    def _of(self, part: MeasurePart) -> dict[str, Measure]:
        if part not in self._computed:
            found = {m.name: m for m in part.compute(self._run)}
            strange = {name for name in found if _PART_OF[name.partition(".")[0]] is not part}
            if strange:
                raise ValueError(f"{sorted(strange)} belong to another part of `PARTS`")
            self._computed[part] = found
        return self._computed[part]
