"""What the documents claim and can be checked, is."""

from __future__ import annotations

import ast
import re
import runpy
import statistics
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer

import surgetank as st
from surgetank.cli import app
from surgetank.live import SYSTEMS
from surgetank.trace import CHUNK_ROWS, SCHEMA, STAGES

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
#: The change log has a line of any length for each change.
WRAPPED = [page for page in PAGES if page.name not in {"CHANGELOG.md", "README.md"}]
#: Made by running or building, not kept in the repository.
MADE = ("target", ".venv", "runs/")


def tracked() -> list[str]:
    """Files in the repository."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_paths_in_architecture_exist() -> None:
    """Every path that ARCHITECTURE.md names is there."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    named = set(re.findall(r"`((?:crates|python|tests|docs|scenarios|benchmarks)/[\w./-]+)`", text))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links and pictures exist."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    local = [link for link in links if "://" not in link and not link.startswith(MADE)]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_toml_blocks_are_scenarios(page: Path) -> None:
    """Every whole scenario shown in a document is one."""
    for block in re.findall(r"```toml\n(.*?)```", page.read_text(), flags=re.DOTALL):
        if re.search(r"^name = ", block, flags=re.MULTILINE):
            st.Scenario.from_toml(block, place=page.name)


PROSE_COLUMNS = 120


def wide_lines(page: str) -> list[int]:
    """Numbers of the lines of prose above 120 columns: neither code, table, heading nor picture,
    nor what a single word (a link) makes that long."""
    found, code = [], False
    for number, line in enumerate(page.splitlines(), start=1):
        if line.startswith("```"):
            code = not code
        elif not code and not line.startswith(("|", "#", "![")) and len(line) > PROSE_COLUMNS:
            found += [number] if len(line.split()) > 1 else []
    return found


@pytest.mark.parametrize("page", WRAPPED, ids=lambda page: str(page.relative_to(ROOT)))
def test_prose_is_wrapped(page: Path) -> None:
    """At 120 columns, so that a change shows in a diff as what it is."""
    assert wide_lines(page.read_text(encoding="utf-8")) == []


def test_a_wide_line_is_seen() -> None:
    """The control."""
    wide = "word " * 25
    assert wide_lines(f"{wide}\n| {wide} |\n```\n{wide}\n```\n- {wide}\n{'x' * 130}") == [1, 6]


def test_every_target_has_a_page() -> None:
    """docs/targets.md names each, and links to where its limits are said."""
    text = (ROOT / "docs/targets.md").read_text()
    assert [scheme for scheme in SYSTEMS if f"`{scheme}:`" not in text] == []
    pages = {path.name for path in ROOT.glob("docs/target-*.md")}
    assert pages == set(re.findall(r"\]\((target-[\w]+\.md)\)", text))


@pytest.mark.soak
def test_worked_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands; what it writes goes to an empty folder."""
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "docs" / "frontier_example.py"))


def test_root_fits_in_one_look() -> None:
    """At most fourteen visible entries at the root."""
    entries = {path.split("/")[0] for path in tracked()}
    assert len([entry for entry in entries if not entry.startswith(".")]) <= 14


def test_files_stay_small() -> None:
    """No source file over 500 lines; the median at most 150."""
    sources = [path for path in tracked() if path.endswith((".rs", ".py"))]
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in sources}
    assert {path: n for path, n in lengths.items() if n > 500} == {}
    assert statistics.median(lengths.values()) <= 150


FUNCTION_LINES_MAX = 70


def long_functions(code: str) -> list[str]:
    """Functions of more lines than that, without their signature, docstring and decorators."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > FUNCTION_LINES_MAX:
                found.append(f"{node.name}: {lines}")
    return found


def test_functions_stay_small() -> None:
    """At most 70 lines; Clippy counts those of Rust."""
    sources = [path for path in tracked() if path.endswith(".py")]
    found = {path: long_functions((ROOT / path).read_text()) for path in sources}
    assert {path: names for path, names in found.items() if names} == {}
    for lines, expected in ((70, []), (71, ["f: 71"])):
        assert long_functions("def f():\n  '''Doc.'''\n" + "  x = 1\n" * lines) == expected
    assert f"too-many-lines-threshold = {FUNCTION_LINES_MAX}" in (ROOT / ".clippy.toml").read_text()
    lints = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["lints"]["clippy"]
    assert lints["too_many_lines"] == "warn"


def test_no_test_asserts_a_timing() -> None:
    """None so much as takes one; waiting for something until a deadline uses `monotonic`."""
    timing = re.compile(r"\b(perf_counter|process_time|thread_time|timeit|time\.time)(_ns)?\(")
    assert timing.search("assert time.perf_counter() - start < 1") is not None
    tests = [path for path in tracked() if path.startswith("tests/") and path.endswith(".py")]
    own = str(Path(__file__).relative_to(ROOT))
    assert [p for p in tests if p != own and timing.search((ROOT / p).read_text())] == []


def test_numbers_in_architecture() -> None:
    """Its commands, the stamps of a message and the rows of a chunk are those of the code."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert f"chunks of {CHUNK_ROWS:,} rows" in text
    stamps = re.findall(r"^\| `(\w+_ns)` \|", text, flags=re.MULTILINE)
    columns = [name for name in SCHEMA["messages"] if name in stamps]
    assert stamps == columns and len(stamps) == len(STAGES) + 2
    listed = re.search(r"`(run · [a-z· ]+)`", text)
    assert listed is not None
    assert listed[1].split(" · ") == list(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_no_names_that_admit_anything() -> None:
    """No utils, common, core, types, helpers, manager, engine, base, misc."""
    vague = re.compile(
        r"(^|/)(utils?|common|core|types|helpers?|manager|engine|base|misc)(\.(rs|py)|/)"
    )
    assert [path for path in tracked() if vague.search(path)] == []


def test_scenario_reference_is_current() -> None:
    """docs/scenario.md, docs/measures.md, docs/glossary.md and the tables of docs/faults.md are
    what docs/reference.py writes."""
    namespace = runpy.run_path(str(ROOT / "docs" / "reference.py"))
    assert (ROOT / "docs/scenario.md").read_text() == namespace["page"]()
    assert (ROOT / "docs/measures.md").read_text() == namespace["measures"]()
    assert (ROOT / "docs/glossary.md").read_text() == namespace["glossary"]()
    assert (ROOT / "docs/faults.md").read_text() == namespace["faults"]()


def unexplained(source: str) -> list[str]:
    """What the header of a machine's module lacks."""
    header = "".join(line for line in source.splitlines(True) if line.startswith("//!"))
    return [
        w for w in ("Rules", "Theory") if not re.search(rf"^//! (# )?{w}", header, re.MULTILINE)
    ]


def test_machines_state_their_rules() -> None:
    """Every module of `layer` with a machine says its rules and its theory of operation; the two
    of gossip do so apart from the module that chooses between them."""
    sources = sorted((ROOT / "crates/layer/src").rglob("*.rs"))
    machines = {path: path.read_text() for path in sources if "Machine for " in path.read_text()}
    assert len(machines) > 10
    lacking = {str(path.relative_to(ROOT)): unexplained(text) for path, text in machines.items()}
    chooser = {"crates/layer/src/gossip/mod.rs": ["Rules", "Theory"]}
    assert {path: names for path, names in lacking.items() if names} == chooser
