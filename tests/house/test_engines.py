"""What others need to know of an engine of order, the engine says itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import surgetank as st
from surgetank.scenario.consensus import Engine

PACKAGE = Path(st.__file__).parent


def sections(of: type[Engine]) -> Iterator[type[Engine]]:
    """The sections of engines; what some have in common is none."""
    for section in of.__subclasses__():
        yield from sections(section)
        if not section.__subclasses__():
            yield section


CLASSES = {engine.__name__ for engine in sections(Engine)}
KINDS = {engine.model_fields["kind"].default for engine in sections(Engine)}


def asked(code: str) -> Iterator[str]:
    """Places that ask which engine there is: by class, or by a comparison of its kind."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and {name.name for name in node.names} & CLASSES:
            yield ast.unparse(node)
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            named = any(isinstance(x, ast.Constant) and x.value in KINDS for x in sides)
            if named and "consensus" in ast.unparse(node):
                yield ast.unparse(node)


def test_only_properties_of_engines_are_read_it_is() -> None:
    """But the sections themselves, and whoever sets a scenario's engine."""
    files = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "scenario"]
    found = [f"{p.name}: {at}" for p in sorted(files) for at in asked(p.read_text("utf-8"))]
    assert len(CLASSES) >= 5 and len(files) > 200 and found == []


@pytest.mark.parametrize(
    "seeded",
    [
        "from surgetank.scenario.consensus import Tendermint",
        'scenario.layer.consensus.kind == "single"',
        'ask("layer.consensus.kind") != "tendermint"',
    ],
)
def test_who_asks_is_found(seeded: str) -> None:
    """The control: the ways in which it was asked."""
    assert len(list(asked(seeded))) == 1
    assert list(asked('{"layer.consensus": {"kind": "tendermint"}}')) == []


def asked_in_rust(code: str) -> list[str]:
    """Variants of the registry of engines that are named."""
    variants = "|".join(kind.capitalize() for kind in sorted(KINDS))
    return re.findall(rf"\b(?:Ordering|Consensus)::(?:{variants})\b", code)


def test_no_machine_and_no_host_asks_either() -> None:
    """The registry apart; the control is a line as there were some."""
    crates = PACKAGE.parents[1] / "crates"
    files = [p for name in ("layer", "lab") for p in (crates / name / "src").rglob("*.rs")]
    found = {path.name: asked_in_rust(path.read_text("utf-8")) for path in files}
    assert len(files) > 150 and {name: at for name, at in found.items() if at} == {}
    assert asked_in_rust("Consensus::Single { node, .. } => Some(node)") == ["Consensus::Single"]
