"""Statistics of a run as a whole: its window, counts and constants.

A producer provides it once, the core as JSON (`crates/lab/src/world/summary.rs`); it is checked
when it is read. `Stats.to_dict` is what `run.json` and the trace hash hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from surgetank.errors import SurgetankError

__all__ = [
    "Accounts",
    "AttackStats",
    "FairStats",
    "FaultError",
    "LedgerLine",
    "LiveStats",
    "Stats",
    "VenueClock",
]

#: A range of accounts: the first number, and the count.
Range = tuple[int, int]


class _Closed:
    """Unknown keys are refused."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Accounts(_Closed):
    """Ranges of accounts by owner."""

    leveraged: Range = (0, 0)
    hedgers: Range = (0, 0)
    background: Range = (0, 0)
    makers: Range = (0, 0)
    keepers: Range = (0, 0)
    attackers: Range = (0, 0)


@dataclass(frozen=True)
class AttackStats(_Closed):
    """Counts of the attacker's orders found and withheld, and the bonds that it forfeited."""

    found: int = 0
    withheld: int = 0
    bonds_usd: float = 0.0


@dataclass(frozen=True)
class LedgerLine(_Closed):
    """The gain of one group, quanta; `total` is the sum of the other five."""

    group: str
    edge: int
    fees: int
    relief: int
    funding: int
    held: int
    total: int


@dataclass(frozen=True)
class FairStats(_Closed):
    """Counts of the leader that merges all nodes' orders: rounds, messages and reports."""

    rounds: int
    failed: int
    ordered: int
    cycles: int
    in_cycles: int
    largest_cycle: int
    forced_pairs: int
    deferred: int
    overdue: int
    dropped: int
    passed_over: int
    reports: int
    report_bytes: int
    answers: int
    unsigned: int
    rewritten: int
    order_breaks: int
    forged_grounds: int


@dataclass(frozen=True)
class FaultError(_Closed):
    """A fault of a live run that could not be injected, kept in force or undone."""

    index: int
    """Its number in the scenario."""
    kind: str
    error: str


@dataclass(frozen=True)
class VenueClock(_Closed):
    """The clock of a venue beside that of the run, from the logon with the shortest answer."""

    ahead_ns: int
    """How far the venue's clock is ahead."""
    error_ns: int
    """The greatest error of that: half of the time between question and answer."""


@dataclass(frozen=True)
class LiveStats(_Closed):
    """The target of a live run, and how the generator kept its schedule."""

    target: str = ""
    version: str = ""
    ack: str = "none"
    acks: tuple[str, ...] = ()
    ordered: bool = False
    durable: bool = False
    redelivers: bool = False
    workers: int = 1
    scheduled: int = 0
    sent: int = 0
    not_sent: int = 0
    lateness_p50_ns: float = 0.0
    lateness_p99_ns: float = 0.0
    lateness_max_ns: float = 0.0
    lateness_p99_max_ns: float = 0.0
    """The allowed maximum."""
    cpu_share: Mapping[str, float] = field(default_factory=dict)
    """Share of a core, by process."""
    cpu_share_max: float = 1.0
    """The allowed maximum."""
    server_cores: float | None = None
    """Mean number of cores that the server used; None where unknown."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """Counts of refusals by the target's own text."""
    target_errors: tuple[str, ...] = ()
    """The first error that each process met in the target's own code."""
    fault_errors: tuple[FaultError, ...] = ()
    foreign: int = 0
    """Deliveries that were not of this run."""
    start_unix_ns: int = 0
    run: int = 0
    """The run's number on the wire."""
    sample: float = 1.0
    """Share of the messages of which spans are exported."""
    classes: tuple[str, ...] = ()
    """Classes of which there were messages."""
    connections_ended: int = 0
    """Connections to a venue that ended and were made again."""
    sent_again: int = 0
    """Requests that were sent again, since their connection ended before the answer."""
    clock: VenueClock | None = None
    """The venue's clock beside the run's."""


@dataclass(frozen=True)
class Stats(_Closed):
    """Counts and constants of one run. The window and the number of nodes are always given; other
    fields have their default if the producer does not know them."""

    measured_from_ns: int
    flow_end_ns: int
    end_ns: int
    nodes: int
    events: int | None = None
    """Number of the simulator's events; None in live runs and hand-made traces."""
    transmissions: int = 0
    first_arrivals: int | None = None
    duplicates: int | None = None
    lost_packets: int = 0
    dropped_outbound: int = 0
    bytes: int = 0
    client_messages: int = 0
    consensus_messages: int = 0
    refused: int = 0
    expected_background: float | None = None
    """Messages that the rate asked for, integrated; None where a tape sends them."""
    background: int | None = None
    tick_usd: float = 1.0
    lot: float = 1.0
    quantum_usd: float = 1.0
    """tick × lot."""
    consensus_lines: Mapping[str, int] = field(default_factory=dict)
    """How often each rule (line) of Tendermint's Algorithm 1 applied, over all nodes."""
    equivocations: int = 0
    """Equivocations, by validator, height and round, that an honest node detected."""
    money_conserved: bool | None = None
    numbers_fit: bool | None = None
    """Whether every price and amount fits the integers that the trace has for it."""
    safety: bool | None = None
    uncovered: tuple[tuple[int, int], ...] = ()
    """Leveraged accounts of negative equity at the outside prices of the end, each with what it
    lacks, quanta: losses that are not yet booked."""
    collateral: tuple[int, ...] = ()
    """Amounts of the collateral assets at the start, over all accounts: lots of the perpetual that
    prices an asset, or quanta where its price is constant."""
    node_regions: tuple[str, ...] = ()
    accounts: Accounts = Accounts()
    attack: AttackStats = AttackStats()
    ledger: tuple[LedgerLine, ...] = ()
    makers_broke: int = 0
    lane: tuple[tuple[int, int, int], ...] = ()
    """Rounds of the express lane that were sold: number, account, price in 1e-6 USD."""
    fair: FairStats | None = None
    live: LiveStats | None = None

    @staticmethod
    def parse(content: Mapping[str, Any], place: str = "trace stats") -> Stats:
        """Statistics from a producer's plain values.

        Raises:
            SurgetankError: naming the number that is missing, unknown or of another type.
        """
        try:
            return _adapter().validate_python(content)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            what = f"{key} is missing" if first["type"] == "missing" else f"{key}: {first['msg']}"
            hint = "The producer must give it; or run the scenario again with this version"
            raise SurgetankError(what, place=place, hint=hint) from None

    @property
    def uncovered_usd(self) -> float:
        """Losses that are not yet booked, over all accounts, USD."""
        return sum(short for _, short in self.uncovered) * self.quantum_usd

    def to_dict(self) -> dict[str, Any]:
        """Plain values: all fields of a simulation; of other runs, the fields that are not at their
        default."""
        content = dataclasses.asdict(self)
        if self.events is not None:
            return {k: v for k, v in content.items() if k != "live" or v is not None}
        return {f.name: content[f.name] for f in fields(self) if not self._is_default(f)}

    def _is_default(self, of: dataclasses.Field[Any]) -> bool:
        made = of.default_factory
        default = of.default if made is dataclasses.MISSING else made()
        return bool(getattr(self, of.name) == default)


@cache
def _adapter() -> TypeAdapter[Stats]:
    return TypeAdapter(Stats)
