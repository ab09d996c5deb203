"""Values of the client: enumerations, units, keys, ClOrdIDs."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import pytest

from surgetank.client import Credentials, ExecType, OrdRejReason, Units, enumerations
from surgetank.client.requests import ClOrdIds
from surgetank.client.streams import BookLevels, ExecutionReport, event_of
from surgetank.errors import SurgetankError
from surgetank.native import compiled
from surgetank.venue.keys import VenueKey, write_keys

#: Names of the package for those of the core that have another meaning here.
OURS = {"Bearer": "DebtBearer", "Level": "AnswerLevel", "Side": "OrderSide"}


def test_enumerations_are_those_of_the_core() -> None:
    for name, numbers in compiled().protocol_names().items():
        declared: type[IntEnum] = getattr(enumerations, OURS.get(name, name))
        ours = {value.name.replace("_", "").lower(): int(value) for value in declared}
        assert ours == {key.lower(): number for key, number in numbers.items()}, name


def test_events_are_decoded() -> None:
    report = event_of((1, 8, 7, 0, 0, None, 0, 0, 0, 100, False))
    assert isinstance(report, ExecutionReport)
    assert (report.exec_type, report.reason) == (
        ExecType.REJECTED,
        OrdRejReason.INSUFFICIENT_MARGIN,
    )
    assert event_of((8, [(1, 5, 6)])) == BookLevels([(1, 5, 6)])


def test_prices_are_exact() -> None:
    units = Units(0.1, 0.001)
    assert units.ticks(60_000.3) == 600_003, "in binary, 60000.3 is no multiple of 0.1"
    assert (units.lots("0.003"), units.quanta(1), units.price(3)) == (3, 10_000, 0.3)
    with pytest.raises(SurgetankError, match=re.escape("no multiple of 0.1")):
        units.ticks(60_000.05)


def test_cl_ord_ids_rise_and_two_clients_use_different_ones() -> None:
    one, other = ClOrdIds(), ClOrdIds()
    one._own, other._own = 1, 2  # They are drawn; here they differ.
    numbers = [one.next() for _ in range(5000)]
    assert numbers == sorted(set(numbers))
    assert not set(numbers) & {other.next() for _ in range(5000)}
    assert numbers[-1] < 2**63


def test_a_key_is_read_by_name_or_account_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    key = VenueKey.new("desk", 7)
    write_keys(path, [key])
    assert Credentials.read(path, "desk") == Credentials.read(path, 7) == Credentials.of(key)
    assert key.hmac not in repr(Credentials.of(key))
    with pytest.raises(SurgetankError, match="no key of account 8"):
        Credentials.read(path, 8)
    path.write_text(path.read_text() + '[own]\naccount = 9\ned25519 = "00"\n')
    with pytest.raises(SurgetankError, match="has no secret"):
        Credentials.read(path, 9)
    path.chmod(0o644)
    with pytest.raises(SurgetankError, match="others may read it"):
        Credentials.read(path, 7)
