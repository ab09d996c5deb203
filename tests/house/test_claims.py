"""Paths, names, keys and commands that the documents mention exist."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import surgetank as st
from surgetank.catalogue import CATALOGUE, LIMITS
from surgetank.cli import app
from surgetank.search.goal import goal
from surgetank.search.probe import RunOutcome

ROOT = Path(__file__).resolve().parents[2]
#: What is true today; decisions and the change log say what was true then.
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "ARCHITECTURE.md"])
FOLDERS = ("crates", "python", "tests", "docs", "packaging", "benchmarks")
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
    known = (
        KEYS
        | {"network.preset"}
        | {f"limits.{name}" for name in LIMITS}
        | {f"measure.{name}" for name in CATALOGUE}
    )
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


#: Rooms whose entries ARCHITECTURE.md lists.
ROOMS = [*sorted(ROOT.glob("crates/*/src")), ROOT / "python/surgetank"]
#: What every crate or package has, and what the compiled core leaves there.
EVERYWHERE = {"__init__", "__pycache__", "_core", "lib", "py"}


def unlisted(room: Path, text: str) -> list[str]:
    """Files and folders of a room that a text names neither by path nor by name."""
    entries = [one for one in room.iterdir() if one.name.split(".")[0] not in EVERYWHERE]
    named = set(re.findall(r"`([\w./-]+)`", text))
    return sorted(
        str(one.name) for one in entries if not {one.name, str(one.relative_to(ROOT))} & named
    )


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_architecture_lists_every_part(room: Path) -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert unlisted(room, text) == []


def test_a_part_that_is_not_listed_is_seen() -> None:
    """The controls: a folder, a file with its path, a file beside another."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for room, name in (("lab", "waits"), ("lab", "agenda.rs"), ("lab", "slab.rs")):
        folder = ROOT / "crates" / room / "src"
        without = text.replace(f"`{name}`", "").replace(f"`crates/{room}/src/{name}`", "")
        assert unlisted(folder, without) == [name]


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


def anchors(text: str) -> set[str]:
    """What a page's headings are called in links, as GitHub writes them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = (one.lower() for one in re.findall(r"^#+ (.*)$", prose, re.MULTILINE))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def missing_anchors(page: Path, text: str) -> list[str]:
    """Links of a page to a heading that its page, or another, does not have."""
    found = []
    for file, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)]+)\)", text):
        other = (page.parent / file).read_text(encoding="utf-8") if file else text
        found += [] if anchor in anchors(other) else [f"{file}#{anchor}"]
    return found


def test_anchors_exist() -> None:
    for page in [*PAGES, *ROOT.glob("docs/decisions/*.md")]:
        assert missing_anchors(page, page.read_text(encoding="utf-8")) == [], page.name
    seeded = "# Here\n[a](#here) [b](#gone) [c](concepts.md#verdicts) [d](concepts.md#gone)"
    assert missing_anchors(ROOT / "docs/seeded.md", seeded) == ["#gone", "concepts.md#gone"]


#: What makes the pictures of docs/pictures, by the first words of their names.
MADE_BY = {
    "book": "benchmarks/picture.py",
    "coordinated-omission": "benchmarks/omission.py",
    "frontier": "surgetank frontier",
    "gallery": "docs/gallery.py",
    "prediction": "benchmarks/predict.py",
    "report": "benchmarks/picture.py",
    "risk": "benchmarks/picture.py",
}


def unexplained_pictures(text: str) -> list[str]:
    """Pictures on a page that does not name the script or command that makes them."""
    shown = re.findall(r"\]\(pictures/([\w/-]+)\.\w+\)", text)
    makers = {one: next(m for name, m in MADE_BY.items() if one.startswith(name)) for one in shown}
    return [one for one, maker in makers.items() if maker not in text]


def test_pictures_name_what_makes_them() -> None:
    pictures = {path.stem for path in (ROOT / "docs/pictures").iterdir()}
    assert {one for one in pictures if not one.startswith(tuple(MADE_BY))} == set()
    pages = {page.name: page.read_text(encoding="utf-8") for page in ROOT.glob("docs/*.md")}
    assert {
        name: found for name, text in pages.items() if (found := unexplained_pictures(text))
    } == {}
    seeded = pages["frontier.md"].replace("surgetank frontier", "surgetank")
    assert unexplained_pictures(seeded) == ["frontier"]


def capacity_breaks(**values: float) -> bool:
    """Whether a run with these measures is beyond capacity, where the unloaded p99 is 1 ms."""
    outcome = RunOutcome("r", 0.0, 0, 0, values, (), (), (), ())
    return goal("capacity").broke(outcome, 1.0)


def test_capacity_is_defined_once() -> None:
    """Glossary and search name the measures and the numbers by which the search judges a run."""
    for page, row in (("glossary", "| throughput capacity |"), ("search", "| `capacity` |")):
        text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
        (line,) = [one for one in text.splitlines() if one.startswith(row)]
        assert {"executed_share", "99 %"} <= set(re.findall(r"executed_share|99 %", line))
        assert re.search(r"p99 latency above (twice|2 ×) its unloaded value", line)
    assert not capacity_breaks(delay_p99_ms=2.0, executed_share=0.99)
    assert capacity_breaks(delay_p99_ms=2.01, executed_share=0.99)
    assert capacity_breaks(delay_p99_ms=2.0, executed_share=0.989)
