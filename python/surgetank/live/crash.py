"""Acknowledged messages that a broker has lost after its process or its machine failed.

At each level of acknowledgement messages are published at a steady rate and the server is killed
with SIGKILL meanwhile. For a power loss its disk is then reset to the data that had reached it
(`surgetank.live.faults.mounts`). The server is started again, and its stored messages are compared
with those acknowledged before.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np
import numpy.typing as npt

from surgetank.errors import SurgetankError
from surgetank.live.driver.recording import Sending, State, now_ns
from surgetank.live.driver.rig import Rig
from surgetank.live.driver.run import LiveRun
from surgetank.live.driver.schedule import Schedule
from surgetank.live.faults.disks import DiskNeed, Disks
from surgetank.live.faults.mounts import PowerLossDisk, mounting_missing
from surgetank.live.options import LiveOptions
from surgetank.live.payload import decode
from surgetank.live.registry import parse, server_class, target_class
from surgetank.live.server import Server
from surgetank.live.target import Target, Where

__all__ = ["EVENTS", "CrashOutcome", "crash", "crash_once", "levels_of"]

EVENTS: Final = ("kill -9", "power loss")

_SIZE_BYTES: Final = 256
_EXAMPLES: Final = 5
#: Number of messages that are due before the server is killed.
_KILL_AT: Final = 0.6
_ANSWERS_S: Final = 3.0
_READ_S: Final = 60.0
_MOST: Final = 1_000_000


@dataclass(frozen=True)
class CrashOutcome:
    """The outcome at one level of acknowledgement, after one kind of failure."""

    level: str
    event: str
    durable: bool
    """The target promises that what it acknowledges at this level survives its server's death."""
    sent: int
    """Number of messages handed to the connection."""
    acknowledged: int
    """Number acknowledged before the server was killed."""
    missing: int
    """Number acknowledged and not stored afterwards."""
    missing_numbers: tuple[int, ...]
    """Numbers of the first missing messages."""
    unacknowledged_there: int
    """Number stored without acknowledgement. This is allowed, but a publisher that retries them
    makes duplicates."""
    sent_missing: int
    """Number sent, not acknowledged and not stored: no guarantee covers these."""
    duplicates: int
    restart_s: float
    """Time from starting the server again until it answered, s."""
    note: str = ""

    @property
    def broken(self) -> bool:
        """Whether the target lost messages that it had promised to keep."""
        return self.durable and self.missing > 0

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, for JSON."""
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
            hint="Give a scheme without a host, such as jetstream:",
        )
    if (command := kind.missing()) is not None:
        raise SurgetankError(
            "its server is not installed here",
            place=f"--target {url}",
            hint=f"Install it: {command}",
        )
    target = target_class(where)
    if target.stored is Target.stored:
        raise SurgetankError(
            "keeps nothing that could be read back",
            place=f"--target {url}",
            hint="Give a target that stores, such as jetstream: or redis:",
        )
    options = {key: value for key, value in where.options.items() if key != "ack"}
    acks = target(replace(where, name="surgetank", options=options)).capabilities.acks
    chosen = where.options.get("ack", ack) if ack == "all" else ack
    if chosen == "all":
        return acks
    if chosen not in acks:
        raise SurgetankError(
            f"there is no level {chosen}", place="--ack", hint=f"Give one of {', '.join(acks)}"
        )
    return (chosen,)


def crash(
    url: str,
    *,
    ack: str = "all",
    messages: int = 2_000,
    rate_per_s: float = 1_000.0,
    power_loss: bool | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[CrashOutcome]:
    """Kills the server of `url` at each level of acknowledgement, with and without power loss.

    With `power_loss` None, power loss is included only where mounting is permitted; True makes it a
    requirement. `progress` is called with a description of each step.

    Raises:
        SurgetankError: the target cannot be used like this.
        TargetError: its server does not start, also not after its death.
    """
    if not 10 <= messages <= _MOST:
        raise SurgetankError(f"not {messages}", place="--messages", hint=f"Give 10 to {_MOST}")
    if not 1 <= rate_per_s <= 1e6:
        raise SurgetankError(f"not {rate_per_s:g}", place="--rate", hint="Give 1 to 1000000")
    events = list(EVENTS)
    missing = mounting_missing("mkfs.ext4", "losetup")
    if power_loss is False:
        events.remove("power loss")
    elif missing is not None and power_loss is None:
        events.remove("power loss")
        if progress is not None:
            progress(f"Without power loss: {missing}")
    elif missing is not None:
        raise SurgetankError(missing, place="--power-loss", hint="Or give --no-power-loss")
    found = []
    for level in levels_of(url, ack):
        for event in events:
            if progress is not None:
                progress(f"{level}, {event}")
            found.append(crash_once(url, level, event, messages, rate_per_s))
    return found


def crash_once(url: str, level: str, event: str, messages: int, rate_per_s: float) -> CrashOutcome:
    """The outcome at one level of acknowledgement and for one of `EVENTS`."""
    power = event == "power loss"
    due_ns = (np.arange(messages) * (1e9 / rate_per_s)).astype(np.int64)
    schedule = Schedule.plain(due_ns, size_bytes=_SIZE_BYTES, accounts=1)
    options = LiveOptions(seconds_max=math.inf)
    disks = Disks([DiskNeed(PowerLossDisk, event)] if power else [])
    with Rig(_at_level(url, level), options, disks=disks) as rig:
        assert rig.server is not None
        if power and not rig.server.data:
            raise SurgetankError("keeps no data", place=url, hint="Give --no-power-loss")
        with rig.prepared(schedule) as run:
            for disk in rig.disks.of(PowerLossDisk).values():
                disk.sync()  # Makes the stream durable, as one created long ago would be.
            with run:
                sending = _killed(rig, run)
            restart_s = _restarted(rig.server)
            there, note = rig.do(_stored(run.where, run.number, messages), _READ_S + 30)
    sent = sending.sent_ns >= 0
    yes = (sending.state == State.ACKNOWLEDGED) & (run.capabilities.ack != "none")
    missing = np.flatnonzero(yes & (there == 0))
    return CrashOutcome(
        level=run.capabilities.ack,
        event=event,
        durable=run.capabilities.durable,
        sent=int(sent.sum()),
        acknowledged=int(yes.sum()),
        missing=len(missing),
        missing_numbers=tuple(missing[:_EXAMPLES].tolist()),
        unacknowledged_there=int((sent & ~yes & (there > 0)).sum()),
        sent_missing=int((sent & ~yes & (there == 0)).sum()),
        duplicates=int(np.maximum(there - 1, 0).sum()),
        restart_s=restart_s,
        note=note,
    )


def _at_level(url: str, level: str) -> str:
    """The URL with another option `ack`."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True)) | {"ack": level}
    return urlunsplit(parts._replace(query=urlencode(options)))


