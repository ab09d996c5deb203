"""The keys of a venue: who may log on, for which account, to do what.

The file is TOML, a table for each key; the format stands in docs/serve.md.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from surgetank.errors import SurgetankError

__all__ = ["VenueKey", "read_keys", "write_keys"]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class VenueKey:
    """A key with a shared secret, as both sides have it."""

    name: str
    account: int
    permissions: tuple[str, ...] = ("trade",)
    hmac: str = ""
    """64 hexadecimal digits."""

    @classmethod
    def new(cls, name: str, account: int, *permissions: str) -> VenueKey:
        """A key with a random secret."""
        return cls(name, account, permissions or ("trade",), secrets.token_hex(32))

    def table(self) -> dict[str, Any]:
        """What the keys file has of it."""
        permissions = list(self.permissions)
        return {"account": self.account, "permissions": permissions, "hmac": self.hmac}


def read_keys(path: Path) -> str:
    """The keys of a file, as JSON for the core.

    Raises:
        SurgetankError: it cannot be read, others may read it, or it is no TOML.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & _OTHERS:
                hint = f"It holds secrets: chmod 600 {path}"
                raise SurgetankError("others may read it", place=str(path), hint=hint)
            return json.dumps(tomllib.load(file))
    except FileNotFoundError:
        hint = "Write one: surgetank init --venue my-venue"
        raise SurgetankError("there is no such file", place=str(path), hint=hint) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # What the parser says may repeat a part of a secret.
        raise SurgetankError("not TOML", place=str(path)) from None
    except TypeError:
        hint = "A key has: account, permissions, and ed25519 or hmac"
        raise SurgetankError("a value is no key's", place=str(path), hint=hint) from None


def write_keys(path: Path, keys: Mapping[str, VenueKey] | list[VenueKey]) -> None:
    """Writes a new keys file, which only its owner can read.

    Raises:
        SurgetankError: it exists already.
    """
    listed = list(keys.values()) if isinstance(keys, Mapping) else keys
    lines = []
    for key in listed:
        permissions = ", ".join(json.dumps(permission) for permission in key.permissions)
        lines += [
            f"[{json.dumps(key.name)}]",
            f"account = {key.account}",
            f"permissions = [{permissions}]",
            f'hmac = "{key.hmac}"',
            "",
        ]
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        hint = "Choose another name"
        raise SurgetankError("exists already", place=str(path), hint=hint) from None
    with open(number, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
