"""The page of a search: the threshold with its interval, the bottleneck, and changes that help."""

from __future__ import annotations

from surgetank.report.search import wording
from surgetank.report.search.figures import pictures
from surgetank.report.shell import render_template
from surgetank.search.answer import Answer

__all__ = ["render_search", "sentence"]

sentence = wording.sentence


def render_search(answer: Answer) -> str:
    """The page of a search as HTML text."""
    return render_template(
        "search.html.j2",
        answer=answer,
        status=answer.status,
        heading=wording.heading(answer),
        sentence=wording.sentence(answer),
        findings=wording.findings(answer),
        notes=wording.notes(answer),
        key_figures=wording.key_figures(answer),
        pictures=pictures(answer),
        rows=wording.rows(answer),
        remedies=[
            (
                r,
                " + ".join(map(wording.resource_text, r.resources)),
                wording.gain(r),
                wording.remedy_outcome(r),
            )
            for r in answer.remedies
        ],
        parts=[(part, wording.part_text(answer, part)) for part in answer.parts],
        best=answer.remedy,
        how_to_read=wording.how_to_read(answer),
    )
