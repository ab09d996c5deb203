"""A sketch played event by event: the reference that the computed times are compared with."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from surgetank.sketch.protocol import (
    Await,
    Barrier,
    Condition,
    Either,
    Send,
    SendKind,
    SketchProtocol,
    ThresholdUnit,
)

__all__ = ["played"]


class Node:
    """A node: how far it is, and what it has heard."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.step = 0
        self.since = 0.0
        self.heard: dict[int, dict[int, float]] = {}
        self.passed: list[float] = []


def played(
    protocol: SketchProtocol,
    delay_ms: Sequence[Sequence[float]],
    proposer: int,
    powers: Sequence[int],
    silent: Sequence[bool],
) -> list[list[float]]:
    """By barrier and node: when it was passed; infinite: never. Uplinks are unlimited."""
    nodes = [Node(number) for number in range(len(powers))]
    events: list[tuple[float, int, int, int]] = []  # time, receiver, message, sender

    def send(node: Node, step: Send) -> None:
        if silent[node.number] or (step.kind is SendKind.PROPOSE and node.number != proposer):
            return
        for other in nodes:
            if step.kind is SendKind.REPLY and other.number != proposer:
                continue
            away = 0.0 if other is node else delay_ms[node.number][other.number]
            heapq.heappush(events, (node.since + away, other.number, step.message, node.number))

    def go_on(node: Node, now: float) -> None:
        """Takes steps for as long as they can be taken with what was heard by now."""
        while node.step < len(protocol.steps):
            step = protocol.steps[node.step]
            if isinstance(step, Send):
                send(node, step)
            else:
                met, after = holds(node, step, now)
                if math.isinf(met):
                    return
                node.passed.append(met)
                node.since = after
            node.step += 1

    def holds(node: Node, step: Barrier, now: float) -> tuple[float, float]:
        return condition(node, step.condition, now)

    def condition(node: Node, one: Condition, now: float) -> tuple[float, float]:
        if isinstance(one, Await):
            return waited(node, one, now)
        first, second = condition(node, one.first, now), condition(node, one.second, now)
        if isinstance(one, Either):
            return first if first[0] <= second[0] else second
        return max(first[0], second[0]), max(first[1], second[1])

    def waited(node: Node, one: Await, now: float) -> tuple[float, float]:
        if one.proposer_only and node.number != proposer:
            return node.since, node.since
        counts = one.quorum.unit is ThresholdUnit.NODES
        needed = one.quorum.needed([1] * len(nodes) if counts else list(powers))
        heard = node.heard.get(one.message, {})
        power, busy = 0, node.since
        for sender, at in sorted(heard.items(), key=lambda item: (item[1], item[0])):
            busy = max(busy, at) + one.per_message_ms
            power += 1 if counts else powers[sender]
            if power >= needed:
                return busy, busy + one.after_ms
        return math.inf, math.inf

    for node in nodes:
        go_on(node, 0.0)
    while events:
        now, receiver, message, sender = heapq.heappop(events)
        node = nodes[receiver]
        if sender in node.heard.setdefault(message, {}):
            continue
        node.heard[message][sender] = now
        go_on(node, now)
    due = len(protocol.barriers)
    rows = [node.passed + [math.inf] * (due - len(node.passed)) for node in nodes]
    return [[row[index] for row in rows] for index in range(due)]
