"""What a broker had said yes to, and no longer has after its process or its machine died.

For every level of acknowledgement: messages are published at a steady rate, in mid-flow the server
gets SIGKILL, and for a power loss its disk then goes back to what had reached it
(`surgetank.live.faults.mounts`). It is started again, and what it holds is read back and compared
with what was acknowledged before.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from surgetank.errors import SurgetankError
from surgetank.live.driver.workplace import Workplace
from surgetank.live.faults.mounts import PowerLossDisk, mounting_missing
from surgetank.live.payload import Numbers, decode, encode
from surgetank.live.registry import parse, server_class, target_class
from surgetank.live.server import Server
from surgetank.live.target import (
    Batched,
    Disconnected,
    Outgoing,
    Refused,
    Sink,
    Target,
    TargetError,
    Where,
)

__all__ = ["EVENTS", "Outcome", "crash", "levels_of"]

EVENTS: Final = ("kill -9", "power loss")

_TICK_S: Final = 0.005
_SIZE_BYTES: Final = 256
_EXAMPLES: Final = 5
_INFLIGHT_MAX: Final = 2_000
#: Of the messages, so many are due before the server dies.
_KILL_AT: Final = 0.6
_ANSWERS_S: Final = 3.0
_READ_S: Final = 60.0
_MOST: Final = 1_000_000


@dataclass(frozen=True)
class Outcome:
    """One level of acknowledgement and one way to die."""

    level: str
    event: str
    durable: bool
    """The target promises that what it acknowledges at this level survives its server's death."""
    sent: int
    """Handed to the connection."""
    acknowledged: int
    """Before the server died."""
    missing: int
    """Acknowledged, and not there afterwards."""
    missing_numbers: tuple[int, ...]
    """The first of them."""
    unacknowledged_there: int
    """Not acknowledged, and there: allowed, but a publisher that tries again makes duplicates."""
    sent_missing: int
    """Sent without a yes, and not there: nobody promised anything."""
    duplicates: int
    restart_s: float
    """From starting the server again until it answered."""
    note: str = ""

    @property
    def broken(self) -> bool:
        """A promise was broken."""
        return self.durable and self.missing > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "broken": self.broken}


def levels_of(url: str, ack: str = "all") -> tuple[str, ...]:
    """The levels to try.

    Raises:
        SurgetankError: the target does not have this one, or surgetank does not start its server.
    """
    where = parse(url)
    kind = server_class(where)
    if where.host or kind is None:
        raise SurgetankError(
            "is not started by surgetank, so it will not be killed",
            place=f"--target {url}",
            mend="Give a scheme without a host, such as jetstream:",
        )
    if (command := kind.missing()) is not None:
        raise SurgetankError(
            "its server is not installed here",
            place=f"--target {url}",
            mend=f"Install it: {command}",
        )
    target = target_class(where)
    if target.stored is Target.stored:
        raise SurgetankError(
            "keeps nothing that could be read back",
            place=f"--target {url}",
            mend="Give a target that stores, such as jetstream: or redis:",
        )
    options = {key: value for key, value in dict(where.options).items() if key != "ack"}
    acks = target(replace(where, name="surgetank", options=options)).capabilities.acks
    chosen = dict(where.options).get("ack", ack) if ack == "all" else ack
    if chosen == "all":
        return acks
    if chosen not in acks:
        raise SurgetankError(
            f"there is no level {chosen}", place="--ack", mend=f"Give one of {', '.join(acks)}"
        )
    return (chosen,)


