"""Import of the compiled core: the only module that imports `surgetank._core`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from surgetank.errors import CoreError, SurgetankError

__all__ = ["build", "compiled", "stale_core_named"]

_CRATES: Final = Path(__file__).parents[2] / "crates"
"""The core's sources, in a checkout."""


def compiled() -> ModuleType:
    """The compiled core.

    Raises:
        SurgetankError: if it has not been built.
    """
    try:
        from surgetank import _core as core
    except ImportError as error:
        raise SurgetankError(
            f"the compiled part is missing ({error})",
            place="surgetank._core",
            hint="Build it with `make build` or `pip install .`",
        ) from None
    return core


def build() -> str:
    """Version and build of the compiled part, the third part of a run's name."""
    return str(compiled().build())


@contextlib.contextmanager
def stale_core_named() -> Iterator[None]:
    """In a checkout whose core was not built from its sources, an error in here names that cause.

    The sources are read only after an error: a core that works may differ in a comment.
    """
    try:
        yield
    except CoreError:
        raise  # A defect, whose text must cross between processes.
    except Exception as error:
        built_from = build().rpartition("+")[2]
        if _CRATES.is_dir() and built_from != _sources_digest():
            raise SurgetankError(
                f"the compiled core is older than the sources, and failed: {error}",
                place="surgetank._core",
                hint="Run `make build`",
            ) from error
        raise


def _sources_digest() -> str:
    """The digest of the sources, computed as in `crates/bindings/build.rs`."""
    from blake3 import blake3

    digest = blake3()
    folders = (_CRATES / name / "src" for name in ("lab", "layer", "market", "venue"))
    for path in sorted(path for folder in folders for path in folder.rglob("*.rs")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
