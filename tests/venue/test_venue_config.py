"""`venue.toml`: bounds that leave nothing, and addresses that are none, are refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from annotated_types import Ge, Le

from surgetank.errors import SurgetankError
from surgetank.scenario.section import Section
from surgetank.venue.config import Connections, Intake, JournalFiles, of_mapping, read_config

FILE = 'scenario = "calm"\n'
SECTIONS: dict[str, type[Section]] = {
    "intake": Intake,
    "journal": JournalFiles,
    "connections": Connections,
}
#: Of all counts, the one that may be 0.
MAY_BE_NONE = "segments_kept"


@pytest.mark.parametrize("section", SECTIONS)
def test_a_bound_of_nothing_is_refused(section: str) -> None:
    for name in SECTIONS[section].model_fields:
        values = {"scenario": "calm", section: {name: 0}}
        if name == MAY_BE_NONE:
            of_mapping(values)
            continue
        with pytest.raises(SurgetankError, match=f"{section}.{name}"):
            of_mapping(values)


def sections(of: type[Section]) -> Iterator[type[Section]]:
    """All sections, of scenarios and venues."""
    for section in of.__subclasses__():
        yield section
        yield from sections(section)


def test_no_bound_is_hidden_by_another() -> None:
    """Of two lower or two upper bounds of a key only one would hold."""
    found = []
    for section in sections(Section):
        for name, field in section.model_fields.items():
            lower = {one.ge for one in field.metadata if isinstance(one, Ge)}
            upper = {one.le for one in field.metadata if isinstance(one, Le)}
            if len(lower) > 1 or len(upper) > 1:
                found.append((section.__qualname__, name))
    assert found == []


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:99999", "example.org:1"])
def test_an_address_names_its_key_or_option(tmp_path: Path, address: str) -> None:
    file = tmp_path / "v.toml"
    for key in ("listen", "listen_ws"):
        file.write_text(f'{FILE}{key} = "{address}"\n')
        with pytest.raises(SurgetankError, match=f"{key}: ") as caught:
            read_config(file)
        assert caught.value.place == str(file) or str(file) in str(caught.value)
    file.write_text(FILE)
    for name, option in (("listen", "--listen"), ("listen_ws", "--listen-ws")):
        with pytest.raises(
            SurgetankError, match=re.escape(address.rpartition(":")[0] or address)
        ) as caught:
            read_config(file, **{name: address})
        assert caught.value.place == option and "127.0.0.1:7400" in caught.value.hint


def test_localhost_is_an_address(tmp_path: Path) -> None:
    file = tmp_path / "v.toml"
    file.write_text(FILE + 'listen = "localhost:7400"\nlisten_ws = "[::1]:0"\n')
    config = read_config(file)
    assert (config.listen, config.listen_ws) == ("127.0.0.1:7400", "[::1]:0")
