"""No program parses a sentence that was written for a person."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import surgetank as st

PACKAGE = Path(st.__file__).parent
#: Attributes that hold words for a reader.
PROSE = {"breaks", "detail", "note", "said", "sentence", "text", "title", "what", "why"}
#: Methods that take a text apart or look into it.
TAKES_APART = {
    *("count", "endswith", "find", "index", "partition", "removeprefix", "removesuffix"),
    *("rpartition", "rsplit", "split", "startswith"),
}
PATTERNS = {"findall", "finditer", "fullmatch", "match", "search", "split"}


def is_prose(node: ast.expr) -> bool:
    """Whether an expression is an attribute for a reader: `reason.text`."""
    return isinstance(node, ast.Attribute) and node.attr in PROSE


def parsed(code: str) -> Iterator[str]:
    """Places where prose is looked into: `in`, a comparison with words, a method, a pattern."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            words = any(isinstance(x, ast.Constant) and x.value for x in sides)
            inside = any(isinstance(op, ast.In | ast.NotIn) for op in node.ops)
            if (is_prose(sides[-1]) and inside) or (words and any(map(is_prose, sides))):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method, of = node.func.attr, node.func.value
            by_pattern = method in PATTERNS and any(map(is_prose, node.args))
            if by_pattern or (method in TAKES_APART and is_prose(of)):
                yield ast.unparse(node)


def test_prose_is_for_people() -> None:
    """Bounds, kinds and limits are values; their sentences derive from them."""
    found = [
        f"{path.relative_to(PACKAGE)}: {place}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for place in parsed(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_it_would_be_found() -> None:
    """Each of the ways in which prose was parsed before."""
    seeded = """
'inside the interval' in reason.text
re.search(r"not reached (\\d+)", finding.why)
answer.breaks.split(" × ")
reason.text.startswith(("schedule_kept", "cpu "))
point.why == "the line was not reached"
"""
    assert len(list(parsed(seeded))) == 5
    harmless = """
if answer.why: print(answer.why)
f"{reason.text}; and more"
text.partition("=")
"cancel" in names
"""
    assert not list(parsed(harmless))
