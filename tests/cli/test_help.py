"""`--help`: what it shows of options, and examples that can be entered as they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from command_line import surgetank
from shown_commands import commands_in, wrong_with
from surgetank.cli import app

ROOT = Path(__file__).resolve().parents[2]
GROUP: Any = typer.main.get_command(app)
#: Above this many options, a command's `--help` has them in panels.
FEW = 8


def _below(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The commands of a group by their words, those of its groups included."""
    for word in group.commands:
        # As `--help` shows it: `get_command` prepares its options.
        command = group.get_command(typer.Context(group), word)
        yield f"{name}{word}", command
        if hasattr(command, "commands"):
            yield from _below(command, f"{name}{word} ")


COMMANDS = dict(_below(GROUP))


def options(command: str) -> list[Any]:
    return [p for p in COMMANDS[command].params if hasattr(p, "is_flag")]


def examples(command: str) -> list[str]:
    return re.findall(r"^ *(surgetank .*)$", COMMANDS[command].epilog or "", re.MULTILINE)


def test_commands_of_groups_are_tested_too() -> None:
    assert {"run", "scenarios", "scenarios show"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_options_have_a_metavar_and_a_panel(command: str) -> None:
    """A metavar if they take a value, none if not."""
    found = options(command)
    assert [p.name for p in found if bool(p.metavar) == p.is_flag] == []
    if len(found) > FEW:
        assert [p.name for p in found if p.rich_help_panel is None] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_can_be_entered(command: str) -> None:
    """tests/house/test_shown_commands.py has the control."""
    assert examples(command), "no example"
    assert [line for line in examples(command) if f"surgetank {command}" not in line] == []
    lines = [line.partition(" > ")[0] for line in examples(command)]
    lines = [re.sub(r"\$\([^)]*\)", "0" * 64, line) for line in lines]
    assert {line: why for line in lines if (why := wrong_with(line))} == {}


@pytest.mark.parametrize("command", COMMANDS)
def test_paragraphs_of_the_epilog_are_one_line_each(command: str) -> None:
    """Typer keeps their line breaks, and the terminal wraps what is left."""
    paragraphs = (COMMANDS[command].epilog or "").strip().split("\n\n")
    assert [text for text in paragraphs if "\n" in text.strip("\n")] == []


CHEAP = {"book", "init", "network", "run", "verify"}


def test_commands_of_the_readme_run_in_their_order(tmp_path: Path) -> None:
    """Those that need neither a server nor minutes; what it shows of their output is printed."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    ran, printed = set(), ""
    for line in commands_in(readme):
        command, _, file = line.partition(" > ")
        program, *words = shlex.split(command, comments=True)
        if program != "surgetank" or words[0] not in CHEAP or {"--target", "--tape"} & set(words):
            continue
        done = surgetank(*words, cwd=tmp_path)
        assert done.returncode in (0, 1), (line, done.stderr)
        ran.add(words[0])
        printed += done.stdout
        if file:
            (tmp_path / shlex.split(file, comments=True)[0]).write_text(done.stdout)
    assert ran == CHEAP
    assert (tmp_path / "runs" / "mine" / "report.html").is_file()
    shown = re.findall(r"^```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    lines = [line.rstrip() for block in shown for line in block.splitlines()]
    assert len(lines) > 3
    assert [
        line for line in lines if line not in {row.rstrip() for row in printed.splitlines()}
    ] == []
