"""How long somebody has lacked the newest there is: one definition, used at three places.

A piece of news has a time at which it came up and one at which somebody had it (or never had). What
is newer supersedes what is older: whoever has a later piece lacks none of the earlier ones. At a
time t somebody lacks news for t less the time at which the first piece came up that is newer than
all he has; 0 if there is none. That is the age of information (Kaul, Yates and Gruteser, "Real-time
status: how often should one update?", INFOCOM 2012) less the time in which there was no news.

- A node **trails** by how long it has lacked the newest block that somebody executed.
- A node does not **hear** another by how long it has lacked the newest message let in there.
- A state is **stale** by how long it has lacked the newest message that was created outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEVER", "Ints", "News", "news"]

Ints = NDArray[np.int64]

NEVER: Final = 2**62
"""A time after every run."""

_HALVINGS: Final = 60


@dataclass(frozen=True, eq=False)
class News:
    """Pieces of news in the order in which they came up."""

    up_ns: Ints
    """When each came up; ascending."""
    had_ns: Ints
    """When it, or a later one, was had; ascending; NEVER if that did not happen."""

    def spans(self, longer_than_ns: int, end_ns: int) -> tuple[Ints, Ints]:
        """Begins and ends of the times in which news was lacked for longer than that; disjoint."""
        begin, until = self.up_ns + longer_than_ns, np.minimum(self.had_ns, end_ns)
        kept = begin < until
        begin, until = begin[kept], until[kept]
        if not len(begin):
            return begin, until
        opens = np.append(True, begin[1:] > until[:-1])
        closes = np.append(opens[1:], True)
        return begin[opens], until[closes]

    def longest_ns(self, from_ns: int, until_ns: int) -> int:
        """The longest that news was lacked within a window."""
        low, high = self._ages(from_ns, until_ns)
        return int(high.max(initial=0)) if len(low) else 0

    def quantile_ns(self, q: float, from_ns: int, until_ns: int) -> float:
        """What the time for which news was lacked did not exceed for a share q of a window.

        Exact up to a nanosecond: the age rises at rate 1 between the pieces' ends, so the time
        spent below a value is a sum of clipped lengths, which is solved for the value.
        """
        low, high = self._ages(from_ns, until_ns)
        length = high - low
        wanted = q * (until_ns - from_ns) - (until_ns - from_ns - float(length.sum()))
        if wanted <= 0 or not len(low):
            return 0.0
        below, above = 0.0, float(high.max())
        for _ in range(_HALVINGS):
            middle = (below + above) / 2
            if float(np.clip(middle - low, 0, length).sum()) < wanted:
                below = middle
            else:
                above = middle
        return above

    def _ages(self, from_ns: int, until_ns: int) -> tuple[Ints, Ints]:
        """Least and greatest age on each stretch of the window in which one piece is lacked."""
        before = np.append(-1, self.had_ns[:-1])
        begin = np.maximum(np.maximum(self.up_ns, before), from_ns)
        until = np.minimum(self.had_ns, until_ns)
        kept = begin < until
        return (begin - self.up_ns)[kept], (until - self.up_ns)[kept]


def news(up_ns: Ints, had_ns: Ints) -> News:
    """News from when each piece came up and was had, in any order."""
    order = np.argsort(up_ns, kind="stable")
    up, had = up_ns[order], had_ns[order]
    # Having a later piece, or one of the same time, is as good as having this one.
    had = np.minimum.accumulate(had[::-1])[::-1]
    return News(up, had[np.searchsorted(up, up, side="left")])
