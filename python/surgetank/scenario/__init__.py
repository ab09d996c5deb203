"""Scenarios: the input of a run. One module per section, as in the file and in the core."""

from typing import TYPE_CHECKING

from surgetank.lazy import export_lazily

if TYPE_CHECKING:
    from surgetank.scenario.named import load, names
    from surgetank.scenario.whole import Scenario

__all__ = ["Scenario", "load", "names"]

export_lazily(__name__, {"named": ["load", "names"], "whole": ["Scenario"]})
