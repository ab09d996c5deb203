"""Fairness of the order: against the orders of sending and receipt, and between accounts.

Messages are the executed ones of the measured window; their order is that of execution (`height`,
`position`). What each measure does and does not say: docs/fairness.md.
"""

from __future__ import annotations

from surgetank.measure.fairness.accounts import between_accounts
from surgetank.measure.fairness.execution_order import FirstReceipts, executed
from surgetank.measure.fairness.order_rule import of_the_rule
from surgetank.measure.fairness.pairs import cycles, gamma_of, violations
from surgetank.measure.fairness.ranks import against_receipt, against_sending
from surgetank.measure.measured import Measure
from surgetank.trace import Trace

__all__ = ["fairness"]


def fairness(trace: Trace) -> list[Measure]:
    """All measures of fairness.

    inversions_send, inversions_receive and rank_error; fairness_violations, condorcet_cycle_rate
    and condorcet_share (None where no receipts were recorded); delay_gini, account_share_max and
    block_share.<class>; fair_cycle_share, fair_unplaced_share, fair_forced_pairs,
    fair_order_breaks and fair_forged_reports of a fair order. Pairs are counted on samples of
    bounded size, so that this takes some tens of milliseconds however long the run.
    """
    rows = executed(trace)
    known = FirstReceipts(trace, rows)
    return [
        against_sending(rows),
        *against_receipt(rows, known),
        violations(known, gamma_of(trace.scenario)),
        *cycles(known),
        *between_accounts(rows),
        *of_the_rule(trace),
    ]
