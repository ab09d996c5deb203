"""The messages between the driver and its worker processes: a JSON object per line.

Instructions go to a process's standard input, reports come from its standard output. Times are
`time.monotonic_ns()`, one clock for all processes of a machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Discriminator, TypeAdapter

from surgetank.live.target import Block, Where

__all__ = [
    "AllSent",
    "Cost",
    "Drain",
    "Finished",
    "Instruction",
    "Job",
    "Publisher",
    "Ready",
    "Report",
    "Start",
    "Stop",
    "Subscriber",
    "WorkerFailed",
    "instruction_of",
    "job_of",
    "line_of",
    "report_of",
]


@dataclass(frozen=True)
class Job:
    """The work of a process."""

    where: Where
    run: int
    """Number of the run, as in payloads."""
    worker: int
    """Index of its share of the schedule; −1 publishes nothing."""
    workers: int
    subscribes: bool
    inflight_max: int
    traceparents: Mapping[int, str]
    """W3C trace contexts by message number, of the sampled messages."""
    classes: tuple[str, ...]
    """Names of the classes of messages, by number."""


@dataclass(frozen=True)
class Start:
    """Instruction: the run's time 0 is at this time."""

    at_ns: int
    kind: Literal["start"] = "start"


@dataclass(frozen=True)
class Drain:
    """Instruction: send nothing more, and wait for answers until a time."""

    until_ns: int
    kind: Literal["drain"] = "drain"


@dataclass(frozen=True)
class Stop:
    """Instruction: the run is over, give up messages without an answer."""

    kind: Literal["stop"] = "stop"


@dataclass(frozen=True)
class Ready:
    """Report: connected and, where this process subscribes, subscribed."""

    kind: Literal["ready"] = "ready"


@dataclass(frozen=True)
class AllSent:
    """Report: its share of the schedule has been sent."""

    kind: Literal["all sent"] = "all sent"


@dataclass(frozen=True)
class WorkerFailed:
    """Report: the error that ends the process, with the fields of a `SurgetankError`."""

    message: str
    place: str
    hint: str
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True)
class Cost:
    """Time that a part of a process took, and its time on a core."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def core_share(self) -> float:
        """Share of one core."""
        return self.cpu_s / max(self.wall_s, 1e-3)


@dataclass(frozen=True)
class Publisher:
    """Observations of a publishing process."""

    cost: Cost
    refusals: Mapping[str, int]
    """Number of messages refused, by the target's reason."""
    error: str = ""
    """The first error in the target's own code."""


@dataclass(frozen=True)
class Subscriber:
    """Observations of a subscribing process."""

    cost: Cost
    refusals: Mapping[str, int]
    """Errors that the target reported about no message in particular, by their text (counts are
    0)."""
    error: str = ""
    foreign: int = 0
    """Number of payloads that were not of this run."""
    blocks: Sequence[Block] = ()


@dataclass(frozen=True)
class Finished:
    """Report: the end of the run and this process's observations."""

    publisher: Publisher | None = None
    subscriber: Subscriber | None = None
    kind: Literal["finished"] = "finished"

    @property
    def parts(self) -> tuple[Publisher | Subscriber, ...]:
        """The observations as publisher and as subscriber, as far as it was either."""
        return tuple(part for part in (self.publisher, self.subscriber) if part is not None)


Instruction = Start | Drain | Stop
Report = Ready | AllSent | WorkerFailed | Finished

_JOB: Final = TypeAdapter(Job)
_INSTRUCTION: Final[TypeAdapter[Instruction]] = TypeAdapter(
    Annotated[Instruction, Discriminator("kind")]
)
_REPORT: Final[TypeAdapter[Report]] = TypeAdapter(Annotated[Report, Discriminator("kind")])


def line_of(message: Instruction | Report | Job) -> bytes:
    """A message as one line of JSON."""
    return TypeAdapter(type(message)).dump_json(message) + b"\n"


def instruction_of(line: bytes) -> Instruction:
    """From a line that `line_of` made."""
    return _INSTRUCTION.validate_json(line)


def report_of(line: bytes) -> Report:
    """From a line that `line_of` made."""
    return _REPORT.validate_json(line)


def job_of(line: bytes) -> Job:
    """From a line that `line_of` made."""
    return _JOB.validate_json(line)
