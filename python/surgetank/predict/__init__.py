"""A calibrated simulator's prediction beside what a live target did."""

from surgetank.predict.compare import compare, with_interval
from surgetank.predict.line import Line, Side
from surgetank.predict.prediction import Claim, Prediction, Row, status_of

__all__ = ["Claim", "Line", "Prediction", "Row", "Side", "compare", "status_of", "with_interval"]
