"""A scenario from a recording: its flow, its price, and how well they fit."""

from surgetank.fit.fitted import Fit, fit
from surgetank.fit.flow import FlowFit, Method

__all__ = ["Fit", "FlowFit", "Method", "fit"]
