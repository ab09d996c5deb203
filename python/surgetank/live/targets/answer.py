"""The sink of a single `publish`, for targets whose own path is `write`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from surgetank.live.target import Disconnected, Refused
from surgetank.live.wire import Numbers

__all__ = ["Answer"]


class Answer:
    """A future for one message: a result when it is acknowledged, else the exception."""

    run = 0

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def acknowledged(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """Yes."""
        self.future.set_result(None)

    def refused(self, numbers: Numbers | Sequence[int], at_ns: int, reason: str) -> None:
        """No."""
        self.future.set_exception(Refused(reason))

    def disconnected(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """No answer."""
        self.future.set_exception(Disconnected())

    def delivered(
        self,
        numbers: Numbers | Sequence[int],
        at_ns: int,
        *,
        node: int = 0,
        decided_ns: int | Numbers | None = None,
        height: int | None = None,
    ) -> None:
        """Nobody subscribes here."""
        raise NotImplementedError
