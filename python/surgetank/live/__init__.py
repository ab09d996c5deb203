"""Live runs: the same scenario against something that runs.

`Rig` holds a target (and its server, if surgetank starts it); `Rig.run` plays a scenario against it
and gives the same trace as a simulation. `Target` is what a user implements for a system of their
own.
"""

from __future__ import annotations

from surgetank.live.facts import Played, trace_of
from surgetank.live.options import Options
from surgetank.live.registry import SCHEMES, parse
from surgetank.live.rig import Rig
from surgetank.live.schedule import Schedule
from surgetank.live.server import Server
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
from surgetank.live.watching import ClassDelays, Snapshot, Watch

__all__ = [
    "SCHEMES",
    "Batched",
    "Capabilities",
    "ClassDelays",
    "Clock",
    "Disconnected",
    "Options",
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
