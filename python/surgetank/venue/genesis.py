"""What a venue opens with: rules, accounts, positions."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.native import compiled, stale_core_named
from surgetank.output_folder import write_file
from surgetank.scenario import Scenario, load
from surgetank.simulate import Files
from surgetank.venue.config import Account, VenueConfig

__all__ = ["genesis_of", "of_scenario", "opened", "read_genesis"]

#: File of the data folder with what the venue opened with.
FILE: Final = "genesis.json"
#: The superblock of the journal beside it.
SUPERBLOCK: Final = "venue"
_LOST: Final = "Restore it from a backup; the journal's first record has the same content"
_OPENED: Final = "start_ns"


def genesis_of(config: VenueConfig, base: Path) -> dict[str, Any]:
    """The genesis of a venue that would open at time 0. Names of scenario files are relative to
    `base`.

    Raises:
        SurgetankError: the scenario has no market, or an account is the venue's own.
    """
    if config.genesis is not None:
        return read_genesis(base / config.genesis)
    if config.scenario is not None:
        scenario = load(_beside(config.scenario, base))
        return of_scenario(scenario, config.seed or scenario.seed, f"scenario {config.scenario}")
    assert config.market is not None  # One of the two is given.
    market = config.market.model_dump(mode="json", by_alias=True)
    empty = {"name": "venue", "title": "venue", "flow": {"accounts": 1}, "market": market}
    genesis = of_scenario(Scenario.build(empty, "market"), 0, "market")
    own = {genesis["liquidator"], genesis["vault"]}
    quantum_usd = config.market.tick_usd * config.market.lot
    entries = [entry for entry in genesis["entries"] if _depositor(entry) in own]
    for account in config.accounts:
        if account.id in own:
            hint = f"Choose another number than {' and '.join(map(str, sorted(own)))}"
            place = f"accounts: {account.id}"
            raise SurgetankError("is an account of the venue itself", place=place, hint=hint)
        entries.append(_deposit(account, quantum_usd))
    return genesis | {"entries": entries}


def opened(genesis: dict[str, Any], data: Path) -> dict[str, Any]:
    """The genesis with the time at which the venue opened: now, if the folder is a new one.

    Raises:
        SurgetankError: the folder is that of a venue that opened with other rules.
    """
    path = data / FILE
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if (data / SUPERBLOCK).exists():
            raise SurgetankError("is missing", place=str(path), hint=_LOST) from None
        made = genesis | {_OPENED: genesis[_OPENED] or time.time_ns()}
        data.mkdir(parents=True, exist_ok=True)
        _write_durably(path, json.dumps(made) + "\n")
        return made
    except ValueError:
        raise SurgetankError("is damaged", place=str(path), hint=_LOST) from None
    if kept | {_OPENED: 0} != genesis | {_OPENED: 0}:
        hint = (
            "Rules and accounts of the opening cannot change. If the venue's file has not changed, "
            "restore this one from a backup; for a new venue give another --data"
        )
        raise SurgetankError("the venue opened with other rules", place=str(path), hint=hint)
    return kept


def _write_durably(path: Path, text: str) -> None:
    """Writes a new file that is there, whole, or not there after a loss of power."""
    unfinished = path.with_suffix(".unfinished")
    write_file(unfinished, text, hint="Choose another --data")
    _sync(unfinished)
    unfinished.rename(path)
    for folder in (path.parent, path.parent.parent):
        _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def of_scenario(scenario: Scenario, seed: int, place: str) -> dict[str, Any]:
    """The genesis of a scenario's market; `start_ns` is 0.

    Raises:
        SurgetankError: the scenario has no market, or cannot open.
    """
    with stale_core_named():
        try:
            text = compiled().genesis(scenario.to_core(), seed, *Files.of(scenario))
        except ValueError as error:
            raise SurgetankError(str(error), place=place) from None
    if text is None:
        raise SurgetankError("has no market", place=place, hint="Name one with a [market]")
    content: dict[str, Any] = json.loads(text)
    return content


def read_genesis(path: Path) -> dict[str, Any]:
    """The genesis in a file.

    Raises:
        SurgetankError: there is none.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content[_OPENED] += 0
    except FileNotFoundError:
        raise SurgetankError("there is no such file", place=str(path)) from None
    except (ValueError, KeyError, TypeError):
        hint = "The data folder of a venue has one, genesis.json"
        raise SurgetankError("is no genesis", place=str(path), hint=hint) from None
    return content


def _beside(name: str, base: Path) -> str:
    """A scenario's name, or the path of its file."""
    file = base / name
    return str(file) if name.endswith(".toml") and file.exists() else name


def _depositor(entry: dict[str, Any]) -> int | None:
    deposit = entry.get("deposit")
    return None if deposit is None else int(deposit["account"])


def _deposit(account: Account, quantum_usd: float) -> dict[str, Any]:
    cash = round(account.deposit_usd / quantum_usd)
    return {"deposit": {"account": account.id, "count": 1, "cash": cash, "mode": account.mode}}
