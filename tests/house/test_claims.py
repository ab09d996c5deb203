"""Paths, names, keys and commands that the documents mention exist."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

import surgetank as st
from surgetank.catalogue import CATALOGUE, LIMITS
from surgetank.cli import app

ROOT = Path(__file__).resolve().parents[2]
#: What is true today; decisions and the change log say what was true then.
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "ARCHITECTURE.md"])
FOLDERS = ("crates", "python", "tests", "docs", "scenarios", "benchmarks")
PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`")
KEYS = {
    re.sub(r"\[kind = [\w-]+\]", "", key)
    for key in re.findall(r"^### `(.+)`$", (ROOT / "docs/scenario.md").read_text(), re.MULTILINE)
}


def missing_paths(text: str) -> list[str]:
    """Paths from the root that are not there."""
    return [path for path in PATH.findall(text) if not (ROOT / path).exists()]


def missing_files(text: str) -> list[str]:
    """Files that a row of a table names beside a path, and that are not under it."""
    found = []
    for row in re.findall(r"^\| `[\w/]+/.*$", text, flags=re.MULTILINE):
        path = ROOT / PATH.findall(row)[0]
        under = path if path.is_dir() else path.parent
        names = re.findall(r"`([\w/]+\.(?:rs|py|json))`", row)
        places = (under, under.parent, ROOT)
        found += [
            n for n in names if not (any((p / n).exists() for p in places) or [*under.rglob(n)])
        ]
    return found


def missing_names(text: str) -> Iterator[str]:
    """`surgetank.measure.places` that cannot be imported."""
    attributes = {"class"}  # Of OpenTelemetry.
    for name in re.findall(r"`surgetank\.([\w.]+)`", text):
        module, parts = importlib.import_module("surgetank"), name.split(".")
        while parts:
            try:
                module = importlib.import_module(f"{module.__name__}.{parts[0]}")
            except ImportError:
                break
            parts.pop(0)
        thing: object = module
        for part in parts:
            thing = getattr(thing, part, None)
        if thing is None and name not in attributes:
            yield name


def missing_keys(text: str) -> list[str]:
    """Dotted keys of a scenario that there are not."""
    sections = "flow|network|layer|market|faults|attack|limits|trace"
    named = re.findall(rf"`((?:{sections})\.[a-z_]+(?:\.[a-z_]+)*)`", text)
    known = KEYS | {f"limits.{name}" for name in LIMITS} | {f"measure.{name}" for name in CATALOGUE}
    return [key for key in named if key not in known and not key.endswith((".rs", ".md"))]


def commands() -> dict[str, set[str]]:
    """Command → its options."""
    group: Any = typer.main.get_command(app)
    return {
        name: {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
        for name, command in group.commands.items()
    }


def missing_commands(text: str) -> Iterator[str]:
    """Commands of surgetank, and their options, that there are not."""
    known = commands()
    blocks = "\n".join(re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL))
    lines = re.findall(r"^(?:\$ )?surgetank ([a-z][^\n#|&]*)", blocks, flags=re.MULTILINE)
    for line in [*lines, *re.findall(r"`surgetank ([a-z][^`]*)`", text)]:
        name, *rest = line.split()
        if name not in known:
            yield name
        else:
            options = {one.strip("[]()…,.").partition("=")[0] for one in rest if "--" in one}
            yield from (f"{name} {one}" for one in sorted(options - known[name]))


def test_paths_exist() -> None:
    assert len(PATH.findall("".join(page.read_text() for page in PAGES))) > 100
    assert [
        f"{page.name}: {path}" for page in PAGES for path in missing_paths(page.read_text())
    ] == []
    seeded = "`crates/layer/src/gone.rs` and `crates/layer/src`"
    assert missing_paths(seeded) == ["crates/layer/src/gone.rs"]


def test_files_in_rows_exist() -> None:
    """ARCHITECTURE.md names files of a folder without the folder."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert missing_files(text) == []
    assert missing_files(text.replace("`builder.rs`", "`gone.rs`")) == ["gone.rs"]


def test_names_can_be_imported() -> None:
    assert [f"{p.name}: {name}" for p in PAGES for name in missing_names(p.read_text())] == []
    assert list(missing_names("`surgetank.measure.gone`, `surgetank.gone.x`")) == [
        "measure.gone",
        "gone.x",
    ]


def test_keys_exist() -> None:
    assert [f"{p.name}: {key}" for p in PAGES for key in missing_keys(p.read_text())] == []
    assert missing_keys("`layer.queue.rule` and `layer.queue.gone`") == ["layer.queue.gone"]


def test_commands_exist() -> None:
    """Only the words: whether a command does what is said, other tests ask."""
    assert [f"{p.name}: {what}" for p in PAGES for what in missing_commands(p.read_text())] == []
    block = "```\n$ surgetank run calm --gone 3 --seed 7\nsurgetank search x --json\n```"
    assert sorted(missing_commands(f"{block} `surgetank gone`")) == ["gone", "run --gone"]


def missing_imports(text: str) -> Iterator[str]:
    """Names that a Python block imports from surgetank, and that are not there."""
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("surgetank"):
                module = importlib.import_module(node.module or "")
                yield from (a.name for a in node.names if not hasattr(module, a.name))
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "st":
                yield from () if hasattr(st, node.attr) else (node.attr,)


def test_python_blocks_use_what_there_is() -> None:
    assert [f"{p.name}: {name}" for p in PAGES for name in missing_imports(p.read_text())] == []
    seeded = "```python\nfrom surgetank.options import gone\nst.run(st.gone)\n```"
    assert sorted(missing_imports(seeded)) == ["gone", "gone"]


def unreachable(texts: dict[str, str]) -> set[str]:
    """Pages of docs/ that no chain of links from README.md leads to."""
    reached, ahead = set(), ["README.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached:
            reached.add(page)
            links = re.findall(r"\]\((?:docs/)?([\w.-]+\.md)", texts.get(page, ""))
            ahead += [link for link in links if link in texts]
    return set(texts) - reached


def test_readme_leads_to_every_page() -> None:
    texts = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
    assert unreachable(texts) == set()
    assert unreachable(texts | {"lonely.md": ""}) == {"lonely.md"}
