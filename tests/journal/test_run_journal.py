"""`run --journal`: the venue's journal of a simulated run says what its trace says."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import surgetank as st
from surgetank.cli import main
from surgetank.journal import Journal, verify
from surgetank.simulate import simulate
from surgetank.trace import Outcome
from venue_under_attack import venue

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command line: its exit code, and what it says on stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["surgetank", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        reported = capsys.readouterr()
        return int(ended.value.code or 0), reported.out, reported.err

    return run


def short(rule: str, **values: Any) -> st.Scenario:
    """A few seconds of `calm`, whose queue is never empty."""
    given = {"duration_s": 4.0, "warmup_s": 0.5, "drain_s": 2.0, "layer.queue.rule": rule}
    given |= {"layer.consensus.block_messages_max": 40, "flow.arrivals.rate_per_s": 60.0}
    return st.load("calm").with_values(given | values)


def journalled(scenario: st.Scenario, path: Path, seed: int = 1) -> st.Trace:
    return simulate(scenario, seed=seed, journal=path)


@pytest.mark.parametrize(
    "rule", ["fifo", "priority", "fee", "class", "lanes", "drr", "hash", "auction"]
)
def test_order_count_and_hashes_are_those_of_the_trace(rule: str, tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    trace = journalled(short(rule), path)
    report = verify(path)
    assert report.whole, report.findings
    done = (
        trace["messages"].filter(pl.col("outcome") == Outcome.EXECUTED).sort("height", "position")
    )
    published = Journal(path).published()
    assert published.height == report.messages == done.height > 100
    assert published["height"].to_list() == done["height"].to_list()
    assert published["account"].to_list() == done["account"].to_list()
    assert published["class"].to_list() == done["class"].to_list()
    # After version and class, a message's encoding has its number.
    numbers = [struct.unpack_from("<I", text, 2)[0] for text in published["message"]]
    assert numbers == done["message"].to_list()
    batches = Journal(path).batches
    executed = trace["blocks"].head(len(batches))
    assert [batch.beacon.hex() for batch in batches] == executed["hash"].to_list()
    assert [batch.ordered for batch in batches] == executed["messages"].to_list()
    assert [batch.sealed_ns for batch in batches] == executed["proposed_ns"].to_list()


def test_a_run_has_one_journal(tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    for path, seed in [(one, 3), (two, 3), (other, 4)]:
        journalled(short("fee"), path, seed)
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()


#: Blocks are voted on.
VOTED = {"kind": "tendermint", "timeout_commit_ms": 200.0, "block_messages_max": 30}


@pytest.mark.parametrize(
    ("rule", "consensus", "checked"),
    [("lanes", VOTED, True), ("lanes", None, False), ("drr", VOTED, False), ("fifo", VOTED, True)],
)
def test_the_terms_name_the_rule_where_it_can_be_checked(
    rule: str, consensus: dict[str, Any] | None, checked: bool, tmp_path: Path
) -> None:
    """A lane's turns begin anew with each voted block; a sequencer goes on with them."""
    path = tmp_path / "run.journal"
    asked: dict[str, Any] = {"layer__queue__rule": rule, "duration_s": 6.0}
    if consensus is not None:
        asked |= {"layer__consensus": consensus, "layer__gossip": {"kind": "flood"}}
    trace = journalled(venue(**asked), path)
    report = verify(path)
    assert report.whole, report.findings
    assert trace["blocks"].filter(pl.col("messages") > 10).height > 0
    named = {batch.rule.split()[0] for batch in Journal(path).batches}
    assert named == {rule if checked else "fifo"}


def test_a_swapped_pair_in_lanes_is_found(tmp_path: Path) -> None:
    """The control: under an insider, blocks of lanes are not in the order of their turns."""
    path = tmp_path / "run.journal"
    insider = {"kind": "insider", "least_usd": 100.0}
    asked: dict[str, Any] = {"layer__consensus": VOTED, "layer__gossip": {"kind": "flood"}}
    journalled(venue(layer__queue__rule="lanes", attack=insider, duration_s=8.0, **asked), path)
    report = verify(path)
    assert {finding.kind for finding in report.findings} <= {"out-of-order", "swapped-pair"}
    assert report.findings_count >= 1


@pytest.mark.parametrize("rule", ["fifo", "class"])
def test_a_proposer_who_puts_its_own_first_is_found(rule: str, tmp_path: Path) -> None:
    """The control: the rule is derived from the inputs, not copied from what was published."""
    path = tmp_path / "run.journal"
    insider = {"kind": "insider", "least_usd": 100.0}
    venue_ = venue(layer__queue__rule=rule, attack=insider, duration_s=8.0)
    journalled(venue_, path)
    report = verify(path)
    assert {finding.kind for finding in report.findings} <= {"out-of-order", "swapped-pair"}
    assert report.findings_count > 5


def test_the_command_writes_one_that_verify_accepts(tmp_path: Path, command: Command) -> None:
    path = tmp_path / "calm.journal"
    short_run = ["calm", "--set", "duration_s=4", "--set", "warmup_s=1", "--no-report"]
    code, _, err = command("run", *short_run, "--out", tmp_path / "out", "--journal", path)
    assert code in (0, 1), err
    code, out, err = command("verify", path)
    assert code == 0 and "valid" in out, err
    code, _, err = command("run", *short_run, "--out", tmp_path / "two", "--journal", path)
    assert code == 2 and "exists already" in err
    assert not (tmp_path / "two").exists()
