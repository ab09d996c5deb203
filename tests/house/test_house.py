"""The house of ARCHITECTURE.md: who imports whom, and what is public."""

from __future__ import annotations

import ast
import types
from pathlib import Path

import surgetank as st

PACKAGE = Path(st.__file__).parent
#: Lower floors first; a module imports only from floors below its own (or its own package).
FLOORS = [
    {"errors", "lazy", "version"},
    {"door", "folder", "plugins"},
    {"scenario", "starter"},
    {"tape"},
    {"trace"},
    {"measure"},
    {"verdict"},
    {"keypers", "options", "pipe", "simulate", "testing"},
    {"journal", "live"},
    {"calibrate"},
    {"search"},
    {"attacker", "explain", "league", "predict"},
    {"compare", "report"},
    {"run"},
    {"console"},
    {"cli"},
]


def floor_of(module: str) -> int:
    """Index of the floor on which a module of the package stands."""
    for index, floor in enumerate(FLOORS):
        if module in floor:
            return index
    raise AssertionError(f"surgetank.{module} has no floor: add it to FLOORS and ARCHITECTURE.md")


def imports(path: Path) -> set[str]:
    """First-level modules of surgetank that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("surgetank"):
            parts = (node.module or "").split(".")
            names = [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
            found.update(names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == "surgetank" and len(parts) > 1:
                    found.add(parts[1])
    return found


def test_imports_only_go_down() -> None:
    """No module imports from its own floor or above."""
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own in ("__init__", "scenarios"):
            continue
        for name in imports(path) - {own, "_core"}:
            if floor_of(name) >= floor_of(own):
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert wrong == []


def test_only_the_door_imports_the_core() -> None:
    """`surgetank._core` is imported in one module."""
    crossing = [path.name for path in PACKAGE.rglob("*.py") if "_core" in imports(path)]
    assert crossing == ["door.py"]


def test_public_names_are_all_and_only_those() -> None:
    """`__all__` is sorted, and every name in it is there."""
    assert st.__all__ == sorted(st.__all__)
    assert [name for name in st.__all__ if not hasattr(st, name)] == []
    seen = {
        name
        for name in dir(st)
        if not name.startswith("_") and not isinstance(getattr(st, name), types.ModuleType)
    }
    assert seen - {"TYPE_CHECKING", "lend"} == set(st.__all__) - {"__version__"}
