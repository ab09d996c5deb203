"""Import of the compiled core: the only module that imports `surgetank._core`."""

from __future__ import annotations

from types import ModuleType

from surgetank.errors import SurgetankError

__all__ = ["build", "compiled"]


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
