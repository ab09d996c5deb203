"""The language of sketches: what is read, and one clear error for what is not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import surgetank as st
from surgetank.sketch import builtin_names, parse, read_sketch
from surgetank.sketch.protocol import Barrier, Both, Either, Quorum, Send, ThresholdUnit


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.lazy"
    file.write_text(
        "# A comment\n\n propose{0, size=1024}\n\nwait{0, threshold=67%, delay=(0.1,1)}"
    )
    found = read_sketch(file)
    send, barrier = found.steps
    assert (found.name, found.place) == ("mine", str(file))
    assert isinstance(send, Send) and (send.size_bytes, send.line) == (1024, 3)
    assert isinstance(barrier, Barrier) and barrier.line == 5
    one = barrier.condition
    assert (one.per_message_ms, one.after_ms) == (0.1, 1.0)  # type: ignore[union-attr]


def test_and_binds_more_than_or() -> None:
    waits = [f"wait{{{message}, threshold=1}}" for message in range(3)]
    sends = "".join(f"broadcast{{{message}}}\n" for message in range(3))
    text = sends + f"{waits[0]} || {waits[1]} && {waits[2]}"
    (plain,) = parse(text, "plain").barriers
    (grouped,) = parse(sends + f"({waits[0]} || {waits[1]}) && {waits[2]}", "grouped").barriers
    assert isinstance(plain.condition, Either) and isinstance(plain.condition.second, Both)
    assert isinstance(grouped.condition, Both) and isinstance(grouped.condition.first, Either)


@pytest.mark.parametrize(
    ("unit", "value", "powers", "needed"),
    [
        (ThresholdUnit.NODES, "3", [5, 5], 3),
        (ThresholdUnit.POWER, "67/100", [1] * 5, 4),
        (ThresholdUnit.POWER, "8/10", [1] * 5, 4),  # exactly, and no unit of rounding more
        (ThresholdUnit.POWER, "7/100", [1] * 100, 7),
        (ThresholdUnit.MORE_THAN, "2/3", [1] * 3, 3),
        (ThresholdUnit.MORE_THAN, "2/3", [1] * 4, 3),
        (ThresholdUnit.MORE_THAN, "1/3", [2, 1, 3], 3),
    ],
)
def test_thresholds(unit: ThresholdUnit, value: str, powers: list[int], needed: int) -> None:
    assert Quorum(unit, Fraction(value)).needed(powers) == needed


@pytest.mark.parametrize(
    ("text", "found", "place"),
    [
        ("", "nothing is waited for", "mine"),
        ("propose{0}", "nothing is waited for", "mine"),
        ("propose{0}\nwait{1, threshold=1}", "message 1 is never sent", "mine, line 2"),
        ("propose{0}\n\nwait{0}", "unexpected at column 7", "mine, line 3"),
        ("propose{-1}", "unexpected at column 9", "mine, line 1"),
        ("shout{0}", "unexpected at column 1", "mine, line 1"),
        ("propose{0} && wait{0, threshold=1}", "unexpected at column", "mine, line 1"),
        ("wait{0, threshold=-1}", "unexpected at column 19", "mine, line 1"),
        ("wait{0, threshold=1, delay=(1)}", "unexpected at column", "mine, line 1"),
        ("(wait{0, threshold=1}", "unexpected at column", "mine, line 1"),
    ],
)
def test_what_is_no_sketch_is_refused(text: str, found: str, place: str) -> None:
    with pytest.raises(st.SurgetankError, match=found) as caught:
        parse(text, "mine")
    assert caught.value.place == place and caught.value.hint


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(st.SurgetankError, match="no such sketch") as caught:
        read_sketch(tmp_path / "gone.lazy")
    assert "tendermint" in caught.value.hint
    binary = tmp_path / "binary.lazy"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(st.SurgetankError, match="not UTF-8"):
        read_sketch(binary)
    with pytest.raises(st.SurgetankError, match="directory"):
        read_sketch(tmp_path)


def test_those_that_come_with_it_are_sketches() -> None:
    assert {"hotstuff", "jolteon", "simplex", "tendermint", "two-round"} <= set(builtin_names())
    for name in builtin_names():
        assert read_sketch(name).barriers
