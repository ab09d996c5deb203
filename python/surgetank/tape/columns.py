"""Columns of a tape while it is read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.tape.lines import broken

#: Most rows; more than any practical run needs.
MESSAGES_MAX = 2_000_000
#: Bound on times: half of the range of 64 bits, so that differences fit too.
_TIME_MAX_NS: Final = 2**62
#: Bounds on prices; the core counts prices in ticks of 64 bits.
_USD_MIN: Final = 1e-9
_USD_MAX: Final = 1e9


class Columns:
    """Columns that grow line by line; times are the recording's own nanoseconds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.line = 0
        self.now = 0
        self.prices: list[tuple[int, float]] = []
        self.messages: list[tuple[int, int, int, float, float, int]] = []

    def tick(self, line: int, at: int) -> None:
        """Advances the clock of the recording to this line's time."""
        if abs(at) > _TIME_MAX_NS:
            what = f"the time {str(at)[:24]} ns does not fit into 64 bits"
            raise broken(self.path, line, what, "Give nanoseconds since 1970")
        if self.count and at < self.now:
            what = f"goes back in time, from {self.now} to {at} ns"
            raise broken(self.path, line, what, "Sort the recording by time")
        self.line, self.now, self.count = line, at, self.count + 1

    def price(self, usd: float) -> None:
        """Adds a price at the current time."""
        if not (usd > 0 and math.isfinite(usd)):
            raise broken(
                self.path, self.line, f"price {usd:g} is not positive", "Leave the line out"
            )
        if not _USD_MIN <= usd <= _USD_MAX:
            what = f"price {usd:g} is beyond {_USD_MIN:g} to {_USD_MAX:g} USD"
            raise broken(self.path, self.line, what, "Leave the line out, or take another unit")
        self.prices.append((self.now, usd))

    def message(self, number: int, side: int, usd: float, coins: float, key: int) -> None:
        """Adds a message at the current time."""
        if len(self.messages) == MESSAGES_MAX:
            raise SurgetankError(
                f"more than {MESSAGES_MAX:,} messages",
                place=f"{self.path}:{self.line}",
                hint="Take a part of it: --tape-start and --tape-seconds",
            )
        self.messages.append((self.now, number, side, usd, coins, key))
