"""Where the line is: throughput capacity, failure threshold, safe leverage, or any limit's."""

from surgetank.search.answer import Answer, Remedy, Used
from surgetank.search.ask import search
from surgetank.search.find import Progress

__all__ = ["Answer", "Progress", "Remedy", "Used", "search"]
