"""What a kind of fault is in a live run, and what it can act on."""

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
    """Of the link proxy, if there is one."""
    disks: Disks = field(default_factory=Disks)
    addresses: Sequence[tuple[str, int]] = ()
    """The nodes' own ones, not those of a proxy."""


class LiveFault(abc.ABC, Generic[_Section]):
    """One fault while it is played. A kind is a subclass; its docstring says how it is played."""

    tolerances: ClassVar[tuple[Tolerance, ...]]
    """Of everything that its rows may measure."""
    needs_proxy: ClassVar[bool] = False
    """Whether connections must go through the link proxy."""

    @classmethod
    def disk(cls, fault: _Section) -> type[ServerDisk] | None:
        """The disk that must lie under the data of its nodes; None = their own will do."""
        return None

    def __init__(self, fault: _Section, index: int, system: SystemUnderTest) -> None:
        """`index` is its number in the scenario.

        Raises:
            SurgetankError: it cannot be played against this system.
        """
        self.fault, self.index, self.system = fault, index, system

    @property
    def place(self) -> str:
        """Of the fault in the scenario, for errors."""
        return f"faults[{self.index}]"

    @property
    def server(self) -> Server:
        """The system's server.

        Raises:
            SurgetankError: it is not ours.
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
        """What the system's links do.

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
        """Puts it in force; called once, in a thread of its own."""

    @abc.abstractmethod
    def end(self) -> None:
        """Undoes it; also called where `begin` failed or was not called."""

    @abc.abstractmethod
    def rows(self, asked_s: float) -> list[Row]:
        """What was measured, after `end`; `asked_s` is how long it was to last."""
