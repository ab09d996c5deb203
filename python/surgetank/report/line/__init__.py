"""The page of a search: where the line is, how sure that is, bottleneck, what would help."""

from __future__ import annotations

from pathlib import Path

from surgetank.report.line import wording
from surgetank.report.line.figures import pictures
from surgetank.report.shell import filled, save
from surgetank.search.answer import Answer

__all__ = ["render_search", "sentence", "write_search"]

sentence = wording.sentence


def write_search(answer: Answer, path: str | Path) -> Path:
    """Writes the page of a search as one HTML file and returns its path.

    Raises:
        SurgetankError: the file cannot be written.
    """
    return save(render_search(answer), path)


def render_search(answer: Answer) -> str:
    """The page of a search as HTML text."""
    return filled(
        "line.html.j2",
        answer=answer,
        status=answer.status,
        heading=wording.heading(answer),
        sentence=wording.sentence(answer),
        story=wording.story(answer),
        notes=wording.notes(answer),
        facts=wording.facts(answer),
        pictures=pictures(answer),
        rows=wording.rows(answer),
        remedies=[
            (r, " + ".join(map(wording.spoken, r.resources)), wording.gain(r), wording.outcome(r))
            for r in answer.remedies
        ],
        best=answer.remedy,
        reading=wording.reading(answer),
    )
