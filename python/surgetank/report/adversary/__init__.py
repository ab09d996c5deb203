"""The page of a search for the worst attack: its damage, its parts, and what helps against it."""

from __future__ import annotations

from surgetank.adversary import WorstAttack
from surgetank.report.adversary import wording
from surgetank.report.adversary.figures import pictures
from surgetank.report.shell import render_template

__all__ = ["render_adversary"]


def render_adversary(found: WorstAttack) -> str:
    """The page of the worst attack as HTML text."""
    return render_template(
        "adversary.html.j2",
        found=found,
        status=found.status.value,
        sentence=wording.sentence(found),
        steps=wording.steps(found.plan),
        tiles=wording.tiles(found),
        pictures=pictures(found),
        parts=wording.part_rows(found),
        defences=wording.defence_rows(found),
        budget=wording.budget_rows(found),
        comparisons=wording.comparisons(found),
    )
