"""A league: settings of a scenario compared on the same flow, unmolested and under attacks."""

from surgetank.league.axes import Entrant
from surgetank.league.estimate import SeedMean
from surgetank.league.play import Hunt, LeagueProgress, league
from surgetank.league.result import League, Made, SearchedLine, Standing

__all__ = [
    "Entrant",
    "Hunt",
    "League",
    "LeagueProgress",
    "Made",
    "SearchedLine",
    "SeedMean",
    "Standing",
    "league",
]
