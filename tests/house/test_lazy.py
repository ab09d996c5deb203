"""What a fresh interpreter loads: `import surgetank`, help and completion need no heavy library."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest

import surgetank as st
from surgetank.lazy import export_lazily

HEAVY = {"numpy", "polars", "psutil", "scipy", "surgetank._core"}
#: Packages that lend names of their modules.
LENDING = ("surgetank", "surgetank.scenario", "surgetank.live")


def loaded(code: str, *, among: set[str] = HEAVY, shell: Mapping[str, str] = {}) -> set[str]:
    """Which of some modules a fresh interpreter has loaded after it ran the code."""
    reported = f"\nfinally:\n sys.stderr.write(' '.join({among!r} & set(sys.modules)))"
    lines = ["import sys", "try:", *(f" {line}" for line in code.splitlines())]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines) + reported],
        capture_output=True,
        text=True,
        env=os.environ | dict(shell),
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def command(*words: str) -> str:
    """Runs the command line in the interpreter."""
    return f"sys.argv = {['surgetank', *words]!r}\nfrom surgetank.cli import main\nmain()"


@pytest.mark.parametrize(
    "code",
    ["import surgetank", command("--help"), command("search", "--help")],
    ids=["import", "help", "help of a command"],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    """Neither by the import nor by help."""
    assert loaded(code) == set()


@pytest.mark.parametrize("words", ["surgetank ru", "surgetank run bl", "surgetank search --fi"])
def test_completion_loads_nothing_heavy(words: str) -> None:
    """A shell asks at every press of the tabulator key."""
    asked = {
        "_SURGETANK_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    assert loaded(command(), shell=asked) == set()


@pytest.mark.parametrize("module", ["surgetank.live.driver.worker", "surgetank.live.proxy"])
def test_processes_of_a_live_run_load_little(module: str) -> None:
    """They start at every run: neither tables nor scenarios nor the core."""
    heavy = {"polars", "scipy", "surgetank._core", "surgetank.scenario", "surgetank.trace"}
    assert loaded(f"import {module}", among=heavy) == set()


def test_what_is_loaded_is_seen() -> None:
    """The control, and that a use of a name loads what it works with."""
    assert loaded(f"import {', '.join(sorted(HEAVY))}") == HEAVY
    assert "polars" in loaded("import surgetank\nsurgetank.search")


def test_what_simulates_loads_nothing_of_live_runs() -> None:
    """Neither a run nor a search, nor its worker processes; the control is a live run's rig."""
    live = {"asyncio", "surgetank.live.driver.rig"}
    assert loaded("import surgetank\nsurgetank.run, surgetank.search", among=live) == set()
    assert loaded("import surgetank.live\nsurgetank.live.Rig", among=live) == live


def listings(package: str) -> tuple[set[str], set[str], set[str]]:
    """Names that a package's `__init__` imports for type checkers, has in `__all__`, and lends, the
    first and the last with the modules that they stand in."""
    tree = ast.parse(Path(import_module(package).__file__ or "").read_text())
    checked, public, lent = set[str](), set[str](), set[str]()
    for node in tree.body:
        if isinstance(node, ast.If):
            for entry in node.body:
                assert isinstance(entry, ast.ImportFrom)
                checked |= {f"{entry.module}.{alias.name}" for alias in entry.names}
        elif isinstance(node, ast.Assign):
            public = set(ast.literal_eval(node.value))
        elif isinstance(node, ast.Expr) and ast.unparse(node).startswith("export_lazily("):
            assert isinstance(node.value, ast.Call)
            homes: dict[str, list[str]] = ast.literal_eval(node.value.args[1])
            lent = {f"{package}.{home}.{name}" for home, names in homes.items() for name in names}
    return checked, public, lent


@pytest.mark.parametrize("package", LENDING)
def test_the_three_listings_are_one(package: str) -> None:
    """What type checkers see, what `import *` gives and what is lent at run time."""
    checked, public, lent = listings(package)
    assert checked == lent
    assert public == {name.rpartition(".")[2] for name in lent}
    module = import_module(package)
    assert [name for name in public if not hasattr(module, name)] == []


def test_a_module_does_not_hide_the_function_of_its_name() -> None:
    """Python binds a module to its package after the import."""
    code = "import surgetank.run, surgetank.measure, surgetank.search\n"
    code += "assert all(callable(f) for f in (surgetank.run, surgetank.measure, surgetank.search))"
    loaded(code)
    with pytest.raises(AttributeError, match="no attribute 'sprint'"):
        st.sprint  # type: ignore[attr-defined]  # noqa: B018


def test_only_what_is_lent_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without lending, the module takes the name."""
    package = type(sys)("lending")
    monkeypatch.setitem(sys.modules, "lending", package)
    package.part = type(sys)("lending.part")  # type: ignore[attr-defined]
    export_lazily("lending", {"part": ["part"]})
    package.__dict__.pop("part")
    package.part = type(sys)("lending.part")  # type: ignore[attr-defined]
    assert "part" not in package.__dict__
