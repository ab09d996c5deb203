"""docs/glossary.md: one word, one meaning, and every place that it names is there."""

from __future__ import annotations

import importlib
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from avoided_words import HEADING, avoided
from surgetank import _core, errors
from surgetank.catalogue import CATALOGUE
from surgetank.cli import app
from surgetank.live import SYSTEMS
from surgetank.search.goal import FINDS
from surgetank.verdict import EXIT_CODES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
SCENARIO = json.loads((ROOT / "docs/scenario.schema.json").read_text(encoding="utf-8"))
#: As `attack.accounts`, whatever the kind that has it.
KEYS = {
    re.sub(r"\[kind = [\w-]+\]", "", key)
    for key in re.findall(r"^### `(.+)`$", (ROOT / "docs/scenario.md").read_text(), re.MULTILINE)
}
BY_HAND = re.compile(r"^\| term \|.*?(?=^## )", re.MULTILINE | re.DOTALL)


def rows(text: str) -> list[tuple[str, str, str]]:
    """Term, definition and places of each row that is written by hand."""
    table = BY_HAND.search(text)
    assert table is not None
    cells = [re.split(r" *\| *", line)[1:-1] for line in table[0].strip().splitlines()[2:]]
    return [(term, meaning, places) for term, meaning, _, places in cells]


def disorder(text: str) -> list[str]:
    """Terms that are defined twice, not at all, or stand before their alphabetical place."""
    terms = [term.lower() for term, _, _ in rows(text)]
    twice = [term for term in terms if terms.count(term) > 1]
    empty = [term for term, meaning, _ in rows(text) if len(meaning.split()) < 3]
    return [*twice, *empty, *(b for a, b in itertools.pairwise(terms) if b < a)]


def in_rust(place: str) -> bool:
    """`layer::node::Engine`: an item of that name is declared in the crate, under that path."""
    crate, *modules, name = place.split("::")
    item = re.compile(rf"\b(struct|enum|trait|fn|type|const) {name}\b")
    under = "/".join(modules)
    sources = (ROOT / "crates" / crate / "src").rglob("*.rs")
    return any(under in str(path) and item.search(path.read_text()) for path in sources)


def in_python(place: str) -> bool:
    """`surgetank.verdict.EXIT_CODES`: it can be imported."""
    module, _, name = place.rpartition(".")
    try:
        if not module or hasattr(importlib.import_module(module), name):
            return True
        importlib.import_module(place)
    except ImportError:
        return False
    return True


def exists(place: str) -> bool:
    """A path, an item of Rust or Python, a measure, a table, a column, or a scenario's key."""
    if "::" in place:
        return in_rust(place)
    if place.startswith("surgetank."):
        return in_python(place)
    if "/" in place:
        return (ROOT / place).exists()
    table, _, column = place.partition(".")
    columns = {name for name, _, _ in _core.schema().get(table, [])}
    known = place in KEYS | {"venue"} or place in CATALOGUE
    return known or (table in _core.schema() and (not column or column in columns))


def missing_places(text: str) -> list[str]:
    """Places that the page names and that do not exist; a term without any place is one."""
    found = []
    for term, _, places in rows(text):
        named = re.findall(r"`([^`]+)`", places)
        found += [place for place in named if not exists(place)] if named else [term]
    return found


def constants(schema: Any) -> Iterator[str]:
    """Every text that a JSON schema fixes: kinds, and names that a key can have."""
    if isinstance(schema, dict):
        if isinstance(schema.get("const"), str):
            yield schema["const"]
        yield from (one for one in schema.get("enum", []) if isinstance(one, str))
        for part in schema.values():
            yield from constants(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from constants(part)


def exported() -> set[str]:
    """Names that a user meets: tables, cells, kinds, parts of measures, verdicts, targets."""
    found = {*_core.schema(), *SYSTEMS, *FINDS, *map(str, EXIT_CODES)}
    found |= {name for names in _core.names().values() for name in names if name}
    found |= set(constants(SCENARIO))
    found |= {name for name in errors.__all__ if name.startswith("EXIT_")}
    families = {s.family.name: s.family for s in CATALOGUE.values() if s.family is not None}
    return found | {member for family in families.values() for member in family.members}


def unnamed(text: str) -> list[str]:
    """Exported names that the page lacks."""
    return sorted(name for name in exported() if f"`{name}`" not in text)


def test_terms_are_sorted_and_defined_once() -> None:
    assert disorder(PAGE) == []


def test_disorder_is_seen() -> None:
    """The controls: a term twice, one out of place, one without a meaning."""
    account, actor = (
        re.search(rf"^\| {t} \|.*\n", PAGE, re.MULTILINE) for t in ("account", "actor")
    )
    assert account is not None and actor is not None
    assert disorder(PAGE.replace(account[0], account[0] * 2)) == ["account", "account"]
    moved = PAGE.replace(account[0], "").replace(actor[0], actor[0] + account[0])
    assert disorder(moved) == ["account"]
    assert disorder(PAGE.replace(account[0], "| account | money | | `messages` |\n")) == ["account"]


def test_every_place_exists() -> None:
    assert missing_places(PAGE) == []


def test_a_place_that_is_gone_is_seen() -> None:
    """The controls: one of each kind."""
    gone = (
        "crates/lab/src/gone.rs",
        "layer::node::Gone",
        "surgetank.gone",
        "surgetank.verdict.Gone",
    )
    for place in (*gone, "layer.queue.gone", "messages.gone", "gone_p99_ms"):
        assert missing_places(PAGE.replace("`messages.account`", f"`{place}`")) == [place]
    assert missing_places(PAGE.replace("`messages.account`", "")) == ["account"]


def test_every_exported_name_is_there() -> None:
    assert len(exported()) > 150
    assert unnamed(PAGE) == []


def test_a_name_that_is_not_there_is_seen() -> None:
    """The controls: a kind of fault, a reason, a resource, an attack, a verdict."""
    for name in ("disk-full", "fee too low", "book-depth", "stampede", "INVALID", "EXIT_BROKE"):
        assert unnamed(PAGE.replace(f"`{name}`", "")) == [name]


def test_pages_avoid_these_words() -> None:
    """In the pages, in sentences of scenario keys and measures, and in help texts."""
    pages = [*ROOT.glob("docs/*.md"), *ROOT.glob("*.md")]
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    del texts["CHANGELOG.md"]
    texts["CONTRIBUTING.md"] = texts["CONTRIBUTING.md"].partition(HEADING)[0]
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        texts[name] = "\n".join([command.help, *(p.help or "" for p in command.params)])
    assert {name: found for name, text in texts.items() if (found := avoided(text))} == {}


def test_a_word_to_avoid_is_seen() -> None:
    """The controls."""
    assert avoided("It is told by nobody, for `so long`.") == ["told", "nobody"]
    assert avoided("They gave way.\n```\nmend\n```") == ["gave way"]


def test_readme_links_to_it() -> None:
    assert "](docs/glossary.md)" in (ROOT / "README.md").read_text()
