"""Rows of a table, whatever file they are in: CSV, JSON objects a line, Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from surgetank.csv_file import delimiter_of
from surgetank.errors import SurgetankError
from surgetank.tape.lines import broken, lines

__all__ = ["Rows", "csv_rows", "json_rows", "parquet_rows"]

#: Names of columns, then (line, cells) of every row.
Rows = tuple[list[str], Iterator[tuple[int, Sequence[str]]]]


def csv_rows(path: Path) -> Rows:
    """Rows of a CSV file, whose first line names the columns; the delimiter is a comma, a semicolon
    or a tab, the one that this line has most of.

    Raises:
        SurgetankError: naming file and line; also from the iterator.
    """
    given = lines(path)
    _, first = next(given)
    delimiter = delimiter_of(first)
    names = _cells(first, delimiter)
    rows = _csv(path, given, len(names), delimiter)
    return [name.lstrip("\ufeff").strip() for name in names], rows


def _csv(
    path: Path, given: Iterable[tuple[int, str]], width: int, delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    for number, text in given:
        cells = _cells(text, delimiter)
        if len(cells) != width:
            what = f"{len(cells)} cells under {width} columns"
            raise broken(path, number, what, "Record it again, or leave the line out")
        yield number, cells


def _cells(text: str, delimiter: str) -> list[str]:
    if '"' not in text:
        return text.split(delimiter)
    try:
        return next(csv.reader([text], delimiter=delimiter), [""])
    except csv.Error:
        return []


def json_rows(path: Path) -> Rows:
    """Rows of a file with a flat JSON object a line; the first one's keys are the columns.

    Raises:
        SurgetankError: naming file and line; also from the iterator.
    """
    found = _objects(path)
    number, first = next(found)
    names = [str(name) for name in first]
    rows = chain([(number, first)], found)
    return names, ((line, [_text(row.get(name)) for name in first]) for line, row in rows)


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, text in lines(path):
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            hint = "Write an object a line, all with the same keys"
            raise broken(path, number, "not a JSON object", hint)
        yield number, row


def parquet_rows(path: Path) -> tuple[Rows, dict[str, str]]:
    """Rows of a Parquet file, and the unit of every column that is a time.

    Raises:
        SurgetankError: it cannot be read.
    """
    try:
        frame = pl.read_parquet(path)
        # Moments of a zone are stored in UTC; those without one are dates on a clock.
        moments = {
            name: kind for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime)
        }
        frame = frame.with_columns(pl.col(name).dt.epoch("ns") for name in moments)
    except (pl.exceptions.PolarsError, OSError, ValueError):
        hint = "Write it again, or give a CSV"
        raise SurgetankError(
            "not a Parquet file that can be read", place=str(path), hint=hint
        ) from None
    rows = ((i, [_text(cell) for cell in row]) for i, row in enumerate(frame.iter_rows(), 1))
    return (frame.columns, rows), dict.fromkeys(moments, "ns")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
