"""A venue of `surgetank serve`: `--target venue:`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surgetank.scenario import Scenario

__all__ = ["is_venue", "plays_money"]


def is_venue(url: str) -> bool:
    """Whether a target is such a venue."""
    return url.partition(":")[0] == "venue"


def plays_money(url: str, scenario: Scenario) -> bool:
    """Whether a run trades there with money: at a venue, if the scenario has a market. Without one
    its messages are orders that only load the venue."""
    return is_venue(url) and scenario.market is not None
