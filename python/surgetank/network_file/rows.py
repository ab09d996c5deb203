"""Rows of nodes and links, as they stand in a file: CSV or Shadow's graphs in GML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from surgetank.csv_file import csv_rows
from surgetank.errors import SurgetankError

__all__ = ["FileRow", "gml_rows", "table_rows"]


@dataclass(frozen=True)
class FileRow:
    """The cells of a node or a link by column, and their place for a message."""

    place: str
    cells: Mapping[str, str]


def table_rows(text: str, file: str) -> list[FileRow]:
    """The rows of a CSV file with a header.

    Raises:
        SurgetankError: as `surgetank.csv_file.csv_rows`.
    """
    return [FileRow(place, cells) for place, cells in csv_rows(text, file, named=_plain)]


def _plain(name: str) -> str:
    return "_".join(name.strip().lower().replace("-", " ").split())


def gml_rows(text: str, file: str) -> tuple[list[FileRow], list[FileRow], bool]:
    """Nodes, edges and whether the graph is directed, of a graph in GML as Shadow reads it.

    Raises:
        SurgetankError: it is not GML.
    """
    import networkx as nx

    try:
        graph: Any = nx.parse_gml(text, label="id")
    except (nx.NetworkXError, ValueError, TypeError, RecursionError) as error:
        hint = (
            "Write it as Shadow's guide has it: graph [ node [ id 0 ] edge [ source 0 target 0 ] ]"
        )
        raise SurgetankError(f"not GML: {error}", place=file, hint=hint) from None
    nodes = [
        FileRow(f"{file}: node {key}", {"id": str(key), **_texts(cells)})
        for key, cells in graph.nodes(data=True)
    ]
    return nodes, list(_edges(graph, file)), graph.is_directed()


def _edges(graph: Any, file: str) -> Iterator[FileRow]:
    for a, b, cells in graph.edges(data=True):
        # An edge's label describes it.
        kept = {key: cell for key, cell in _texts(cells).items() if key != "label"}
        yield FileRow(f"{file}: edge {a} to {b}", {"from": str(a), "to": str(b), **kept})


def _texts(cells: Mapping[str, Any]) -> dict[str, str]:
    return {_plain(key): str(cell) for key, cell in cells.items()}
