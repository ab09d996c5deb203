"""A calibrated simulator's prediction beside what a live target did."""

from surgetank.predict.compare import compare
from surgetank.predict.line import Line, Side
from surgetank.predict.prediction import Claim, Prediction, Row

__all__ = ["Claim", "Line", "Prediction", "Row", "Side", "compare"]
