"""What is public, what classes are called, and that every test is run."""

from __future__ import annotations

import ast
import re
import types
from collections import Counter
from pathlib import Path

import pytest

import surgetank as st

ROOT = Path(__file__).resolve().parents[2]


def test_public_names_are_all_and_only_those() -> None:
    """`__all__` is sorted, and every name in it is there."""
    assert st.__all__ == sorted(st.__all__)
    assert [name for name in st.__all__ if not hasattr(st, name)] == []
    seen = {
        name
        for name in dir(st)
        if not name.startswith("_") and not isinstance(getattr(st, name), types.ModuleType)
    }
    assert seen - {"TYPE_CHECKING", "export_lazily"} == set(st.__all__) - {"__version__"}


def unlisted(tests: Path) -> set[str]:
    """Files and folders of a crate's tests that its `all.rs`, the only binary, does not name."""
    there = {path.stem for path in tests.iterdir() if path.stem != "all"}
    return there - set(re.findall(r"^mod (\w+);", (tests / "all.rs").read_text(), re.MULTILINE))


def test_every_rust_test_is_in_its_binary(tmp_path: Path) -> None:
    """A file that `all.rs` forgets would be compiled by no one; the control is such a file."""
    crates = Path(__file__).resolve().parents[2] / "crates"
    found = {path.parent.name: unlisted(path) for path in crates.glob("*/tests")}
    assert len(found) >= 3 and set().union(*found.values()) == set()
    for name in ("all", "rig", "forgotten"):
        (tmp_path / f"{name}.rs").write_text("mod rig;\n")
    assert unlisted(tmp_path) == {"forgotten"}


def missing_tests(text: str) -> list[str]:
    """Test files that a recipe names and that do not exist."""
    found = re.findall(r"(?<![\w/])(?:tests/)?(\w+/test_\w+\.py)", text)
    return [name for name in found if not (ROOT / "tests" / name).is_file()]


@pytest.mark.parametrize("recipe", ["Makefile", ".ci/run", "docs/CONTRIBUTING.md"])
def test_recipes_name_tests_that_exist(recipe: str) -> None:
    """pytest would stop there; the control is a file that was moved."""
    text = (ROOT / recipe).read_text("utf-8")
    assert missing_tests(text) == []
    assert missing_tests(f"{text} pytest cli/test_cli.py tests/cli/test_gone.py") == [
        "cli/test_gone.py"
    ]


def of_one_name(tests: Path) -> list[str]:
    """Basenames of several test files: pytest cannot import both, since folders are no packages."""
    counted = Counter(path.name for path in tests.rglob("test_*.py"))
    return [name for name, count in counted.items() if count > 1]


def test_names_of_test_files_are_unique(tmp_path: Path) -> None:
    """The control has one name in two folders."""
    assert of_one_name(ROOT / "tests") == []
    for folder in ("tape", "positions"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test_reading.py").touch()
    assert of_one_name(tmp_path) == ["test_reading.py"]


def namesakes(package: Path) -> dict[str, set[str]]:
    """Names that several public classes of a package have, and the rooms in which these stand."""
    rooms: dict[str, list[str]] = {}
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                rooms.setdefault(node.name, []).append(room)
    return {name: set(where) for name, where in rooms.items() if len(where) > 1}


def test_a_class_name_has_one_meaning(tmp_path: Path) -> None:
    """No two public classes share a name."""
    assert namesakes(Path(st.__file__).parent) == {}
    for room in ("search", "league"):
        (tmp_path / f"{room}.py").write_text("class Line: ...\nclass _Own: ...\n")
    assert namesakes(tmp_path) == {"Line": {"league", "search"}}


#: What every machine has, under the name of its module: `gossip::Config`, `queue::Input`.
OF_EVERY_MACHINE = {"Config", "Input", "Output", "State"}


def rust_namesakes(crate: Path) -> dict[str, set[str]]:
    """Names that several public types of a crate have, and the modules in which these stand."""
    modules: dict[str, list[str]] = {}
    for path in (crate / "src").rglob("*.rs"):
        module = path.relative_to(crate / "src").parts[0].removesuffix(".rs")
        text = path.read_text("utf-8")
        for name in re.findall(r"^pub (?:struct|enum|trait|type) (\w+)", text, re.MULTILINE):
            modules.setdefault(name, []).append(module)
    return {
        name: set(where)
        for name, where in modules.items()
        if len(where) > 1 and name not in OF_EVERY_MACHINE
    }


def test_a_type_name_has_one_meaning_in_its_crate(tmp_path: Path) -> None:
    """But for the parts of every machine; the control is a crate with a name of two types."""
    crates = [path for path in (ROOT / "crates").iterdir() if (path / "src").is_dir()]
    found = {crate.name: rust_namesakes(crate) for crate in crates}
    assert len(found) > 4 and not any(found.values()), found
    (tmp_path / "src").mkdir()
    for module in ("gossip", "queue"):
        text = "pub struct Ticket;\npub struct Config;\nstruct Own;\n"
        (tmp_path / f"src/{module}.rs").write_text(text)
    assert rust_namesakes(tmp_path) == {"Ticket": {"gossip", "queue"}}
