"""An error of a compiled core that was not built from the sources beside it names that cause."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

import surgetank as st
from surgetank import native
from surgetank.cli import app
from surgetank.cli.exit_codes import ended
from surgetank.errors import EXIT_USAGE

_STALE = "the compiled core is older than the sources"


@pytest.fixture
def changed_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The core's sources with one more line."""
    crates = tmp_path / "crates"
    for name in ("lab", "layer", "market"):
        shutil.copytree(native._CRATES / name / "src", crates / name / "src")
    with (crates / "layer" / "src" / "lib.rs").open("a") as file:
        file.write("// changed\n")
    monkeypatch.setattr(native, "_CRATES", crates)
    return crates


@pytest.fixture
def one_key_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenarios cross with a key that the core does not know."""
    to_core = st.Scenario.to_core

    def more(self: st.Scenario) -> str:
        return json.dumps({**json.loads(to_core(self)), "added_since": 1})

    monkeypatch.setattr(st.Scenario, "to_core", more)


def test_the_digest_is_that_of_the_build_script() -> None:
    """Of the sources that the core under test was built from."""
    assert native.build().endswith("+" + native._sources_digest())


@pytest.mark.usefixtures("changed_sources", "one_key_more")
def test_a_key_that_a_stale_core_does_not_know() -> None:
    with pytest.raises(st.SurgetankError, match=f"{_STALE}.*added_since.*make build") as caught:
        st.simulate(st.load("calm"))
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.usefixtures("changed_sources", "one_key_more")
def test_the_command_line_says_so_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["surgetank", "run", "calm", "--out", str(tmp_path / "run")])
    assert ended(app) == EXIT_USAGE
    assert _STALE in capsys.readouterr().err


@pytest.mark.usefixtures("changed_sources")
def test_a_function_that_a_stale_core_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(native.compiled(), "names")
    checked = sys.modules["surgetank.simulate"]._core
    checked.cache_clear()
    with pytest.raises(st.SurgetankError, match=f"{_STALE}.*has no attribute 'names'"):
        st.simulate(st.load("calm"))


@pytest.mark.usefixtures("one_key_more")
def test_a_core_of_these_sources_is_not_blamed() -> None:
    with pytest.raises(st.SurgetankError, match=r"^calm: .*added_since") as caught:
        st.simulate(st.load("calm"))
    assert _STALE not in str(caught.value)


@pytest.mark.usefixtures("changed_sources")
def test_changed_sources_alone_stop_no_one() -> None:
    assert st.simulate(st.load("calm").with_values({"duration_s": 1, "warmup_s": 0})).complete
