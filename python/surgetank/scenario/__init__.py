"""Scenarios: what is asked. One module per section, as in the file and in the core."""

from surgetank.scenario.named import load, names
from surgetank.scenario.whole import Scenario

__all__ = ["Scenario", "load", "names"]
