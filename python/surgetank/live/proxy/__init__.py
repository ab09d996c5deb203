"""A link proxy on loopback that applies the effects of a network to connections, in user space."""

from surgetank.live.proxy.control import Proxy
from surgetank.live.proxy.fate import Fate, Link
from surgetank.live.proxy.readings import LinkReading

__all__ = ["Fate", "Link", "LinkReading", "Proxy"]
