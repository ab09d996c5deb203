"""Words that prose and names of surgetank avoid, from the table in docs/CONTRIBUTING.md."""

from __future__ import annotations

import io
import re
import tokenize
from functools import cache
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/CONTRIBUTING.md"


HEADING = "## Words to avoid"
#: Where one word of an identifier ends and the next begins: `_told_capacity`, `NoConsensus`.
_BOUNDARY = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])")
#: Literals and comments of Rust; a literal may contain what looks like a comment.
_RUST = re.compile(r'(?P<text>b?r?"(?:\\.|[^"\\])*")|(?P<comment>//[^\n]*)', re.DOTALL)


@cache
def _pattern() -> re.Pattern[str]:
    table = PAGE.read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([a-z ,]+) \| ", table, re.MULTILINE)[1:]
    words = "|".join(word for cell in cells for word in cell.split(", "))
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


def avoided(text: str) -> list[str]:
    """Words of the table of words to avoid that a text has outside of code, in lower case."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    return [word.lower() for word in _pattern().findall(prose)]


def avoided_in_names(names: set[str]) -> list[str]:
    """Identifiers that contain a word to avoid, sorted: `let_in`, `Nobody`."""
    return sorted(name for name in names if avoided(_BOUNDARY.sub(" ", name).strip()))


def python_words(source: str) -> tuple[str, set[str]]:
    """The comments of Python code as one text, and its identifiers."""
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    comments = [t.string for t in tokens if t.type == tokenize.COMMENT]
    return "\n".join(comments), {t.string for t in tokens if t.type == tokenize.NAME}


def rust_words(source: str) -> tuple[str, set[str]]:
    """The comments of Rust code, documentation among them, as one text, and its identifiers."""
    comments = "\n".join(m["comment"] for m in _RUST.finditer(source) if m["comment"])
    return comments, set(re.findall(r"[A-Za-z_]\w*", _RUST.sub("", source)))
