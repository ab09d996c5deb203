"""Options of URLs are read and refused alike, and a target removes only what it made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from surgetank.live.payload import Numbers
from surgetank.live.systems.checked import CheckedTarget
from surgetank.live.target import Outgoing, Sink, TargetError, Where
from surgetank.live.url_options import check_options, choice, real_number, whole_number


def where(**options: str) -> Where:
    return Where("memory", "127.0.0.1", 1, "mine", options)


def test_what_is_left_out_is_as_usual_and_what_is_given_is_read() -> None:
    assert choice(where(), "ack", ("a", "b"), "b") == "b"
    assert choice(where(ack="a"), "ack", ("a", "b"), "b") == "a"
    assert real_number(where(), "wait_s", 1.5) == 1.5
    assert real_number(where(wait_s="2.5e1"), "wait_s", 1.5, 0, 25) == 25
    assert whole_number(where(), "count", 0, 1, 9) == 0  # the usual value may be a mark
    assert whole_number(where(count="9"), "count", 0, 1, 9) == 9


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "26", "soon", ""])
def test_a_number_beyond_its_bounds_is_refused(text: str) -> None:
    with pytest.raises(TargetError, match=r"`wait_s` .*is not a number from 0 to 25"):
        real_number(where(wait_s=text), "wait_s", 1.0, 0, 25)


def test_what_cannot_be_meant_is_refused_with_a_remedy() -> None:
    with pytest.raises(TargetError, match=r"`count` 1\.5 is not a whole number"):
        whole_number(where(count="1.5"), "count", 1, 0, 9)
    with pytest.raises(TargetError, match=r"`ack` c is not known\. Give one of a, b"):
        choice(where(ack="c"), "ack", ("a", "b"), "b")
    with pytest.raises(TargetError, match=r"no option `akc` \(did you mean ack\?\)"):
        check_options(where(akc="a"), ("ack",))
    check_options(where(anything="a"), None)


class Shelf(CheckedTarget):
    """Makes an entry in a set."""

    options: ClassVar = ("ack",)
    acks: ClassVar = ("none",)
    ack_usual: ClassVar = "none"
    by_hand: ClassVar = "shelf rm {name}"
    there: ClassVar[set[str]] = set()
    stuck = False

    async def _make(self) -> bool:
        free = self.where.name not in self.there
        self.there.add(self.where.name)
        return free

    async def _remove(self) -> None:
        if self.stuck:
            raise TargetError("the shelf is locked")
        self.there.remove(self.where.name)

    def frame(self, message: Outgoing) -> bytes:
        return message.payload

    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        raise NotImplementedError

    async def receive(self, sink: Sink) -> None:
        raise NotImplementedError

    async def subscribe(self) -> AsyncIterator[bytes]:
        raise NotImplementedError
        yield b""


def test_only_what_was_made_is_removed() -> None:
    async def run() -> None:
        ours, theirs = Shelf(where()), Shelf(where())
        await theirs.prepare()
        with pytest.raises(TargetError, match="`mine` is there already and is not ours"):
            await ours.prepare()
        await ours.dispose()
        assert Shelf.there == {"mine"}
        theirs.stuck = True
        with pytest.raises(TargetError, match=r"could not be removed.*locked.*shelf rm mine"):
            await theirs.dispose()
        theirs.stuck = False
        await theirs.dispose()
        assert not Shelf.there
        await theirs.dispose()  # twice does no harm

    asyncio.run(run())
