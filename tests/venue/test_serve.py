"""`surgetank serve` and `st.serve`: real processes, their signals and their refusals."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

import surgetank as st
from command_line import surgetank
from surgetank.live.driver.workplace import Workplace
from surgetank.venue.config import VenueConfig, read_config
from surgetank.venue.keys import read_keys


@pytest.fixture
def venue_file(tmp_path: Path) -> Path:
    """A venue as `surgetank init --venue` writes it."""
    made = surgetank("init", "--venue", "demo", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    return tmp_path / "demo.toml"


def test_the_file_that_init_writes_is_valid_and_its_keys_are_private(venue_file: Path) -> None:
    config = read_config(venue_file)
    keys = venue_file.parent / config.keys
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert set(json.loads(read_keys(keys))) == {"desk", "maker", "operator"}
    assert [account.id for account in config.accounts] == [1000, 1001]
    again = surgetank("init", "--venue", "demo", cwd=venue_file.parent)
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_it_starts_again_where_it_was_killed(venue_file: Path, tmp_path: Path) -> None:
    with st.serve(venue_file, data=tmp_path / "data") as venue:
        first = venue.recovery
        venue.kill()
        venue.restart()
        assert venue.recovery["state_hash"] == first["state_hash"]
        assert venue.recovery["term"] > first["term"], "every start is a term of its own"
        ended = venue.stop()
    assert ended is not None
    assert (ended["why"], venue.pid) == ("drained", 0)


def test_one_process_has_a_folder(venue_file: Path, tmp_path: Path) -> None:
    with st.serve(venue_file, data=tmp_path / "data"):
        second = st.serve(venue_file, data=tmp_path / "data")
        with pytest.raises(st.SurgetankError, match="another venue has the data directory"):
            second.start()


def test_keys_are_read_again_and_wrong_ones_change_nothing(
    venue_file: Path, tmp_path: Path
) -> None:
    keys = venue_file.parent / "demo.keys.toml"
    with st.serve(venue_file, data=tmp_path / "data") as venue:
        heard = venue.events
        os.kill(venue.pid, signal.SIGHUP)
        assert heard.get(timeout=20)["event"] == "keys-read"
        keys.write_text("[desk]\naccount = 1\n")
        os.kill(venue.pid, signal.SIGHUP)
        refused = heard.get(timeout=20)
        assert refused["event"] == "keys-refused"
        assert "[desk]" in refused["text"]


def _text(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text()))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda text: text.replace("listen", "listn"),
            "Did you mean `listen`, `listen_ws` or `listen_http`?",
        ),
        (lambda text: text.replace('"fifo"', '"random"'), "`random` is no rule"),
        (lambda text: text.replace("id = 1001", "id = 1000"), "account 1000 is there twice"),
        (lambda text: text.replace("[market.margin]", "[market.margim]"), "market.margim"),
        (lambda text: text + "\n[market.positions]\ncount = 3\n", "accounts open without any"),
        (
            lambda text: text.replace("127.0.0.1:7400", "nowhere"),
            "listen: `nowhere` is not HOST:PORT",
        ),
        (lambda text: text + "?", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(
    venue_file: Path, change: Callable[[str], str], says: str
) -> None:
    _text(venue_file, change)
    refused = surgetank("serve", "demo.toml", cwd=venue_file.parent)
    assert refused.returncode == 2
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (venue_file.parent / "demo-data" / "journal").exists()


def test_keys_that_others_can_read_are_refused(venue_file: Path) -> None:
    (venue_file.parent / "demo.keys.toml").chmod(0o640)
    refused = surgetank("serve", "demo.toml", cwd=venue_file.parent)
    assert refused.returncode == 2
    assert "chmod 600" in refused.stderr


def test_a_live_run_leaves_the_data_of_a_killed_venue(venue_file: Path) -> None:
    """A folder of the system's temporary one, with a lock that no process holds any more."""
    with st.serve(venue_file) as venue:
        venue.kill()
        Workplace().remove()
        assert (venue.data / "genesis.json").is_file()


def test_the_rules_of_the_opening_cannot_change(venue_file: Path, tmp_path: Path) -> None:
    with st.serve(venue_file, data=tmp_path / "data"):
        pass
    _text(venue_file, lambda text: text.replace("initial = 0.05", "initial = 0.1"))
    with pytest.raises(st.SurgetankError, match="opened with other rules"):
        st.serve(venue_file, data=tmp_path / "data").start()


def test_a_venue_opens_as_a_scenario(tmp_path: Path) -> None:
    (tmp_path / "venue.toml").write_text('scenario = "calm"\nseed = 3\n')
    (tmp_path / "keys.toml").touch(mode=0o600)
    with st.serve(tmp_path / "venue.toml") as venue:
        assert venue.recovery["sequence"] == 0
    assert isinstance(read_config(tmp_path / "venue.toml"), VenueConfig)
