"""Folders of runs: which runs are compared, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from surgetank.cli import app
from surgetank.cli.exit_codes import ended
from surgetank.compare import ChangeFinding
from surgetank.compare.folders import compare_folders
from surgetank.errors import SurgetankError
from surgetank.testing import executed, make_trace
from surgetank.trace import Trace

MS = 1_000_000


def made(seed: int, delay_ms: int, build: str = "test") -> Trace:
    rows = [executed(i, i * 9 * MS, (delay_ms + (i * seed) % 7) * MS) for i in range(300)]
    return make_trace({"messages": rows}, seed=seed, build=build)


def saved(folder: Path, seeds: Sequence[int], delay_ms: int) -> Path:
    """A run's folder for each seed."""
    for seed in seeds:
        made(seed, delay_ms).save(folder / f"run-{seed}")
    return folder


def test_runs_are_paired_by_seed(tmp_path: Path) -> None:
    """Seeds of one side only are left out, and the order of folders does not matter."""
    a, b = saved(tmp_path / "a", [3, 1, 2, 9], 10), saved(tmp_path / "b", [1, 2, 3, 4], 40)
    steps: list[tuple[int, int]] = []
    compared = compare_folders(a, b, lambda done, total: steps.append((done, total)))
    found = compared.comparison
    assert found.paired and found.a.seeds == found.b.seeds == (1, 2, 3)
    assert [trace.run.seed for trace in compared.traces] == [1, 1]
    assert steps == [(k, 6) for k in range(7)]
    (p50,) = (one for one in found.differences if one.name == "delay_p50_ms")
    assert p50.change == pytest.approx(30)


def test_two_runs_may_have_any_seeds(tmp_path: Path) -> None:
    """Each folder a run's own, or a folder with one run."""
    a, b = saved(tmp_path / "a", [1], 10), saved(tmp_path / "b", [2], 40)
    found = compare_folders(a / "run-1", b).comparison
    assert not found.paired and (found.a.seeds, found.b.seeds) == ((1,), (2,))
    (seed,) = (one for one in found.properties if one.name == "seed")
    assert (seed.a, seed.b, seed.differs) == ("1", "2", True)


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        ([1, 2], [3, 4], "no seed in common"),
        ([1, 2], [], "run.json: is missing"),
    ],
)
def test_what_cannot_be_paired_is_refused(
    tmp_path: Path, a: list[int], b: list[int], why: str
) -> None:
    with pytest.raises(SurgetankError, match=why):
        compare_folders(saved(tmp_path / "a", a, 10), saved(tmp_path / "b", b, 10))


def test_runs_of_a_folder_are_of_one_scenario_and_seed_each(tmp_path: Path) -> None:
    mixed = saved(tmp_path / "mixed", [1], 10)
    made(2, 10, build="other").save(mixed / "run-2")
    with pytest.raises(SurgetankError, match="has runs of 2 scenarios or builds"):
        compare_folders(mixed, mixed)
    twice = saved(tmp_path / "twice", [1], 10)
    made(1, 10).save(twice / "again")
    with pytest.raises(SurgetankError, match="two runs of seed 1: again and run-1"):
        compare_folders(twice, twice)


def test_the_command_writes_a_page_and_its_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """compare.html and compare.json in a folder of their own, and a page anywhere."""
    monkeypatch.chdir(tmp_path)
    for name, delay in (("a", 10), ("b", 40)):
        saved(Path(name), [1, 2], delay)
    words = ["compare", "a", "b", "--out", "c", "--html", "d.html"]
    assert ended(lambda: app(words)) == 0
    assert "Written to c/compare.html" in capsys.readouterr().out
    page = Path("d.html").read_text(encoding="utf-8")
    assert page == Path("c/compare.html").read_text(encoding="utf-8") and "B against A" in page
    content = json.loads(Path("c/compare.json").read_text(encoding="utf-8"))
    assert content["significance"] == "between seeds"
    assert content["differences"]["delay_p50_ms"]["change"] == pytest.approx(30)
    assert ended(lambda: app(words)) == 2
    assert "error: c: the folder is not empty" in capsys.readouterr().err
    assert ended(lambda: app([*words, "--force", "--json"])) == 0
    assert json.loads(capsys.readouterr().out) == content
    assert ended(lambda: app(["compare", "a", "gone", "--out", "e"])) == 2
    assert not Path("e").exists()


def test_an_invalid_run_is_compared_without_conclusions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3; nothing is better or worse."""
    monkeypatch.chdir(tmp_path)
    made(1, 10).save("a")
    rows = [executed(i, i * 9 * MS, 40 * MS) for i in range(300)]
    fault = {"index": 0, "kind": "delay", "quantity": "added_delay_ms", "nodes": "0"}
    fault |= {"asked": 50.0, "measured": 0.0, "samples": 9, "allowed_low": 49.0}
    faults = [fault | {"allowed_high": 51.0, "until_ns": 9}]
    make_trace({"messages": rows, "faults": faults}).save("b")
    assert ended(lambda: app(["compare", "a", "b", "--json"])) == 3
    content = json.loads(capsys.readouterr().out)
    assert content["verdicts"]["b"] == {"1": "INVALID"}
    assert {one["finding"] for one in content["differences"].values()} <= {"equal", "unknown"}
    found = compare_folders(tmp_path / "a", tmp_path / "b").comparison
    assert found.invalid and found.found(ChangeFinding.BETTER, ChangeFinding.WORSE) == []
