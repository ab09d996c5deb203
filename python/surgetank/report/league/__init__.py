"""The page of a league: who stands first, and every rule under every attack."""

from __future__ import annotations

from pathlib import Path

from surgetank.league import League
from surgetank.league.shown import short
from surgetank.report.league import words
from surgetank.report.league.figure import maps
from surgetank.report.shell import filled, save

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
    return filled(
        "league.html.j2",
        league=league,
        status="INVALID" if league.exit_code else "FOUND" if league.winner else "UNKNOWN",
        word=league.winner or ("No winner" if ranked else "No order"),
        size=words.size(league),
        sentence=words.sentence(league),
        undecided=words.undecided(league),
        notes=words.notes(league),
        maps=maps(league),
        places=words.places(league),
        sought=words.sought(league),
        blocks=words.blocks(league),
        ranks=words.head(league.rank),
        short=short(league.rank),
        reading=words.reading(league),
    )
