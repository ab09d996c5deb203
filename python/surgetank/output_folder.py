"""The output folder of a run or a search: created and locked before the work."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from surgetank.errors import EXIT_MACHINE, EXIT_USAGE, SurgetankError

if sys.platform != "win32":
    import fcntl

__all__ = ["check_file", "claimed", "locked", "write_file", "write_files", "write_json"]

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
    """An exclusive lock on the folder. The kernel releases it when the process ends. On Windows a
    folder cannot be opened, and is not locked.

    Raises:
        SurgetankError: another run writes there, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from None
    if sys.platform == "win32":
        yield
    else:
        with _flocked(folder):
            yield


if sys.platform != "win32":

    @contextmanager
    def _flocked(folder: Path) -> Iterator[None]:
        try:
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


def check_file(path: Path, place: str) -> None:
    """Checks before the work that a file can be written after it; creates nothing.

    Raises:
        SurgetankError: it is a folder, or its folder cannot be used.
    """
    if path.is_dir():
        raise SurgetankError("is a folder", place=place, hint="Give a file")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise SurgetankError(f"{above} is no folder to write to", place=place, hint="Give another")


def write_file(path: Path, content: str | bytes, *, hint: str, replace: bool = True) -> None:
    """Writes a file, and its folder where there is none. A new file that could not be written whole
    is removed.

    Raises:
        SurgetankError: it cannot be written; with the exit code of the operating system's errors
            if the disk is full.
    """
    new = not path.exists()
    raw = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb" if replace else "xb") as file:
            file.write(raw)
    except OSError as error:
        if new:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise SurgetankError(
            f"cannot be written ({(error.strerror or type(error).__name__).lower()})",
            place=str(path),
            hint="Free space there, or write elsewhere" if full else hint,
            exit_code=EXIT_MACHINE if full else EXIT_USAGE,
        ) from None


def write_files(files: Mapping[Path, str], *, hint: str) -> None:
    """Writes text files that belong together. If one cannot be written, those that are new are
    removed.

    Raises:
        SurgetankError: as `write_file`.
    """
    new = [path for path in files if not path.exists()]
    try:
        for path, content in files.items():
            write_file(path, content, hint=hint)
    except SurgetankError:
        for path in new:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise


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
        SurgetankError: the file cannot be written.
    """
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_file(path, text, hint="Choose another path")
