"""The contract of a target: a live system that carries messages.

A target of your own is a class with `publish` and `subscribe`; give it to
`surgetank run S --target my_venue:Gateway?host=127.0.0.1` as `module:Class`. docs/targets.md has a
worked example of 40 lines.

A target object lives in one process and one event loop. Publishing workers and the subscriber are
processes of their own, each with its own object, unless `capabilities.in_process` says that only
the same object sees what it published.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from surgetank.errors import SurgetankError
from surgetank.live.payload import Numbers

__all__ = [
    "Batched",
    "Block",
    "Capabilities",
    "Chain",
    "Clock",
    "Disconnected",
    "Outgoing",
    "Refused",
    "Sink",
    "Target",
    "TargetError",
    "Where",
]


class TargetError(SurgetankError):
    """The target cannot be used: not there, not ours, wrong version. Ends the run with exit code 3
    if it happens during one, 2 before."""


class Refused(Exception):
    """The target said no to one message: an answer, not a failure."""

    def __init__(self, reason: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class Disconnected(Exception):
    """The connection ended before the answer came; whether the message arrived is not known."""


@dataclass(frozen=True, slots=True)
class Where:
    """A target's address and options, from `scheme://host:port/name?key=value`."""

    scheme: str
    host: str = ""
    port: int = 0
    name: str = ""
    """The path without its slash: the stream, queue or topic that surgetank is to make. If it is
    empty the driver gives each run a name of its own before any target object is made."""
    options: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[tuple[str, int], ...] = ()
    """All nodes' addresses, where there are several; the first is (host, port)."""
    product: str = ""
    """The product's name (OpenTelemetry's `messaging.system`), if the scheme has another."""

    @property
    def url(self) -> str:
        """Host and port as clients write them."""
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a target promises, so that a run is judged by that and no more."""

    acks: tuple[str, ...] = ("none",)
    """Levels of acknowledgement, weakest first, chosen by the option `ack`. `none`: `publish`
    returns when the message is written."""
    ack: str = "none"
    """The level chosen."""
    ordered: bool = True
    """Messages of one publisher arrive in the order of sending."""
    durable: bool = False
    """An acknowledged message is meant to survive the server's death."""
    redelivers: bool = False
    """At least once: duplicates are allowed."""
    in_process: bool = False
    """Publish and subscribe work only on the same object."""
    stamps: tuple[str, ...] = ()
    """Stages beside delivery that it reports to the sink: `admitted`, `decided`."""
    copies: int = 1
    """So many nodes deliver each message, each once; the run waits for all of them."""
    gossips: bool = False
    """A message starts at node `account` modulo the number of nodes and spreads to the others, so
    that its deliveries are receipts and its propagation can be measured."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The target's clock against our monotonic clock, for stamps that it gives itself."""

    offset_ns: int = 0
    error_ns: int = 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent."""

    number: int
    class_name: str
    """One of `surgetank.trace.CLASSES`."""
    account: int
    payload: bytes
    traceparent: str | None = None
    """W3C trace context of a sampled message; put it into the protocol's own headers where there
    are any (it is in the payload too)."""


class Sink(Protocol):
    """Where a target reports what became of messages; what a sink leaves out, it does not need.
    Times are `time.monotonic_ns()`."""

    run: int
    """Number of the run, for `payload.decode`."""

    def acknowledged(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """The target said yes, at the level of `capabilities.ack`."""
        return

    def refused(self, numbers: Numbers | Sequence[int], at_ns: int, reason: str) -> None:
        """The target said no. No numbers: a complaint about no message in particular (a slow
        consumer, a permission), kept with its words."""
        return

    def disconnected(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """The connection ended before an answer."""
        return

    def subscribed(self) -> None:
        """From now on everything that is published will be delivered."""
        return

    def delivered(
        self,
        numbers: Numbers | Sequence[int],
        at_ns: int,
        *,
        node: int = 0,
        decided_ns: int | Numbers | None = None,
        height: int | None = None,
    ) -> None:
        """A subscriber (`node`: which one) received these, in this order; with `decided_ns`, when
        the target had put them in order (one time for all or one each), and with `height`, in which
        block."""
        return


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a chain. Times are `time.monotonic_ns()`."""

    height: int
    round: int
    proposer: int
    """Number of the node that proposed it."""
    messages: int
    """Of this run; a block may hold foreign ones too."""
    size_bytes: int
    proposed_ns: int
    decided_ns: int
    hash: str
    executed_ns: Mapping[int, int]
    """Node → when that node announced to its subscribers that it has executed the block."""


