"""The journal of a venue's data folder, read from its files by the layout in docs/storage.md.

It shares no code with the venue: only the bytes on the disk count.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from surgetank.journal import Report, verify

__all__ = ["Placed", "Record", "records", "requests_of", "verified"]

BLOCK = 4096
_SLOT_BYTES = 512
_RECORD_HEADER_BYTES = 160
_HEAD, _BATCH = 2, 3


@dataclass(frozen=True)
class Record:
    """A whole record, with its place in the file."""

    number: int
    kind: int
    path: Path
    offset: int
    bytes_: int
    """Size with its header and padding."""
    payload: bytes

    @property
    def slot(self) -> tuple[Path, int]:
        """File and offset of its commit slot; the n-th record of a segment has the n-th slot."""
        first = struct.unpack_from("<Q", self.path.read_bytes()[:128], 36)[0]
        return self.path, 2 * BLOCK + (self.number - first) * _SLOT_BYTES


@dataclass(frozen=True)
class Placed:
    """A request with its place in the journal."""

    sequence: int
    sender: int
    cl_ord_id: int
    request: bytes
    """All of its bytes but its number in a connection."""


def records(data: Path) -> Iterator[Record]:
    """Every record up to the first place in each segment that has none."""
    for path in sorted((data / "journal").glob("*.segment")):
        content = path.read_bytes()
        if not content.startswith(b"SGTSEG1\n"):
            continue
        slots = (len(content) - 2 * BLOCK) // (_SLOT_BYTES + BLOCK)
        offset = -(-(2 * BLOCK + slots * _SLOT_BYTES) // BLOCK) * BLOCK
        while content[offset : offset + 4] == b"SGTR":
            kind = content[offset + 6]
            (number,) = struct.unpack_from("<Q", content, offset + 32)
            (length,) = struct.unpack_from("<I", content, offset + 56)
            start = offset + _RECORD_HEADER_BYTES
            size = -(-(_RECORD_HEADER_BYTES + length) // BLOCK) * BLOCK
            payload = content[start : start + length]
            yield Record(number, kind, path, offset, size, payload)
            offset += size


def verified(found: list[Record], scratch: Path) -> Report:
    """What the verifier says of the records' heads and batches."""
    flat = b"".join(one.payload for one in found if one.kind in (_HEAD, _BATCH))
    scratch.write_bytes(flat)
    return verify(scratch)


def requests_of(record: Record) -> list[Placed]:
    """The requests of a batch in its order; none of another record."""
    if record.kind != _BATCH:
        return []
    frame = record.payload
    header_bytes = struct.unpack_from("<I", frame, 8)[0]
    (first_sequence,) = struct.unpack_from("<Q", frame, 12 + 10)
    at = 12 + header_bytes
    (count,) = struct.unpack_from("<I", frame, at)
    at, inputs = at + 4, []
    for _ in range(count):
        (length,) = struct.unpack_from("<I", frame, at + 18)
        inputs.append(frame[at + 22 : at + 22 + length])
        at += 22 + length
    at += 4 + 8 * struct.unpack_from("<I", frame, at)[0]
    (ordered,) = struct.unpack_from("<I", frame, at)
    order = struct.unpack_from(f"<{ordered}I", frame, at + 4)
    places = enumerate(order, first_sequence)
    return [_placed(sequence, inputs[index]) for sequence, index in places]


def _placed(sequence: int, request: bytes) -> Placed:
    kind = request[0]
    if kind == 0:  # a message: version, class, number, account, sent_ns, ClOrdID
        number_at, sender_at, ident_at = 3, 7, 19
    else:  # number, sender, sent_ns, cl_ord_id
        number_at, sender_at, ident_at = 1, 5, 17
    (sender,) = struct.unpack_from("<I", request, sender_at)
    (ident,) = struct.unpack_from("<Q", request, ident_at)
    rest = request[:number_at] + bytes(4) + request[number_at + 4 :]
    return Placed(sequence, sender, ident, rest)
