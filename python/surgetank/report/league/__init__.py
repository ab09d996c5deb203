"""The page of a league: the ranking, and every entrant under every attack."""

from __future__ import annotations

from pathlib import Path

from surgetank.league import League
from surgetank.league.columns import short
from surgetank.report.league import wording
from surgetank.report.league.figure import maps
from surgetank.report.shell import render_template, save

__all__ = ["render_league", "write_league"]


def write_league(league: League, path: str | Path) -> Path:
    """Writes the page of a league as one HTML file and returns its path.

    Raises:
        SurgetankError: the file cannot be written.
    """
    return save(render_league(league), path)


def render_league(league: League) -> str:
    """The page of a league as HTML text."""
    ranked = bool(league.contenders)
    return render_template(
        "league.html.j2",
        league=league,
        status="INVALID" if league.exit_code else "FOUND" if league.winner else "UNKNOWN",
        word=league.winner or ("No winner" if ranked else "No order"),
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
