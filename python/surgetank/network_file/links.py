"""Links from rows: between nodes, or between regions."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.network_file.columns import LINK_COLUMNS, NetworkColumns
from surgetank.network_file.nodes import Nodes
from surgetank.network_file.rows import FileRow
from surgetank.number_format import counted
from surgetank.scenario.paths import Edge, paths_of

__all__ = ["Links", "as_shadow_routes", "links_beside", "read_links"]

_NODE_NAMES: Final = ("nodes", "validators")
_LINK_NAMES: Final = ("links", "edges")


@dataclass(frozen=True)
class Links:
    """Links between places; without placement, node k is at place k."""

    links: tuple[Edge, ...] = ()
    placement: tuple[int, ...] = ()
    jitter: float | None = None
    notices: tuple[str, ...] = ()


def links_beside(nodes: Path) -> list[Path]:
    """The files that may have the links of a file of nodes, by their names."""
    word = next((word for word in _NODE_NAMES if word in nodes.stem), None)
    stems = [nodes.stem.replace(word, n) if word else f"{nodes.stem}_{n}" for n in _LINK_NAMES]
    return [nodes.with_name(f"{stem}{nodes.suffix}") for stem in stems]


def read_links(rows: Sequence[FileRow], nodes: Nodes, *, directed: bool | None) -> Links:
    """The links of rows, whose ends are nodes or, all of them, regions.

    Raises:
        SurgetankError: an end is unknown, a link is twice there or has no delay, delays are given
            both one way and there and back, or there is no path between two nodes.
    """
    columns = NetworkColumns(rows, LINK_COLUMNS)
    if "delay" not in columns and "rtt" not in columns:
        hint = "Name a column delay_ms (one way) or rtt_ms"
        raise SurgetankError("no column has the delays", place=rows[0].place, hint=hint)
    if "delay" in columns and "rtt" in columns:
        one, other = (columns.found[what][0] for what in ("delay", "rtt"))
        hint = f"Leave one of them out: {one} is one way, {other} there and back"
        what = f"the columns {one} and {other} both give the delay"
        raise SurgetankError(what, place=rows[0].place, hint=hint)
    ends, placement = _ends(rows, columns, nodes)
    found: dict[tuple[int, int], tuple[Edge, FileRow]] = {}
    selves: list[FileRow] = []
    for row in rows:
        a, b = (ends[columns.text(row, end)] for end in ("from", "to"))
        if a == b and not placement:
            selves.append(row)
            continue
        _once(found, a, b, row, directed=directed)
        found[a, b] = _edge(a, b, row, columns), row
    _alone(selves, nodes, directed=directed)
    if directed:
        _both_ways(found)
    links = tuple(edge for edge, _ in found.values())
    _joined(links, placement, nodes, rows[0].place.partition(":")[0])
    notices = list(_said(columns, links, selves))
    jitter = _jitter(rows, columns)
    return Links(links, placement, jitter, tuple(notices))


def _ends(
    rows: Sequence[FileRow], columns: NetworkColumns, nodes: Nodes
) -> tuple[Mapping[str, int], tuple[int, ...]]:
    """What an end is called → its place; and the nodes' places, if the ends are regions."""
    of_regions = {region: i for i, region in enumerate(dict.fromkeys(nodes.regions))}
    used = {columns.text(row, end) for row in rows for end in ("from", "to")}
    # A region may have a node's name; all ends are of one kind.
    if used <= nodes.keys.keys():
        return nodes.keys, ()
    if used <= of_regions.keys():
        return of_regions, tuple(of_regions[region] for region in nodes.regions)
    regional = len(used & of_regions.keys()) > len(used & nodes.keys.keys())
    known: Mapping[str, int] = of_regions if regional else nodes.keys
    kind = "region" if regional else "node"
    for row in rows:
        for end in ("from", "to"):
            name = columns.text(row, end)
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"Did you mean {close[0]!r}?" if close else f"Add a row for this {kind}"
                raise SurgetankError(f"unknown {kind} {name!r}", place=row.place, hint=hint)
    raise AssertionError("every end is known")


def _once(
    found: Mapping[tuple[int, int], tuple[Edge, FileRow]],
    a: int,
    b: int,
    row: FileRow,
    *,
    directed: bool | None,
) -> None:
    ways = [(a, b)] if directed is not False else [(a, b), (b, a)]
    for way in ways:
        if way in found:
            hint = "Keep one of the two"
            what = f"the link is also at {found[way][1].place}"
            raise SurgetankError(what, place=row.place, hint=hint)


