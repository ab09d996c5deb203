"""The command `surgetank book`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surgetank.cli import position_options
from surgetank.cli.app import OUTPUT, SCENARIO, app, err, finite
from surgetank.cli.app import out as out_
from surgetank.cli.ignored import refuse_ignored
from surgetank.cli.output_options import Json
from surgetank.errors import SurgetankError
from surgetank.output_folder import claimed, write_files

if TYPE_CHECKING:
    from surgetank.positions import PositionBook
    from surgetank.positions.summary import BookSummary

_EXAMPLES = """
Examples:

  surgetank book positions.csv

  surgetank book positions.parquet --columns size=qty --mark BTC=65000,ETH=3200

  surgetank book snapshot.json --scenario black-thursday --out runs/book

  surgetank book --example 1000 --seed 1 > book.csv
"""
_EXAMPLE = "Example"
_ELSEWHERE = "Give another --out"


@app.command("book", epilog=_EXAMPLES)
def book_command(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A position book: docs/positions.md."),
    ] = None,
    columns: Annotated[
        list[str] | None, position_options.columns_option("--columns", "--positions-columns")
    ] = None,
    units: Annotated[
        list[str] | None, position_options.units_option("--units", "--positions-units")
    ] = None,
    marks: position_options.Marks = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="SCENARIO",
            help="Take the maintenance rule from this scenario; by default the book's own.",
            rich_help_panel=SCENARIO,
        ),
    ] = None,
    example: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Print a book of N made-up accounts as CSV (with --json, as a JSON book).",
            rich_help_panel=_EXAMPLE,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Seed of the made-up book.", rich_help_panel=_EXAMPLE
        ),
    ] = 1,
    markets: Annotated[
        int,
        typer.Option(metavar="N", help="Its number of markets, 1 to 3.", rich_help_panel=_EXAMPLE),
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write book.html and book.json there.", rich_help_panel=OUTPUT
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace an earlier book there.", rich_help_panel=OUTPUT),
    ] = False,
    as_json: Json = False,
) -> None:
    """Summarise a position book: concentration, leverage, distance to liquidation."""
    from surgetank.console.books import show_summary
    from surgetank.positions.example import example_book
    from surgetank.report.position_book import render_book

    refuse_ignored(context)
    if example is not None:
        if file is not None:
            hint = "Leave one of the two out"
            raise SurgetankError("contradict each other", place=f"{file} --example", hint=hint)
        made = example_book(example, seed=seed, markets=markets)
        sys.stdout.write(made.to_json() + "\n" if as_json else made.to_csv())
        return
    if file is None:
        hint = "Name a file, or print one: surgetank book --example 1000 > book.csv"
        raise SurgetankError("there is no file", place="surgetank book", hint=hint)
    summary, rule = _summary(position_options.read(file, columns, units, marks), scenario)
    if out is not None:
        with claimed(out, force=force, mark="book.json"):
            files = {"book.html": render_book(summary, rule), "book.json": _as_json(summary, rule)}
            write_files({out / name: text for name, text in files.items()}, hint=_ELSEWHERE)
    if as_json:
        sys.stdout.write(_as_json(summary, rule))
        return
    show_summary(out_, summary, rule)
    if out is not None:
        err.print(f"Written to {out / 'book.html'}", soft_wrap=True, highlight=False)


def _as_json(summary: BookSummary, rule: str) -> str:
    content = {**summary.to_dict(), "maintenance_rule": rule}
    return json.dumps(finite(content), allow_nan=False) + "\n"


def _summary(book: PositionBook, scenario: str | None) -> tuple[BookSummary, str]:
    """The summary, and where its maintenance rule comes from."""
    from surgetank.console.books import own_summary
    from surgetank.positions.summary import BookSummary
    from surgetank.scenario import load
    from surgetank.scenario.book_assets import asset_rules
    from surgetank.scenario.position_book import tiers_of

    if scenario is None:
        summary, rule = own_summary(book)
        given = all(market.tiers for market in book.markets)
        return summary, rule if given else f"{rule} (--scenario names another)"
    chosen = load(scenario)
    if chosen.market is None:
        hint = "Name a scenario with a [market]"
        raise SurgetankError("has no market", place=f"--scenario {scenario}", hint=hint)
    tiers = tiers_of(chosen.market, book)
    rules = asset_rules(chosen.market, book)
    return BookSummary(book, tiers, rules), f"Maintenance margin of {chosen.name}"
