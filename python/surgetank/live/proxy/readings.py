"""Counts and delays of the chunks that passed a link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

__all__ = ["Delays", "LinkReading"]

#: Significant bits of a recorded value: a quantile is within 1/64 of the true one.
_BITS: Final = 6


class Delays:
    """A log-linear histogram of nanoseconds, with an exact mean; bounded in size."""

    def __init__(self) -> None:
        self.n = 0
        self.sum_ns = 0
        self._counts: dict[int, int] = {}

    def note(self, value_ns: int) -> None:
        """Adds a value."""
        self.n += 1
        self.sum_ns += value_ns
        shift = max(0, value_ns.bit_length() - _BITS)
        key = (shift << _BITS) | (value_ns >> shift)
        self._counts[key] = self._counts.get(key, 0) + 1

    @classmethod
    def together(cls, some: Iterable[Delays]) -> Self:
        """The sum of several histograms."""
        whole = cls()
        for one in some:
            whole.n += one.n
            whole.sum_ns += one.sum_ns
            for key, count in one._counts.items():
                whole._counts[key] = whole._counts.get(key, 0) + count
        return whole

    def quantile_ns(self, q: float) -> int:
        """Upper edge of the cell that holds the quantile; 0 if there is nothing."""
        left = q * self.n
        for key in sorted(self._counts):
            left -= self._counts[key]
            if left <= 0:
                shift = key >> _BITS
                return ((key & ((1 << _BITS) - 1)) + 1 << shift) - 1
        return 0


@dataclass(frozen=True)
class LinkReading:
    """Reading of one link since its fate was last set, both directions together.

    The delay of a chunk is from reading it from one socket to writing it to the other, so it has
    what the proxy itself costs in it, and not what the kernel's buffers cost.
    """

    name: str
    a: int
    b: int
    connections: int = 0
    """Number of open connections."""
    opened: int = 0
    refused: int = 0
    resets: int = 0
    chunks: int = 0
    """Number of chunks that passed."""
    bytes: int = 0
    """Number of bytes that passed."""
    held_bytes: int = 0
    """Number of bytes held now."""
    delays: int = 0
    """Number of chunks whose delay was measured."""
    delay_asked_ms: float = 0.0
    """Mean requested delay of a chunk, ms: delay, jitter, serialisation and retransmissions."""
    delay_mean_ms: float = 0.0
    delay_p50_ms: float = 0.0
    delay_p99_ms: float = 0.0
    segments: int = 0
    """Number of segments for which a loss was drawn."""
    segments_lost: int = 0
    busy_bytes: int = 0
    """Number of bytes that passed in queues of two pieces or more."""
    busy_s: float = 0.0
    """Transmission time of these, s: the quotient is the measured bandwidth."""
    by_direction: Mapping[str, int] = field(default_factory=dict)
    """Number of bytes `up` (from a to b) and `down`."""

    @property
    def bandwidth_mbps(self) -> float | None:
        """Bandwidth measured while bytes waited, Mbit/s; None where they never did."""
        return self.busy_bytes * 8e-6 / self.busy_s if self.busy_s > 0 else None

    def to_json(self) -> dict[str, Any]:
        """The fields as the proxy's process sends them."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LinkReading:
        """The reading from the fields that `to_json` returned."""
        return cls(**data)
