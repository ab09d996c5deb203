"""Every documented item of the Rust crates says what it is in more than one word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

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
