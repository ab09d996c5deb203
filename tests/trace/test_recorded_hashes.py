"""Runs give the bytes that were recorded: moving code about changes no fact."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from recorded_worlds import RECORD, Case, cases, digests, libm, recorded
from surgetank.scenario.attack import ATTACKS
from surgetank.scenario.named import names
from surgetank.scenario.queue import RULES

CASES = dict(cases())
LIBM, RECORDED = recorded()
GROUPS = sorted({name.split(" ")[0] for name in CASES})


@pytest.mark.skipif(
    libm() != LIBM, reason="another C library or processor rounds otherwise than the record's"
)
@pytest.mark.parametrize("group", GROUPS)
def test_the_bytes_are_those_recorded(group: str) -> None:
    """Table by table. A change that is meant is recorded by tests/support/recorded_worlds.py."""
    moved = {
        name: _differing(run, RECORDED.get(name, {}))
        for name, run in CASES.items()
        if name.split(" ")[0] == group
    }
    assert {name: tables for name, tables in moved.items() if tables} == {}, RECORD.name


def _differing(run: Case, before: Mapping[str, str]) -> list[str]:
    now = digests(run())
    return sorted(
        table for table in now.keys() | before.keys() if now.get(table) != before.get(table)
    )


def test_every_option_is_recorded() -> None:
    """Cases and records are the same; each rule, attack and scenario is among them."""
    assert list(RECORDED) == list(CASES)
    asked = [f"{name} seed 1" for name in names()]
    for kind, section in ATTACKS.items():
        asked.append(f"attack {kind}, {'all' if section.needs_votes else 'one'} seed 1")
    asked += [f"rule {rule}, one seed 1" for rule in RULES]
    assert [case for case in asked if case not in CASES] == []


def test_a_changed_cell_is_seen() -> None:
    """The positive control: another seed's bytes are not the recorded ones."""
    first, second = (f"calm seed {seed}" for seed in (1, 2))
    assert _differing(CASES[first], RECORDED[second]) != []
