"""Requests that are not answered yet, over all connections of a client."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from surgetank.client.answers import Answer

__all__ = ["Pending", "Submission", "Unresolved"]


class Pending:
    """A request, until it is answered."""

    __slots__ = ("answer", "batch", "cl_ord_id", "fields", "number", "sent")

    def __init__(
        self, number: int, cl_ord_id: int, fields: tuple[Any, ...], batch: Submission
    ) -> None:
        self.number = number
        self.cl_ord_id = cl_ord_id
        self.fields = fields
        """What the core takes: the same in every copy."""
        self.batch = batch
        self.sent = 0
        """Copies that were sent."""
        self.answer: Answer | None = None


class Submission:
    """Requests that were submitted together."""

    def __init__(self, on_done: Callable[[], None], padding: int = 0) -> None:
        self.requests: list[Pending] = []
        self.padding = padding
        self._left = 0
        self._on_done = on_done

    def add(self, pending: Pending) -> None:
        """Adds a request."""
        self.requests.append(pending)
        self._left += 1

    def count_down(self) -> None:
        """One more of them is answered."""
        self._left -= 1
        if not self._left:
            self._on_done()

    @property
    def answers(self) -> list[Answer]:
        """The answers, in the order of the requests, once all are there."""
        return [one.answer for one in self.requests if one.answer is not None]

    @property
    def last(self) -> int:
        """Number of the last request."""
        return self.requests[-1].number


class Unresolved:
    """All requests without an answer, in their order, and the client's watermark."""

    def __init__(self) -> None:
        self.submitted = 0
        """Number of the last request."""
        self._open: deque[Pending] = deque()
        self._waiters: list[Callable[[], None]] = []

    def add(self, fields: tuple[Any, ...], cl_ord_id: int, batch: Submission) -> Pending:
        """A new request, with the next number."""
        self.submitted += 1
        pending = Pending(self.submitted, cl_ord_id, fields, batch)
        batch.add(pending)
        self._open.append(pending)
        return pending

    def resolve(self, pending: Pending, answer: Answer) -> None:
        """It is answered. A second answer changes nothing."""
        if pending.answer is not None:
            return
        pending.answer = answer
        while self._open and self._open[0].answer is not None:
            self._open.popleft()
        pending.batch.count_down()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter()

    def on_next_answer(self, waiter: Callable[[], None]) -> None:
        """Calls this once, at the next answer."""
        self._waiters.append(waiter)

    @property
    def answered_through(self) -> int:
        """All requests up to this number are answered."""
        return self._open[0].number - 1 if self._open else self.submitted

    def all(self) -> Sequence[Pending]:
        """Those that are not answered, in their order."""
        return [pending for pending in self._open if pending.answer is None]
