"""Reading of a recording: its format is detected from its content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from surgetank.errors import SurgetankError
from surgetank.tape import captures, tables
from surgetank.tape.columns import SOURCES, Columns
from surgetank.tape.formats import CAPTURES, NAMES, Capture, Table
from surgetank.tape.lines import first_bytes, lines
from surgetank.tape.options import ReadOptions
from surgetank.tape.recording import Tape, TapeFile
from surgetank.tape.rows import csv_rows, json_rows, parquet_rows

__all__ = ["read_recording", "read_tape"]

_PARQUET: Final = b"PAR1"


def read_tape(
    path: str | Path,
    *,
    speed: float = 1.0,
    start_s: float = 0.0,
    seconds: float | None = None,
    options: ReadOptions | None = None,
) -> Tape:
    """Reads a recording and chooses a part of it: `TapeFile.part`.

    Raises:
        SurgetankError: naming file and line, and the hint.
    """
    recording = read_recording(path, options)
    return recording.part(speed=speed, start_s=start_s, seconds=seconds)


def read_recording(path: str | Path, options: ReadOptions | None = None) -> TapeFile:
    """Reads a whole recording: a WebSocket capture of a venue, or a table of bars, trades, quotes,
    prices or order messages in CSV, JSON lines or Parquet, plain or `.gz`; docs/tapes.md.

    Raises:
        SurgetankError: naming file and line, and the hint.
    """
    path, options = Path(path), options or ReadOptions()
    if options.format not in ("", *NAMES):
        hint = f"There are: {', '.join(NAMES)}"
        raise SurgetankError(f"no format {options.format!r}", place="--format", hint=hint)
    if first_bytes(path, 4) == _PARQUET:
        rows, units = parquet_rows(path)
        return _of_table("Parquet", path, tables.read(path, rows, units, options), options)
    _, text = next(iter(lines(path)))
    if text.lstrip("\ufeff").startswith("["):
        hint = "Write an object a line: jq -c '.[]'"
        raise SurgetankError("one JSON array", place=str(path), hint=hint)
    messages = path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson", ".json"))
    if "{" not in text[:65] and not messages:
        return _of_table("CSV", path, tables.read(path, csv_rows(path), {}, options), options)
    asked = [venue for venue in CAPTURES if venue.name == options.format]
    venue = asked[0] if asked else None if options.format else captures.detect(path)
    if venue is not None:
        columns, clock = captures.read(path, venue, options)
        how = "by --format" if asked else "by its messages"
        return _recording(path, venue, how, clock, columns, options)
    if not text.startswith("{"):
        hint = f"Give --format: {', '.join(venue.name for venue in CAPTURES)}"
        raise SurgetankError("messages of no known venue", place=str(path), hint=hint)
    return _of_table("JSON", path, tables.read(path, json_rows(path), {}, options), options)


def _of_table(
    file: str, path: Path, found: tuple[Columns, type[Table], str], options: ReadOptions
) -> TapeFile:
    columns, kind, clock = found
    asked = "--format" if options.format else "--columns" if options.columns else "its columns"
    return _recording(path, kind, f"{file}, by {asked}", clock, columns, options)


def _recording(
    path: Path,
    form: type[Table] | type[Capture],
    how: str,
    clock: str,
    columns: Columns,
    options: ReadOptions,
) -> TapeFile:
    _one_symbol(path, columns, options)
    source = next((name for name in SOURCES if len(columns.prices[name][0])), None)
    if source is None:
        hint = "Give one with trades, bars, or best bids and offers"
        raise SurgetankError("there is no price in this recording", place=str(path), hint=hint)
    prices_ns, prices_usd = (_array(column) for column in columns.prices[source])
    rows_ns, messages_ns = _array(columns.rows_ns), _array(columns.messages_ns)
    number, side, usd, coins, key = (_array(column) for column in columns.messages)
    first, then = _order(prices_ns), _order(messages_ns)
    return TapeFile(
        file=str(path),
        format=form.name,
        title=form.title,
        detected=how,
        clock=clock,
        notes=tuple(columns.notes),
        symbol=options.symbol or (columns.symbols or [""])[0],
        kinds=dict(sorted(columns.kinds.items())),
        price_source=source,
        bar_ns=columns.bar_ns,
        duplicates=columns.duplicates,
        steps=columns.steps,
        rows_ns=np.sort(rows_ns),
        lags_ns=_array(columns.lags_ns),
        prices_ns=prices_ns[first],
        prices_usd=prices_usd[first],
        messages_ns=messages_ns[then],
        messages_class=number[then].astype(np.int64),
        messages_side=side[then].astype(np.int64),
        messages_usd=usd[then],
        messages_qty=coins[then],
        messages_key=key[then].astype(np.int64),
        options=options,
    )


def _order(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices in order of time. Rows of one time keep their order; of a file that runs backwards,
    the reverse."""
    gaps = np.diff(times)
    if len(gaps) and (gaps <= 0).all() and (gaps < 0).any():
        return np.arange(len(times) - 1, -1, -1)
    return np.argsort(times, kind="stable")


def _array(column: Any) -> NDArray[Any]:
    return np.array(column, dtype=np.int64 if column.typecode == "q" else np.float64)


def _one_symbol(path: Path, columns: Columns, options: ReadOptions) -> None:
    symbols: Sequence[str] = columns.symbols
    if options.symbol and options.symbol not in symbols:
        hint = f"There are: {', '.join(symbols)[:200]}" if symbols else "It names no instrument"
        raise SurgetankError(f"no instrument {options.symbol!r}", place="--symbol", hint=hint)
    if len(symbols) > 1 and not options.symbol:
        what = f"{len(symbols)} instruments: {', '.join(symbols[:12])}"
        raise SurgetankError(what[:300], place=str(path), hint=f"Give --symbol {symbols[0]}")
