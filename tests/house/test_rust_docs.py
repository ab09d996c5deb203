"""Documentation of the Rust crates has more than one word, and none of the words to avoid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from avoided_words import avoided, avoided_in_names, rust_words

CRATES = Path(__file__).parents[2] / "crates"
#: A block of documentation, outer or inner, with its text.
BLOCK = re.compile(r"(?m)^[ \t]*(//[/!])(?:[ \t].*)?\n(?:[ \t]*\1(?:[ \t].*)?\n)*")
#: A word has a letter in it: a symbol or a number alone names nothing.
WORD = re.compile(r"\S*[^\W\d_]\S*")


def short(code: str) -> Iterator[tuple[int, str]]:
    """Line and text of each documentation block of fewer than two words."""
    for block in BLOCK.finditer(code):
        text = " ".join(line.strip()[3:].strip() for line in block[0].splitlines())
        if len(WORD.findall(text)) < 2:
            yield code[: block.start()].count("\n") + 1, text


def test_no_rust_documentation_is_one_word() -> None:
    found = [
        f"{path.relative_to(CRATES.parent)}:{line}: {text!r}"
        for path in sorted(CRATES.rglob("*.rs"))
        for line, text in short(path.read_text())
    ]
    assert not found, "\n".join(["say what it is, its unit, and its range or source:", *found])


def test_the_search_finds_one_word_and_passes_two() -> None:
    code = """//! Orders.

/// Price.
pub price: i64,
    /// λ
    /// Limit price, in ticks.
    pub limit: i64,
    ///
    /// How.
    pub fn how() {}
/// Limit price
/// in ticks.
pub x: i64, // Not documentation.
"""
    assert list(short(code)) == [(1, "Orders."), (3, "Price."), (8, " How.")]


def idiom(code: str) -> list[str]:
    """Words to avoid (docs/CONTRIBUTING.md) in comments, and identifiers with such a word."""
    comments, names = rust_words(code)
    return [*avoided(comments), *avoided_in_names(names)]


def test_rust_avoids_these_words() -> None:
    """The words that the pages avoid, in documentation, comments, identifiers and modules."""
    files = sorted(CRATES.rglob("*.rs"))
    found = {str(path.relative_to(CRATES)): idiom(path.read_text()) for path in files}
    assert {path: words for path, words in found.items() if words} == {}
    assert len(files) > 200 and avoided_in_names({path.stem for path in files}) == []


def test_words_to_avoid_are_seen() -> None:
    """The controls: documentation, a comment, a function, a field, a variant; literals are left."""
    assert idiom("/// Nobody waits.\nfn a() {} // It is told.\n") == ["nobody", "told"]
    assert idiom("fn let_in(told: u8) { E::Nobody }") == ["Nobody", "let_in", "told"]
    assert idiom('let a = "http://told"; let letting = b"\\"told";') == []
