"""Names of a package that are imported when they are first used (PEP 562).

`import surgetank` would load polars, numpy, scipy and pydantic, and so would every `--help` and
every completion in a shell, which do not need them: docs/decisions/0024.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["export_lazily"]


class _LazyPackage(ModuleType):
    """A package whose names are defined in its modules."""

    _homes: Mapping[str, str]

    def __getattr__(self, name: str) -> Any:
        if name not in self._homes:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{self.__name__}.{self._homes[name]}"), name)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets an attribute, with one exception: after the import of `surgetank.run`, Python binds
        that module to the name `run`, which here is the function in it."""
        if not (isinstance(value, ModuleType) and name in self._homes):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self._homes})


def export_lazily(package: str, modules: Mapping[str, Sequence[str]]) -> None:
    """Makes `package` provide these names, listed by the module that defines them."""
    module = sys.modules[package]
    module.__dict__["_homes"] = {name: home for home, names in modules.items() for name in names}
    module.__class__ = _LazyPackage
