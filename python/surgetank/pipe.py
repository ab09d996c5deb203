"""A venue's intake that writes a journal. docs/journal.md has the formats of record and file."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from surgetank.errors import SurgetankError
from surgetank.native import compiled

__all__ = ["Pipe", "Refusal", "account_key", "record"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused record: its index in the buffer, the reason, and when to try again (0: no
    hint)."""

    index: int
    reason: str
    retry_after_ns: int


class Pipe:
    """A venue's intake that writes a journal: MAC check, admission, order, Merkle batch, chain.

    Threads may share one: calls are serialised, and each writes its frames before the next begins.
    The first failure to write ends it; the file keeps the whole frames before it.

    `rule` is one that a verifier can check: `fifo`, `priority high=MASK`, `fee`, `class`,
    `lanes weights=W0,…,W7`, `drr quantum=BYTES` or `hash`. `key` (32 bytes) is the venue's; each
    account's is derived from it (`account_key`). `limits` are (burst, per second) of an account's
    orders, cancels and risk-reducing messages.

    Raises:
        SurgetankError: if the file is already there, or a setting is not one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        rule: str,
        batch_messages_max: int,
        key: bytes,
        *,
        secret: bytes | None = None,
        **settings: Any,
    ) -> None:
        try:
            secret = os.urandom(32) if secret is None else secret
            self._pipe = compiled().Pipe(rule, batch_messages_max, key, secret, **settings)
        except (ValueError, OverflowError, TypeError) as error:
            raise SurgetankError(str(error), place="Pipe") from None
        self._path, self._bytes = os.fspath(path), 0
        self._lock = threading.Lock()
        self._failed: SurgetankError | None = None
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise SurgetankError(
                f"cannot be made ({error.strerror})", place=str(path), hint="Choose another place"
            ) from None
        self._closed = False
        self._write(self._pipe.head)

    def push(self, records: bytes | bytearray | memoryview, now_ns: int) -> list[Refusal]:
        """Takes a buffer of whole 128-byte records; writes the batches that it filled.

        Raises:
            SurgetankError: if the buffer's length is not a multiple of 128, or the journal could
                not be written, now or earlier.
        """
        with self._lock:
            self._must_write()
            try:
                frames, refused = self._pipe.push(now_ns, records)
            except ValueError as error:
                raise SurgetankError(str(error), place="Pipe.push") from None
            self._write(frames)
        return [Refusal(*one) for one in refused]

    def flush(self, now_ns: int) -> None:
        """Seals and publishes waiting records; those that do not fit keep waiting.

        Raises:
            SurgetankError: if the journal could not be written, now or earlier.
        """
        with self._lock:
            self._must_write()
            self._write(self._pipe.flush(now_ns))

    def _must_write(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _write(self, frames: bytes) -> None:
        """Appends whole frames, or none: a journal's tail is never torn by a full disk."""
        view = memoryview(frames)
        try:
            while view:
                view = view[os.write(self._file, view) :]
            self._bytes += len(frames)
        except OSError as error:
            hint = "Records published before are intact; begin a new journal elsewhere"
            try:
                os.ftruncate(self._file, self._bytes)
            except OSError:
                hint = f"Cut the file to {self._bytes} bytes: that part is intact"
            what = f"cannot be written ({error.strerror}); the pipe accepts no more records"
            self._failed = SurgetankError(what, place=self._path, hint=hint)
            raise self._failed from None

    @property
    def waiting(self) -> int:
        """Number of inputs that are not published yet."""
        with self._lock:
            return int(self._pipe.waiting)

    @property
    def last_hash(self) -> bytes:
        """Hash of the last batch, to be published independently."""
        with self._lock:
            return bytes(self._pipe.last_hash)

    def close(self) -> None:
        """Closes the file; waiting records are not published."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._failed = self._failed or SurgetankError("is closed", place=self._path)
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def account_key(key: bytes, account: int) -> bytes:
    """The key of an account's session, under the venue's key (32 bytes each)."""
    return bytes(compiled().account_key(key, account))


def record(
    key: bytes,
    account: int,
    number: int,
    *,
    kind: int = 4,
    flags: int = 0,
    fee: int = 0,
    body: bytes = b"",
) -> bytes:
    """A client's record: 128 bytes with its MAC. `key` is the account's.

    `number` grows from 1 within an account; `kind` is the class's number (4 = new order,
    2 = cancel); `fee` is in millionths of a USD; `body` has at most 96 bytes.
    """
    return bytes(compiled().write_record(key, account, kind, flags, fee, number, body))
