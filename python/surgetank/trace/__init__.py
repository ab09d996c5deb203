"""The trace: all facts of one run, simulated or live, in one set of tables.

Two producers (simulation, live run) write it; measures, verdict and report read it without regard
to the producer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.errors import EXIT_MACHINE, SurgetankError
from surgetank.scenario import Scenario
from surgetank.tape.stored import save_tape
from surgetank.trace import frames, store
from surgetank.trace.chain import CHUNK_ROWS, chain, combine
from surgetank.trace.names import (
    CLASSES,
    CLIENT_CLASSES,
    NAMES,
    STAGES,
    WAITS,
    Bearer,
    Deferral,
    Knob,
    MarketKind,
    MessageClass,
    Outcome,
    OutcomeReason,
    Quantity,
    Source,
    Why,
)
from surgetank.trace.schema import SCHEMA, Column, check_table, empty_table
from surgetank.trace.stats import Accounts, AttackStats, FairStats, LedgerLine, LiveStats, Stats

__all__ = [
    "CHUNK_ROWS",
    "CLASSES",
    "CLIENT_CLASSES",
    "NAMES",
    "SCHEMA",
    "STAGES",
    "WAITS",
    "Accounts",
    "AttackStats",
    "Bearer",
    "Column",
    "Deferral",
    "FairStats",
    "Knob",
    "LedgerLine",
    "LiveStats",
    "MarketKind",
    "MessageClass",
    "Outcome",
    "OutcomeReason",
    "Quantity",
    "Run",
    "Source",
    "Stats",
    "Trace",
    "Why",
    "read_name",
]

#: Name of the default scenario of a trace made by hand.
_UNNAMED = "unnamed"


@dataclass(frozen=True)
class Run:
    """The name of a run: equal names give byte-identical traces."""

    name: str
    """Name of the scenario."""
    seed: int
    scenario_hash: str
    build: str

    def __str__(self) -> str:
        return f"{self.name} seed={self.seed} scenario={self.scenario_hash} build={self.build}"


@dataclass(frozen=True, eq=False)
class Trace:
    """All facts of one run. Make it with `from_tables` or `load`, which check the tables."""

    run: Run
    tables: Mapping[str, pl.DataFrame] = field(repr=False)
    stats: Stats = field(repr=False)
    complete: bool
    """False if the run was stopped; the tables then end there."""
    scenario: Scenario = field(repr=False)
    """The scenario as it was run, with its limits."""

    @classmethod
    def from_tables(
        cls,
        tables: Mapping[str, Any],
        *,
        run: Run,
        stats: Stats,
        complete: bool = True,
        scenario: Scenario | None = None,
    ) -> Self:
        """A trace from data frames or Arrow tables (anything `polars.DataFrame` accepts).

        A table that is not given is empty, a scenario that is not given the default one.

        Raises:
            SurgetankError: a table or column breaks `SCHEMA`.
        """
        for name in tables:
            if name not in SCHEMA:
                check_table(name, pl.DataFrame())
        checked = {
            name: check_table(name, _frame(tables[name])) if name in tables else empty_table(name)
            for name in SCHEMA
        }
        scenario = Scenario(name=_UNNAMED) if scenario is None else scenario
        return cls(run, checked, stats, complete, scenario)

    def __repr__(self) -> str:
        run, end = self.run, "" if self.complete else ", stopped before its end"
        messages = self.tables["messages"].height
        return f"<Trace {run.name} seed {run.seed}: {messages:,} messages{end}>"

    def __getitem__(self, table: str) -> pl.DataFrame:
        return self.tables[table]

    @cached_property
    def chains(self) -> dict[str, list[str]]:
        """Links of each table's BLAKE3 chain (see `surgetank.trace.chain`)."""
        return {name: chain(name, table) for name, table in self.tables.items()}

    @cached_property
    def trace_hash(self) -> str:
        """BLAKE3 (hex) over the run's name and stats, whether it is complete, the table names and
        the chains' final links."""
        run = self.run
        name = (run.name, str(run.seed), run.scenario_hash, run.build)
        return combine(name, self.chains, {**self.stats.to_dict(), "complete": self.complete})

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.stats.nodes

    @property
    def weights(self) -> NDArray[np.int64]:
        """Voting power of each node; equal ones in a live run, whose powers are not known."""
        if self.stats.live is None and len(self.scenario.network.weights) == self.nodes:
            return np.array(self.scenario.network.weights, dtype=np.int64)
        return np.ones(self.nodes, dtype=np.int64)

    def node_name(self, node: int) -> str:
        """How the node is called: by its name in the scenario, else by its number, with its
        region."""
        names = self.scenario.network.names
        simulated = self.stats.live is None and len(names) == self.nodes
        name = names[node] if simulated else f"node {node}"
        region = dict(enumerate(self.stats.node_regions)).get(node, "").replace("_", " ")
        return f"{name} ({region})" if region else name

    @property
    def measured_from_ns(self) -> int:
        """Begin of the measured window."""
        return self.stats.measured_from_ns

    @property
    def flow_end_ns(self) -> int:
        """End of the measured window: no flow arrives after it, or the run was stopped there."""
        return min(self.stats.flow_end_ns, self.end_ns)

    @property
    def end_ns(self) -> int:
        """End of the run."""
        return self.stats.end_ns

    @property
    def live(self) -> LiveStats:
        """Statistics of a live run.

        Raises:
            LookupError: it was a simulation (`stats.live` is None).
        """
        if self.stats.live is None:
            raise LookupError("this run was a simulation")
        return self.stats.live

    @property
    def orders(self) -> bool:
        """Whether messages are ordered; with `consensus.kind = none` they only spread. A live
        target's delivery counts as an order, whatever the scenario would simulate."""
        return self.stats.live is not None or self.scenario.layer.consensus.orders

    def delays(self) -> pl.DataFrame:
        """Client messages of the measured window with exact stage columns; `frames.delays`."""
        return self._delays

    def lag(self) -> pl.DataFrame:
        """When each node and the first node executed each height; see `frames.lag`."""
        return self._lag

    @cached_property
    def _delays(self) -> pl.DataFrame:
        return frames.delays(self.tables["messages"], self.measured_from_ns, self.flow_end_ns)

    @cached_property
    def _lag(self) -> pl.DataFrame:
        return frames.lag(self.tables["executions"], self.nodes)

    def save(self, folder: str | Path) -> Path:
        """Writes run.json and a Parquet file per table; returns the folder.

        Raises:
            SurgetankError: the folder cannot be written.
        """
        path = Path(folder)
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / store.RUN_FILE).unlink(missing_ok=True)
            for name, table in self.tables.items():
                store.write_table(path, name, table, str(self.run))
            book = self.scenario.position_book
            if book is not None:
                book.save(path / store.POSITIONS_FILE)
            if self.scenario.tape is not None:
                save_tape(self.scenario.tape, path / store.TAPE_FILE)
            store.write_run(
                path,
                {
                    "run": asdict(self.run),
                    "complete": self.complete,
                    "trace_hash": self.trace_hash,
                    "chains": self.chains,
                    "stats": self.stats.to_dict(),
                    "scenario": self.scenario.model_dump(mode="json", by_alias=True),
                },
            )
        except OSError as error:
            store.remove(path, self.tables)
            raise SurgetankError(
                f"cannot be written ({error.strerror})",
                place=str(path),
                hint="Free space there, or choose another folder",
                exit_code=EXIT_MACHINE,
            ) from error
        return path

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The trace that `save` wrote, after checking every hash.

        Raises:
            SurgetankError: names the file that is missing, damaged or changed.
        """
        path = Path(folder)
        content = store.read_run(path)
        try:
            run, chains = Run(**content["run"]), content["chains"]
            tables = {name: store.read_table(path, name, str(run), chains[name]) for name in SCHEMA}
            trace = cls.from_tables(
                tables,
                run=run,
                stats=Stats.parse(content["stats"], f"{path / store.RUN_FILE}: stats"),
                complete=content["complete"],
                scenario=store.with_inputs(_scenario(content["scenario"], path), path),
            )
            # read_table has just verified every link.
            trace.__dict__["chains"] = {name: chains[name] for name in SCHEMA}
            matches = trace.trace_hash == content["trace_hash"]
        except (KeyError, TypeError) as error:
            raise SurgetankError(
                f"lacks {error}", place=str(path / store.RUN_FILE), hint="Run the scenario again"
            ) from error
        if not matches:
            raise SurgetankError(
                "its trace_hash does not match its chains and stats",
                place=str(path / store.RUN_FILE),
                hint="Run the scenario again",
            )
        return trace


def read_name(folder: Path) -> Run:
    """The name of the run in a folder, without reading its tables.

    Raises:
        SurgetankError: there is no run.
    """
    return Run(**store.read_run(folder)["run"])


def _scenario(content: Mapping[str, Any], path: Path) -> Scenario:
    try:
        return Scenario.build(content)
    except SurgetankError as error:
        raise SurgetankError(
            f"its scenario is of another version ({error.place}: {error.message})",
            place=str(path / store.RUN_FILE),
            hint="Run the scenario again, or read the folder with the version that wrote it",
        ) from None


def _frame(table: Any) -> pl.DataFrame:
    return table if isinstance(table, pl.DataFrame) else pl.DataFrame(table)
