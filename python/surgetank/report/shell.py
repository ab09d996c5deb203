"""The common part of all pages: templates, style and script, embedded in one file."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from surgetank.output_folder import write_file

__all__ = ["file_text", "in_script", "macros", "render_template", "save"]


def render_template(template: str, *, scripts: tuple[str, ...] = (), **content: Any) -> str:
    """A template rendered to HTML; `scripts` are files that follow the script of every page."""
    script = Markup("\n").join(file_text(name) for name in ("shell.js", *scripts))
    style = Markup().join(map(file_text, ("style.css", "figure.css", "series.css")))
    html: str = (
        _environment()
        .get_template(template)
        .render(style=style, script=script, contents=[], **content)
    )
    return html


def macros(template: str) -> Any:
    """The macros of a template, as functions that return HTML."""
    return _environment().get_template(template).module


def save(html: str, path: str | Path) -> Path:
    """Writes a page and returns its path.

    Raises:
        SurgetankError: the file cannot be written.
    """
    target = Path(path)
    write_file(target, html, hint="Choose another path")
    return target


def in_script(data: Any) -> Markup:
    """JSON that may stand inside a script element."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for sign, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(sign, escape)
    return Markup(text)


@cache
def file_text(name: str) -> Markup:
    """The content of a file in this package."""
    return Markup((resources.files(__package__) / name).read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(lambda name: str(file_text(name))),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
