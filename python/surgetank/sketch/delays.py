"""One-way delays of single messages between the nodes of a scenario's network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from surgetank.network_file.summary import mean_delays_ms
from surgetank.scenario.delay import UniformDelay
from surgetank.scenario.network import Network

__all__ = ["DrawDelays", "sketch_delays"]

Array = NDArray[np.float64]
#: Draws delays of so many rounds: shape (rounds, nodes, nodes), from row to column, ms; 0 on the
#: diagonal.
DrawDelays = Callable[[np.random.Generator, int], Array]


def sketch_delays(network: Network, seed: int = 1) -> DrawDelays:
    """Delays as the simulator draws them for a packet: the mean of the pair, and jitter.

    Jitter is normal with a standard deviation of `jitter` times the mean, cut off at nothing;
    under `uniform` it is uniform up to `jitter` times the pair's mean, which `seed` draws.
    """
    delay = network.delay
    if not isinstance(delay, UniformDelay):
        return _around(mean_delays_ms(network), delay.jitter)
    pairs = np.random.default_rng([seed, 1])
    means = pairs.uniform(delay.low_ms, delay.high_ms, (network.nodes, network.nodes))
    np.fill_diagonal(means, 0.0)
    most = delay.jitter

    def draw(rng: np.random.Generator, rounds: int) -> Array:
        return means * (1.0 + most * rng.random((rounds, *means.shape)))

    return draw


def _around(means: Array, deviation: float) -> DrawDelays:
    def draw(rng: np.random.Generator, rounds: int) -> Array:
        if not deviation:
            return np.broadcast_to(means, (rounds, *means.shape))
        normal = rng.standard_normal((rounds, *means.shape))
        return means * np.maximum(1.0 + deviation * normal, 0.0)

    return draw
