"""The interface of a target: a live system that carries messages.

A target of your own is a class with `publish` and `subscribe`; give it to
`surgetank run S --target my_venue:Gateway?host=127.0.0.1` as `module:Class`. docs/targets.md has a
worked example of 40 lines.

A target object lives in one process and one event loop. Publishing workers and the subscriber are
processes of their own, each with its own object, unless `capabilities.in_process` is set: then only
the publishing object receives its messages.
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
    """The target cannot be used: it does not answer, was not declared as the user's own, or has the
    wrong version. The exit code is 3 during a run and 2 before it."""


class Refused(Exception):
    """The target refused one message. This is a valid answer, not a failure of the target."""

    def __init__(self, reason: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class Disconnected(Exception):
    """The connection ended before the answer; whether the message arrived is unknown."""


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
        """Host and port as in a client's URL."""
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The guarantees of a target; a run is judged by these only."""

    acks: tuple[str, ...] = ("none",)
    """Levels of acknowledgement, weakest first, chosen by the option `ack`. `none`: `publish`
    returns when the message is written."""
    ack: str = "none"
    """The chosen level."""
    ordered: bool = True
    """Messages of one publisher arrive in the order of sending."""
    durable: bool = False
    """Whether the target guarantees that an acknowledged message survives a crash of the server."""
    redelivers: bool = False
    """Whether delivery is at least once, so that duplicates are allowed."""
    in_process: bool = False
    """Whether publish and subscribe work only on the same object."""
    stamps: tuple[str, ...] = ()
    """Stages that it reports to the sink in addition to delivery: `admitted`, `decided`."""
    copies: int = 1
    """Number of nodes that deliver each message, each once; the run waits for all of them."""
    gossips: bool = False
    """Whether a message starts at node `account` modulo the number of nodes and spreads to the
    others. Its deliveries are then receipts, and its propagation can be measured."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The offset of the target's clock from this machine's monotonic clock, for time stamps of the
    target."""

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
    """W3C trace context of a sampled message; put it into the protocol's own headers if it has any
    (the payload has it too)."""


class Sink(Protocol):
    """The receiver of a target's reports on messages. Methods that a sink does not override ignore
    the report. Times are `time.monotonic_ns()`."""

    run: int
    """Number of the run, for `payload.decode`."""

    def acknowledged(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """The target acknowledged these, at the level of `capabilities.ack`."""
        return

    def refused(self, numbers: Numbers | Sequence[int], at_ns: int, reason: str) -> None:
        """The target refused these. Without numbers it is an error about no message in particular
        (a slow consumer, a permission); its text is recorded."""
        return

    def disconnected(self, numbers: Numbers | Sequence[int], at_ns: int) -> None:
        """The connection ended before an answer."""
        return

    def subscribed(self) -> None:
        """The subscription is active: all messages published from now on will be delivered."""
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
    """Number of the proposing node."""
    messages: int
    """Number of messages of this run; a block may hold foreign ones too."""
    size_bytes: int
    proposed_ns: int
    decided_ns: int
    hash: str
    executed_ns: Mapping[int, int]
    """Node → when that node announced to its subscribers that it has executed the block."""


@runtime_checkable
class Chain(Protocol):
    """The additional interface of a target that makes blocks."""

    async def blocks(self, run: int) -> list[Block]:
        """Blocks since `open`, by height. It is called on the subscribing object after `receive`
        was cancelled, since only that object has the arrival times of blocks."""
        ...


class Target(abc.ABC):
    """The client of a live system under test in one process."""

    options: ClassVar[tuple[str, ...] | None] = None
    """Options of the URL that it and its server know; any other is refused. None: not checked."""

    def __init__(self, where: Where) -> None:
        self.where = where

    @property
    def capabilities(self) -> Capabilities:
        """The guarantees of acknowledgement, order and storage."""
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
        """Payloads in the order of receipt, from the run's first on, until cancelled."""

    def clock(self) -> Clock:
        """The offset of its clock."""
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
        """The bytes of the message on the wire. Called for every message before the run starts."""

    @abc.abstractmethod
    def write(self, frames: memoryview, numbers: Numbers, sink: Sink) -> None:
        """Sends consecutive frames, in order, without blocking. Acknowledgements are reported to
        the sink as they arrive."""

    async def publish(self, message: Outgoing) -> None:
        """Sends one message by `write`, and waits for its answer if the target acknowledges."""
        answer = _Answer()
        numbers = np.array([message.number], dtype=np.int64)
        self.write(memoryview(self.frame(message)), numbers, answer)
        if self.capabilities.ack != "none" or answer.future.done():
            await answer.future

    @abc.abstractmethod
    async def receive(self, sink: Sink) -> None:
        """Receives until cancelled and reports to the sink. The first report is `subscribed`; the
        run does not start before it."""
