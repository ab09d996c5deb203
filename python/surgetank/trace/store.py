"""A trace on disk: `run.json` and one Parquet file per table."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import polars as pl
from blake3 import blake3

from surgetank.errors import SurgetankError
from surgetank.positions import PositionBook, read_positions
from surgetank.scenario import Scenario
from surgetank.tape import Tape
from surgetank.tape.stored import load_tape
from surgetank.trace.chain import CHUNK_ROWS, chain
from surgetank.trace.schema import check_table

__all__ = [
    "POSITIONS_FILE",
    "RUN_FILE",
    "TAPE_FILE",
    "read_run",
    "read_table",
    "remove",
    "with_inputs",
    "write_run",
    "write_table",
]

RUN_FILE: Final = "run.json"
#: The position book of the run, if it has one: account i of the trace is its entry i.
POSITIONS_FILE: Final = "positions.json"
#: The part of a recording that the run replayed, if it did.
TAPE_FILE: Final = "tape.npz"
_RUN_KEY: Final = "surgetank.run"
_HINT: Final = "Run the scenario again with the same seed; it gives the same trace"


def write_table(folder: Path, name: str, table: pl.DataFrame, run_name: str) -> None:
    """Writes `<name>.parquet`, the run's name in its metadata.

    Raises:
        OSError: it cannot be written.
    """
    path = folder / f"{name}.parquet"
    # In memory first: polars reports a full disk as an error of its own, without a number.
    content = io.BytesIO()
    table.write_parquet(content, compression="zstd", metadata={_RUN_KEY: run_name})
    path.write_bytes(content.getbuffer())


def write_run(folder: Path, content: Mapping[str, Any]) -> None:
    """Writes `run.json` with a seal (BLAKE3 of its content), atomically and after the tables."""
    sealed = {**content, "seal": _seal(content)}
    draft = folder / (RUN_FILE + ".part")
    draft.write_text(
        json.dumps(sealed, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    os.replace(draft, folder / RUN_FILE)


def remove(folder: Path, tables: Iterable[str]) -> None:
    """Removes what was written of a trace, as far as that is possible."""
    for name in (
        f"{RUN_FILE}.part",
        RUN_FILE,
        POSITIONS_FILE,
        TAPE_FILE,
        *(f"{table}.parquet" for table in tables),
    ):
        with suppress(OSError):
            (folder / name).unlink(missing_ok=True)


def with_inputs(scenario: Scenario, folder: Path) -> Scenario:
    """The scenario with the position book and the tape that are stored beside the run, if it has
    them; without, if a file was taken out.

    Raises:
        SurgetankError: a file is damaged, or is of another book or tape.
    """
    for file, named, read in (
        (POSITIONS_FILE, scenario.positions_hash, read_positions),
        (TAPE_FILE, scenario.tape_hash, load_tape),
    ):
        path = folder / file
        if not named or not path.exists():
            continue
        found: PositionBook | Tape = read(path)
        if found.hash != named:
            raise SurgetankError("was changed after it was written", place=str(path), hint=_HINT)
        if isinstance(found, Tape):
            scenario.holding(tape=found)
        else:
            scenario.holding(found)
    return scenario


def read_run(folder: Path) -> dict[str, Any]:
    """The content of `run.json`.

    Raises:
        SurgetankError: the file is missing, no JSON, or its seal does not match.
    """
    path = folder / RUN_FILE
    if folder.is_file():
        hint = "Name the folder that `surgetank run --out` wrote"
        raise SurgetankError("is a file, and no run's folder", place=str(folder), hint=hint)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SurgetankError(
            "is missing", place=str(path), hint="Name the folder that `surgetank run --out` wrote"
        ) from error
    except (OSError, ValueError) as error:
        raise SurgetankError("cannot be read", place=str(path), hint=_HINT) from error
    if not isinstance(content, dict) or "seal" not in content:
        raise SurgetankError("is not a run of surgetank", place=str(path), hint=_HINT)
    if content.pop("seal") != _seal(content):
        raise SurgetankError("was changed after it was written", place=str(path), hint=_HINT)
    return content


def read_table(folder: Path, name: str, run_name: str, links: list[str]) -> pl.DataFrame:
    """A table whose rows match `links`.

    Raises:
        SurgetankError: the file is missing, damaged, of another run, or its rows do not match.
    """
    path = folder / f"{name}.parquet"
    if not path.exists():
        raise SurgetankError("is missing", place=str(path), hint=_HINT)
    try:
        owner = pl.read_parquet_metadata(path).get(_RUN_KEY)
        table = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError, ValueError, RuntimeError) as error:
        raise SurgetankError("is damaged", place=str(path), hint=_HINT) from error
    if owner != run_name:
        raise SurgetankError(
            f"belongs to another run ({owner})", place=str(path), hint="Put back the right file"
        )
    table = check_table(name, table)
    found = chain(name, table)
    if found != links:
        chunk = next(
            (i for i, (a, b) in enumerate(zip(found, links, strict=False)) if a != b),
            min(len(found), len(links)),
        )
        where = "its columns" if chunk == 0 else f"rows from {(chunk - 1) * CHUNK_ROWS} on"
        raise SurgetankError(
            f"was changed after it was written ({where} do not match {RUN_FILE})",
            place=str(path),
            hint=_HINT,
        )
    return table


def _seal(content: Mapping[str, Any]) -> str:
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return blake3(plain.encode()).hexdigest()
