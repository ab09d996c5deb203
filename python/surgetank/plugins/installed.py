"""Classes that installed packages declare for surgetank, as entry points of their distributions."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Final

from surgetank.errors import SurgetankError

__all__ = ["CONTROLLERS", "QUEUE_RULES", "TARGETS", "installed", "is_installed"]

#: Groups of entry points, each of subclasses of one class of surgetank.
QUEUE_RULES: Final = "surgetank.queue_rules"
CONTROLLERS: Final = "surgetank.controllers"
TARGETS: Final = "surgetank.targets"


def installed(group: str) -> dict[str, str]:
    """Name → `module:Class` of a group.

    Raises:
        SurgetankError: two packages declare different classes under one name.
    """
    found: dict[str, str] = {}
    for one in entry_points(group=group):
        path = f"{one.module}:{one.attr}"
        if found.setdefault(one.name, path) != path:
            raise SurgetankError(
                f"two packages declare it: {found[one.name]} and {path}",
                place=f"{group} {one.name}",
                hint="Uninstall one, or name the class itself, module:Class",
            )
    return found


def is_installed(path: str) -> bool:
    """Whether an installed package declares this `module:Class` as a queue rule or controller."""
    return any(path in installed(group).values() for group in (QUEUE_RULES, CONTROLLERS))
