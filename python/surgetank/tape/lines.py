"""Lines of a recording, with one clear error for a damaged file."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from surgetank.csv_file import line_of
from surgetank.errors import SurgetankError

__all__ = ["broken", "first_bytes", "lines"]

_GZIP = b"\x1f\x8b"
#: A book of 5,000 levels is a tenth of it. The limit also stops a zip bomb.
_LINE_MAX = 4 << 20


def broken(path: Path, line: int, what: str, hint: str) -> SurgetankError:
    """An error at a line (counted from 1)."""
    return SurgetankError(what, place=line_of(path, line), hint=hint)


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of a file, before it is unpacked.

    Raises:
        SurgetankError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise SurgetankError(reason, place=str(path), hint="Check the path") from None


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, text without its end) of every line; gzip is unpacked, whatever the name.

    Raises:
        SurgetankError: if the file is not there, not what its name says, empty or cut off.
    """
    zipped = first_bytes(path, 2) == _GZIP
    if path.suffix == ".gz" and not zipped:
        raise SurgetankError("not a gzip file", place=str(path), hint="Unpack or rename it")
    number = 0
    try:
        with gzip.open(path, "rb") if zipped else path.open("rb") as stream:
            while raw := stream.readline(_LINE_MAX + 1):
                number += 1
                if len(raw) > _LINE_MAX:
                    what = f"a line of more than {_LINE_MAX:,} bytes"
                    raise broken(path, number, what, "Give a recording with a message a line")
                if not raw.endswith(b"\n"):
                    raise broken(path, number, "cut off in mid-line", "Record or copy it again")
                yield number, raw.decode("utf-8").rstrip("\r\n")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        what = "the gzip stream is damaged or ends here"
        raise broken(path, number + 1, what, "Copy the file again") from None
    except UnicodeDecodeError:
        raise broken(path, number, "not text", "Give a recording") from None
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise SurgetankError(reason, place=str(path), hint="Check the path") from None
    if number == 0:
        raise SurgetankError("the tape is empty", place=str(path), hint="Give a recording")