def _edge(a: int, b: int, row: FileRow, columns: NetworkColumns) -> Edge:
    what = "delay" if "delay" in columns else "rtt"
    delay = columns.quantity(row, what)
    if delay is None:
        raise SurgetankError("the link has no delay", place=row.place, hint="Give its delay")
    loss = columns.quantity(row, "loss") if "loss" in columns else None
    if loss is not None and loss >= 1:
        hint = "Give a share below 1, or name the column loss_percent"
        raise SurgetankError(f"the loss {loss:g} is not below 1", place=row.place, hint=hint)
    rate = columns.quantity(row, "rate") if "rate" in columns else None
    return Edge(a, b, delay if what == "delay" else delay / 2, loss or 0.0, rate or 0.0)


def _alone(selves: Sequence[FileRow], nodes: Nodes, *, directed: bool | None) -> None:
    """Refuses a link from a node to itself, unless every node has one, as Shadow's graphs must."""
    if selves and directed is None and len(selves) < len(set(nodes.keys.values())):
        hint = "Leave it out: no packet passes it"
        raise SurgetankError("the node is linked to itself", place=selves[0].place, hint=hint)


def _both_ways(found: Mapping[tuple[int, int], tuple[Edge, FileRow]]) -> None:
    for (a, b), (_, row) in found.items():
        if (b, a) not in found:
            hint = "Add the edge of the other direction, or write `directed 0`"
            raise SurgetankError("the edge has one direction only", place=row.place, hint=hint)


def _joined(links: tuple[Edge, ...], placement: Sequence[int], nodes: Nodes, file: str) -> None:
    count = len(set(nodes.keys.values()))
    apart = paths_of(links, tuple(sorted(set(placement or range(count)))), 0.5).apart()
    if apart is not None:
        names = list(dict.fromkeys(nodes.regions)) if placement else _names(nodes)
        a, b = (names[place] for place in apart)
        hint = f"Add a link of {a} or {b}"
        raise SurgetankError(f"there is no path from {a} to {b}", place=file, hint=hint)


def _names(nodes: Nodes) -> list[str]:
    first: dict[int, str] = {}
    for key, node in nodes.keys.items():
        first.setdefault(node, key)
    return [nodes.names[node] if nodes.names else first[node] for node in sorted(first)]


def _said(columns: NetworkColumns, links: Sequence[Edge], selves: Sequence[FileRow]) -> list[str]:
    found = list(columns.units())
    if "delay" not in columns:
        found.append(f"one-way delays are half of {columns.found['rtt'][0]}")
    by_way = {(edge.a, edge.b): edge for edge in links}
    back = [
        (edge, by_way[edge.b, edge.a])
        for edge in links
        if edge.a != edge.b and (edge.b, edge.a) in by_way
    ]
    differ = sum(one[2:] != other[2:] for one, other in back if one.a < one.b)
    if differ:
        found.append(
            f"{counted(differ, 'pair')} with another delay, loss or rate in each direction"
        )
    single = sum((edge.b, edge.a) not in by_way for edge in links)
    if single and back:
        found.append(f"{counted(single, 'link')} given in one direction only: taken for both")
    if selves:
        found.append(f"{counted(len(selves), 'link')} from a node to itself: left out")
    if columns.unused and set(columns.unused) != {"label"}:
        unused = ", ".join(header for header in columns.unused if header != "label")
        found.append(f"columns of links that are not used: {unused}")
    return found


def _jitter(rows: Sequence[FileRow], columns: NetworkColumns) -> float | None:
    """The median of jitter over delay; None if the file has no jitter."""
    if "jitter" not in columns:
        return None
    what = "delay" if "delay" in columns else "rtt"
    shares = []
    for row in rows:
        jitter, delay = columns.quantity(row, "jitter"), columns.quantity(row, what)
        if jitter is not None and delay:
            shares.append(min(1.0, jitter / delay))
    return median(shares) if shares else None


def as_shadow_routes(links: Links) -> Links:
    """The links as Shadow routes (its `use_shortest_path`): where a way round is shorter than an
    edge, with the delay, loss and rate of that way."""
    paths = paths_of(links.links, (), 0.5, detours=True)
    routed, changed = [], 0
    for edge in links.links:
        pair = paths.places.index(edge.a), paths.places.index(edge.b)
        if edge.a != edge.b and paths.delay_ms[pair] < edge.delay_ms:
            edge = Edge(
                edge.a,
                edge.b,
                *(float(of[pair]) for of in (paths.delay_ms, paths.loss, paths.mbps)),
            )
            changed += 1
        routed.append(edge)
    notices = links.notices
    if changed:
        notices += (
            f"{counted(changed, 'edge')} longer than a way round, which packets take instead",
        )
    return replace(links, links=tuple(routed), notices=notices)
