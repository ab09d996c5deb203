"""The core declares enumerations and tables; Python and docs/trace.md say the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from surgetank import _core
from surgetank.errors import SurgetankError
from surgetank.trace import NAMES, SCHEMA, Bearer, MarketKind, Outcome, OutcomeReason
from surgetank.trace.names import check_names

PAGE = (Path(__file__).parents[2] / "docs/trace.md").read_text()
Columns = Mapping[str, list[tuple[str, str, bool]]]


def declared() -> dict[str, tuple[str, ...]]:
    return {name: tuple(names) for name, names in _core.names().items()}


def ours() -> Columns:
    return {
        table: [(column, str(spec.dtype), spec.nullable) for column, spec in columns.items()]
        for table, columns in SCHEMA.items()
    }


def documented(text: str) -> dict[str, list[str]]:
    """Table → columns, from rows `| `table` | a row is | columns |` of the first table."""
    text = text.partition("| column | numbers |")[0]
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\w, ]+) \|$", text, flags=re.MULTILINE)
    return {table: columns.split(", ") for table, columns in rows}


def numbered(text: str) -> set[tuple[int, str]]:
    """(number, name) wherever the page has `7 bad-debt`, between `|`, `,`, `;` or `:`."""
    found = re.findall(r"(?<=[|,;:] )(\d+) ([a-z][\w -]*?)(?= [|]|[,;])", text)
    return {(int(number), name) for number, name in found}


def test_enumerations_are_those_of_the_core() -> None:
    check_names(declared())
    assert declared() == NAMES


def test_other_enumerations_are_refused() -> None:
    """The control: two names of one enumeration that change places, one that is gone or new."""
    pending, executed, *rest = declared()["outcome"]
    for outcomes in (
        (executed, pending, *rest),
        (pending, executed),
        (pending, executed, *rest, "x"),
    ):
        with pytest.raises(SurgetankError, match=r"outcome differ.*make build"):
            check_names(declared() | {"outcome": outcomes})
    with pytest.raises(SurgetankError, match="new differ"):
        check_names(declared() | {"new": ("a",)})


def test_members_are_called_as_their_names() -> None:
    """`OutcomeReason.GATEWAY_DOWN` is "gateway down"."""
    for enumeration in (Outcome, OutcomeReason, MarketKind, Bearer):
        for member in enumeration:
            assert member.name == re.sub("[- ]", "_", member.label).upper()
            assert enumeration.named(member.label) is member


def test_tables_are_those_of_the_core() -> None:
    assert ours() == _core.schema()
    assert list(SCHEMA) == list(_core.schema())


def test_another_table_is_seen() -> None:
    """The control: a column of another name, type or nullability."""
    for changed in (("Node", "UInt32", False), ("node", "UInt64", False), ("node", "UInt32", True)):
        first, _, *rest = _core.schema()["receipts"]
        assert ours() != _core.schema() | {"receipts": [first, changed, *rest]}


def test_the_page_names_every_table_and_column() -> None:
    """docs/trace.md, in the order of the schema but for that of the tables."""
    assert documented(PAGE) == {table: list(columns) for table, columns in SCHEMA.items()}


def test_a_column_that_the_page_forgets_is_seen() -> None:
    """The control."""
    assert documented(PAGE.replace("ingress_len, ", ""))["gauges"] != list(SCHEMA["gauges"])


def test_the_page_numbers_what_cells_hold() -> None:
    """Every number and name of an enumeration stands on the page, as `| 7 bad-debt |`."""
    names = {k: v for k, v in NAMES.items() if k != "quantity"}  # Its cells hold the names.
    asked = {(i, name) for each in names.values() for i, name in enumerate(each) if name}
    assert asked - numbered(PAGE) == set()


def test_a_wrong_number_on_the_page_is_seen() -> None:
    """The control."""
    changed = PAGE.replace("2 refused, 3 lost", "3 refused, 2 lost")
    assert {(2, "refused"), (3, "lost")} & numbered(changed) == set()


def test_the_page_of_faults_names_every_quantity() -> None:
    """As `added_delay_ms`, in code."""
    page = (Path(__file__).parents[2] / "docs/faults.md").read_text()
    assert [name for name in NAMES["quantity"] if f"`{name}`" not in page] == []
