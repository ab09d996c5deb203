"""Payloads of live runs: text, so that every broker accepts them, beginning with the message's
number.

```text
SGT1 | run, 8 hex digits | number, 8 hex digits | flag | [traceparent, 55 characters] | padding
```
The flag is `T` where a W3C traceparent follows, else `-`. Padding is dots. A payload that
does not start like this, or is of another run, is foreign and is not counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "HEADER_BYTES",
    "MAGIC",
    "Finder",
    "Numbers",
    "Scanner",
    "decode",
    "encode",
    "hex_numbers",
    "numbers_in",
    "traceparent_of",
]

MAGIC: Final = b"SGT1"
HEADER_BYTES: Final = 21
_TRACEPARENT_BYTES: Final = 55

Numbers = npt.NDArray[np.int64]


def encode(run: int, number: int, size_bytes: int, traceparent: str | None = None) -> bytes:
    """A payload of `size_bytes`, or of the header's size if that is larger."""
    if traceparent is None:
        head = b"SGT1%08x%08x-" % (run, number)
    else:
        head = b"SGT1%08x%08xT%s" % (run, number, traceparent.encode("ascii"))
    return head.ljust(size_bytes, b".")


def decode(run: int, payload: bytes | bytearray | memoryview) -> int | None:
    """The message's number; None for a foreign payload."""
    head = bytes(payload[:HEADER_BYTES])
    if len(head) < HEADER_BYTES or head[:12] != b"SGT1%08x" % run:
        return None
    try:
        return int(head[12:20], 16)
    except ValueError:
        return None


def traceparent_of(payload: bytes | bytearray | memoryview) -> str | None:
    """The W3C traceparent that a sampled payload carries."""
    if bytes(payload[HEADER_BYTES - 1 : HEADER_BYTES]) != b"T":
        return None
    return bytes(payload[HEADER_BYTES : HEADER_BYTES + _TRACEPARENT_BYTES]).decode("ascii")


def numbers_in(run: int, payloads: Iterable[bytes]) -> Numbers:
    """Numbers of many payloads of this run, in order; foreign ones are left out."""
    start = b"SGT1%08x" % run
    heads = [p[12:20] for p in payloads if p[:12] == start]
    return hex_numbers(b"".join(heads))


class Finder:
    """Finds the numbers of all messages of a run whose header is complete within a piece of a
    stream, in order."""

    def __init__(self, run: int) -> None:
        self._start = b"SGT1%08x" % run
        self._pattern = re.compile(self._start + b"([0-9a-f]{8})[-T]")

    def numbers(self, piece: bytes) -> Numbers:
        """The numbers in a piece, for framings that leave payloads unchanged."""
        if len(piece) < _LARGE_BYTES:
            return hex_numbers(b"".join(self._pattern.findall(piece)))
        # Half the cost of the pattern: only positions with the letter T are examined.
        places = np.flatnonzero(np.frombuffer(piece, dtype=np.uint8) == ord("T")) - 2
        count = len(piece) - HEADER_BYTES + 1
        places = places[(places >= 0) & (places < count)]
        places = places[_at_each("S12", piece, count)[places] == self._start]
        flags = _at_each("S1", piece, count, 20)[places]
        digits = _at_each("V8", piece, count, 12)[places].tobytes()
        good = (flags == b"-") | (flags == b"T")
        if not (good.all() and _IS_DIGIT[np.frombuffer(digits, dtype=np.uint8)].all()):
            return hex_numbers(b"".join(self._pattern.findall(piece)))
        return hex_numbers(digits)


class Scanner:
    """Finds the numbers in a stream that arrives in pieces, cut anywhere."""

    def __init__(self, run: int) -> None:
        self._finder = Finder(run)
        self._tail = b""

    def feed(self, piece: bytes) -> Numbers:
        """Numbers of the messages whose header ends in this piece, in order."""
        data = self._tail + piece
        # One byte less than a header is kept, so that no number is found twice.
        self._tail = data[1 - HEADER_BYTES :]
        return self._finder.numbers(data)


def _at_each(kind: str, piece: bytes, count: int, offset: int = 0) -> npt.NDArray[Any]:
    """An array view with one item of dtype `kind` from each byte position on."""
    return np.ndarray((count,), dtype=kind, buffer=piece, offset=offset, strides=(1,))


#: Below this the pattern is cheaper than a dozen calls of numpy.
_LARGE_BYTES: Final = 8_192

#: Value of each hexadecimal digit's byte.
_DIGIT: Final = np.zeros(256, dtype=np.int64)
_DIGIT[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = np.arange(16)
_IS_DIGIT: Final = np.zeros(256, dtype=np.bool_)
_IS_DIGIT[np.frombuffer(b"0123456789abcdef", dtype=np.uint8)] = True
_PLACE: Final = 16 ** np.arange(7, -1, -1, dtype=np.int64)


def hex_numbers(digits: bytes) -> Numbers:
    """Numbers of eight digits each, written without gaps."""
    return _DIGIT[np.frombuffer(digits, dtype=np.uint8).reshape(-1, 8)] @ _PLACE