@runtime_checkable
class Chain(Protocol):
    """What a target that makes blocks can tell beside deliveries."""

    async def blocks(self, run: int) -> list[Block]:
        """Blocks since `open`, by height; asked of the subscribing object when the run is over and
        `receive` was cancelled, for only that one has seen when blocks came."""
        ...


class Target(abc.ABC):
    """A live system under test, seen by one process."""

    options: ClassVar[tuple[str, ...] | None] = None
    """Options of the URL that it and its server know; any other is refused. None: not checked."""

    def __init__(self, where: Where) -> None:
        self.where = where

    @property
    def capabilities(self) -> Capabilities:
        """How messages are acknowledged, ordered and kept."""
        return Capabilities()

    async def open(self) -> None:  # noqa: B027
        """Connects.

        Raises:
            TargetError: no answer comes, or what answers is not usable.
        """

    async def prepare(self) -> None:  # noqa: B027
        """Makes the streams, queues or topics of this run; called once, before any other object of
        the run is opened for publishing or subscribing. Never touches what it did not make.

        Raises:
            TargetError: something of that name is there already and is not ours.
        """

    async def dispose(self) -> None:  # noqa: B027
        """Removes what `prepare` made; called once at the end, also after a failure."""

    @abc.abstractmethod
    async def publish(self, message: Outgoing) -> None:
        """Sends one message and returns when it is acknowledged.

        Raises:
            Refused: the target said no.
            Disconnected: the connection ended first.
        """

    @abc.abstractmethod
    def subscribe(self) -> AsyncIterator[bytes]:
        """Payloads as they are received, from the run's first on, until cancelled."""

    def clock(self) -> Clock:
        """Its clock against ours."""
        return Clock()

    async def close(self) -> None:  # noqa: B027
        """Disconnects; must return in bounded time."""

    async def stored(self) -> AsyncIterator[bytes]:
        """Payloads that a durable target still holds, read back after a crash.

        Raises:
            TargetError: this target keeps nothing.
        """
        raise TargetError("keeps nothing that could be read back", place=self.where.scheme)
        yield b""


class _Answer(Sink):
    """A future for one message: a result when it is acknowledged, else the exception."""

    run = 0

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def acknowledged(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """The message was acknowledged."""
        self.future.set_result(None)

    def refused(self, numbers: Numbers | Sequence[int], at_ns: int, reason: str) -> None:
        """The message was refused."""
        self.future.set_exception(Refused(reason))

    def disconnected(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """The connection ended before an answer."""
        self.future.set_exception(Disconnected())


class Batched(Target):
    """A target that takes many messages in one call: its frames are made before the run, and the
    generator hands it whole slices when they are due. Fast targets inherit from this."""

    @abc.abstractmethod
    def frame(self, message: Outgoing) -> bytes:
        """The message as it goes over the wire. Called for every message before the run starts."""

    @abc.abstractmethod
    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """Sends frames that lie behind each other, in order; must not block. Acknowledgements go to
        the sink when they come."""

    async def publish(self, message: Outgoing) -> None:
        """One message by `write`; waits for its answer if there is one to come."""
        answer = _Answer()
        numbers = np.array([message.number], dtype=np.int64)
        self.write(memoryview(self.frame(message)), numbers, answer)
        if self.capabilities.ack != "none" or answer.future.done():
            await answer.future

    @abc.abstractmethod
    async def receive(self, sink: Sink) -> None:
        """Receives until cancelled and tells the sink, first that it has `subscribed`: the run does
        not start before."""
