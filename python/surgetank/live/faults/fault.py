"""The interface of a kind of fault in a live run, and the parts of the system that it can act
on."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, TypeVar

from surgetank.errors import SurgetankError
from surgetank.live.faults.disks import Disks, ServerDisk
from surgetank.live.faults.link_fates import LinkFates
from surgetank.live.faults.tolerance import Row, Tolerance
from surgetank.live.server import Server
from surgetank.scenario.faults import Fault

__all__ = ["LiveFault", "SystemUnderTest"]

_Section = TypeVar("_Section", bound=Fault)


@dataclass(frozen=True)
class SystemUnderTest:
    """The parts of a system under test that faults act on."""

    server: Server | None = None
    """None where surgetank did not start it."""
    fates: LinkFates | None = None
    """Fates of the link proxy's links, if there is one."""
    disks: Disks = field(default_factory=Disks)
    addresses: Sequence[tuple[str, int]] = ()
    """The nodes' own addresses, not those of a proxy."""


class LiveFault(abc.ABC, Generic[_Section]):
    """One fault in a live run. A kind is a subclass; its docstring describes the mechanism."""

    tolerances: ClassVar[tuple[Tolerance, ...]]
    """Tolerances of all quantities that its rows may measure."""
    needs_proxy: ClassVar[bool] = False
    """Whether connections must go through the link proxy."""

    @classmethod
    def disk(cls, fault: _Section) -> type[ServerDisk] | None:
        """The disk that must be mounted under the data of its nodes; None = their own disk
        suffices."""
        return None

    def __init__(self, fault: _Section, index: int, system: SystemUnderTest) -> None:
        """`index` is its number in the scenario.

        Raises:
            SurgetankError: it cannot be played against this system.
        """
        self.fault, self.index, self.system = fault, index, system

    @property
    def place(self) -> str:
        """The fault's key in the scenario, for error messages."""
        return f"faults[{self.index}]"

    @property
    def server(self) -> Server:
        """The system's server.

        Raises:
            SurgetankError: surgetank did not start it.
        """
        if self.system.server is None:
            raise SurgetankError(
                f"`{self.fault.kind}` needs a server that surgetank started",
                place=self.place,
                hint="Give --target without a host, or take the fault out",
            )
        return self.system.server

    @property
    def fates(self) -> LinkFates:
        """The fates of the system's links.

        Raises:
            SurgetankError: there is no link proxy.
        """
        if self.system.fates is None:
            raise SurgetankError(
                f"`{self.fault.kind}` needs the link proxy",
                place=self.place,
                hint="Give Rig `proxied`",
            )
        return self.system.fates

    @abc.abstractmethod
    def begin(self) -> None:
        """Puts the fault in force; called once, in a thread of its own."""

    @abc.abstractmethod
    def end(self) -> None:
        """Undoes the fault; also called if `begin` failed or was not called."""

    @abc.abstractmethod
    def rows(self, asked_s: float) -> list[Row]:
        """The measurements, after `end`; `asked_s` is the requested duration, s."""
