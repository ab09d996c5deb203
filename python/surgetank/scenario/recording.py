"""A scenario that replays a recording."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.scenario.faults import Fault
from surgetank.tape import Tape

__all__ = ["ONE_RECORDING", "tape_values"]

ONE_RECORDING: Final = (
    "Intervals hold for one recording only, which every run replays, and say nothing of other days."
)
"""What the intervals of a question about a recording mean."""


def tape_values(
    tape: Tape,
    *,
    place: str,
    known: str,
    times_s: tuple[float, float, float],
    faults: Sequence[Fault],
    has_market: bool,
) -> dict[str, Any]:
    """Values under dotted keys that put the tape's prices in place of the outside price and its
    messages, if it has any, in place of the background flow. The run ends with the tape at the
    latest; faults that would begin after its end are left out.

    `place` is the scenario's name, `known` the hash of the tape that it has already, `times_s` its
    duration, warm-up and drain.

    Raises:
        SurgetankError: the scenario is that of a run on another tape.
    """
    if known not in ("", tape.hash):
        raise SurgetankError(
            f"is not the recording that {place} was run on: its content has the hash "
            f"{tape.hash[:16]}…, and the scenario names {known[:16]}…",
            place=shlex.join(tape.options),
            hint="Give that recording, or remove `tape_hash` from the scenario",
        )
    duration_s, warmup_s, drain_s = times_s
    seconds = min(duration_s, tape.seconds)
    values: dict[str, Any] = {
        # The event that the scenario describes is not the one on the tape.
        "title": f"{place} on a recording: {PurePath(tape.file).name or 'unnamed'}",
        "event": f"{tape.file or 'unnamed'}: {tape.seconds * tape.speed:g} s from "
        f"{tape.start_s:g} s on, at {tape.speed:g} times the recorded speed",
        "source": f"{tape.kind} tape, BLAKE3 {tape.hash}",
        "description": "",
        "tape_hash": tape.hash,
        "tape_options": tape.options,
        "duration_s": seconds,
        "warmup_s": min(warmup_s, seconds / 4),
        "flow.replay_messages": len(tape.messages_ns) > 0,
    }
    if has_market:
        values["market.price.path"] = {"kind": "tape"}
    end = seconds + drain_s
    kept = [f for f in faults if f.at_s < end]
    values["faults"] = [fault.model_dump(mode="json") for fault in kept]
    return values
