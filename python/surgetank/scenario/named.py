"""Scenarios by name: those that come with the package, and files."""

from __future__ import annotations

import difflib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from surgetank.errors import SurgetankError

if TYPE_CHECKING:
    from surgetank.scenario.whole import Scenario

__all__ = ["load", "names", "text_of"]


def _folder() -> Traversable:
    return resources.files("surgetank") / "scenarios"


def names() -> list[str]:
    """Names of the scenarios that come with surgetank."""
    found = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def load(name_or_path: str | Path) -> Scenario:
    """A scenario by its name (`black-thursday`) or from a file (`my-venue.toml`).

    Raises:
        SurgetankError: if there is none, or it is not a scenario.
    """
    from surgetank.scenario.whole import Scenario

    return Scenario.from_toml(text_of(name_or_path), place=str(name_or_path))


def text_of(name_or_path: str | Path) -> str:
    """The text of a scenario's file, with its comments.

    Raises:
        SurgetankError: if there is none, or it cannot be read.
    """
    text = str(name_or_path)
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.is_file():
        if path.exists() and not path.is_file():
            # Reading a pipe would block.
            raise SurgetankError("is not a file", place=text, hint="Give a .toml file")
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            reason = error.strerror or "cannot be read"
            raise SurgetankError(reason, place=text, hint="Check the path") from None
        except UnicodeDecodeError:
            raise SurgetankError("not a text file", place=text, hint="Give a .toml file") from None
    known = names()
    if text not in known:
        close = difflib.get_close_matches(text, known, n=1)
        hint = f"Did you mean `{close[0]}`?" if close else f"There are: {', '.join(known)}"
        raise SurgetankError("no scenario of this name", place=text, hint=hint)
    return (_folder() / f"{text}.toml").read_text(encoding="utf-8")
