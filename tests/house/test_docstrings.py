"""Docstrings have at least three words; they, comments and names have no word that pages avoid."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import surgetank as st
from avoided_words import avoided, avoided_in_names, python_words

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(st.__file__).parent
SOURCES = [path for folder in (PACKAGE, ROOT / "tests/support") for path in folder.rglob("*.py")]
#: All code in Python, tests and benchmarks included.
CODE = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *ROOT.glob("benchmarks/*.py")]
#: A method that fulfils a contract may refer to it: See `Target`.
REFERENCE = re.compile(r"See `[\w.]+`\.")

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(source: str) -> list[tuple[str, str]]:
    #: All code in Python, with tests and benchmarks.
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Documented):
            name = getattr(node, "name", "module")
            found += [(name, text)] if (text := ast.get_docstring(node)) is not None else []
            found += [
                (ast.unparse(before).partition(":")[0].partition(" =")[0], after.value.value)
                for before, after in itertools.pairwise(node.body)
                if isinstance(before, ast.Assign | ast.AnnAssign)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            ]
    return found


def too_short(source: str) -> list[str]:
    """Names whose docstring has fewer than three words and is no reference to a contract."""
    return [
        name
        for name, text in docstrings(source)
        if len(text.split()) < 3 and not REFERENCE.fullmatch(text)
    ]


def idiom(source: str) -> list[str]:
    """Words to avoid (docs/CONTRIBUTING.md) in docstrings and comments, and names with one."""
    comments, names = python_words(source)
    texts = [*(text for _, text in docstrings(source)), comments]
    return [*(word for text in texts for word in avoided(text)), *avoided_in_names(names)]


def test_docstrings_have_three_words() -> None:
    """Of the package and of what the tests share."""
    found = {str(path): too_short(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


def test_code_avoids_these_words() -> None:
    """The words that the pages avoid, in docstrings, comments, identifiers and names of modules."""
    found = {str(path): idiom(path.read_text(encoding="utf-8")) for path in CODE}
    assert {path: words for path, words in found.items() if words} == {}
    assert avoided_in_names({path.stem for path in CODE}) == []


def test_a_docstring_of_one_word_is_seen() -> None:
    """The controls: a function, a class, a module; a reference and three words are allowed."""
    source = '"""Kills."""\nclass A:\n    """Yes, no."""\n    def f(self):\n        """{}"""\n'
    assert too_short(source.format("Until now.")) == ["module", "A", "f"]
    assert too_short(source.format("See `Target`.")) == ["module", "A"]
    assert too_short('def f():\n    """Returns a value."""\n') == []


def test_words_to_avoid_are_seen() -> None:
    """The controls: docstrings of a function and a field, a comment, each kind of name; a literal
    is no prose."""
    assert idiom('def f():\n    """What nobody is told."""\n') == ["nobody", "told"]
    assert docstrings('class A:\n    x: int = 1\n    """All yardstick."""\n') == [
        ("x", "All yardstick.")
    ]
    assert idiom('class A:\n    x: int = 1\n    """A yardstick."""\n') == ["yardstick"]
    assert idiom("#: Nobody waits.\nX = 1  # The mended one.\n") == ["nobody", "mended"]
    assert idiom("def let_in(_told_capacity): self.is_told = 1\n") == [
        "_told_capacity",
        "is_told",
        "let_in",
    ]
    assert idiom("class Nobody: ...\nfrom mended import x\n") == ["Nobody", "mended"]
    assert idiom("x = 'nobody'\ncontrolled = letting = 1\n") == []
