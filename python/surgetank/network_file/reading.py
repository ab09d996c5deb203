"""Reads a user's validators: a CSV file of nodes, one of links, or a graph of Shadow's in GML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from blake3 import blake3

from surgetank.errors import SurgetankError
from surgetank.network_file.columns import LINK_COLUMNS, NODE_COLUMNS, NetworkColumns
from surgetank.network_file.content import NetworkFile
from surgetank.network_file.links import Links, as_shadow_routes, links_beside, read_links
from surgetank.network_file.nodes import Nodes, read_nodes
from surgetank.network_file.rows import FileRow, gml_rows, table_rows

__all__ = ["NODES_MAX", "read_network"]

#: Most nodes of a file: the delays between all pairs are kept.
NODES_MAX: Final = 1_000
#: Most bytes of a file: complete graphs of that many nodes are smaller.
_BYTES_MAX: Final = 200_000_000


def read_network(file: str | Path) -> NetworkFile:
    """Reads a file of nodes, or of links.

    A CSV file of nodes `my_nodes.csv` has its links in `my_links.csv` or `my_edges.csv` beside it;
    without one it has no links. A CSV file of links alone names the nodes by its links. A file
    that ends in `.gml` is a graph as Shadow reads it.

    Raises:
        SurgetankError: naming the file, the row and the remedy.
    """
    path = Path(file)
    content = _content(path)
    if path.suffix.lower() == ".gml" or content.lstrip().lower().startswith(("graph", "creator")):
        nodes, edges, directed = gml_rows(content, path.name)
        return _assembled([path], "Shadow graph (GML)", nodes, edges, directed=directed)
    rows = table_rows(content, path.name)
    if not rows:
        raise SurgetankError("there are no rows", place=path.name, hint="Add a row for each node")
    if {"from", "to"} <= NetworkColumns(rows, LINK_COLUMNS).found.keys():
        return _assembled([path], "links (CSV)", _named_by(rows), rows)
    partner = next((found for found in links_beside(path) if found.exists()), None)
    if partner is None:
        return _assembled([path], "nodes (CSV)", rows, [])
    links = table_rows(_content(partner), partner.name)
    return _assembled([path, partner], "nodes and links (CSV)", rows, links)


def _content(path: Path) -> str:
    try:
        if path.stat().st_size > _BYTES_MAX:
            hint = f"A network has at most {NODES_MAX} nodes"
            raise SurgetankError("the file is too large", place=str(path), hint=hint)
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        hint = "Give a CSV or GML file: docs/network.md"
        raise SurgetankError(
            f"cannot be read: {error.strerror}", place=str(path), hint=hint
        ) from None
    except UnicodeDecodeError:
        hint = "Save it as CSV or GML in UTF-8"
        raise SurgetankError("not text in UTF-8", place=str(path), hint=hint) from None


def _named_by(rows: Sequence[FileRow]) -> list[FileRow]:
    """A row for each node that a link names, in order of appearance."""
    columns = NetworkColumns(rows, LINK_COLUMNS)
    ends = (columns.text(row, end) for row in rows for end in ("from", "to"))
    return [FileRow(f"node {name}", {"name": name}) for name in dict.fromkeys(ends)]


def _assembled(
    paths: Sequence[Path],
    form: str,
    node_rows: Sequence[FileRow],
    link_rows: Sequence[FileRow],
    *,
    directed: bool | None = None,
) -> NetworkFile:
    """The content of rows; `directed` is a graph's, None for CSV."""
    file = paths[0].name
    if not node_rows:
        raise SurgetankError("there are no nodes", place=file, hint="Add at least one node")
    if len(node_rows) > NODES_MAX:
        what = f"{len(node_rows):,} nodes are more than {NODES_MAX:,}"
        hint = "Take the nodes with voting power and some followers"
        raise SurgetankError(what, place=file, hint=hint)
    columns = NetworkColumns(node_rows, NODE_COLUMNS)
    nodes = read_nodes(node_rows, columns)
    links = read_links(link_rows, nodes, directed=directed) if link_rows else Links()
    if directed is not None:
        links = as_shadow_routes(links)
    notices = [*_notices(columns, nodes), *links.notices]
    return NetworkFile(
        files=tuple(str(path) for path in paths),
        hash=blake3(b"".join(path.read_bytes() for path in paths)).hexdigest(),
        format=form,
        count=len(node_rows),
        names=nodes.names,
        powers=nodes.powers,
        regions=nodes.regions,
        machines=nodes.machines,
        links=links.links,
        placement=links.placement,
        jitter=links.jitter,
        notices=tuple(notices),
    )


def _notices(columns: NetworkColumns, nodes: Nodes) -> list[str]:
    found = [*columns.units(), *nodes.notices]
    if not nodes.powers:
        found.append("there is no column of powers: all nodes have the same")
    unused = [header for header in columns.unused if header != "label"]
    if unused:
        found.append(f"columns that are not used: {', '.join(unused)}")
    return found
