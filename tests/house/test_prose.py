"""No program parses a sentence that was written for a person."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import surgetank as st

PACKAGE = Path(st.__file__).parent
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
#: Attributes, and cells of mappings, that hold words for a reader.
PROSE = {"breaks", "detail", "note", "criterion", "sentence", "text", "title", "what", "why"}
#: Plain names that do. A `text` may be anybody's.
NAMES = {"breaks", "detail", "note", "quantity", "reason", "sentence", "why"}
#: Methods that take a text apart or look into it.
TAKES_APART = {
    *("count", "endswith", "find", "index", "partition", "removeprefix", "removesuffix"),
    *("rpartition", "rsplit", "split", "startswith"),
}
#: Sentences of other programs, which say what is asked nowhere else: AMQP has one code for a queue
#: that is not there and for one whose leader is just down.
OTHERS_SENTENCES = [
    "target.py: 'no queue' in str(error)",
    "target.py: 'no queue' in str(error)",
]
PATTERNS = {"findall", "finditer", "fullmatch", "match", "search", "split"}


def is_prose(node: ast.expr) -> bool:
    """Whether an expression is words for a reader: `reason.text`, `claim["why"]`, `reason`."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value in PROSE
    if isinstance(node, ast.Name):
        return node.id in NAMES
    if isinstance(node, ast.Call):
        return is_text_of_error(node)
    return isinstance(node, ast.Attribute) and node.attr in PROSE | {"quantity"}


def is_text_of_error(node: ast.Call) -> bool:
    """Whether a call gives an error's sentence: `str(error)`, `record.getMessage()`."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr == "getMessage"
    text = isinstance(node.func, ast.Name) and node.func.id in ("str", "repr")
    of = node.args[0] if node.args else None
    name = of.attr if isinstance(of, ast.Attribute) else of.id if isinstance(of, ast.Name) else ""
    return text and name in ("e", "err", "error", "exc", "exception")


def is_sentence(node: ast.expr) -> bool:
    """Whether an expression is at least three words, none of them a name in code."""
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and re.search(r"[a-z],? [a-z]+,? [a-z]", text) is not None


def parsed(code: str) -> Iterator[str]:
    """Places where prose is looked into: `in`, a comparison with words, a method, a pattern."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            words = any(isinstance(x, ast.Constant) and x.value for x in sides)
            inside = any(isinstance(op, ast.In | ast.NotIn) for op in node.ops)
            compared = any(map(is_sentence, sides)) or (words and any(map(is_prose, sides)))
            if compared or (inside and is_prose(sides[-1])):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method, of = node.func.attr, node.func.value
            by_pattern = method in PATTERNS and any(map(is_prose, node.args))
            if by_pattern or (method in TAKES_APART and is_prose(of)):
                yield ast.unparse(node)


def test_prose_is_for_people() -> None:
    """Bounds, kinds and limits are values; their sentences derive from them."""
    files = [*PACKAGE.rglob("*.py"), *BENCHMARKS.glob("*.py")]
    found = [
        f"{path.name}: {place}"
        for path in sorted(files)
        for place in parsed(path.read_text(encoding="utf-8"))
    ]
    assert len(files) > 300 and found == OTHERS_SENTENCES


@pytest.mark.parametrize(
    "seeded",
    [
        "'inside the interval' in reason.text",
        're.search(r"not reached (\\d+)", finding.why)',
        'answer.breaks.split(" × ")',
        'reason.text.startswith(("schedule_kept", "cpu "))',
        'point.why == "no answer"',
        "'late' in why",
        "word in reason",
        'claim["why"] == "unknown"',
        'state == "the line was not reached"',
        'quantity.startswith("delay added")',
        '"no space" in str(error)',
        're.search("os error", str(self.error))',
        'fault.quantity == "loss"',
    ],
)
def test_it_would_be_found(seeded: str) -> None:
    """The control: the ways in which prose was parsed before, or could be."""
    assert len(list(parsed(seeded))) == 1


def test_what_parses_no_prose_is_let_be() -> None:
    """Words that are handed on, options, names of enumerations, and texts of others."""
    harmless = """
if answer.why: print(answer.why)
f"{reason.text}; and more"
text.partition("=")
"cancel" in names
quantity == Quantity.LOSS
where.kind == "at least"
"""
    assert not list(parsed(harmless))
