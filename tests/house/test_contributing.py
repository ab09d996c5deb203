"""The rules of docs/CONTRIBUTING.md that other tests of the house do not check."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import surgetank as st
from surgetank.catalogue import CATALOGUE, LIMITS
from surgetank.errors import EXIT_BROKE, EXIT_MACHINE, EXIT_USAGE
from surgetank.trace import SCHEMA
from surgetank.verdict import EXIT_CODES

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/CONTRIBUTING.md").read_text(encoding="utf-8")
PACKAGE = Path(st.__file__).parent
UNITS = {"bp", "bytes", "mbps", "micros", "ms", "ns", "pct", "ppm", "s", "us", "usd"}


def undescribed(makefile: str) -> set[str]:
    """Goals of a Makefile that `make help` does not list."""
    goals = set(re.findall(r"^\.PHONY: (\w+)$", makefile, re.MULTILINE))
    return goals - set(re.findall(r"^(\w+):.*##", makefile, re.MULTILINE))


def test_make_help_lists_every_goal() -> None:
    """But for `need`, which the others need."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert undescribed(makefile) == {"need"}
    assert undescribed(makefile.replace("lint: build ##", "lint: build #")) == {"need", "lint"}


def test_exit_codes_are_those_of_the_code() -> None:
    codes = {int(code): name for code, name in re.findall(r"\b(\d+) (usage|INVALID|UNKNOWN)", PAGE)}
    assert codes == {EXIT_USAGE: "usage"} | {
        code: str(status) for status, code in EXIT_CODES.items() if code > 1
    }
    assert f"{EXIT_BROKE} a defect of surgetank, {EXIT_MACHINE} the machine" in " ".join(
        PAGE.split()
    )


def units_inside(name: str) -> list[str]:
    """Units in a name before its end; what bounds or averages a measure stands behind its unit."""
    whole = re.sub(r"_per_\w+$", "", name.partition(".")[0])
    for suffix in ("_max", "_min", "_mean"):
        whole = whole.removesuffix(suffix)
    return [part for part in whole.split("_")[:-1] if part in UNITS]


def test_units_come_last() -> None:
    """In keys of scenarios, columns of the trace, measures and limits."""
    reference = (ROOT / "docs/scenario.md").read_text(encoding="utf-8")
    keys = {key.split(".")[-1] for key in re.findall(r"^### `(.+)`$", reference, re.MULTILINE)}
    columns = {column for table in SCHEMA.values() for column in table}
    names = {*keys, *columns, *CATALOGUE, *LIMITS}
    assert len(names) > 400
    assert {name for name in names if units_inside(name)} == set()
    assert units_inside("delay_ms_of_link") == ["ms"] and not units_inside("rate_per_s_per_pct")


def printed(code: str) -> list[str]:
    """Calls that write to a terminal past `Terminal`."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return [
        call.func.id
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in ("print", "Console")
    ]


def test_commands_write_through_the_terminal() -> None:
    """A value that looks like markup is shown as it is, because `Terminal` shows it."""
    files = [*PACKAGE.glob("cli/*.py"), *PACKAGE.glob("console/*.py")]
    assert {path.name: found for path in files if (found := printed(path.read_text()))} == {}
    assert printed("from rich.console import Console\nConsole().print(print('x'))") == [
        "print",
        "Console",
    ]


def test_decisions_are_numbered() -> None:
    """Each page has a number of its own, in its name and in its title."""
    pages = sorted(ROOT.glob("docs/decisions/*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert len(set(numbers)) == len(numbers) > 20
    titles = [page.read_text(encoding="utf-8").splitlines()[0] for page in pages]
    assert [int(re.findall(r"^# 0*(\d+)[.:] ", title)[0]) for title in titles] == numbers
