"""Predictions of a calibrated simulator, compared with measurements on the live target."""

from surgetank.predict.capacity_criterion import CapacityCriterion, Side
from surgetank.predict.compare import compare, with_interval
from surgetank.predict.prediction import Claim, LoadRow, Prediction, status_of

__all__ = [
    "CapacityCriterion",
    "Claim",
    "LoadRow",
    "Prediction",
    "Side",
    "compare",
    "status_of",
    "with_interval",
]
