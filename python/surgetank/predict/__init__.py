"""A calibrated simulator's prediction beside what a live target did."""

from surgetank.predict.capacity_criterion import CapacityLine, Side
from surgetank.predict.compare import compare, with_interval
from surgetank.predict.prediction import Claim, LoadRow, Prediction, status_of

__all__ = [
    "CapacityLine",
    "Claim",
    "LoadRow",
    "Prediction",
    "Side",
    "compare",
    "status_of",
    "with_interval",
]
