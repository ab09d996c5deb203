"""A calibrated simulator's prediction beside what a live target did."""

from surgetank.predict.compare import compare
from surgetank.predict.prediction import Claim, Prediction, Row, Side

__all__ = ["Claim", "Prediction", "Row", "Side", "compare"]
