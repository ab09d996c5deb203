"""The page of a league: who stands first, and every rule under every attack."""

from __future__ import annotations

from pathlib import Path

from surgetank.league import League
from surgetank.league.columns import short
from surgetank.report.league import wording
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
        size=wording.size(league),
        sentence=wording.sentence(league),
        undecided=wording.undecided(league),
        notes=wording.notes(league),
        maps=maps(league),
        places=wording.places(league),
        sought=wording.sought(league),
        blocks=wording.blocks(league),
        ranks=wording.head(league.rank),
        short=short(league.rank),
        reading=wording.reading(league),
    )
