"""The page of a search: where the line is, how sure that is, bottleneck, what would help."""

from __future__ import annotations

from pathlib import Path

from surgetank.report.line import words
from surgetank.report.line.figures import pictures
from surgetank.report.shell import filled, save
from surgetank.search.answer import Answer

__all__ = ["render_search", "sentence", "write_search"]

sentence = words.sentence


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
        heading=words.heading(answer),
        sentence=words.sentence(answer),
        story=words.story(answer),
        notes=words.notes(answer),
        facts=words.facts(answer),
        pictures=pictures(answer),
        rows=words.rows(answer),
        remedies=[
            (r, " + ".join(map(words.spoken, r.resources)), words.gain(r), words.outcome(r))
            for r in answer.remedies
        ],
        best=answer.remedy,
        reading=words.reading(answer),
    )
