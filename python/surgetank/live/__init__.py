"""Live runs: the same scenario against a running system.

`Rig` holds a target (and its server, if surgetank starts it); `Rig.run` plays a scenario against it
and returns a trace of the same form as a simulation's. `Target` is what a user implements for a
system of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from surgetank.lazy import export_lazily

if TYPE_CHECKING:
    from surgetank.live.driver.facts import Played, trace_of
    from surgetank.live.driver.rig import Rig
    from surgetank.live.driver.schedule import Schedule
    from surgetank.live.options import LiveOptions
    from surgetank.live.registry import SYSTEMS, parse
    from surgetank.live.server import Server
    from surgetank.live.snapshot import ClassDelays, Snapshot, Watch
    from surgetank.live.target import (
        Batched,
        Capabilities,
        Clock,
        Disconnected,
        Outgoing,
        Refused,
        Sink,
        Target,
        TargetError,
        Where,
    )

__all__ = [
    "SYSTEMS",
    "Batched",
    "Capabilities",
    "ClassDelays",
    "Clock",
    "Disconnected",
    "LiveOptions",
    "Outgoing",
    "Played",
    "Refused",
    "Rig",
    "Schedule",
    "Server",
    "Sink",
    "Snapshot",
    "Target",
    "TargetError",
    "Watch",
    "Where",
    "parse",
    "trace_of",
]

export_lazily(
    __name__,
    {
        "driver.facts": ["Played", "trace_of"],
        "driver.rig": ["Rig"],
        "driver.schedule": ["Schedule"],
        "options": ["LiveOptions"],
        "registry": ["SYSTEMS", "parse"],
        "server": ["Server"],
        "snapshot": ["ClassDelays", "Snapshot", "Watch"],
        "target": [
            "Batched",
            "Capabilities",
            "Clock",
            "Disconnected",
            "Outgoing",
            "Refused",
            "Sink",
            "Target",
            "TargetError",
            "Where",
        ],
    },
)
