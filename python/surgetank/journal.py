"""Journals of ordered batches: written by a pipe, verified offline, with proofs for third parties.

The format to the byte, what a journal proves and what it cannot: `docs/journal.md`. Proofs are
checked here, by code independent of the core that makes them: each checks the other.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import polars as pl
from blake3 import blake3

from surgetank.errors import SurgetankError
from surgetank.native import compiled
from surgetank.pipe import Pipe, Refusal, account_key, record

__all__ = [
    "Batch",
    "Extension",
    "Finding",
    "Journal",
    "Pipe",
    "Proof",
    "Refusal",
    "Report",
    "account_key",
    "record",
    "verify",
]

#: Bytes of a record that a pipe takes.
RECORD_BYTES = 128
_HEADER = struct.Struct("<H3Q4I32s32s32s32s32s")
#: The fields after the version.
_FIXED = (
    "height",
    "first_sequence",
    "sealed_ns",
    "inputs",
    "carried_in",
    "ordered",
    "carried_out",
    "reveal",
    "seed",
    "inputs_root",
    "order_root",
    "previous",
)

_PUBLISHED: Final = {
    "height": pl.UInt64,
    "sequence": pl.UInt64,
    "account": pl.UInt32,
    "class": pl.UInt8,
    "flags": pl.UInt8,
    "fee": pl.UInt32,
    "arrival_ns": pl.UInt64,
    "message": pl.Binary,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A defect of a journal: its kind, the batch (from 1; 0 is the head), position there, and
    byte."""

    kind: str
    batch: int
    position: int | None
    byte: int
    what: str

    def __str__(self) -> str:
        at = "" if self.position is None else f", position {self.position}"
        return f"{self.kind}: batch {self.batch}{at} (byte {self.byte}): {self.what}"


@dataclass(frozen=True, slots=True)
class Report:
    """Counts and findings of the verifier. `findings` holds the first 1,000 of `findings_count`."""

    batches: int
    messages: int
    waiting: int
    bytes_read: int
    last_hash: bytes
    findings: tuple[Finding, ...]
    findings_count: int
    stopped: bool

    @property
    def whole(self) -> bool:
        """Whether the whole file was read without a finding."""
        return self.findings_count == 0 and not self.stopped

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON, with hashes in hex."""
        return asdict(self) | {"whole": self.whole, "last_hash": self.last_hash.hex()}


def verify(
    path: str | os.PathLike[str],
    *,
    expect: bytes | None = None,
    progress: Callable[[int], bool] | None = None,
) -> Report:
    """Verifies a journal by deriving it again from its sealed inputs, by code that shares none
    with the sequencer. `path` is a journal's file, or the data folder of a venue, which may run.

    `expect` is the hash of the last batch, from an independent source: without it a
    truncated or substituted journal cannot be detected. `progress(bytes)` is called about ten
    times a second; False stops.

    Raises:
        SurgetankError: if the file cannot be read.
    """
    try:
        checked = compiled().verify(os.fspath(path), progress)
    except OSError as error:
        raise SurgetankError(
            f"cannot be read ({error})",
            place=str(path),
            hint="Name a journal's file or a venue's data folder",
        ) from None
    findings = [Finding(*finding) for finding in checked.pop("findings")]
    if expect is not None and expect != checked["last_hash"] and not checked["stopped"]:
        what = f"ends with {checked['last_hash'].hex()}, not with what was expected"
        findings.append(Finding("other-end", checked["batches"], None, checked["bytes_read"], what))
        checked["findings_count"] += 1
    return Report(findings=tuple(findings), **checked)


def _hash(prefix: bytes, data: bytes) -> bytes:
    """The hash of trees: BLAKE3 of the input, filled up with zeros to whole blocks of 64 bytes."""
    whole = prefix + data
    return blake3(whole + bytes(-len(whole) % 64)).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return _hash(b"\x01", left + right)


def _climb(index: int, last: int, path: tuple[bytes, ...]) -> Iterator[tuple[bool, bytes]]:
    """Each step of a path: whether the sibling is on the left, and its hash (RFC 9162, 2.1.3.2).

    Raises ValueError if the path is longer or shorter than the tree is high.
    """
    for step in path:
        if last == 0:
            raise ValueError("too long")
        left = index % 2 == 1 or index == last
        yield left, step
        while left and index % 2 == 0 and index:
            index, last = index >> 1, last >> 1
        index, last = index >> 1, last >> 1
    if last:
        raise ValueError("too short")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch's header; `sealed_ns` is by the clock of the caller of `Pipe.push`."""

    height: int
    first_sequence: int
    sealed_ns: int
    inputs: int
    carried_in: int
    ordered: int
    carried_out: int
    reveal: bytes
    seed: bytes
    inputs_root: bytes
    order_root: bytes
    previous: bytes
    rule: str
    rule_next: str
    beacon: bytes
    #: The layout of the hashed bytes.
    header: bytes = field(repr=False)

    @classmethod
    def from_header(cls, header: bytes) -> Batch:
        """Parses a header's bytes.

        Raises:
            SurgetankError: if they are not a header.
        """
        try:
            version, *fixed = _HEADER.unpack_from(header)
            texts, at = [], _HEADER.size
            for _ in range(3):
                (size,) = struct.unpack_from("<H", header, at)
                texts.append(header[at + 2 : at + 2 + size])
                at += 2 + size
            if version != 1 or at != len(header):
                raise ValueError
            rule, rule_next, beacon = texts[0].decode(), texts[1].decode(), texts[2]
            rest: dict[str, Any] = {
                "rule": rule,
                "rule_next": rule_next,
                "beacon": beacon,
                "header": header,
            }
            return cls(**dict(zip(_FIXED, fixed, strict=True)), **rest)
        except (struct.error, ValueError):
            raise SurgetankError(
                "is not the header of a batch", place="header", hint="Take it from a journal"
            ) from None

    @property
    def hash(self) -> bytes:
        """The batch's place in the chain."""
        return blake3(b"surgetank batch 1" + self.header).digest()


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that a message was published at a position of a batch."""

    header: bytes
    position: int
    ticket: bytes
    message: bytes
    path: tuple[bytes, ...]

    @property
    def batch(self) -> Batch:
        """The header of the batch that the proof refers to."""
        return Batch.from_header(self.header)

    @property
    def sequence(self) -> int:
        """The message's sequence number in the journal, from 1."""
        return self.batch.first_sequence + self.position

    def check(self, root: bytes) -> bool:
        """Whether the message stands at its position under this `order_root`."""
        size = self.batch.ordered
        if not 0 <= self.position < size or len(self.ticket) != 18:
            return False
        data = self.ticket + struct.pack("<I", len(self.message)) + self.message
        found = _hash(b"\x00", data)
        try:
            for left, step in _climb(self.position, size - 1, self.path):
                found = _node(step, found) if left else _node(found, step)
        except ValueError:
            return False
        return found == root

    def check_hash(self, batch_hash: bytes) -> bool:
        """Whether the message stands at its position in the batch with this hash."""
        return self.batch.hash == batch_hash and self.check(self.batch.order_root)

    def to_json(self) -> str:
        """The proof as JSON text."""
        values = {k: v.hex() if isinstance(v, bytes) else v for k, v in asdict(self).items()}
        return json.dumps(values | {"path": [step.hex() for step in self.path]})

    @classmethod
    def from_json(cls, text: str) -> Proof:
        """Reads what `to_json` wrote.

        Raises:
            SurgetankError: if it is something else.
        """
        try:
            read = json.loads(text)
            header, ticket, message = (
                bytes.fromhex(read[name]) for name in ("header", "ticket", "message")
            )
            path = tuple(bytes.fromhex(step) for step in read["path"])
            return cls(header, int(read["position"]), ticket, message, path)
        except (KeyError, TypeError, ValueError):
            raise SurgetankError(
                "is not a proof", place="proof", hint="Write it by Proof.to_json"
            ) from None


