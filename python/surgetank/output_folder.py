"""The output folder of a run or a search: created and locked before the work."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from surgetank.errors import SurgetankError

__all__ = ["claimed", "locked", "write_json"]

#: Endings of the files that surgetank writes into a folder.
_WRITTEN: Final = (".parquet", ".json", ".jsonl", ".xml", ".html", ".svg", ".csv", ".hlog")


@contextmanager
def claimed(folder: Path, *, force: bool, mark: str = "run.json") -> Iterator[Path]:
    """An empty folder for a run, created before the run so that no result is lost, and locked
    meanwhile.

    An earlier run's files are removed with `force`; a folder without the file `mark` is never
    touched. A folder created here is removed if an error leaves it empty.

    Raises:
        SurgetankError: if the folder cannot be used, or another run writes there.
    """
    if folder.exists() and not folder.is_dir():
        raise SurgetankError("this is a file", place=str(folder), hint="Give another --out")
    made = not folder.exists()
    with locked(folder):
        try:
            _emptied(folder, force=force, mark=mark)
            yield folder
        except SurgetankError:
            if made:
                with suppress(OSError):
                    folder.rmdir()
            raise


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """An exclusive lock on the folder. The kernel releases it when the process ends.

    Raises:
        SurgetankError: another run writes there, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unusable(folder, error) from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network file systems have no locks: then the lock is skipped.
        if error.errno in (errno.EAGAIN, errno.EACCES):
            os.close(held)
            hint = "Give another --out, or wait for it to end"
            raise SurgetankError(
                "another run is writing there", place=str(folder), hint=hint
            ) from None
    try:
        yield
    finally:
        os.close(held)


def _emptied(folder: Path, *, force: bool, mark: str) -> None:
    place = str(folder)
    try:
        held = sorted(entry.name for entry in folder.iterdir())
        if held and not force:
            hint = "Give another --out, or --force to replace an earlier run"
            raise SurgetankError("the folder is not empty", place=place, hint=hint)
        if held and mark not in held:
            hint = f"Give another --out; --force replaces only folders with a {mark}"
            raise SurgetankError("the folder contains other files", place=place, hint=hint)
        for name in held:
            if name.endswith(_WRITTEN):
                (folder / name).unlink()
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unusable(folder, error) from None


def _unusable(folder: Path, error: OSError) -> SurgetankError:
    reason = (error.strerror or "cannot be written").lower()
    return SurgetankError(reason, place=str(folder), hint="Give another --out where you may write")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes plain values as indented JSON.

    Raises:
        ValueError: a number is not finite.
        OSError: the file cannot be written.
    """
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