def crash(
    url: str,
    *,
    ack: str = "all",
    messages: int = 2_000,
    rate_per_s: float = 1_000.0,
    power_loss: bool | None = None,
    told: Callable[[str], None] | None = None,
) -> list[Outcome]:
    """Kills the server of `url` at each level of acknowledgement, with and without power loss.

    With `power_loss` None power is lost only where we may mount; True insists. `told` is called
    with what is being done.

    Raises:
        SurgetankError: the target cannot be used like this.
        TargetError: its server does not start, also not after its death.
    """
    if not 10 <= messages <= _MOST:
        raise SurgetankError(f"not {messages}", place="--messages", mend=f"Give 10 to {_MOST}")
    if not 1 <= rate_per_s <= 1e6:
        raise SurgetankError(f"not {rate_per_s:g}", place="--rate", mend="Give 1 to 1000000")
    events = list(EVENTS)
    lack = mounting_missing("mkfs.ext4", "losetup")
    if power_loss is False:
        events.remove("power loss")
    elif lack is not None and power_loss is None:
        events.remove("power loss")
        if told is not None:
            told(f"Without power loss: {lack}")
    elif lack is not None:
        raise SurgetankError(lack, place="--power-loss", mend="Or give --no-power-loss")
    found = []
    for level in levels_of(url, ack):
        for event in events:
            if told is not None:
                told(f"{level}, {event}")
            found.append(_one(url, level, event, messages, rate_per_s))
    return found


def _one(url: str, level: str, event: str, messages: int, rate_per_s: float) -> Outcome:
    where = parse(url)
    name = where.name or f"surgetank-{secrets.token_hex(4)}"
    where = replace(where, name=name, options={**dict(where.options), "ack": level})
    kind = server_class(where)
    assert kind is not None
    place = Workplace()
    folder = place.folder
    (folder / "server").mkdir()
    server = kind(folder / "server", where)
    disks: list[PowerLossDisk] = []
    try:
        if event == "power loss":
            if not server.data:
                raise SurgetankError("keeps no data", place=url, mend="Give --no-power-loss")
            for node, data in enumerate(server.data):
                disks.append(PowerLossDisk(data, folder / f"disk{node}"))
        where = replace(server.start(), name=name)
        victim = _Victim(where, server, disks)
        return asyncio.run(victim.dies(event, messages, rate_per_s))
    finally:
        server.stop()
        for disk in disks:
            disk.end()
        place.remove()


