"""Simulates a scenario: one call of the compiled core returns the trace."""

from __future__ import annotations

import json
import logging
import shlex
import time
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

import polars as pl

from surgetank.errors import CoreError, SurgetankError
from surgetank.native import build, compiled, stale_core_named
from surgetank.output_folder import write_file
from surgetank.plugins import Controller, QueueRule, is_plugin, load_plugin
from surgetank.scenario import Scenario
from surgetank.scenario.position_book import columns_of
from surgetank.scenario.size import MemoryGuard, refuse_too_large
from surgetank.trace import SCHEMA, Run, Stats, Trace
from surgetank.trace.names import check_names

__all__ = ["Progress", "simulate"]

_LOG: Final = logging.getLogger(__name__)

#: Called about ten times a second with simulated seconds, client messages and events so far; it
#: returns False to stop the run.
Progress = Callable[[float, int, int], bool]


class Files(NamedTuple):
    """What a user brings beside a scenario, as columns for the core."""

    tape: dict[str, Any] | None
    positions: dict[str, Any] | None

    @classmethod
    def of(cls, scenario: Scenario) -> Files:
        """Those of a scenario.

        Raises:
            SurgetankError: the scenario names a file that it was read without.
        """
        return cls(_tape(scenario), _positions(scenario))


def simulate(
    scenario: Scenario,
    *,
    seed: int | None = None,
    progress: Progress | None = None,
    decisions: pl.DataFrame | None = None,
    journal: Path | None = None,
) -> Trace:
    """Runs a scenario in the deterministic simulator.

    The trace of a run that `progress` stopped is marked incomplete. With the table `decisions` of
    an earlier run, they are replayed at their times, and no controller is called. The executed
    blocks are written to the file `journal`, which must not exist (docs/journal.md).

    Raises:
        SurgetankError: if the core cannot build the scenario, a fault is for live systems only, or
            `decisions` is not such a table, the seed does not fit into 64 bits, or the memory does
            not suffice (before the run, or during it).
        CoreError: if the core panics.
    """
    _can_happen_here(scenario)
    refuse_too_large(scenario)
    chosen = scenario.seed if seed is None else seed
    if not 0 <= chosen < 2**64:
        hint = "Give a whole number from 0 to 2**64 - 1"
        raise SurgetankError(f"{chosen} is not a seed", place="seed", hint=hint)
    files = Files.of(scenario)
    plugins = _plugins(scenario, decisions)
    name = Run(name=scenario.name, seed=chosen, scenario_hash=scenario.hash, build=build())
    guard = MemoryGuard(progress)
    began = time.monotonic()
    _LOG.debug("%s begins, scenario %s, build %s", name.name, name.scenario_hash[:12], name.build)
    with stale_core_named():
        keeps = journal is not None
        out = _run(_core(), scenario, chosen, files, guard, plugins, keeps)
        guard.check(scenario)
        trace = Trace.from_tables(
            out["tables"],
            run=name,
            stats=Stats.parse(json.loads(out["stats"])),
            complete=out["complete"],
            scenario=scenario,
        )
    _LOG.info(
        "simulated %s, seed %d: %d messages in %.2f s%s",
        name.name,
        chosen,
        trace["messages"].height,
        time.monotonic() - began,
        "" if trace.complete else ", stopped before its end",
    )
    if journal is not None:
        write_file(journal, out["journal"], hint="Give another --journal", replace=False)
    return trace


def _tape(scenario: Scenario) -> dict[str, Any] | None:
    if scenario.tape is None and scenario.tape_hash:
        what = "the scenario replays a recording"
        raise _not_stored(scenario, what, scenario.tape_options)
    return None if scenario.tape is None else scenario.tape.as_core()


def _not_stored(scenario: Scenario, what: str, options: list[str]) -> SurgetankError:
    hint = f"Give it again: {shlex.join(options)}"
    return SurgetankError(f"{what}, which is not stored with it", place=scenario.name, hint=hint)


def _positions(scenario: Scenario) -> dict[str, Any] | None:
    book, market, tape = scenario.position_book, scenario.market, scenario.tape
    if book is None and scenario.positions_hash:
        what = "the scenario opens with a position book"
        raise _not_stored(scenario, what, scenario.positions_options)
    if book is None or market is None:
        return None
    replayed = tape is not None and market.price.path.kind == "tape"
    return columns_of(book, market, float(tape.prices_usd[0]) if tape and replayed else None)


def _run(
    core: ModuleType,
    scenario: Scenario,
    seed: int,
    files: Files,
    progress: Progress | None,
    plugins: dict[str, Any],
    keeps: bool,
) -> dict[str, Any]:
    """The core's output."""
    users = plugins.keys() - {"decisions"}
    panic = ""
    try:
        out: dict[str, Any] = core.run(scenario.to_core(), seed, *files, progress, plugins, keeps)
    except ValueError as error:
        if not users:
            raise SurgetankError(str(error), place=scenario.name) from None
        raise _plugin_failed(scenario, error) from error
    except Exception as error:
        if not users:
            raise
        raise _plugin_failed(scenario, error) from error
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        panic = f"scenario {scenario.name}, seed {seed}: {error}"
    if panic:
        # Outside of `except`: a panic, even as the context of an exception, cannot be sent to
        # another process.
        raise CoreError(panic)
    return out


@cache
def _core() -> ModuleType:
    """The compiled core, whose tables number enumerations as this package does."""
    core = compiled()
    check_names({name: tuple(names) for name, names in core.names().items()})
    return core


def _can_happen_here(scenario: Scenario) -> None:
    for i, fault in enumerate(scenario.faults):
        if fault.live_only:
            raise SurgetankError(
                f"the fault `{fault.kind}` is for live systems only",
                place=f"{scenario.name}: faults[{i}]",
                hint="Run it with --target URL, or take it out",
            )


def _plugins(scenario: Scenario, decisions: pl.DataFrame | None) -> dict[str, Any]:
    rule, controller = scenario.layer.queue.discipline, scenario.layer.tuning.plugin
    plugins: dict[str, Any] = {}
    if is_plugin(rule):
        plugins["rule"] = load_plugin(rule, QueueRule)
    if decisions is not None:
        plugins["decisions"] = _replayed(decisions)
    elif controller:
        plugins["controller"] = load_plugin(controller, Controller)
    return plugins


def _replayed(decisions: pl.DataFrame) -> list[dict[str, Any]]:
    columns = [pl.col(name).cast(column.dtype) for name, column in SCHEMA["decisions"].items()]
    try:
        return decisions.select(columns).rows(named=True)
    except pl.exceptions.PolarsError:
        names = ", ".join(SCHEMA["decisions"])
        raise SurgetankError(
            f"not the table `decisions` of a trace, with the columns {names}",
            place="decisions",
            hint='Give `trace["decisions"]` of an earlier run',
        ) from None


def _plugin_failed(scenario: Scenario, error: Exception) -> SurgetankError:
    """The error of a user's class, with file and line."""
    frames = traceback.extract_tb(error.__traceback__)
    rule, controller = scenario.layer.queue.discipline, scenario.layer.tuning.plugin
    names = " or ".join(([rule] if is_plugin(rule) else []) + ([controller] if controller else []))
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else names
    what = f"{names} raised {type(error).__name__}: {error}"
    return SurgetankError(what, place=where, hint="Correct it and run again")
