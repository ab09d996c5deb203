"""What the driver and its worker processes say to each other crosses whole, and typed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from surgetank.live.driver.messages import (
    AllSent,
    Cost,
    Drain,
    Finished,
    Instruction,
    Job,
    Publisher,
    Ready,
    Report,
    Start,
    Stop,
    Subscriber,
    WorkerFailed,
    instruction_of,
    job_of,
    line_of,
    report_of,
)
from surgetank.live.target import Block, Where

BLOCK = Block(7, 0, 2, 3, 456, 10, 20, "ab", {0: 30, 3: 40})
WHERE = Where("cometbft", "::1", 26657, "näme", {"ack": "sync"}, (("::1", 26657), ("::1", 26660)))


@pytest.mark.parametrize("instruction", [Start(1 << 62), Drain(5), Stop()])
def test_instructions_cross_whole(instruction: Instruction) -> None:
    line = line_of(instruction)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert instruction_of(line) == instruction


@pytest.mark.parametrize(
    "report",
    [
        Ready(),
        AllSent(),
        WorkerFailed("two\nlines", "nats:", "Try again"),
        Finished(Publisher(Cost(2.0, 0.5), {"queue full": 3}), None),
        Finished(None, Subscriber(Cost(), {}, "subscribe: KeyError: 1", 4, [BLOCK])),
    ],
)
def test_reports_cross_whole(report: Report) -> None:
    """Numbers of nodes stay numbers, although JSON's keys are text."""
    line = line_of(report)
    assert line.count(b"\n") == 1
    assert report_of(line) == report


def test_a_job_crosses_whole() -> None:
    job = Job(WHERE, 1 << 31, -1, 2, True, 100, {5: "00-a-b-01"}, ("order", "cancel"))
    assert job_of(line_of(job)) == job


def test_what_is_no_message_is_refused() -> None:
    """A report is no instruction, and a field of another type none of either."""
    for line in (line_of(Ready()), b'{"kind": "start", "at_ns": "soon"}', b"stop"):
        with pytest.raises(ValidationError):
            instruction_of(line)


def test_the_share_of_a_core_is_of_the_time_that_passed() -> None:
    assert Cost(2.0, 0.5).core_share == 0.25
    assert Cost().core_share == 0
