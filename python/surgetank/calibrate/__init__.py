"""Calibration: measures a live target and writes a scenario that makes the simulator behave like
it."""

from surgetank.calibrate.calibration import Calibration
from surgetank.calibrate.estimate import Estimate, TrainArrivals
from surgetank.calibrate.procedure import OPTIONS, calibrate

__all__ = ["OPTIONS", "Calibration", "Estimate", "TrainArrivals", "calibrate"]
