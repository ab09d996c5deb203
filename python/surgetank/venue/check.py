"""What stands in the data folder of a venue that does not run: a verdict per file, and the repair
that a start would make."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.native import compiled
from surgetank.venue.genesis import FILE, SUPERBLOCK

__all__ = ["CheckedFile", "CheckedFolder", "Damage", "FolderVerdict", "check_folder"]

#: Kind of damage of the file with the rules of the opening.
_GENESIS: Final = "genesis"


class FolderVerdict(enum.StrEnum):
    """What a start makes of a file, or of a folder."""

    WHOLE = "whole"
    REPAIRABLE = "repairable"
    DAMAGED = "damaged"

    @property
    def exit_code(self) -> int:
        """The exit code of `surgetank check`."""
        return {FolderVerdict.WHOLE: 0, FolderVerdict.DAMAGED: 1, FolderVerdict.REPAIRABLE: 3}[self]


@dataclass(frozen=True)
class Damage:
    """One damage: its kind, where it is, and the numbers of the records concerned (0: none)."""

    kind: str
    refuses: bool
    file: str
    offset: int
    first: int
    last: int

    @property
    def text(self) -> str:
        """The damage for a person."""
        records = f", record {self.first}" if self.first else ""
        if self.last > self.first:
            records = f", records {self.first} to {self.last}"
        if self.kind == "missing":
            return f"missing{records}"
        if self.kind == _GENESIS:
            return "missing, or no JSON"
        where = f"cut at byte {self.offset}" if self.kind == "torn-tail" else f"byte {self.offset}"
        return f"{self.kind} ({where}{records})"


@dataclass(frozen=True)
class CheckedFile:
    """A file of the folder: `first` and `records` are the numbers of a segment; of a snapshot
    `first` is its record."""

    file: str
    first: int
    records: int
    damage: tuple[Damage, ...]

    @property
    def verdict(self) -> FolderVerdict:
        """What a start makes of it."""
        if not self.damage:
            return FolderVerdict.WHOLE
        refuses = any(damage.refuses for damage in self.damage)
        return FolderVerdict.DAMAGED if refuses else FolderVerdict.REPAIRABLE

    @property
    def text(self) -> str:
        """The verdict on it for a person, without its name."""
        if self.damage:
            return ", ".join(damage.text for damage in self.damage)
        if self.file == SUPERBLOCK:
            return "whole, four copies"
        if self.file == FILE:
            return "whole, if it is that of the opening"
        if self.file.startswith("snapshots/"):
            return f"whole, state after record {self.first}"
        if not self.records:
            return "whole, no records yet"
        last = self.first + self.records - 1
        return f"whole, records {self.first} to {last}"


@dataclass(frozen=True)
class CheckedFolder:
    """What was found in a folder."""

    folder: Path
    record: int | None
    """Number of the last record with which a venue would start; None: it would refuse."""
    files: tuple[CheckedFile, ...]
    repaired: tuple[Damage, ...] = ()
    """What a repair has removed."""

    @property
    def verdict(self) -> FolderVerdict:
        """That of the worst file."""
        if self.record is None:
            return FolderVerdict.DAMAGED
        verdicts = {file.verdict for file in self.files}
        return max(verdicts, key=list(FolderVerdict).index, default=FolderVerdict.WHOLE)

    @property
    def damage(self) -> Iterator[Damage]:
        """All damage, in the order of the files."""
        return (damage for file in self.files for damage in file.damage)

    def to_json(self) -> dict[str, Any]:
        """The object of `surgetank check --json`."""
        files = [
            {
                "file": file.file,
                "verdict": file.verdict.value,
                "first": file.first,
                "records": file.records,
                "damage": [asdict(damage) for damage in file.damage],
            }
            for file in self.files
        ]
        return {
            "folder": str(self.folder),
            "verdict": self.verdict.value,
            "record": self.record,
            "files": files,
            "repaired": [asdict(damage) for damage in self.repaired],
        }


def check_folder(folder: Path, *, repair: bool = False) -> CheckedFolder:
    """A verdict per segment and snapshot, and on the superblock. Nothing is changed without
    `repair`, and with it nothing but what a start of the venue would repair.

    Raises:
        SurgetankError: the folder is no venue's, or a process has it; the disk has failed.
    """
    if folder.exists() and not folder.is_dir():
        hint = "Name the folder that has the venue's journal"
        raise SurgetankError("is no folder", place=str(folder), hint=hint)
    found = _found(folder, repair=False)
    if not repair or found.verdict is not FolderVerdict.REPAIRABLE:
        return found
    _found(folder, repair=True)
    left = _found(folder, repair=False)
    remains = set(left.damage)
    repaired = tuple(damage for damage in found.damage if damage not in remains)
    return CheckedFolder(folder, left.record, left.files, repaired)


def _found(folder: Path, *, repair: bool) -> CheckedFolder:
    try:
        content = json.loads(compiled().check_venue(folder, repair))
    except ValueError as error:
        raise SurgetankError(str(error), place=str(folder)) from None
    except BlockingIOError as error:
        hint = "Stop that one first; `surgetank verify` reads the journal of a venue that runs"
        raise SurgetankError(str(error), place=str(folder), hint=hint) from None
    except OSError as error:
        raise SurgetankError.of_machine(error) from None
    damage = [Damage(**entry) for entry in content["damage"]]
    if not _is_json(folder / FILE):
        damage.append(Damage(_GENESIS, True, FILE, 0, 0, 0))
    counts = {entry["file"]: (entry["first"], entry["records"]) for entry in content["files"]}
    names = {SUPERBLOCK, FILE, *counts, *(entry.file for entry in damage)}
    # The superblock, the genesis, segments, snapshots.
    names_sorted = sorted(names, key=lambda name: (name != SUPERBLOCK, name != FILE, name))
    files = (
        CheckedFile(
            name,
            *counts.get(name, (0, 0)),
            damage=tuple(entry for entry in damage if entry.file == name),
        )
        for name in names_sorted
    )
    return CheckedFolder(folder, content["record"], tuple(files))


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
