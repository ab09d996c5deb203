"""As whom a client logs on."""

from __future__ import annotations

import os
import secrets
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from surgetank.errors import SurgetankError
from surgetank.native import compiled

__all__ = ["Credentials", "HmacKey"]


class HmacKey(Protocol):
    """A key with a shared secret, such as `surgetank.venue.VenueKey`."""

    @property
    def name(self) -> str:
        """Name of the key at the venue."""

    @property
    def account(self) -> int:
        """Account for which it speaks."""

    @property
    def hmac(self) -> str:
        """64 hexadecimal digits."""


@dataclass(frozen=True)
class Credentials:
    """A key as its owner has it; the secret is never shown."""

    name: str
    account: int
    secret: bytes = field(repr=False)
    """32 bytes: the secret shared with the venue, or the seed of an Ed25519 key."""
    algorithm: str = "hmac"
    """`hmac` or `ed25519`."""
    sign_requests: bool = False

    @classmethod
    def of(cls, key: Credentials | HmacKey) -> Credentials:
        """The same, or a key with a shared secret."""
        if isinstance(key, Credentials):
            return key
        return cls(key.name, key.account, _secret(key.hmac, key.name))

    @classmethod
    def new_ed25519(cls, name: str, account: int) -> Self:
        """A new key, whose `public` half the venue's file of keys gets as `ed25519`."""
        return cls(name, account, secrets.token_bytes(32), "ed25519")

    @property
    def public(self) -> str:
        """The public half of an Ed25519 key: 64 hexadecimal digits."""
        assert self.algorithm == "ed25519", "a shared secret has no public half"
        return bytes(compiled().ed25519_public(self.secret)).hex()

    @classmethod
    def read(cls, path: str | Path, name: str | int) -> Self:
        """An entry of a file of keys, by its name or its account. It has the format of the venue's
        (docs/serve.md), with `ed25519-seed` in place of `ed25519`.

        Raises:
            SurgetankError: the file cannot be read or is open to others, or has no such entry.
        """
        place = str(path)
        for entry_name, entry in _tables(Path(path)).items():
            if name not in (entry_name, entry.get("account")):
                continue
            signs = bool(entry.get("sign-requests", False))
            algorithm = "hmac" if "hmac" in entry else "ed25519"
            digits = entry.get("hmac") or entry.get("ed25519-seed")
            if not isinstance(digits, str):
                hint = "Give `hmac`, or `ed25519-seed`"
                raise SurgetankError(f"[{entry_name}] has no secret", place=place, hint=hint)
            secret = _secret(digits, place)
            return cls(entry_name, int(entry["account"]), secret, algorithm, signs)
        what = f"no key of account {name}" if isinstance(name, int) else f"no key {name}"
        raise SurgetankError(what, place=place, hint="Add it, and send the venue SIGHUP")


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                hint = f"It holds secrets: chmod 600 {path}"
                raise SurgetankError("others may read it", place=str(path), hint=hint)
            tables = tomllib.load(file)
    except OSError as error:
        raise SurgetankError.of_machine(error) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # What the parser says may repeat a part of a secret.
        raise SurgetankError("not TOML", place=str(path)) from None
    return {name: entry for name, entry in tables.items() if isinstance(entry, dict)}


def _secret(digits: str, place: str) -> bytes:
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        secret = b""
    if len(secret) != 32:
        raise SurgetankError("a secret has 64 hexadecimal digits", place=place) from None
    return secret
