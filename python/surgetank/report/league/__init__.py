"""The page of a league: the ranking, and every entrant under every attack."""

from __future__ import annotations

from surgetank.league import League
from surgetank.league.columns import short
from surgetank.report.league import wording
from surgetank.report.league.figure import maps
from surgetank.report.shell import render_template

__all__ = ["render_league"]


def render_league(league: League) -> str:
    """The page of a league as HTML text."""
    invalid = bool(league.exit_code)
    ranked = bool(league.contenders)
    word = "INVALID" if invalid else league.winner or ("No winner" if ranked else "No order")
    return render_template(
        "league.html.j2",
        league=league,
        status="INVALID" if invalid else "FOUND" if league.winner else "UNKNOWN",
        word=word,
        size=wording.size(league),
        sentence=wording.sentence(league),
        undecided=wording.undecided(league),
        notes=wording.notes(league),
        maps=maps(league),
        league_rows=wording.league_rows(league),
        search_rows=wording.search_rows(league),
        blocks=wording.blocks(league),
        ranks=wording.measure_title(league.rank),
        short=short(league.rank),
        how_to_read=wording.how_to_read(league),
    )
