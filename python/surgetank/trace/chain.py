"""Running BLAKE3 chains over the tables of a trace, and the hash of the whole.

Theory of operation: the first link commits to the table's name and columns. Each chunk of 65,536
rows gives the next link: BLAKE3(previous link, number of rows, columns). A column is its validity
bytes (only where the schema allows null), then its values little-endian with 0 in place of null;
text is its byte lengths (u32), then its UTF-8. Two runs that differ share their links up to the
first chunk that differs, so that chunk is found without the rows. The hash of the whole also
commits to the run's name and to its stats, as JSON with sorted keys: a verdict depends on them too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from blake3 import blake3

from surgetank.trace.schema import SCHEMA, Column

__all__ = ["CHUNK_ROWS", "chain", "combine"]

CHUNK_ROWS: Final = 65_536
"""Rows per link."""

_VERSION: Final = b"surgetank trace 2\0"


def chain(name: str, table: pl.DataFrame) -> list[str]:
    """Links (64 hex digits each) of a checked table: the first for its columns, one per chunk."""
    columns = SCHEMA[name]
    head = ",".join(f"{c}:{s.dtype}:{int(s.nullable)}" for c, s in columns.items())
    link = blake3(_VERSION + name.encode() + b"\0" + head.encode()).digest()
    links = [link.hex()]
    for first in range(0, table.height, CHUNK_ROWS):
        chunk = table.slice(first, CHUNK_ROWS)
        digest = blake3(link)
        digest.update(chunk.height.to_bytes(8, "little"))
        for column, spec in columns.items():
            for part in _parts(chunk[column], spec):
                digest.update(part)
        link = digest.digest()
        links.append(link.hex())
    return links


def combine(run: Iterable[str], chains: Mapping[str, list[str]], stats: Mapping[str, Any]) -> str:
    """The trace hash: BLAKE3 over the parts of the run's name, its stats, the table names and
    final links."""
    digest = blake3(_VERSION)
    for part in run:
        digest.update(part.encode() + b"\0")
    text = json.dumps(stats, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    digest.update(len(text).to_bytes(8, "little") + text)
    for name, links in chains.items():
        digest.update(name.encode() + b"\0" + bytes.fromhex(links[-1]))
    return digest.hexdigest()


def _parts(cells: pl.Series, spec: Column) -> Iterable[bytes]:
    if spec.nullable:
        yield cells.is_not_null().cast(pl.UInt8).to_numpy().tobytes()
    if spec.dtype == pl.String:
        texts = cells.fill_null("")
        yield texts.str.len_bytes().to_numpy().astype("<u4").tobytes()
        yield "".join(texts.to_list()).encode()
        return
    values = (cells.fill_null(0) if spec.nullable else cells).to_numpy()
    yield np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()
