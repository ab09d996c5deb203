"""Nodes from rows: names, voting powers, regions and machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.network_file.columns import NetworkColumns
from surgetank.network_file.content import MachineClass
from surgetank.network_file.rows import FileRow
from surgetank.scenario.network import POWER_MAX, POWERS_MAX

__all__ = ["Nodes", "read_nodes"]

#: Decimals of a power that are kept: a millionth of a token.
_DECIMALS: Final = 6


@dataclass(frozen=True)
class Nodes:
    """What the file has of each node; empty where it has nothing."""

    keys: Mapping[str, int]
    """What a link may call a node → its number."""
    names: tuple[str, ...]
    powers: tuple[int, ...]
    regions: tuple[str, ...]
    machines: tuple[MachineClass, ...]
    notices: tuple[str, ...]


def read_nodes(rows: Sequence[FileRow], columns: NetworkColumns) -> Nodes:
    """The nodes in the order of their rows.

    Raises:
        SurgetankError: a node is twice there, or a cell is missing or not what its column says.
    """
    if "id" not in columns and "name" not in columns:
        hint = "Name a column `name` (or id): docs/network.md has the columns"
        what = f"no column names the nodes; there are {', '.join(columns.headers)}"
        raise SurgetankError(what, place=rows[0].place, hint=hint)
    keys, names = _named(rows, columns)
    powers, scaled = _powers(rows, columns)
    regions = _texts(rows, columns, "region")
    machines = _machines(rows, columns, names or regions)
    return Nodes(keys, names, powers, regions, machines, scaled)


def _named(
    rows: Sequence[FileRow], columns: NetworkColumns
) -> tuple[dict[str, int], tuple[str, ...]]:
    """What links may call the nodes, and their names; none if these are numbers."""
    keys: dict[str, int] = {}
    for what in ("id", "name"):
        if what not in columns:
            continue
        own: dict[str, int] = {}
        for node, row in enumerate(rows):
            key = columns.text(row, what)
            if not key:
                hint = "Give every node a name"
                raise SurgetankError("the node has no name", place=row.place, hint=hint)
            if key in own and what == "name" and "id" in columns:
                # Nodes of a graph have ids of their own; a label may be any text.
                own = {}
                break
            if key in own:
                first = rows[own[key]].place
                hint = "Give every node a name of its own"
                raise SurgetankError(
                    f"the node {key!r} is also at {first}", place=row.place, hint=hint
                )
            own[key] = node
        keys = own | keys
        if own:
            names = tuple(own)
    # Numbers are how reports name nodes without names.
    return keys, () if all(name.isdigit() for name in names) else names


def _texts(rows: Sequence[FileRow], columns: NetworkColumns, what: str) -> tuple[str, ...]:
    if what not in columns:
        return ()
    for row in rows:
        if not columns.text(row, what):
            hint = f"Give every node a {what}, or leave the column out"
            raise SurgetankError(f"the node has no {what}", place=row.place, hint=hint)
    return tuple(columns.text(row, what) for row in rows)


def _powers(
    rows: Sequence[FileRow], columns: NetworkColumns
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Powers as whole numbers in the same proportions, and how they were made whole."""
    if "power" not in columns:
        return (), ()
    exact = []
    for row in rows:
        if columns.quantity(row, "power") is None:
            hint = "Give every node a power; 0 = it follows without a vote"
            raise SurgetankError("the node has no power", place=row.place, hint=hint)
        exact.append(Fraction(columns.text(row, "power").replace("_", "")))
    if not any(exact):
        hint = "Give at least one node a positive power"
        raise SurgetankError("all powers are 0", place=rows[0].place, hint=hint)
    factor, said = Fraction(1), []
    if any(power.denominator > 1 for power in exact):
        factor = Fraction(10**_DECIMALS)
        said = [f"powers are counted in units of 10^-{_DECIMALS}"]
    while max(exact) * factor > POWER_MAX or sum(exact) * factor > POWERS_MAX:
        factor /= 10
        said = [f"powers are counted in units of {float(1 / factor):g}"]
    powers = tuple(round(power * factor) for power in exact)
    lost = [
        row for row, power, whole in zip(rows, exact, powers, strict=True) if power and not whole
    ]
    if lost:
        what = f"the power {columns.text(lost[0], 'power')} would count as 0: {said[0]}"
        hint = "Give 0 to a node that only follows, or powers nearer to each other"
        raise SurgetankError(what, place=lost[0].place, hint=hint)
    return powers, tuple(said)


def _machines(
    rows: Sequence[FileRow], columns: NetworkColumns, fallback: Sequence[str]
) -> tuple[MachineClass, ...]:
    """Nodes with the same machine, speed and rates, by class."""
    classes: dict[tuple[str, float, float | None, float | None], list[int]] = {}
    place: dict[str, tuple[tuple[float, float | None, float | None], FileRow]] = {}
    for node, row in enumerate(rows):
        name = columns.text(row, "machine")
        speed = columns.quantity(row, "speed") if "speed" in columns else None
        up, down = (
            columns.quantity(row, line) if line in columns else None
            for line in ("uplink", "downlink")
        )
        if speed is not None and not 1e-3 <= speed <= 1e3:
            hint = "Give a factor from 0.001 to 1000; 1 is the scenario's own machine"
            raise SurgetankError(f"speed: {speed:g} is out of range", place=row.place, hint=hint)
        has = (1.0 if speed is None else speed, up, down)
        if name:
            first = place.setdefault(name, (has, row))
            if first[0][0] != has[0]:
                hint = "Give a machine one speed, or its variants names of their own"
                what = f"the machine {name!r} has another speed than at {first[1].place}"
                raise SurgetankError(what, place=row.place, hint=hint)
        if name or has != (1.0, None, None):
            classes.setdefault((name, *has), []).append(node)
    return tuple(
        MachineClass(_class_name(name, nodes, fallback), tuple(nodes), speed, up, down)
        for (name, speed, up, down), nodes in classes.items()
    )


def _class_name(name: str, nodes: Sequence[int], fallback: Sequence[str]) -> str:
    """The machine's name, else that of its first node or region."""
    return name or (fallback[nodes[0]] if fallback else f"as node {nodes[0]}")
