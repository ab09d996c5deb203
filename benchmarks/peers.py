"""The same two models in SimPy and ciw, as their users would write them.

M/M/1: Poisson arrivals, one exponential server, first come first served.
Flood: a message spreads over a graph; every node passes its first copy on to all neighbours but the
sender; each node's uplink sends one copy after the other.
"""

from __future__ import annotations

import random
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any


class Stopwatch:
    """Wall time and CPU time of this process since it was made, s."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Both times since it was made: wall time and CPU time, s."""
        return time.perf_counter() - self._began[0], time.process_time() - self._began[1]


@dataclass(frozen=True)
class Speed:
    """What one run did and how long it took (wall time, s)."""

    who: str
    work: int
    events: int
    seconds: float
    cpu_s: float
    answer: float

    @property
    def per_s(self) -> float:
        """Units of work (customers, transmissions) a second."""
        return self.work / self.seconds

    @property
    def events_per_s(self) -> float:
        """Events a second."""
        return self.events / self.seconds


def simpy_mm1(customers: int, rho: float, seed: int) -> Speed:
    """M/M/1 with a `Resource`; the answer is the mean wait in service times."""
    import simpy

    draw = random.Random(seed)
    env = simpy.Environment()
    server = simpy.Resource(env, capacity=1)
    waits: list[float] = []

    def customer() -> Generator[Any, Any, Any]:
        came = env.now
        with server.request() as request:
            yield request
            waits.append(env.now - came)
            yield env.timeout(draw.expovariate(1.0))

    def source() -> Generator[Any, Any, Any]:
        for _ in range(customers):
            yield env.timeout(draw.expovariate(rho))
            env.process(customer())

    env.process(source())
    watch = Stopwatch()
    events = 0
    while env.peek() != float("inf"):
        env.step()
        events += 1
    return Speed("SimPy", customers, events, *watch.read(), sum(waits) / len(waits))


def ciw_mm1(customers: int, rho: float, seed: int) -> Speed:
    """M/M/1 in ciw; the answer is the mean wait in service times."""
    import ciw

    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=rho)],
        service_distributions=[ciw.dists.Exponential(rate=1.0)],
        number_of_servers=[1],
    )
    ciw.seed(seed)
    simulation = ciw.Simulation(network)
    watch = Stopwatch()
    simulation.simulate_until_max_customers(customers, method="Finish")
    spent = watch.read()
    waits = [record.waiting_time for record in simulation.get_all_records()]
    # An arrival and an end of service each.
    return Speed("ciw", customers, 2 * customers, *spent, sum(waits) / len(waits))


def simpy_flood(
    links: list[tuple[int, int]], delays_s: list[float], messages: int, rate: float, copy_s: float
) -> Speed:
    """Flood over an undirected graph; the answer is when the last copy came first, s."""
    import simpy

    nodes = 1 + max(max(a, b) for a, b in links)
    peers: list[list[tuple[int, float]]] = [[] for _ in range(nodes)]
    for (a, b), delay in zip(links, delays_s, strict=True):
        peers[a].append((b, delay))
        peers[b].append((a, delay))
    env = simpy.Environment()
    uplinks = [0.0] * nodes
    seen = [bytearray(messages) for _ in range(nodes)]
    sent = 0
    last = 0.0

    def arrive(node: int, origin: int, message: int) -> None:
        nonlocal sent, last
        if seen[node][message]:
            return
        seen[node][message] = 1
        last = env.now
        for peer, delay in peers[node]:
            if peer == origin:
                continue
            sent += 1
            uplinks[node] = max(uplinks[node], env.now) + copy_s
            event = env.timeout(uplinks[node] + delay - env.now, (peer, node, message))
            event.callbacks.append(lambda event: arrive(*event.value))

    def source() -> Generator[Any, Any, Any]:
        for message in range(messages):
            yield env.timeout(1.0 / rate)
            arrive(message % nodes, -1, message)

    env.process(source())
    watch = Stopwatch()
    env.run()
    return Speed("SimPy", sent, sent, *watch.read(), last)
