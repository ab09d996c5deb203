"""Options that are declared once as a dataclass reach every command that takes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from surgetank.cli.option_groups import grouped


@dataclass(frozen=True)
class _Inner:
    deep: Annotated[int, typer.Option("--deep", help="Inner.")] = 3


@dataclass(frozen=True)
class _Group:
    plain: Annotated[str, typer.Option(help="Outer.")] = "usual"
    inner: _Inner = field(default_factory=_Inner)


@dataclass(frozen=True)
class _NoDefault:
    lacking: Annotated[str, typer.Option()]


def _run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()

    @app.command()
    @grouped
    def shown(context: typer.Context, name: str, *, group: _Group, last: bool = False) -> None:
        given = sorted(n for n, v in context.params.items() if v is not None)
        print(name, group.plain, group.inner.deep, last, ",".join(given))

    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_groups_are_options_of_the_command() -> None:
    names = "deep,last,name,plain"
    assert _run("x") == (0, f"x usual 3 False {names}\n")
    assert _run("x", "--plain", "p", "--deep", "7", "--last") == (0, f"x p 7 True {names}\n")


def test_unknown_values_are_refused_as_of_any_option() -> None:
    code, output = _run("x", "--deep", "many")
    assert code == 2 and "--deep" in output


def test_help_shows_them_in_the_order_of_their_declaration() -> None:
    _, output = _run("--help")
    places = [output.index(flag) for flag in ("--plain", "--deep", "--last")]
    assert places == sorted(places)


def test_a_field_without_a_default_is_refused() -> None:
    with pytest.raises(AssertionError, match="lacking has no default"):

        @grouped
        def never(group: _NoDefault) -> None:
            """Never called."""
