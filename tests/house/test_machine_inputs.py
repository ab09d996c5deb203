"""No machine has an input that only a test could send: the code builds every variant of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in sorted(ROOT.glob("crates/*/src/**/*.rs"))
}
_ENUM = re.compile(r"pub enum Input(?:<\w+>)? \{\n(.*?)\n\}", re.S)
_VARIANT = re.compile(r"^    ([A-Z]\w*)", re.M)
_CLOSES = {"(": ")", "{": "}"}


def module(path: str) -> str:
    """The name of a file's module."""
    return Path(path).parent.name if path.endswith("/mod.rs") else Path(path).stem


def variants(text: str) -> list[str]:
    """The variants of the `Input` that a file declares; none if it declares none."""
    found = _ENUM.search(text)
    return _VARIANT.findall(found.group(1)) if found else []


def after(text: str, at: int) -> str:
    """What follows a variant's fields."""
    rest = text[at:].lstrip()
    if rest[:1] not in _CLOSES:
        return rest
    opens, closes = rest[0], _CLOSES[rest[0]]
    depth = 0
    for index, letter in enumerate(rest):
        depth += (letter == opens) - (letter == closes)
        if depth == 0:
            return rest[index + 1 :].lstrip()
    return ""


def built(text: str, name: str) -> Iterator[str]:
    """The variants of the module's `Input` that a text builds; a pattern builds none."""
    imported = re.search(rf"\b{name}::(?:Input\b|\{{[^;]*\bInput\b)", text)
    prefix = r"\bInput" if imported else rf"\b{name}::Input"
    for found in re.finditer(rf"{prefix}::([A-Z]\w*)", text):
        if not re.match(r"=>|\||if |= ", after(text, found.end())):
            yield found.group(1)


def unsent(sources: Mapping[str, str]) -> list[str]:
    """Inputs that no file outside their own machine builds."""
    missing = []
    for path, text in sources.items():
        name, declared = module(path), variants(text)
        others = [other for at, other in sources.items() if at != path and declared]
        sent = {variant for other in others for variant in built(other, name)}
        missing += [f"{path}: Input::{one}" for one in declared if one not in sent]
    return missing


def test_every_input_is_sent_by_the_code() -> None:
    assert sum(bool(variants(text)) for text in SOURCES.values()) >= 10
    assert unsent(SOURCES) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("use crate::lamp::Input;\nfn on() { step(Input::On); step(Input::Dim { to: 3 }) }", []),
        ("fn on() { step(lamp::Input::On); step(lamp::Input::Dim { to: 3 }) }", []),
        ("fn on() { step(lamp::Input::On) }", ["a/lamp.rs: Input::Dim"]),
        ("fn on() { step(Input::On); step(Input::Dim { to: 3 }) }", ["On", "Dim"]),
        (
            "use crate::lamp::{Input, Lamp};\nmatch i { Input::On => 1, Input::Dim { to } => to }",
            ["On", "Dim"],
        ),
    ],
)
def test_an_input_that_no_code_sends_is_found(code: str, found: list[str]) -> None:
    lamp = "pub enum Input {\n    /// On.\n    On,\n    Dim {\n        to: u8,\n    },\n}\n"
    said = unsent({"a/lamp.rs": lamp, "a/room.rs": code})
    assert len(said) == len(found) and all(
        one.endswith(other) for one, other in zip(said, found, strict=True)
    )
