"""Words that prose of surgetank avoids, from the table in docs/CONTRIBUTING.md."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/CONTRIBUTING.md"


HEADING = "## Words to avoid"


@cache
def _pattern() -> re.Pattern[str]:
    table = PAGE.read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([a-z ,]+) \| ", table, re.MULTILINE)[1:]
    words = "|".join(word for cell in cells for word in cell.split(", "))
    return re.compile(rf"\b(?:{words})\b")


def avoided(text: str) -> list[str]:
    """Words of the table of words to avoid that a text has outside of code."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    return _pattern().findall(prose)
