"""The common part of the kinds of link faults."""

from __future__ import annotations

import abc
from typing import ClassVar, Final, TypeVar

from surgetank.errors import SurgetankError
from surgetank.live.faults.fault import LiveFault, SystemUnderTest
from surgetank.live.faults.link_fates import Traffic
from surgetank.live.faults.tolerance import IN_FORCE, Row, Tolerance
from surgetank.live.proxy import Fate, Proxy
from surgetank.scenario.faults import Fault
from surgetank.trace import Quantity

__all__ = ["LinkFault", "StoppedLinks", "nodes_of"]

_Section = TypeVar("_Section", bound=Fault)

_PASSED: Final = Tolerance(Quantity.BYTES_PASSED, fixed=0.0)


class LinkFault(LiveFault[_Section]):
    """A fault that sets the fate of some links: as in the simulator the links between nodes or,
    where there are none, those of the clients."""

    needs_proxy = True
    if_no_link: ClassVar[str] = "Take the fault out"
    """The hint of the error if the fault affects no link."""

    def __init__(self, fault: _Section, index: int, system: SystemUnderTest) -> None:
        """See `LiveFault`."""
        super().__init__(fault, index, system)
        self.fate = self.fate_of(fault)
        self.names = self.links(self.fates.proxy)
        """Names of its links."""
        if not self.names:
            raise SurgetankError("it meets no link", place=self.place, hint=self.if_no_link)
        self._begun_ns = self._ended_ns = 0

    @abc.abstractmethod
    def fate_of(self, fault: _Section) -> Fate:
        """The fate of its links.

        Raises:
            SurgetankError: the fault has no effect on real links.
        """

    @abc.abstractmethod
    def row(self, traffic: Traffic) -> Row:
        """The measurement, from the traffic on its links during the fault."""

    def links(self, proxy: Proxy) -> list[str]:
        """Names of its links: those that end at a node that it names.

        Raises:
            SurgetankError: there is no such node.
        """
        every = nodes_of(proxy)
        named = {node for group in self.fault.groups_named for node in group} or every
        if unknown := named - every:
            raise SurgetankError(
                f"node {min(unknown)} is not there",
                place=self.place,
                hint=f"This system has nodes 0..{len(every) - 1}",
            )
        between = {link.name for link in proxy.links.values() if link.a >= 0}
        return [name for name in proxy.between(named) if not between or name in between]

    def begin(self) -> None:
        """See `LiveFault`."""
        self._begun_ns = self.fates.begin(self.index, self.names, self.fate)

    def end(self) -> None:
        """See `LiveFault`."""
        if self._begun_ns and not self._ended_ns:
            self._ended_ns = self.fates.end(self.index)

    @property
    def lasted_s(self) -> float:
        """Time from begin to end, s."""
        return (self._ended_ns - self._begun_ns) / 1e9

    def rows(self, asked_s: float) -> list[Row]:
        """See `LiveFault`. A fault that stops the links also has a row with its duration."""
        found = [self.row(self.fates.traffic(self.index))]
        if self.fate.holds:
            found.append(IN_FORCE.row(self.lasted_s, 1, asked=asked_s))
        return found


class StoppedLinks(LinkFault[_Section]):
    """A fault whose links pass no bytes."""

    tolerances = (_PASSED, IN_FORCE)

    def row(self, traffic: Traffic) -> Row:
        """The bytes that passed during the fault."""
        return _PASSED.row(float(traffic.bytes), traffic.attempts)


def nodes_of(proxy: Proxy) -> set[int]:
    """The nodes at the ends of a proxy's links."""
    return {node for link in proxy.links.values() for node in (link.a, link.b) if node >= 0}
