"""Docstrings say something: at least three words, and none of the words that pages avoid."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import surgetank as st
from avoided_words import avoided

PACKAGE = Path(st.__file__).parent
SUPPORT = Path(__file__).parents[1] / "support"
SOURCES = [path for folder in (PACKAGE, SUPPORT) for path in folder.rglob("*.py")]
#: A method that fulfils a contract may refer to it: See `Target`.
REFERENCE = re.compile(r"See `[\w.]+`\.")

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(source: str) -> list[tuple[str, str]]:
    """Name and docstring of the module, of each class and of each function that has one."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, Documented)]
    found = [(getattr(node, "name", "module"), ast.get_docstring(node)) for node in nodes]
    return [(name, text) for name, text in found if text is not None]


def too_short(source: str) -> list[str]:
    """Names whose docstring has fewer than three words and is no reference to a contract."""
    return [
        name
        for name, text in docstrings(source)
        if len(text.split()) < 3 and not REFERENCE.fullmatch(text)
    ]


def idiom(source: str) -> list[str]:
    """Words to avoid (docs/glossary.md) that docstrings have."""
    return [word for _, text in docstrings(source) for word in avoided(text)]


def test_docstrings_have_three_words() -> None:
    """Of the package and of what the tests share."""
    found = {str(path): too_short(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


def test_docstrings_avoid_these_words() -> None:
    """The words that the pages avoid, in the same docstrings."""
    found = {str(path): idiom(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: words for path, words in found.items() if words} == {}


def test_a_docstring_of_one_word_is_seen() -> None:
    """The controls: a function, a class, a module; a reference and three words are allowed."""
    source = '"""Kills."""\nclass A:\n    """Yes, no."""\n    def f(self):\n        """{}"""\n'
    assert too_short(source.format("Until now.")) == ["module", "A", "f"]
    assert too_short(source.format("See `Target`.")) == ["module", "A"]
    assert too_short('def f():\n    """Returns a value."""\n') == []
    assert idiom('def f():\n    """What nobody is told."""\n') == ["nobody", "told"]
