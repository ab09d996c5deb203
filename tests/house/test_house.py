"""What is public."""

from __future__ import annotations

import types

import surgetank as st


def test_public_names_are_all_and_only_those() -> None:
    """`__all__` is sorted, and every name in it is there."""
    assert st.__all__ == sorted(st.__all__)
    assert [name for name in st.__all__ if not hasattr(st, name)] == []
    seen = {
        name
        for name in dir(st)
        if not name.startswith("_") and not isinstance(getattr(st, name), types.ModuleType)
    }
    assert seen - {"TYPE_CHECKING", "lend"} == set(st.__all__) - {"__version__"}
