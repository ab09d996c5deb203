"""docs/coordinated-omission.md: what an open loop counts and a closed loop does not."""

from __future__ import annotations

import numpy as np
import pytest

from omission import NAMES, Row, Seen, corrected, measure, table

pytestmark = pytest.mark.live


def test_a_stall_is_charged_to_all_who_would_have_come() -> None:
    """400/s, half a second of standstill: some 200 messages; the closed loop has hardly any."""
    seen, stall_s, _ = measure(400.0, 3.0, 0.5)
    assert stall_s >= 0.5
    late = {name: int((of.delay_ms > 100).sum()) for name, of in seen.items()}
    # Whoever was due in the first 0.4 s of it waited for more than 0.1 s.
    assert late[NAMES[0]] >= 150
    assert 1 <= late[NAMES[1]] <= late[NAMES[0]] / 4
    assert len(seen[NAMES[0]].delay_ms) == 1_200
    assert len(seen[NAMES[1]].delay_ms) <= 1_200 - 150
    assert late[NAMES[2]] > late[NAMES[1]]


def test_the_correction_fills_in_what_was_not_sent() -> None:
    """A delay of 100 ms at 100/s stands for ten: 100, 90, …, 10."""
    filled = corrected(Seen(np.zeros(2), np.array([100.0, 5.0])), rate=100.0)
    assert sorted(filled.delay_ms.tolist()) == pytest.approx([5.0, *range(10, 101, 10)], rel=2e-3)


def test_a_lost_message_is_not_left_out() -> None:
    """It would make the open loop look better."""
    with pytest.raises(SystemExit, match="messages were lost"):
        Seen(np.zeros(2), np.array([1.0, np.inf])).row("open loop")


def test_the_table_is_markdown() -> None:
    """As it stands in the document."""
    assert table([Row("open loop", 20_000, [0.1824, 806.4, 986.0, 1_005.2])]).splitlines()[-1] == (
        "| open loop | 20,000 | 0.182 ms | 806 ms | 986 ms | 1,005 ms |"
    )