def _killed(rig: Rig, run: LiveRun) -> Sending:
    """Publishes until the server is killed; returns what was sent and answered by then."""
    server = rig.server
    assert server is not None
    start_ns = run.begin(lambda: True, subscribes=False)
    kill_ns = start_ns + int(run.schedule.due_ns[int(len(run.schedule) * _KILL_AT)])
    run.sent(kill_ns, lambda: True)
    for node in range(len(server.pids)):
        server.kill(node)
    for disk in rig.disks.of(PowerLossDisk).values():
        disk.lose_power()
    # Answers that the server wrote before the kill are still in transit.
    open_ends = run.capabilities.ack != "none"
    run.drain(
        now_ns() + int(_ANSWERS_S * 1e9),
        lambda: not open_ends or not run.recording.counts()[State.SENT],
        lambda: True,
    )
    run.finish()
    return run.recording.copied()


def _restarted(server: Server) -> float:
    """Starts all nodes again; returns the time that took, s."""
    began = time.monotonic()
    for node in range(len(server.pids)):
        server.restart(node)
    return time.monotonic() - began


async def _stored(where: Where, run: int, messages: int) -> tuple[npt.NDArray[np.int64], str]:
    """Number of stored copies of each message, and the error that ended the reading, if any."""
    there, note = np.zeros(messages, dtype=np.int64), ""
    reader = target_class(where)(where)
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
        with contextlib.suppress(Exception):
            await asyncio.wait_for(reader.close(), 5)
    return there, note
