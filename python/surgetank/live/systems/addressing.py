"""Frames for several nodes in one piece of memory: each has the node's number and its length in
front, which are not sent."""

from __future__ import annotations

import numpy as np

from surgetank.live.payload import Numbers

__all__ = ["addressed", "dealt"]

_HEAD_BYTES = 5


def addressed(node: int, frame: bytes) -> bytes:
    """A frame for a node (0 to 255)."""
    return bytes((node,)) + len(frame).to_bytes(4) + frame


def dealt(frames: memoryview, numbers: Numbers) -> dict[int, tuple[bytes, Numbers]]:
    """Node → its frames without the prefix, and their message numbers, in order."""
    parts: dict[int, list[memoryview]] = {}
    whose = np.empty(len(numbers), dtype=np.int64)
    at = 0
    for i in range(len(numbers)):
        node, start = frames[at], at + _HEAD_BYTES
        at = start + int.from_bytes(frames[at + 1 : start])
        parts.setdefault(node, []).append(frames[start:at])
        whose[i] = node
    return {node: (b"".join(part), numbers[whose == node]) for node, part in parts.items()}
