"""A user's own validators from a file: powers, regions, machines and links (docs/network.md)."""

from surgetank.network_file.content import MachineClass, NetworkFile
from surgetank.network_file.reading import read_network
from surgetank.network_file.venue import taken_from, with_network

__all__ = ["MachineClass", "NetworkFile", "read_network", "taken_from", "with_network"]
