"""The certificate of a venue, out of its files."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from surgetank.errors import SurgetankError
from surgetank.venue.config import VenueConfig

__all__ = ["read_tls"]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def read_tls(config: VenueConfig, base: Path) -> dict[str, str] | None:
    """Certificate and key as PEM, for the core; None if connections are not encrypted.

    Raises:
        SurgetankError: a file cannot be read, or others may read the key.
    """
    if config.tls is None:
        return None
    certificate = _read(base / config.tls.certificate, is_secret=False)
    return {"certificate": certificate, "key": _read(base / config.tls.key, is_secret=True)}


def _read(path: Path, *, is_secret: bool) -> str:
    try:
        with path.open(encoding="ascii") as file:
            if is_secret and os.fstat(file.fileno()).st_mode & _OTHERS:
                hint = f"It is a secret: chmod 600 {path}"
                raise SurgetankError("others may read it", place=str(path), hint=hint)
            return file.read()
    except FileNotFoundError:
        hint = "`[tls]` names the files of certificate and key, both PEM"
        raise SurgetankError("there is no such file", place=str(path), hint=hint) from None
    except UnicodeDecodeError:
        raise SurgetankError("no PEM", place=str(path)) from None
