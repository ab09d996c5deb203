"""A league: settings of a scenario compared on the same flow, unmolested and under attacks."""

from surgetank.league.axes import Entrant
from surgetank.league.estimate import Estimate
from surgetank.league.play import Hunt, Seen, league
from surgetank.league.result import League, Line, Made, Standing

__all__ = ["Entrant", "Estimate", "Hunt", "League", "Line", "Made", "Seen", "Standing", "league"]
