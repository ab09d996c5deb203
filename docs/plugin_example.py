"""An example of a queue rule: a lottery among accounts, in which risk-reducing messages go first.

Run it from this directory:
`surgetank run burst --set layer.queue.rule=plugin_example:Lottery --allow-code`.
"""

from __future__ import annotations

import random
from collections import deque

from surgetank.plugins import QueueRule, Ticket


class Lottery(QueueRule):
    """Risk-reducing messages first; then one message of an account drawn at random."""

    def __init__(self) -> None:
        self.draws = random.Random(1)
        self.safe: deque[int] = deque()
        self.tickets: dict[int, deque[int]] = {}

    def push(self, now_ns: int, place: int, ticket: Ticket) -> None:
        """Appends to the queue of the message's account, or to that of risk-reducing messages."""
        if ticket.reduces_risk:
            self.safe.append(place)
        else:
            self.tickets.setdefault(ticket.account, deque()).append(place)

    def pop(self, now_ns: int) -> int | None:
        """Draws an account with equal odds, however many messages it has waiting."""
        if self.safe:
            return self.safe.popleft()
        if not self.tickets:
            return None
        account = self.draws.choice(list(self.tickets))
        line = self.tickets[account]
        place = line.popleft()
        if not line:
            del self.tickets[account]
        return place

    def remove(self, places: list[int]) -> None:
        """Removes messages that another node has put into a block."""
        gone = set(places)
        self.safe = deque(p for p in self.safe if p not in gone)
        lines = ((a, deque(p for p in line if p not in gone)) for a, line in self.tickets.items())
        self.tickets = {account: line for account, line in lines if line}
