"""The content of a tape, independent of the recording's format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

__all__ = ["Floats", "Ints", "Tape"]


@dataclass(frozen=True)
class Tape:
    """Prices and messages; times in nanoseconds from the tape's start, after `speed`.

    `messages_*` are equally long (empty if the recording has none): class number (2 cancel, 3
    replace, 4 order), side (1 buy, 2 sell), price in USD, quantity in coins, and the key of the
    resting order that the message is about (0 = none: a market order).
    """

    kind: str
    prices_ns: Ints
    prices_usd: Floats
    messages_ns: Ints
    messages_class: Ints
    messages_side: Ints
    messages_usd: Floats
    messages_qty: Floats
    messages_key: Ints
    file: str = ""
    """The file from which it was read; with the options below, it can be read again."""
    speed: float = 1.0
    start_s: float = 0.0
    part_s: float | None = None

    @property
    def options(self) -> list[str]:
        """The command line's options that read it."""
        found = ["--tape", self.file or "RECORDING"]
        for flag, value, usual in (
            ("--speed", self.speed, 1.0),
            ("--tape-start", self.start_s, 0.0),
            ("--tape-seconds", self.part_s, None),
        ):
            if value != usual:
                # The shortest text that reads back as the same number.
                found += [flag, repr(value).removesuffix(".0")]
        return found

    @property
    def seconds(self) -> float:
        """Length in seconds of simulated time."""
        ends = [int(times[-1]) for times in (self.prices_ns, self.messages_ns) if len(times)]
        return max(ends) / 1e9

    @property
    def hash(self) -> str:
        """BLAKE3 (hex) of its whole content: a part of the run's scenario hash."""
        digest = blake3(self.kind.encode())
        for name, values in self.as_arrays().items():
            digest.update(name.encode())
            digest.update(values.tobytes())
        return digest.hexdigest()

    def as_arrays(self) -> dict[str, Ints | Floats]:
        """The columns by name."""
        return {
            "prices_ns": self.prices_ns,
            "prices_usd": self.prices_usd,
            "messages_ns": self.messages_ns,
            "messages_class": self.messages_class,
            "messages_side": self.messages_side,
            "messages_usd": self.messages_usd,
            "messages_qty": self.messages_qty,
            "messages_key": self.messages_key,
        }

    def as_core(self) -> dict[str, list[Any]]:
        """The columns as the compiled core takes them."""
        return {name: values.tolist() for name, values in self.as_arrays().items()}
