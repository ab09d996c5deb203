"""What is compared runs in turn, and every interval is made in one way.

Other work on a machine takes caches from a process and turns its clock down, for minutes at a
time. So the runs that are compared alternate in pairs, and whose turn is first alternates too (A B,
B A), which lets both suffer alike; and CPU time is compared, not wall-clock time. An interval is
Student's, 95 %, over pairs: of ratios on their logarithms, which are nearer to a normal
distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import stats

T = TypeVar("T")


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def text(self, digits: int) -> str:
        """As in a table: `1.84 [1.80, 1.88]`."""
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def in_turn(pairs: int, *tasks: Callable[[int], T]) -> list[list[T]]:
    """What each task answers, pair by pair; every other pair in reverse.

    A task is given the number of its pair, from 1.
    """
    answers: list[list[T]] = [[] for _ in tasks]
    for pair in range(pairs):
        order = range(len(tasks)) if pair % 2 == 0 else reversed(range(len(tasks)))
        for which in order:
            answers[which].append(tasks[which](pair + 1))
    return answers


def mean(values: Sequence[float]) -> Estimate:
    """The mean of at least two values."""
    middle, spread = float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5
    half = float(stats.t.ppf(0.975, len(values) - 1)) * spread
    return Estimate(middle, middle - half, middle + half)


def ratio(over: Sequence[float], under: Sequence[float]) -> Estimate:
    """The geometric mean of the pairs' ratios, at least two."""
    logs = mean(np.log(np.divide(over, under)).tolist())
    return Estimate(*np.exp([logs.value, logs.low, logs.high]).tolist())
