"""The examples of docs/tapes.md: files, and what `surgetank tape` says of them.

`python tests/support/tape_examples.py` writes their outputs, and the table of roles, again.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from surgetank.cli import app
from surgetank.tape.formats.table import NAMES

PAGE = Path(__file__).resolve().parents[2] / "docs/tapes.md"
_EXAMPLE = re.compile(
    r"^### `(?P<format>[\w-]+)`: (?P<file>\S+)\n(?P<text>.*?)"
    r"^```(?:csv|json)\n(?P<body>.*?)^```\n\n"
    r"```console\n\$ surgetank (?P<command>tape [^\n]*)\n(?P<output>.*?)```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Example:
    """A file of the page, the command that inspects it, and its output there."""

    format: str
    file: str
    body: str
    command: str
    output: str

    def write(self, folder: Path) -> Path:
        """Writes the file."""
        path = folder / self.file
        path.write_text(self.body, encoding="utf-8")
        return path

    def ran(self) -> str:
        """Output of the command in the current folder, 80 columns wide."""
        printed = io.StringIO()
        columns = patch.dict(os.environ, COLUMNS="80")
        with columns, contextlib.redirect_stdout(printed):
            app(shlex.split(self.command), standalone_mode=False)
        return "".join(f"{line.rstrip()}\n" for line in printed.getvalue().splitlines())


def examples(text: str) -> Iterator[Example]:
    """All examples of the page."""
    for found in _EXAMPLE.finditer(text):
        parts = found.groupdict()
        del parts["text"]
        yield Example(**parts)


def roles() -> str:
    """The table of roles and names."""
    rows = [f"| `{role}` | {', '.join(f'`{n}`' for n in names)} |" for role, names in NAMES.items()]
    return "\n".join(["| role | names |", "|---|---|", *rows])


def current(text: str, folder: Path) -> str:
    """The page with the outputs and the table of this version."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        for example in examples(text):
            example.write(folder)
            old = f"$ surgetank {example.command}\n{example.output}```"
            text = text.replace(old, f"$ surgetank {example.command}\n{example.ran()}```")
    finally:
        os.chdir(before)
    return re.sub(r"^\| role \|.*?\n\n|^ROLES_TABLE\n\n", roles() + "\n\n", text, flags=re.M | re.S)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        PAGE.write_text(current(PAGE.read_text(encoding="utf-8"), Path(name)), encoding="utf-8")
