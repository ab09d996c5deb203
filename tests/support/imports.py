"""Who imports whom: of Python modules by their syntax trees, of Rust modules by their paths."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

Edges = Mapping[str, set[str]]
"""Module → the modules that it imports."""


def python_edges(root: Path) -> dict[str, set[str]]:
    """Imports among the modules of a package, wherever they stand in a file; modules are named
    without the package (`search.find`; the package itself is the empty name)."""
    files = {_module(path.relative_to(root)): path for path in sorted(root.rglob("*.py"))}
    return {
        module: set(_imported(ast.parse(path.read_text()), root.name, files.keys())) - {module}
        for module, path in files.items()
    }


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(tree: ast.AST, package: str, known: Iterable[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            head, _, base = (node.module or "").partition(".")
            names = [f"{base}.{alias.name}".strip(".") for alias in node.names]
            if head == package:
                yield from (name if name in known else base or name for name in names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                head, _, name = alias.name.partition(".")
                if head == package:
                    yield name


def rust_edges(source: Path) -> dict[str, set[str]]:
    """Paths from the root (`crate::…`, or as many `super::` as lead there) among the modules of a
    crate (folders and files of `src`), tests and comments apart. The crate's own root, `lib`, has
    an edge to nothing."""
    edges: dict[str, set[str]] = {}
    known = {path.relative_to(source).parts[0].removesuffix(".rs") for path in source.rglob("*.rs")}
    for path in sorted(source.rglob("*.rs")):
        parts = path.relative_to(source).with_suffix("").parts
        depth = len(parts) - (parts[-1] == "mod")
        code, own = rust_code(path), parts[0]
        found = heads(code, "crate") | heads(code, "::".join(["super"] * depth))
        edges[own] = edges.get(own, set()) | found & known - {own}
    edges.pop("lib", None)
    return edges


def rust_uses(source: Path, crate: str) -> dict[str, set[str]]:
    """File → the modules of another crate that it names."""
    return {
        str(path.relative_to(source)): heads(rust_code(path), crate)
        for path in sorted(source.rglob("*.rs"))
    }


def rust_code(path: Path) -> str:
    """A file of Rust without comments."""
    return re.sub(r"//[^\n]*", "", path.read_text())


def heads(code: str, root: str) -> set[str]:
    """First names of the paths that begin with `root`, groups in braces included."""
    found = set(re.findall(rf"\b{root}::(\w+)", code))
    for group in re.findall(rf"\b{root}::(\{{(?:[^{{}}]|\{{[^{{}}]*\}})*\}})", code):
        flat = re.sub(r"\{[^{}]*\}", "", group[1:-1])
        found |= set(re.findall(r"(?:^|,)\s*(\w+)", flat))
    return found


def upward(edges: Edges, floors: Sequence[set[str]]) -> list[str]:
    """Imports from the same floor or one above; lower floors stand first.

    Raises:
        AssertionError: a module stands on no floor.
    """
    floor = {module: index for index, names in enumerate(floors) for module in names}
    missing = sorted((edges.keys() | set().union(*edges.values())) - floor.keys())
    assert missing == [], f"on no floor: {missing}; add them where the floors are declared"
    return [
        f"{module} imports {name}"
        for module, names in sorted(edges.items())
        for name in sorted(names)
        if floor[name] >= floor[module]
    ]


def cycles(edges: Edges) -> list[str]:
    """Circles of imports, one for each module in which one is closed."""
    found: list[str] = []
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        if module in way:
            found.append(" → ".join((*way[way.index(module) :], module)))
        elif module not in done:
            for name in sorted(edges.get(module, ())):
                visit(name, (*way, module))
            done.add(module)

    for module in sorted(edges):
        visit(module, ())
    return found


def within(edges: Edges, part: str) -> dict[str, set[str]]:
    """The imports among the modules of one part, named without it."""
    inside = {m for m in edges if m == part or m.startswith(f"{part}.")}
    return {
        m.removeprefix(part).strip("."): {
            name.removeprefix(part).strip(".") for name in edges[m] & inside
        }
        for m in inside
    }


def grouped(edges: Edges) -> dict[str, set[str]]:
    """The same by first names: `charts.delay` and `charts.money` are one."""
    found: dict[str, set[str]] = {}
    for module, names in edges.items():
        head = module.partition(".")[0]
        found[head] = found.get(head, set()) | {name.partition(".")[0] for name in names} - {head}
    return found
