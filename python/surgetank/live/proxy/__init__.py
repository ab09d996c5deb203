"""A link proxy on loopback: what a network does to a connection, done in userspace."""

from surgetank.live.proxy.control import Proxy
from surgetank.live.proxy.fate import Fate, Link
from surgetank.live.proxy.readings import LinkReading

__all__ = ["Fate", "Link", "LinkReading", "Proxy"]
