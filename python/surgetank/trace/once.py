"""Frames that several measures and charts derive from one trace: computed when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from surgetank.trace import Trace

__all__ = ["once_per_trace"]

P = ParamSpec("P")
T = TypeVar("T")


def once_per_trace(
    compute: Callable[Concatenate[Trace, P], T],
) -> Callable[Concatenate[Trace, P], T]:
    """The function, which keeps its answers for as long as the trace is in use.

    Its other arguments must be hashable and given by position. All callers get the same object, so
    none may change it; and it must not refer to the trace, which would then never be freed.
    """
    kept: WeakKeyDictionary[Trace, dict[Hashable, T]] = WeakKeyDictionary()

    @wraps(compute)
    def answer(trace: Trace, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if kwargs:
            raise TypeError(f"{compute.__name__}: give its arguments by position")
        answers = kept.setdefault(trace, {})
        if args not in answers:
            answers[args] = compute(trace, *args, **kwargs)
        return answers[args]

    return answer
