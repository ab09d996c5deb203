"""Position files as plain data: rows of a table, or one JSON document."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from surgetank.errors import SurgetankError

__all__ = ["PositionRows", "read_file"]

_FORMS: Final = "Give a .csv, .parquet, .json or .jsonl file (docs/positions.md)"


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
    name = path.name.removesuffix(".gz")
    try:
        if name.endswith(".csv"):
            return _table(path, _csv(path), "CSV", first=2)
        if name.endswith((".parquet", ".pq")):
            return _table(path, pl.read_parquet(path), "Parquet", first=1)
        if name.endswith((".jsonl", ".ndjson")):
            return _lines(path)
        if name.endswith(".json"):
            return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise SurgetankError(reason, place=str(path), hint="Check the path") from None
    except (pl.exceptions.PolarsError, ValueError, RecursionError) as error:
        what = f"cannot be read as {path.suffix} ({error})"
        raise SurgetankError(what, place=str(path), hint=_FORMS) from None
    raise SurgetankError("not a known kind of file", place=str(path), hint=_FORMS)


def _csv(path: Path) -> pl.DataFrame:
    # Text only: a cell that is no number is reported with its row and column.
    return pl.read_csv(path, infer_schema=False, truncate_ragged_lines=False)


def _table(path: Path, frame: pl.DataFrame, form: str, *, first: int) -> PositionRows:
    if frame.is_empty():
        raise SurgetankError("has no rows", place=str(path), hint="Give a file with positions")
    word = "line" if first == 2 else "row"
    places = [f"{path}: {word} {first + i}" for i in range(frame.height)]
    return PositionRows(frame.to_dicts(), places, form)


def _lines(path: Path) -> PositionRows | Any:
    rows: list[Any] = []
    places: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except ValueError:
            hint = "Write one JSON object a line"
            raise SurgetankError("not JSON", place=f"{path}: line {number}", hint=hint) from None
        places.append(f"{path}: line {number}")
    if not rows:
        raise SurgetankError("has no rows", place=str(path), hint="Give a file with positions")
    if not all(isinstance(row, dict) for row in rows):
        hint = "Write one JSON object a line"
        raise SurgetankError("has a line that is no object", place=str(path), hint=hint)
    if any(isinstance(value, dict | list) for value in rows[0].values()):
        return rows
    return PositionRows(rows, places, "JSON lines")
