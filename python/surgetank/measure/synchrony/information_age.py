"""The time for which an observer lacks the newest information: one definition, used three times.

An update has a time at which it arose and one at which the observer had it (or never). Newer
updates supersede older ones: an observer that has a later update lacks none of the earlier ones. At
time t the observer lacks news for t less the time at which the first update arose that is newer
than all it has; 0 if there is none. That is the age of information (Kaul, Yates and Gruteser,
"Real-time
status: how often should one update?", INFOCOM 2012) less the time in which there was no update.

- A node **trails** by how long it has lacked the newest block that any node executed.
- A node does not **receive** from another for as long as it has lacked the newest message admitted
there.
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
    """Updates in the order in which they arose."""

    up_ns: Ints
    """When each arose, ns; ascending."""
    had_ns: Ints
    """When the observer had it or a later one, ns; ascending; NEVER if it did not."""

    def spans(self, longer_than_ns: int, end_ns: int) -> tuple[Ints, Ints]:
        """Begins and ends (ns) of the times in which news was lacked for longer than that;
        disjoint."""
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
        """The q-quantile, over a window, of the time for which news was lacked, ns.

        Exact up to a nanosecond: the age rises at rate 1 between updates, so the time
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
            below_it = np.minimum(np.maximum(middle - low, 0), length)
            if float(below_it.sum()) < wanted:
                below = middle
            else:
                above = middle
        return above

    def _ages(self, from_ns: int, until_ns: int) -> tuple[Ints, Ints]:
        """Least and greatest age in each part of the window in which one update is lacked."""
        before = np.append(-1, self.had_ns[:-1])
        begin = np.maximum(np.maximum(self.up_ns, before), from_ns)
        until = np.minimum(self.had_ns, until_ns)
        kept = begin < until
        return (begin - self.up_ns)[kept], (until - self.up_ns)[kept]


def news(up_ns: Ints, had_ns: Ints) -> News:
    """Updates from the times at which each arose and was had, in any order."""
    order = np.argsort(up_ns, kind="stable")
    up, had = up_ns[order], had_ns[order]
    # A later update, or one of the same time, supersedes this one.
    had = np.minimum.accumulate(had[::-1])[::-1]
    return News(up, had[np.searchsorted(up, up, side="left")])
