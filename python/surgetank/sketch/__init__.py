"""Sketches: protocols of messages and quorums in a few lines, timed over a scenario's delays.

A sketch has no load, no queues, no faults: it says how long a design takes where a network is only
delays, in seconds, before anybody builds it (docs/sketch.md).
"""

from surgetank.sketch.delays import sketch_delays
from surgetank.sketch.estimate import SketchEstimate, StepTimes, estimate
from surgetank.sketch.language import builtin_names, parse, read_sketch
from surgetank.sketch.protocol import SketchProtocol

__all__ = [
    "SketchEstimate",
    "SketchProtocol",
    "StepTimes",
    "builtin_names",
    "estimate",
    "parse",
    "read_sketch",
    "sketch_delays",
]
