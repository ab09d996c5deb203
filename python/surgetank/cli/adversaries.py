"""`surgetank search --adversary`: the worst attack within a budget."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from surgetank.cli.app import err, finite, overrides
from surgetank.cli.app import out as out_
from surgetank.cli.completion import keys_to_set
from surgetank.cli.search_options import executor_of, placed, stopped, terminable

if TYPE_CHECKING:
    from surgetank.adversary import AdversaryBudget, SearchEffort, WorstAttack
    from surgetank.scenario import Scenario

__all__ = ["ADVERSARY_PANEL", "AdversaryOptions", "AdversaryRun", "search_adversary"]

#: Panel of `--help`.
ADVERSARY_PANEL: Final = "Adversary"
#: Number of defences that are proposed, beside those that are named.
_REMEDIES: Final = 3


def _option(text: str, metavar: str, **more: Any) -> Any:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=ADVERSARY_PANEL, **more)


@dataclass(frozen=True)
class AdversaryOptions:
    """The adversary's budget and aim, and how long the search looks."""

    adversary: Annotated[
        bool,
        typer.Option(
            "--adversary",
            help="Find the attack that does most damage: docs/adversary.md.",
            rich_help_panel=ADVERSARY_PANEL,
        ),
    ] = False
    worst: Annotated[
        str | None,
        _option("What it harms: venue-loss (default), net-gain, or a measure.", "NAME"),
    ] = None
    tolerance: Annotated[
        float, _option("Damage that does not count, in the unit of --worst.", "X")
    ] = 0.0
    identities: Annotated[
        int | None, _option("Nodes that it holds; by default all but two thirds.", "N")
    ] = None
    delay_ms: Annotated[float, _option("Longest delay that it adds to a packet.", "MS")] = 1_000.0
    attack_s: Annotated[
        float | None, _option("Length of the attack; by default a quarter of the run.", "S")
    ] = None
    flood_rate: Annotated[
        float | None,
        _option("Messages that it sends per second; by default as many as the background.", "N"),
    ] = None
    capital_usd: Annotated[
        float, _option("Capital with which it trades; 0: it only disturbs.", "USD")
    ] = 0.0
    identity_usd: Annotated[float, _option("Price of a held node per run.", "USD")] = 0.0
    message_usd: Annotated[float, _option("Price of a message of a flood.", "USD")] = 0.0
    trials: Annotated[int, _option("Attacks to try.", "N", min=1, max=100_000)] = 48
    fresh: Annotated[
        int, _option("Fresh seeds on which the worst is measured.", "N", min=2, max=10_000)
    ] = 12
    defend: Annotated[
        list[str] | None,
        _option(
            "A change of the scenario to try as a defence; may be repeated.",
            "KEY=VALUE",
            autocompletion=keys_to_set,
        ),
    ] = None

    def budget(self, scenario: Scenario) -> AdversaryBudget:
        """The budget against a scenario.

        Raises:
            SurgetankError: a number is out of range for it.
        """
        from surgetank.adversary import AdversaryBudget

        return AdversaryBudget.of(
            scenario,
            identities=self.identities,
            delay_ms=self.delay_ms,
            attack_s=self.attack_s,
            rate_per_s=self.flood_rate,
            capital_usd=self.capital_usd,
            identity_usd=self.identity_usd,
            message_usd=self.message_usd,
        )

    def effort(self) -> SearchEffort:
        """How much the search tries."""
        from surgetank.adversary import SearchEffort

        return SearchEffort(trials=self.trials, fresh=self.fresh)


@dataclass(frozen=True)
class AdversaryRun:
    """Options that this search shares with the others."""

    seed: int
    workers: int | None
    dask: str | None
    remedies: bool
    out: Path | None
    force: bool
    resume: bool
    as_json: bool
    report: bool
    quiet: bool


def search_adversary(scenario: Scenario, options: AdversaryOptions, run: AdversaryRun) -> int:
    """Searches, writes the results into a folder, shows them, and returns the exit code."""
    from surgetank.adversary import worst_attack
    from surgetank.adversary.objective import objective
    from surgetank.adversary.space import AttackSpace
    from surgetank.console.adversaries import AdversaryWatch, show_worst

    budget = options.budget(scenario)
    objective(options.worst, scenario)  # an invalid question must not leave a folder
    AttackSpace.of(scenario, budget)
    defences = [overrides([text], "--defend") for text in options.defend or ()]
    for values in defences:
        scenario.with_values(values)
    folder = run.out or Path("runs") / f"adversary-{scenario.name}-{run.seed}-{scenario.hash[:8]}"
    hidden = run.quiet or run.as_json
    with (
        terminable(),
        executor_of(run.dask) as executor,
        placed(folder, force=run.force, resume=run.resume) as place,
    ):
        try:
            with AdversaryWatch(err, hidden=hidden) as watch:
                found = worst_attack(
                    scenario,
                    budget,
                    worst=options.worst,
                    tolerance=options.tolerance,
                    effort=options.effort(),
                    defences=defences,
                    remedies=_REMEDIES if run.remedies else 0,
                    seed=run.seed,
                    workers=run.workers,
                    executor=executor,
                    journal=place.journal,
                    watch=watch,
                )
        except KeyboardInterrupt:
            stopped(place)
    written = _written(found, scenario, place.folder, report=run.report)
    if run.as_json:
        content = found.to_dict() | {"out": str(place.folder)}
        sys.stdout.write(json.dumps(finite(content), allow_nan=False) + "\n")
    else:
        show_worst(found, out_)
        out_.print(f"Written to {written}", soft_wrap=True, highlight=False)
        replay = f"Replay it: surgetank run {place.folder / 'worst.toml'}"
        out_.print(replay, soft_wrap=True, highlight=False)
    return found.exit_code


def _written(found: WorstAttack, scenario: Scenario, folder: Path, *, report: bool) -> Path:
    """Writes the result, the scenario under the worst attack, and the page; returns the path of
    what a person reads."""
    from surgetank.output_folder import write_files
    from surgetank.report.adversary import render_adversary
    from surgetank.scenario.text import toml

    attacked = found.plan.applied(scenario).model_dump(mode="json", by_alias=True)
    files = {
        folder / "adversary.json": json.dumps(finite(found.to_dict()), allow_nan=False, indent=1),
        folder / "worst.toml": toml(attacked),
    }
    page = folder / "adversary.html"
    if report:
        files[page] = render_adversary(found)
    write_files(files, hint="Give another --out")
    return page if report else folder / "adversary.json"
