"""Search for a threshold: throughput capacity, failure threshold, safe leverage, or any limit's."""

from surgetank.search.answer import Answer, Remedy, Used
from surgetank.search.find import Progress
from surgetank.search.frontier import Curve, Frontier, Point
from surgetank.search.question import search
from surgetank.search.sweep import frontier

__all__ = [
    "Answer",
    "Curve",
    "Frontier",
    "Point",
    "Progress",
    "Remedy",
    "Used",
    "frontier",
    "search",
]
