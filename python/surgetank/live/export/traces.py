"""Identifiers of messages' traces (W3C Trace Context), and which messages are sampled.

Both follow from the numbers of the run and of the message, so that they can be computed anywhere
and the workers need no list of sampled messages. Identifiers are successive parts of BLAKE3's
output stream for the run's number, so that those of a whole run are drawn at once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from surgetank.live.payload import Numbers

__all__ = ["sampled", "span_id", "trace_id", "traceparent"]

_TRACE: Final = b"surgetank trace %08x"
_SPAN: Final = b"surgetank span %08x %s"


def trace_id(run: int, number: int) -> int:
    """The trace identifier of a message, 128 bits."""
    return int.from_bytes(blake3(_TRACE % run).digest(length=16, seek=16 * number), "big")


def span_id(run: int, number: int, span: str = "publish") -> int:
    """The identifier of a span of a message's trace, 64 bits."""
    stream = blake3(_SPAN % (run, span.encode()))
    return int.from_bytes(stream.digest(length=8, seek=8 * number), "big")


def traceparent(run: int, number: int, sampled: bool = True) -> str:
    """The header that goes with the message: version 00, its trace, its publish span, the flag."""
    return f"00-{trace_id(run, number):032x}-{span_id(run, number):016x}-{int(sampled):02x}"


def sampled(run: int, messages: int, share: float) -> Numbers:
    """Numbers of the sampled among the first `messages`, ascending.

    The rule is that of OpenTelemetry's `TraceIdRatioBased`: the trace id's lower 64 bits lie below
    `share` · 2⁶⁴. So a collector that samples by the same rule keeps the same traces, and a larger
    share samples all that a smaller one does.

    Raises:
        ValueError: `share` is not within 0 and 1.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"the share of sampled messages must lie within 0 and 1, not {share}")
    if share == 1.0:
        return np.arange(messages, dtype=np.int64)
    found: list[npt.NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    bound, stream, piece = np.uint64(int(share * 2**64)), blake3(_TRACE % run), 1 << 16
    for first in range(0, messages, piece):
        count = min(piece, messages - first)
        ids = np.frombuffer(stream.digest(length=16 * count, seek=16 * first), dtype=">u8")
        found.append(first + np.flatnonzero(ids[1::2] < bound).astype(np.int64))
    return np.concatenate(found)
