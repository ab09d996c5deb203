"""Answers kept for as long as a trace is in use."""

from __future__ import annotations

import dataclasses
import gc
import weakref

import pytest

from surgetank.measure import measure
from surgetank.testing import executed, make_trace
from surgetank.trace import Trace
from surgetank.trace.once import once_per_trace


def test_an_answer_is_computed_once_for_each_trace_and_argument() -> None:
    asked: list[tuple[Trace, int]] = []

    @once_per_trace
    def rows(trace: Trace, more: int) -> list[int]:
        asked.append((trace, more))
        return [trace["messages"].height + more]

    one = make_trace({"messages": [executed(0, 0, 5)]})
    other = dataclasses.replace(one, stats=dataclasses.replace(one.stats, flow_end_ns=1))
    assert rows(one, 1) is rows(one, 1)
    assert [rows(one, 2), rows(other, 1)] == [[3], [2]]
    assert asked == [(one, 1), (one, 2), (other, 1)]
    with pytest.raises(TypeError, match="by position"):
        rows(one, more=1)


def test_measuring_does_not_keep_a_trace_alive() -> None:
    """No answer refers to the trace that it is kept for: it would never be freed."""
    trace = make_trace({"messages": [executed(k, k, 5) for k in range(30)]})
    measure(trace)
    gone = weakref.ref(trace)
    del trace
    gc.collect()
    assert gone() is None
