"""The width of a prediction's interval: random error, and the model's own error.

Random error is the scatter of calibration and live runs (`surgetank.calibrate.spread`). It does not
include model error, which is the same in every repetition. Model error was measured on the systems
of docs/calibrate.md: `model_error.json`, written by `benchmarks/predict.py --docs`, has of each
system the mean of ln(measured / predicted) over its repetitions. Its root mean square over the
*other* systems is the allowance of a system, so that none is judged by its own measurements. That a
model needs such a term beside the error of its parameters: Kennedy and O'Hagan, JRSS B 63, 2001.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Final

from surgetank.calibrate.spread import Spread, joined

__all__ = ["LEVEL", "MODEL_ERROR", "Errors", "allowance", "ends", "known"]

Errors = Mapping[str, Mapping[str, float]]
"""Number that is predicted → system (a target's scheme) → mean of ln(measured / predicted)."""

#: The file of the measured errors.
MODEL_ERROR: Final = Path(__file__).with_name("model_error.json")

LEVEL: Final = 0.9
"""Share of measurements that an interval should contain. The model's error is estimated from a
handful of systems, too few to estimate tails at 95 %."""

_Z: Final = NormalDist().inv_cdf((1 + LEVEL) / 2)
#: Normal quantile of the 95 % intervals of random error.
_Z_CHANCE: Final = NormalDist().inv_cdf(0.975)
_OTHERS_MIN: Final = 2


@cache
def known() -> Errors:
    """The measured errors.

    Raises:
        OSError, ValueError: if the file is not there or not JSON.
    """
    found: Errors = json.loads(MODEL_ERROR.read_text(encoding="utf-8"))
    return found


def allowance(errors: Mapping[str, float], target: str) -> float | None:
    """Root mean square of the errors of other systems than the target's, a standard deviation of
    the logarithm; None of fewer than two."""
    own = target.partition(":")[0]
    others = [error for system, error in errors.items() if system != own]
    return math.sqrt(fmean(x * x for x in others)) if len(others) >= _OTHERS_MIN else None


def ends(
    value: float | None, chance: Spread | None, error: float | None
) -> tuple[float | None, float | None]:
    """Ends of the interval that contains a measurement in 90 % of predictions of `value`: random
    error (factors, 95 %) and the model's error (standard deviation of the logarithm) in quadrature.
    None where one of them is unknown."""
    if value is None or chance is None or error is None:
        return None, None
    low, high = (end ** (_Z / _Z_CHANCE) for end in chance)
    both = joined([(low, high), (math.exp(-_Z * error), math.exp(_Z * error))])
    return (None, None) if both is None else (value * both[0], value * both[1])
