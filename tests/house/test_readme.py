"""README.md is short, and its figures are those of the pages that it names."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES_MAX = 100


def rows(text: str) -> list[tuple[str, str, str]]:
    """Figure, script and page of each row of the table of costs."""
    found = re.findall(
        r"^\| [^|]+ \| ([^|]+) \| \[\w+\.py\]\(([^)]+)\) \| \[[^]]+\]\(([^)]+)\) \|$",
        text,
        flags=re.MULTILINE,
    )
    return [(figure, script, page) for figure, script, page in found]


def without_source(text: str) -> list[str]:
    """Figures that the page of their row does not have."""
    return [
        figure
        for figure, script, page in rows(text)
        if not (ROOT / script).is_file()
        or not re.search(
            rf"(?<![\d.]){re.escape(figure.rstrip('×'))}(?!\.?\d)", (ROOT / page).read_text("utf-8")
        )
    ]


def test_figures_are_those_of_their_pages() -> None:
    assert len(rows(README)) == 5
    assert without_source(README) == []
    seeded = README.replace("| 1.23 M/s |", "| 7.24 M/s |").replace("| 25× |", "| 77× |")
    assert without_source(seeded) == ["77×", "7.24 M/s"]


def test_it_fits_on_two_screens() -> None:
    assert len(README.splitlines()) <= LINES_MAX