@dataclass(frozen=True, slots=True)
class Extension:
    """A proof that a journal of `new` batches begins with the journal of its first `old`
    batches."""

    old: int
    new: int
    path: tuple[bytes, ...]

    def check(self, old_root: bytes, new_root: bytes) -> bool:
        """Whether the proof holds for these roots (RFC 9162, 2.1.4.2)."""
        if not 0 < self.old <= self.new:
            return False
        if self.old == self.new:
            return not self.path and old_root == new_root
        # A full old tree is itself the proof's first hash.
        path = (old_root, *self.path) if self.old & (self.old - 1) == 0 else self.path
        if not path:
            return False
        at, last = self.old - 1, self.new - 1
        while at % 2 == 1:
            at, last = at >> 1, last >> 1
        older = newer = path[0]
        try:
            for left, step in _climb(at, last, path[1:]):
                older = _node(step, older) if left else older
                newer = _node(step, newer) if left else _node(newer, step)
        except ValueError:
            return False
        return (older, newer) == (old_root, new_root)


class Journal:
    """A journal's file, read. Reading checks hashes, chain and roots; rules are for `verify`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        """All batches' headers.

        Raises:
            SurgetankError: if the file is torn or altered; names byte and batch.
        """
        headers = self._read(lambda core: core.headers(os.fspath(self.path)))
        return tuple(Batch.from_header(header) for header in headers)

    def published(self) -> pl.DataFrame:
        """Every published message, in order.

        Columns: height, sequence (UInt64), account (UInt32), class, flags (UInt8), fee (UInt32,
        millionths of a USD), arrival_ns (UInt64), message (Binary).

        Raises:
            SurgetankError: if the file is torn or altered; names byte and batch.
        """
        rows = self._read(lambda core: core.published(os.fspath(self.path)))
        return pl.DataFrame(rows, schema=_PUBLISHED, orient="row")

    def prove(self, message: bytes) -> Proof:
        """Proves where a message stands in the published order (the first, if it is there twice).

        Raises:
            SurgetankError: if it is not there, or the file is torn or altered.
        """
        found = self._read(lambda core: core.prove(os.fspath(self.path), message))
        if found is None:
            raise SurgetankError(
                "holds no such message", place=str(self.path), hint="Give all bytes of the message"
            )
        header, position, ticket, path = found
        return Proof(header, position, ticket, message, tuple(path))

    def root(self, size: int | None = None) -> bytes:
        """Root of the tree over the hashes of the first `size` batches (default: all)."""
        return bytes(compiled().log_root([batch.header for batch in self.batches[:size]]))

    def extends(self, old: int) -> Extension:
        """Proves that this journal begins with its first `old` batches.

        Raises:
            SurgetankError: if there are not so many.
        """
        headers = [batch.header for batch in self.batches]
        path = self._read(lambda core: core.log_consistency(headers, old))
        return Extension(old, len(headers), tuple(path))

    def _read(self, ask: Callable[[Any], Any]) -> Any:
        try:
            return ask(compiled())
        except (OSError, ValueError, OverflowError) as error:
            raise SurgetankError(
                str(error), place="journal", hint="`surgetank verify` says more"
            ) from None
