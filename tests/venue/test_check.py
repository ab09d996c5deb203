"""`surgetank check` on the folders of real venues, killed and damaged."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import surgetank as st
from command_line import surgetank
from surgetank.venue.check import check_folder

#: Size of a copy of the superblock.
_BLOCK = 4096


@pytest.fixture(scope="module")
def venue_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venue of a scenario, without keys."""
    folder = tmp_path_factory.mktemp("venue")
    (folder / "venue.toml").write_text('scenario = "calm"\nseed = 3\n')
    (folder / "keys.toml").touch(mode=0o600)
    return folder / "venue.toml"


@pytest.fixture
def killed(venue_file: Path, tmp_path: Path) -> tuple[Path, str]:
    """The folder of a venue that was killed, and the hash of its state."""
    data = tmp_path / "data"
    with st.serve(venue_file, data=data) as venue:
        state = venue.recovery["state_hash"]
        refused = surgetank("check", "data", cwd=data.parent)
        assert refused.returncode == 2
        assert f"process {venue.pid} has it" in refused.stderr
        verified = surgetank("verify", "data", cwd=data.parent)
        assert (verified.returncode, verified.stderr) == (0, "")
        venue.kill()
    return data, state


def digest(folder: Path) -> str:
    """A hash of all names and bytes below a folder."""
    total = hashlib.blake2b()
    for path in sorted(folder.rglob("*")):
        total.update(str(path.relative_to(folder)).encode())
        if path.is_file():
            total.update(path.read_bytes())
    return total.hexdigest()


def flip(path: Path, *offsets: int) -> None:
    """Flips a bit at each offset."""
    with path.open("r+b") as file:
        for offset in offsets:
            file.seek(offset)
            byte = file.read(1)[0]
            file.seek(offset)
            file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize(
    ("offsets", "code", "kind"),
    [
        ([20], 3, "superblock-copy"),
        ([20, _BLOCK + 20, 2 * _BLOCK + 20], 1, "superblock"),
    ],
)
def test_a_flip_is_named_and_nothing_is_changed_without_repair(
    killed: tuple[Path, str],
    venue_file: Path,
    offsets: list[int],
    code: int,
    kind: str,
) -> None:
    data, state = killed
    assert surgetank("check", "data", cwd=data.parent).returncode == 0
    flip(data / "venue", *offsets)
    before = digest(data)
    checked = surgetank("check", "data", "--json", cwd=data.parent)
    assert checked.returncode == code
    said = json.loads(checked.stdout)
    named = {(damage["kind"], each["file"]) for each in said["files"] for damage in each["damage"]}
    assert (kind, "venue") in named
    assert digest(data) == before
    repaired = surgetank("check", "data", "--repair", cwd=data.parent)
    if code == 1:
        assert (repaired.returncode, digest(data)) == (1, before)
        assert "a venue refuses to start" in repaired.stdout
        return
    assert repaired.returncode == 0
    assert "repaired: venue: " in repaired.stdout
    with st.serve(venue_file, data=data) as venue:
        assert venue.recovery["state_hash"] == state
        assert venue.recovery["damage"] == []


def test_a_segment_that_is_missing_is_named(killed: tuple[Path, str]) -> None:
    data, _ = killed
    for path in (data / "journal").iterdir():
        path.unlink()
    found = check_folder(data)
    assert (found.verdict.exit_code, found.record) == (1, None)
    assert [damage.kind for damage in found.damage] == ["missing"]


def test_a_folder_that_is_no_venues_is_refused(tmp_path: Path) -> None:
    refused = surgetank("check", ".", "--repair", cwd=tmp_path)
    assert refused.returncode == 2
    assert "has no journal of a venue" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_the_rules_of_the_opening_are_missed(killed: tuple[Path, str], venue_file: Path) -> None:
    """By a check, and by a start, which writes none of its own over it."""
    data, _ = killed
    kept = (data / "genesis.json").read_text("utf-8")
    for content in (None, kept[:-9]):
        (data / "genesis.json").unlink()
        if content is not None:
            (data / "genesis.json").write_text(content)
        before = digest(data)
        checked = surgetank("check", "data", cwd=data.parent)
        assert checked.returncode == 1 and "✘ genesis.json: missing, or no JSON" in checked.stdout
        served = surgetank("serve", str(venue_file), "--data", "data", cwd=data.parent)
        assert served.returncode == 2 and "genesis.json" in served.stderr
        assert "Restore it from a backup" in served.stderr and digest(data) == before
        (data / "genesis.json").write_text(kept)
    assert surgetank("check", "data", cwd=data.parent).returncode == 0


def test_a_refused_start_names_the_place(killed: tuple[Path, str], venue_file: Path) -> None:
    data, _ = killed
    (data / "journal" / f"{1:020}.segment").write_bytes(b"")
    served = surgetank("serve", str(venue_file), "--data", "data", cwd=data.parent)
    assert served.returncode == 1 and "Ended at request" not in served.stdout
    assert f"journal/{1:020}.segment: missing" in served.stderr
    assert "surgetank check" in served.stderr
