"""A league: settings of a scenario compared on the same flow, without and under attacks."""

from surgetank.league.axes import Entrant
from surgetank.league.estimate import SeedMean
from surgetank.league.play import LeagueProgress, LeagueSearch, league
from surgetank.league.result import League, LeagueRun, SearchedLine, Standing

__all__ = [
    "Entrant",
    "League",
    "LeagueProgress",
    "LeagueRun",
    "LeagueSearch",
    "SearchedLine",
    "SeedMean",
    "Standing",
    "league",
]
