"""The effect of a link on the bytes that pass it, and its random draws.

A connection is TCP: bytes arrive whole and in order, whatever happens. So delay and jitter hold
back a chunk and all bytes after it, and a lost segment costs time but no bytes.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from surgetank.errors import SurgetankError

__all__ = ["RTO_NS", "SEGMENT_BYTES", "Draws", "Fate", "Link"]

#: Linux's least retransmission time-out, `TCP_RTO_MIN` = HZ/5. RFC 6298 (2.4) says 1 s.
RTO_NS: Final = 200_000_000
#: The timeout doubles with each retransmission of a segment (RFC 6298, 5.5), up to a limit that
#: keeps a fault from outlasting its run.
_RETRIES_MAX: Final = 6
#: Payload of an Ethernet frame: 1500 less 20 of IPv4, 20 of TCP and 12 of time stamps.
SEGMENT_BYTES: Final = 1448
#: Pareto tails of exponent 2 and above have a mean; at 2.5 the variance is finite too.
_TAIL: Final = 2.5
#: Heavy-tailed draws are cut off at this multiple of the mean.
_HEAVY_MOST: Final = 100.0


@dataclass(frozen=True, slots=True)
class Link:
    """One link through the proxy, which listens for `a` and connects to `to`, where `b` listens."""

    name: str
    a: int = -1
    """Node that connects; -1 = clients."""
    b: int = 0
    """Node that listens."""
    to: tuple[str, int] = ("127.0.0.1", 0)
    port: int = 0
    """Port to listen on; 0 = a free one."""


@dataclass(frozen=True, slots=True)
class Fate:
    """The effect of a link on bytes in each direction."""

    delay_ms: float = 0.0
    """Delay of every chunk, ms."""
    jitter_ms: float = 0.0
    """Mean of the random addition to the delay, ms."""
    distribution: Literal["exponential", "uniform", "heavy"] = "exponential"
    """Distribution of the jitter. `uniform`: from 0 to twice the mean. `heavy`: Lomax (Pareto II),
    exponent 2.5, cut off at 100 times the mean."""
    bandwidth_mbps: float = 0.0
    """Rate at which all connections of the link together send, Mbit/s; 0 = unlimited."""
    stall: bool = False
    """Bytes are held; connections stay, and new ones are accepted and held."""
    cut: Literal["", "hang", "refuse"] = ""
    """A partition: bytes are held and nothing passes. New connections get no answer (`hang`) or
    are refused. The held bytes are passed on at the end."""
    drop: bool = False
    """Connections are reset, and new ones refused, while this lasts."""
    retransmit_p: float = 0.0
    """Probability that a segment of 1448 bytes is lost. It is sent again after 200 ms, 400 ms, …
    (RFC 6298 without fast retransmit), and everything behind it waits."""

    def __post_init__(self) -> None:
        for name in ("delay_ms", "jitter_ms", "bandwidth_mbps"):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 <= value <= 1e9):
                raise _wrong(name, value, "Give a number from 0 on")
        if not 0 <= self.retransmit_p < 1:
            raise _wrong("retransmit_p", self.retransmit_p, "Give a probability below 1")
        if self.distribution not in ("exponential", "uniform", "heavy"):
            raise _wrong("distribution", self.distribution, "Give exponential, uniform or heavy")
        if self.cut not in ("", "hang", "refuse"):
            raise _wrong("cut", self.cut, 'Give "", "hang" or "refuse"')

    @property
    def holds(self) -> bool:
        """Whether no bytes pass."""
        return self.stall or bool(self.cut) or self.drop

    @property
    def refuses(self) -> bool:
        """Whether new connections are refused."""
        return self.drop or self.cut == "refuse"

    @property
    def idle(self) -> bool:
        """Whether bytes pass without change."""
        return self == _IDLE

    def to_json(self) -> dict[str, Any]:
        """The fields as they are sent to the proxy's process."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Fate:
        """The fate from the fields that `to_json` returned."""
        return cls(**data)


_IDLE: Final = Fate()


def _wrong(name: str, value: object, hint: str) -> SurgetankError:
    return SurgetankError(f"`{name}` cannot be {value}", place="a link's fate", hint=hint)


class Draws:
    """Random draws of one direction of one link; they depend on the seed and the name only."""

    def __init__(self, seed: int, name: str) -> None:
        self._random = random.Random(f"{seed}/{name}")

    def delay_ns(self, fate: Fate) -> int:
        """Delay and jitter of one chunk."""
        if not fate.jitter_ms:
            return int(fate.delay_ms * 1e6)
        unit = 1.0 - self._random.random()  # in (0, 1]
        if fate.distribution == "uniform":
            times = 2.0 * unit
        elif fate.distribution == "heavy":
            # Lomax with shape α and mean 1 has scale α − 1.
            times = min((_TAIL - 1) * (unit ** (-1 / _TAIL) - 1), _HEAVY_MOST)
        else:
            times = -math.log(unit)
        return int((fate.delay_ms + fate.jitter_ms * times) * 1e6)

    def lost(self, fate: Fate, segments: int) -> tuple[int, int]:
        """Number of segments lost at first transmission, and the chunk's wait for retransmissions,
        ns.

        Segments of one chunk wait in parallel, so the longest wait counts.
        """
        p, lost, worst = fate.retransmit_p, 0, 0
        for _ in range(segments):
            tries = 0
            while tries < _RETRIES_MAX and self._random.random() < p:
                tries += 1
            lost += tries > 0
            worst = max(worst, tries)
        return lost, RTO_NS * (2**worst - 1)
