"""Scenarios: what is asked. One module per section, as in the file and in the core."""

from typing import TYPE_CHECKING

from surgetank.lazy import lend

if TYPE_CHECKING:
    from surgetank.scenario.named import load, names
    from surgetank.scenario.whole import Scenario

__all__ = ["Scenario", "load", "names"]

lend(__name__, {"named": ["load", "names"], "whole": ["Scenario"]})
