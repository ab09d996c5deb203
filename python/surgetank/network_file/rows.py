"""Rows of nodes and links, as they stand in a file: CSV or Shadow's graphs in GML."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from surgetank.errors import SurgetankError

__all__ = ["FileRow", "csv_rows", "gml_rows"]

_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class FileRow:
    """The cells of a node or a link by column, and their place for a message."""

    place: str
    cells: Mapping[str, str]


def csv_rows(text: str, file: str) -> list[FileRow]:
    """The rows of a CSV file with a header; the delimiter is a comma, a semicolon or a tab.

    Raises:
        SurgetankError: a line has more or fewer cells than the header, or a column is twice there.
    """
    head = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [
            (reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise SurgetankError(f"not CSV: {error}", place=f"{file}:{reader.line_num}") from None
    if not lines:
        raise SurgetankError("the file is empty", place=file, hint="Give a header and rows")
    header = [_plain(name) for name in lines[0][1]]
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        hint = "Name each column once"
        raise SurgetankError(f"the column {twice!r} is twice there", place=f"{file}:1", hint=hint)
    found = []
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            what = f"{len(cells)} cells under {len(header)} columns"
            hint = f"Give each row a cell for each of {', '.join(header)}"
            raise SurgetankError(what, place=f"{file}:{number}", hint=hint)
        stripped = (cell.strip() for cell in cells)
        found.append(FileRow(f"{file}:{number}", dict(zip(header, stripped, strict=True))))
    return found


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
