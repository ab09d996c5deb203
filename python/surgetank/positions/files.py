"""Position files as plain data: rows of a table, or one JSON document."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from surgetank.csv_file import csv_rows, line_of
from surgetank.errors import SurgetankError

__all__ = ["PositionRows", "read_file"]

_FORMS: Final = "Give a .csv, .parquet, .json or .jsonl file (docs/positions.md)"
_EMPTY: Final = "Give a file with positions"


@dataclass(frozen=True)
class PositionRows:
    """Rows of a table, with the place of each for errors."""

    rows: list[dict[str, Any]]
    places: list[str]
    form: str
    """Name of the format, for people."""


def read_file(path: Path) -> PositionRows | Any:
    """A table (CSV, Parquet, JSON lines), or the JSON document in the file.

    Raises:
        SurgetankError: the file is not there, empty, or not what its name says.
    """
    name = path.name.lower().removesuffix(".gz")
    try:
        if name.endswith((".parquet", ".pq")):
            return _parquet(path)
        if name.endswith(".csv"):
            return _csv(path)
        if name.endswith((".jsonl", ".ndjson")):
            return _lines(path)
        if name.endswith(".json"):
            return json.loads(_text(path))
    except (EOFError, zlib.error, gzip.BadGzipFile):
        hint = "Copy the file again"
        raise SurgetankError("damaged or cut off gzip", place=str(path), hint=hint) from None
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise SurgetankError(reason, place=str(path), hint="Check the path") from None
    except (pl.exceptions.PolarsError, ValueError, RecursionError) as error:
        what = f"cannot be read as {path.suffix} ({error})"
        raise SurgetankError(what, place=str(path), hint=_FORMS) from None
    raise SurgetankError("not a known kind of file", place=str(path), hint=_FORMS)


def _text(path: Path) -> str:
    """The file's text, unpacked."""
    raw = path.read_bytes()
    plain = gzip.decompress(raw) if path.name.lower().endswith(".gz") else raw
    try:
        return plain.decode("utf-8-sig")
    except UnicodeDecodeError:
        hint = "Save it in UTF-8"
        raise SurgetankError("not text in UTF-8", place=str(path), hint=hint) from None


def _csv(path: Path) -> PositionRows:
    rows = csv_rows(_text(path), path)
    if not rows:
        raise SurgetankError("has no rows", place=str(path), hint=_EMPTY)
    return PositionRows([cells for _, cells in rows], [place for place, _ in rows], "CSV")


def _parquet(path: Path) -> PositionRows:
    # Of bytes: polars reads brackets and stars of a path as a pattern.
    frame = pl.read_parquet(io.BytesIO(path.read_bytes()))
    if frame.is_empty():
        raise SurgetankError("has no rows", place=str(path), hint=_EMPTY)
    places = [f"{path}: row {i}" for i in range(1, frame.height + 1)]
    return PositionRows(frame.to_dicts(), places, "Parquet")


def _lines(path: Path) -> PositionRows | Any:
    rows: list[Any] = []
    places: list[str] = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except ValueError:
            hint = "Write one JSON object a line"
            raise SurgetankError("not JSON", place=line_of(path, number), hint=hint) from None
        places.append(line_of(path, number))
    if not rows:
        raise SurgetankError("has no rows", place=str(path), hint=_EMPTY)
    if not all(isinstance(row, dict) for row in rows):
        hint = "Write one JSON object a line"
        raise SurgetankError("has a line that is no object", place=str(path), hint=hint)
    if any(isinstance(value, dict | list) for value in rows[0].values()):
        return rows
    return PositionRows(rows, places, "JSON lines")
