"""The optional parts of the package (its extras), and the command that installs one.

The command names the libraries, not the extra: `pip install 'surgetank[live]'` needs an index that
has surgetank, whereas this one works wherever the package came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal

from packaging.requirements import Requirement

from surgetank.errors import SurgetankError

__all__ = ["Extra", "install_command", "part_of"]

Extra = Literal["adversary", "cluster", "gossipsub", "live", "threshold"]


@contextmanager
def part_of(extra: Extra, *, place: str) -> Iterator[None]:
    """Imports in here need the libraries of an extra.

    Raises:
        SurgetankError: one is not installed; the hint is the command that installs what is lacking.
    """
    try:
        yield
    except ImportError as error:
        raise SurgetankError(
            f"cannot be loaded ({error})", place=place, hint=install_command(extra)
        ) from None


def install_command(extra: Extra) -> str:
    """The command that installs what an extra of the installed package lacks; if it lacks nothing
    (a library is there, and broken), the whole extra."""
    try:
        declared = [Requirement(text) for text in requires("surgetank") or []]
    except PackageNotFoundError:  # imported from a checkout that is not installed
        return f"pip install '.[{extra}]' in the source of surgetank"
    wanted = [
        one
        for one in declared
        if one.marker is not None
        and one.marker.evaluate({"extra": extra})
        and not one.marker.evaluate({"extra": ""})
    ]
    lacking = [one for one in wanted if not _is_installed(one)]
    return " ".join(["pip install", *(_quoted(one) for one in lacking or wanted)])


def _quoted(requirement: Requirement) -> str:
    requirement.marker = None
    return f"'{requirement}'"


def _is_installed(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False
