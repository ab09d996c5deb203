"""Results as Python and notebooks show them: a line, and the tables of the terminal."""

from __future__ import annotations

from importlib import import_module

__all__ = ["Shown"]


class Shown:
    """A result of which `repr` is one line, and which a notebook shows as a terminal does."""

    def in_short(self) -> str:
        """What `repr` says of it, after the name of its class."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.in_short()}>"

    def _repr_html_(self) -> str:
        """What a notebook shows. A result does not know how it is drawn, so the module that does
        is imported when it is asked for."""
        text: str = import_module("surgetank.console.notebook").html_of(self)
        return text
