"""The controller `policy`: one law for weights, admission, batch and block time, with parameters
found offline.

They are in policy.json beside this file, with the command that finds them again. It sets batch and
block time at rest to multiples of what the scenario sets, and raises an alarm by two signs: the
realised volatility of the mark, and the wait of messages that reduce risk beyond the time of a
block. The alarm rises at once and falls by itself; batch and block time move with it, on a
logarithmic scale, between what was learned for rest and for alarm. A batch holds at least a learned
share of what waits, less of it under alarm: small batches reduce latency where all fits into them,
and lose capacity where they are full. Under `lanes` its weights serve what reduces risk first.
Orders are refused only while what reduces risk waits too long: they are also counterparties of
liquidations.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from surgetank.plugins import Controller, Observation, Setting, Wishes

__all__ = ["NUMBERS", "Numbers", "Policy", "lane_weights"]

#: The file of the learned parameters.
NUMBERS: Final = Path(__file__).with_suffix(".json")

_FIRST: Final = 100
_STEPS: Final = 16
#: The 16th root of 4.
_STEP: Final = math.sqrt(math.sqrt(math.sqrt(2.0)))


@dataclass(frozen=True)
class Numbers:
    """The learned parameters."""

    volatility_ppm: float
    """Volatility at which the alarm begins, millionths per √s; it is full at four times that."""
    wait_ms: float
    """Wait of what reduces risk at which the alarm begins; it is full at four times that."""
    rest_batch_factor: float
    """Batch size at rest, over the scenario's."""
    rest_window_factor: float
    """Window, or wait after a decision, at rest, over the scenario's."""
    batch_factor: float
    """Batch size under full alarm, over that at rest."""
    window_factor: float
    """Window, or wait after a decision, under full alarm, over that at rest."""
    waiting_share: float
    """Batch size at least, over the number of messages that wait, at rest."""
    waiting_factor: float
    """That share under full alarm, over that at rest: in a crash full batches hold back what does
    not reduce risk."""
    limit_batches: float
    """Admission limit while what reduces risk waits too long, in batches of the scenario."""
    replace_weight: int
    """Weight of replaces; orders have 2, what reduces risk has 100."""
    calm_looks: int
    """Number of calls after which the alarm has fallen to 1/e."""

    @classmethod
    def load(cls, path: Path = NUMBERS) -> Numbers:
        """The numbers in a file.

        Raises:
            OSError, ValueError, TypeError: if the file is not there or not one of these.
        """
        return cls(**json.loads(path.read_text())["numbers"])


def lane_weights(replace_weight: int) -> list[int]:
    """Weights by class: price updates, liquidation orders and cancels first."""
    return [_FIRST, _FIRST, _FIRST, replace_weight, 2, 1, 1, 1]


class Policy(Controller):
    """Sets all parameters from observations; its state is the alarm and the initial setting."""

    files = (NUMBERS,)
    numbers: Numbers | None = None

    def __init__(self, seed: int) -> None:
        """The seed is not used: nothing is drawn."""
        self._learned = self.numbers or Numbers.load()
        self._first: Setting | None = None
        self._alarm = 0.0

    def control(self, observation: Observation) -> Wishes:
        """The wishes for an observation; `on` is the alarm in thousandths."""
        seen, learned = observation, self._learned
        first = self._first = self._first or seen.now_set
        wait_ms = _waits_ns(seen) / 1e6
        alarm = max(
            _above(seen.volatility_ppm, learned.volatility_ppm), _above(wait_ms, learned.wait_ms)
        )
        fading = 1.0 - 1.0 / max(1, learned.calm_looks)
        self._alarm = max(alarm, self._alarm * fading)
        limit = first.admission_limit
        if wait_ms > learned.wait_ms:
            limit = round(learned.limit_batches * first.batch_messages_max)
        batch = learned.rest_batch_factor * _power(learned.batch_factor, self._alarm)
        window = learned.rest_window_factor * _power(learned.window_factor, self._alarm)
        share = learned.waiting_share * _power(learned.waiting_factor, self._alarm)
        return {
            "batch_messages_max": round(
                max(first.batch_messages_max * batch, share * sum(seen.waiting))
            ),
            "window_ns": round(first.window_ns * window),
            "admission_limit": limit,
            "lane_weights": lane_weights(learned.replace_weight),
            "on": round(1000 * self._alarm),
        }


def _waits_ns(seen: Observation) -> int:
    """The least wait of a message that reduces risk, beyond the time of a block, ns."""
    if seen.reducing_served:
        return max(0, seen.reducing_min_ns - seen.block_interval_ns)
    return seen.ahead_ns


def _above(value: float, begins: float) -> float:
    """0 up to where it begins, 1 from four times that on, in sixteenths, logarithmic between."""
    steps, threshold = 0, begins
    while steps < _STEPS and value > threshold:
        steps, threshold = steps + 1, threshold * _STEP
    return steps / _STEPS


def _power(factor: float, alarm: float) -> float:
    """The factor to the power of the alarm, in sixteenths: by roots and products alone, which are
    the same on every machine."""
    root = math.sqrt(math.sqrt(math.sqrt(math.sqrt(factor))))
    return math.prod([root] * round(alarm * _STEPS))
