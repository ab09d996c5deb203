"""One direction of a link: its fate, its draws, its serialisation, and its counts.

All connections of the link share it: bytes of one wait behind bytes of another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from surgetank.live.proxy.fate import SEGMENT_BYTES, Draws, Fate
from surgetank.live.proxy.readings import Delays

__all__ = ["LinkDirection", "Piece"]

#: Most bytes held per connection and direction: Linux's default maximum of `tcp_rmem`.
HELD_MAX_BYTES = 6 << 20
#: Most waiting bytes of a link with limited bandwidth, as transmission time, s.
_WAITING_NS = 200_000_000
#: Transmission time of one piece on a link with limited bandwidth, s.
_PIECE_NS = 1_000_000


@dataclass(slots=True)
class Piece:
    """Bytes in transit; without any, the end of the stream."""

    data: bytes
    arrived_ns: int
    asked_ns: int
    release_ns: int
    epoch: int
    wire_ns: int = 0
    """Transmission time at the limited bandwidth, ns."""
    off_wire_ns: int = 0
    """Time at which its transmission ends, ns; jitter and retransmissions delay it further."""
    waited: bool = False
    """Whether it waited for the transmission of others."""


class LinkDirection:
    """State of one direction."""

    def __init__(self, name: str, seed: int) -> None:
        self.fate = Fate()
        self._draws = Draws(seed, name)
        self._busy_until_ns = 0
        self.epoch = 0
        self.begin(Fate())

    def begin(self, fate: Fate) -> None:
        """Sets the fate from now on and resets the counts."""
        self.fate = fate
        self.epoch += 1
        self.delays = Delays()
        self.asked_ns = 0
        self.bytes = self.chunks = self.segments = self.segments_lost = 0
        self.busy_bytes = self.busy_ns = 0
        self._busy_to_ns = 0
        self._unqueued = (0, 0)

    @property
    def held_max_bytes(self) -> int:
        """Held bytes of one connection beyond which its sender is stopped."""
        if not self.fate.bandwidth_mbps:
            return HELD_MAX_BYTES
        waiting_ns = _WAITING_NS + self.fate.delay_ms * 1e6
        room = int(waiting_ns * self.fate.bandwidth_mbps / 8e3)
        return max(1 << 16, min(room, HELD_MAX_BYTES))

    def pieces(self, data: bytes, arrived_ns: int, not_before_ns: int) -> list[Piece]:
        """The pieces of bytes that arrived, with the times at which they may leave, in order."""
        fate = self.fate
        extra_ns = self._draws.delay_ns(fate)
        if fate.retransmit_p:
            segments = -(-len(data) // SEGMENT_BYTES)
            lost, resent_ns = self._draws.lost(fate, segments)
            self.segments += segments
            self.segments_lost += lost
            extra_ns += resent_ns
        if not fate.bandwidth_mbps:
            release_ns = max(not_before_ns, arrived_ns + extra_ns)
            return [Piece(data, arrived_ns, extra_ns, release_ns, self.epoch)]
        ns_per_byte = 8e3 / fate.bandwidth_mbps
        size = max(SEGMENT_BYTES, int(_PIECE_NS / ns_per_byte))
        found = []
        for start in range(0, len(data), size):
            part = data[start : start + size]
            waited = self._busy_until_ns > arrived_ns
            wire_ns = math.ceil(len(part) * ns_per_byte)
            done_ns = max(self._busy_until_ns, arrived_ns) + wire_ns
            self._busy_until_ns = done_ns
            asked_ns = done_ns - arrived_ns + extra_ns
            not_before_ns = max(not_before_ns, arrived_ns + asked_ns)
            at = (arrived_ns, asked_ns, not_before_ns)
            found.append(Piece(part, *at, self.epoch, wire_ns, done_ns, waited))
        return found

    def passed(self, piece: Piece, now_ns: int, blocked: bool) -> None:
        """Counts a piece that was written. A piece that waited for its receiver, or was scheduled
        under an earlier fate, does not count for this link's delay."""
        self.bytes += len(piece.data)
        self.chunks += 1
        if blocked or piece.epoch != self.epoch:
            return
        self.delays.note(now_ns - piece.arrived_ns)
        self.asked_ns += piece.asked_ns
        if piece.wire_ns:
            self._busy(piece, now_ns)

    def _busy(self, piece: Piece, now_ns: int) -> None:
        """Counts the wire's busy time on its own clock: a piece has it from when its turn comes
        until it is off, and for as long as it was passed on too late. So a piece that left late
        does not make the next one look fast, nor does one that was held up for other reasons. A
        piece that met no queue counts when another waits behind it."""
        begun_ns = piece.off_wire_ns - piece.wire_ns
        end_ns = piece.off_wire_ns + now_ns - piece.release_ns
        unqueued, self._unqueued = self._unqueued, (0, 0)
        if piece.waited:
            self.busy_bytes += unqueued[0] + len(piece.data)
            self.busy_ns += unqueued[1] + max(0, end_ns - max(begun_ns, self._busy_to_ns))
            self._busy_to_ns = max(self._busy_to_ns, end_ns)
        else:
            self._unqueued = (len(piece.data), end_ns - begun_ns)
            self._busy_to_ns = end_ns

    def straight(self, size: int, delay_ns: int) -> None:
        """Counts bytes that passed without change."""
        self.bytes += size
        self.chunks += 1
        self.delays.note(delay_ns)