class _Tally(Sink):
    """A sink that remembers who was answered what."""

    def __init__(self, run: int, messages: int) -> None:
        self.run = run
        self.sent = np.zeros(messages, dtype=bool)
        self.yes = np.zeros(messages, dtype=bool)
        self.over = np.zeros(messages, dtype=bool)
        """Refused, or the connection ended."""

    def acknowledged(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """Sink."""
        self.yes[np.asarray(numbers, dtype=np.int64)] = True

    def refused(self, numbers: Numbers | Sequence[int], at_ns: int, reason: str) -> None:
        """Sink."""
        self.over[np.asarray(numbers, dtype=np.int64)] = True

    def disconnected(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """Sink."""
        self.over[np.asarray(numbers, dtype=np.int64)] = True

    @property
    def open(self) -> int:
        """Sent and not answered."""
        return int((self.sent & ~self.yes & ~self.over).sum())


class _Victim:
    """A server and the clients that see it die."""

    def __init__(self, where: Where, server: Server, disks: list[PowerLossDisk]) -> None:
        self._where, self._server, self._disks = where, server, disks
        self._make = target_class(where)

    async def dies(self, event: str, messages: int, rate_per_s: float) -> Outcome:
        """The whole story."""
        owner, publisher = self._make(self._where), self._make(self._where)
        promises = publisher.capabilities
        tally = _Tally(secrets.randbits(32), messages)
        await owner.open()
        await owner.prepare()
        for disk in self._disks:
            disk.sync()  # As if the stream had been made long ago.
        try:
            await publisher.open()
            yes = await self._publish(publisher, tally, messages, rate_per_s)
            await _closed(publisher)
            restart_s = await asyncio.to_thread(self._again)
            there, note = await self._read(tally.run, messages)
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(owner.dispose(), 10)
            await _closed(owner)
        missing = np.flatnonzero(yes & (there == 0))
        unsaid = tally.sent & ~yes
        return Outcome(
            level=promises.ack,
            event=event,
            durable=promises.durable,
            sent=int(tally.sent.sum()),
            acknowledged=int(yes.sum()),
            missing=len(missing),
            missing_numbers=tuple(missing[:_EXAMPLES].tolist()),
            unacknowledged_there=int((unsaid & (there > 0)).sum()),
            sent_missing=int((unsaid & (there == 0)).sum()),
            duplicates=int(np.maximum(there - 1, 0).sum()),
            restart_s=restart_s,
            note=note,
        )

    async def _publish(
        self, target: Target, tally: _Tally, messages: int, rate_per_s: float
    ) -> npt.NDArray[np.bool_]:
        """Sends until the server is dead; returns which had been acknowledged by then."""
        outgoing = [
            Outgoing(i, "order", 0, encode(tally.run, i, _SIZE_BYTES)) for i in range(messages)
        ]
        sender = _Sender(target, tally, outgoing)
        start, done = time.monotonic(), 0
        killing: asyncio.Task[None] | None = None
        while done < messages and (killing is None or not killing.done()):
            due = min(messages, int((time.monotonic() - start) * rate_per_s) + 1)
            if due >= messages * _KILL_AT and killing is None:
                killing = asyncio.create_task(asyncio.to_thread(self._kill))
            sender.send(done, due)
            done = due
            await asyncio.sleep(_TICK_S)
        if killing is not None:
            await killing
        # Answers that the server had written before it died are on their way.
        until = time.monotonic() + _ANSWERS_S
        while tally.open and time.monotonic() < until and target.capabilities.ack != "none":
            await asyncio.sleep(0.02)
        await sender.end()
        return tally.yes.copy()

    def _kill(self) -> None:
        for node in range(len(self._server.pids)):
            self._server.kill(node)
        for disk in self._disks:
            disk.lose_power()

    def _again(self) -> float:
        began = time.monotonic()
        for node in range(len(self._server.pids)):
            self._server.restart(node)
        return time.monotonic() - began

    async def _read(self, run: int, messages: int) -> tuple[npt.NDArray[np.int64], str]:
        """How often each message is there."""
        there, note = np.zeros(messages, dtype=np.int64), ""
        reader = self._make(self._where)
        try:
            await reader.open()
            async with asyncio.timeout(_READ_S):
                async for payload in reader.stored():
                    number = decode(run, payload)
                    if number is not None and number < messages:
                        there[number] += 1
        except SurgetankError as error:
            note = f"nothing could be read back: {error}"
        except TimeoutError:
            note = f"reading back did not end within {_READ_S:g} s"
        finally:
            await _closed(reader)
        return there, note


class _Sender:
    """Sends slices of the messages, by whichever way the target has."""

    def __init__(self, target: Target, tally: _Tally, messages: list[Outgoing]) -> None:
        self._target, self._tally, self._messages = target, tally, messages
        self._batched = target if isinstance(target, Batched) else None
        self._frames = [self._batched.frame(m) for m in messages] if self._batched else []
        self._open: set[asyncio.Task[None]] = set()

    def send(self, first: int, end: int) -> None:
        """Messages from `first` to before `end`."""
        if self._batched is not None:
            self._tally.sent[first:end] = True
            frames = memoryview(b"".join(self._frames[first:end]))
            self._batched.write(frames, np.arange(first, end), self._tally)
            return
        for message in self._messages[first:end]:
            if len(self._open) >= _INFLIGHT_MAX:
                return
            self._tally.sent[message.number] = True
            task = asyncio.create_task(self._publish(message))
            self._open.add(task)
            task.add_done_callback(self._open.discard)

    async def _publish(self, message: Outgoing) -> None:
        try:
            await self._target.publish(message)
        except Refused as no:
            self._tally.refused([message.number], time.monotonic_ns(), no.reason)
        except (Disconnected, TargetError, OSError):
            self._tally.disconnected([message.number], time.monotonic_ns())
        else:
            if self._target.capabilities.ack != "none":
                self._tally.acknowledged([message.number], time.monotonic_ns())

    async def end(self) -> None:
        """Gives up what is not answered."""
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


async def _closed(target: Target) -> None:
    """A target of a dead server may not close cleanly."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(target.close(), 5)
