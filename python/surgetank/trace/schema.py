"""The tables of a trace and their columns: the single source of truth on the Python side.

Times are nanoseconds since the start of the run (UInt64); null means never.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import polars as pl

from surgetank.errors import SurgetankError
from surgetank.trace.names import WAITS

__all__ = ["SCHEMA", "Column", "check_table", "empty_table"]


@dataclass(frozen=True)
class Column:
    """One column: its type and whether a cell may be null."""

    dtype: pl.DataType
    nullable: bool = False


_U8, _U32, _U64, _I64 = (Column(t()) for t in (pl.UInt8, pl.UInt32, pl.UInt64, pl.Int64))
_F64, _TEXT = Column(pl.Float64()), Column(pl.String())
_U8_OR_NULL, _F64_OR_NULL = Column(pl.UInt8(), True), Column(pl.Float64(), True)
_U16_OR_NULL = Column(pl.UInt16(), True)
_U32_OR_NULL, _U64_OR_NULL = Column(pl.UInt32(), True), Column(pl.UInt64(), True)

SCHEMA: Final[Mapping[str, Mapping[str, Column]]] = MappingProxyType(
    {
        "messages": {
            "message": _U32,
            "class": _U8,
            "account": _U32,
            "gateway": _U32,
            "size_bytes": _U32,
            "outcome": _U8,
            "reason": _U8,
            "tries": _U8,
            "source": _U8,
            "height": _U32_OR_NULL,
            "position": _U32_OR_NULL,
            "fee_micros": _U32,
            "paid_micros": _U32,
            "created_ns": _U64,
            "gateway_ns": _U64_OR_NULL,
            "admitted_ns": _U64_OR_NULL,
            "queued_ns": _U64_OR_NULL,
            "proposed_ns": _U64_OR_NULL,
            "decided_ns": _U64_OR_NULL,
            "executed_ns": _U64_OR_NULL,
            "confirmed_ns": _U64_OR_NULL,
        },
        # Of simulated runs: the waits of every executed message.
        "waits": {"message": _U32, **{f"{name}_ns": _U64 for name in WAITS}},
        # The same, summed by class, resource and place: a node, or the way from it
        # to a peer, or neither. Of messages of the measured window, an attacker's left out.
        "wait_places": {
            "class": _U8,
            "resource": _U8,
            "node": _U32_OR_NULL,
            "peer": _U32_OR_NULL,
            "wait_ns": _U64,
        },
        "receipts": {"message": _U32, "node": _U32, "time_ns": _U64},
        # Of live runs: every arrival at a subscriber.
        "deliveries": {
            "message": _U32,
            "node": _U32,
            "time_ns": _U64,
            "position": _U32,
            "copy": _U32,
        },
        "blocks": {
            "height": _U32,
            "round": _U32,
            "proposer": _U32,
            "messages": _U32,
            "size_bytes": _U64,
            "proposed_ns": _U64,
            "decided_ns": _U64,
            "hash": _TEXT,
        },
        "executions": {
            "height": _U32,
            "node": _U32,
            "decided_ns": _U64,
            "executed_ns": _U64_OR_NULL,
        },
        "gauges": {
            "time_ns": _U64,
            "node": _U32,
            "ingress_len": _U32,
            "mempool_len": _U32,
            "execution_len": _U32,
            "uplink_backlog_ns": _U64,
            "height": _U32,
            "up": _U8,
            # Since the start of the run; null where the producer does not know it.
            "uplink_busy_ns": _U64_OR_NULL,
            "downlink_busy_ns": _U64_OR_NULL,
            "validation_busy_ns": _U64_OR_NULL,
            "consensus_busy_ns": _U64_OR_NULL,
            "execution_busy_ns": _U64_OR_NULL,
        },
        "market": {
            "time_ns": _U64,
            "kind": _U8,
            # A number of `Bearer` or `Deferral`; null of other kinds.
            "code": _U8_OR_NULL,
            # Index of the perpetual; null where no single one is concerned.
            "market": _U16_OR_NULL,
            "message": _U32_OR_NULL,
            "account": _U32_OR_NULL,
            "other": _U32_OR_NULL,
            "price": _I64,
            "qty": _I64,
            "amount": _I64,
            "ref_ns": _U64_OR_NULL,
        },
        "faults": {
            "index": _U32,
            "kind": _TEXT,
            "at_ns": _U64,
            "until_ns": _U64,
            "nodes": _TEXT,
            "quantity": _TEXT,
            "asked": _F64,
            "allowed_low": _F64_OR_NULL,
            "allowed_high": _F64_OR_NULL,
            "measured": _F64_OR_NULL,
            "samples": _U64,
        },
        "decisions": {
            "time_ns": _U64,
            "node": _U32,
            "knob": _U8,
            "from": _U64,
            "to": _U64,
            "why": _U8,
            "on": _U64,
            "clamped": _U8,
        },
    }
)
"""Table → column → type. Column order is the order in which columns are hashed."""


def empty_table(name: str) -> pl.DataFrame:
    """The table `name` without rows."""
    return pl.DataFrame(schema={c: spec.dtype for c, spec in SCHEMA[name].items()})


def check_table(name: str, table: pl.DataFrame) -> pl.DataFrame:
    """The table with its columns in schema order and exact types.

    Integers of another width are converted when every value fits; nothing else is.

    Raises:
        SurgetankError: a column is missing, unknown, of the wrong type, or null where it must not.
    """
    if name not in SCHEMA:
        raise SurgetankError(
            f"there is no table of that name in a trace; there are {', '.join(SCHEMA)}",
            place=f"trace table {name!r}",
            hint="Leave it out or rename it",
        )
    columns = SCHEMA[name]
    missing = [c for c in columns if c not in table.columns]
    unknown = [c for c in table.columns if c not in columns]
    if missing or unknown:
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has unknown {', '.join(unknown)}"] if unknown else []
        raise SurgetankError(
            " and ".join(parts),
            place=f"trace table {name!r}",
            hint="Give exactly the columns of surgetank.trace.SCHEMA",
        )
    return pl.DataFrame([_checked(name, table[c], spec) for c, spec in columns.items()])


def _checked(table: str, cells: pl.Series, spec: Column) -> pl.Series:
    place = f"trace table {table!r}, column {cells.name!r}"
    if cells.dtype != spec.dtype:
        convertible = (cells.dtype.is_integer() and spec.dtype.is_integer()) or (
            cells.dtype == pl.Null
        )
        if not convertible:
            raise SurgetankError(
                f"is {cells.dtype}, must be {spec.dtype}", place=place, hint="Convert it first"
            )
        try:
            cells = cells.cast(spec.dtype, strict=True)
        except pl.exceptions.PolarsError as error:
            raise SurgetankError(
                f"holds a value outside {spec.dtype}",
                place=place,
                hint="Times count from the start of the run; give whole non-negative numbers",
            ) from error
    if not spec.nullable and cells.null_count():
        row = int(cells.is_null().arg_true()[0])
        raise SurgetankError(f"is null in row {row}", place=place, hint="Fill it")
    return cells
